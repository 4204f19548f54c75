"""`oneflow serve`: one process that listens, keeps its keys fresh, reloads on SIGHUP and drains on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from oneflow_ai.app.front import Front
from oneflow_ai.app.key_keeper import KEYS_CHECK_SECONDS, KeyKeeper
from oneflow_ai.app.keys import open_keys, open_vault
from oneflow_ai.app.runtime import Runtime
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.target import Secret
from oneflow_ai.edge.engines import engine
from oneflow_ai.edge.served import ConnectionLimits
from oneflow_ai.edge.server import Stages, listen
from oneflow_ai.settings import Loaded, SettingsError
from oneflow_ai.stores.keys import FIRST_KEY_FILE, Keys
from oneflow_ai.telemetry.files import open_files_most
from oneflow_ai.telemetry.logging import OpenLog

GARBAGE_THRESHOLDS = (20_000, 20, 50)
MAPPED_BYTES_LEAST = 8 << 20
FILES_OF_ITS_OWN = 256
"""The database, the log, and the connections that are kept for the next call."""
CONNECTIONS_MOST = 1 << 16
"""More would not be one process's to look after."""


@dataclass(frozen=True, slots=True)
class Started:
    """What `serve` tells once it answers: where, how it is set up, and the first key if one was made just now."""

    url: str
    demo: bool
    keys_needed: bool
    first_key: Secret | None
    key_file: Path
    seconds: float


@dataclass(frozen=True, slots=True)
class Again:
    """For SIGHUP: reads the configuration anew, and has the log follow one that is in force."""

    load: Callable[[], Loaded]
    log_as: Callable[[Loaded], None]


class Server:
    """One serving process."""

    def __init__(self, loaded: Loaded, again: Again, log: OpenLog, announce: Callable[[Started], None]) -> None:
        self._loaded = loaded
        self._again = again
        self._open_log = log
        self._log = log.log
        self._announce = announce
        self._reloading = asyncio.Lock()

    async def run(self, *, demo_asked: bool = False) -> None:
        """Serve until told to stop. Raises `SettingsError`, `StoreRefused`, `ValueError` or `OSError` at the start."""
        began = perf_counter()
        settings = self._loaded.settings.server
        engine(settings.engine)
        with contextlib.closing(listen(settings.host, settings.port)) as listener:
            async with Runtime(self._loaded, demo_asked=demo_asked, log=self._log) as runtime:
                await self._serve(runtime, listener, began)

    async def _serve(self, runtime: Runtime, listener: socket.socket, began_seconds: float) -> None:
        settings = self._loaded.settings.server
        runtime.metrics.watch("oneflow_log_lines_dropped_total", self._open_log.dropped)
        keys, digest = await open_keys(self._loaded, runtime.database, runtime.clock)
        first_key = await keys.ensure_first_key(self._loaded.home)
        runtime.admit(await keys.load_all())
        runtime.keep(self._refresh(runtime, keys))
        vault = await open_vault(self._loaded, runtime.database, runtime.clock)
        runtime.keep(KeyKeeper(runtime, vault, self._log, self._reloading).run())
        front = Front(runtime, keys, digest, self._open_log.lines)
        edge = front.edge
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, lambda: runtime.keep(self.reload(front)))

        def ready() -> None:
            _settle_memory()
            edge.ready = True
            self._announce(self._started(runtime, listener, first_key, perf_counter() - began_seconds))

        def drain() -> None:
            edge.draining = True

        limits = ConnectionLimits(
            settings.head_seconds,
            settings.body_idle_seconds,
            settings.write_seconds,
            open_most=connections_most(open_files_most(), settings.calls_most),
        )
        await engine(settings.engine)(
            edge,
            listener,
            limits=limits,
            drain_seconds=settings.drain_seconds,
            stages=Stages(ready, drain, runtime.engine.stop),
        )

    def _started(self, runtime: Runtime, listener: socket.socket, first_key: Secret | None, seconds: float) -> Started:
        host, port = listener.getsockname()[:2]
        return Started(
            url=f"http://{f'[{host}]' if ':' in host else host}:{port}",
            demo=runtime.demo,
            keys_needed=self._loaded.settings.server.auth == "keys",
            first_key=first_key,
            key_file=self._loaded.home / FIRST_KEY_FILE,
            seconds=seconds,
        )

    async def _refresh(self, runtime: Runtime, keys: Keys) -> None:
        """Take up, within a second, keys that others made and revoked; a look that fails changes nothing."""
        version, expiry, failing = None, None, False
        while True:
            try:
                now = await keys.version()
                if now != version or (expiry is not None and expiry <= runtime.clock.utc()):
                    runtime.admit(await keys.load_all())
                    if keys.unreadable:
                        ids = ", ".join(keys.unreadable[:3])
                        self._log.warning("keys that cannot be read open nothing", key=ids, count=len(keys.unreadable))
                    version, expiry = now, await keys.next_expiry()
                failing = False
            except Exception as error:  # noqa: BLE001 - whatever one look meets, revoked keys are looked for again
                if not failing:
                    why = {"reason": error.message} if isinstance(error, Failure) else {"error": error}
                    self._log.warning("the keys cannot be read anew; those known stay in force", **why)
                failing = True
            await asyncio.sleep(KEYS_CHECK_SECONDS)

    async def reload(self, front: Front) -> None:
        """Read the configuration anew and serve by it, or keep the old one and tell the log why."""
        async with self._reloading:
            try:
                loaded = self._again.load()
                await front.reload(loaded)
                self._again.log_as(loaded)
            except (SettingsError, ValueError, OSError) as error:
                self._log.error("the new configuration is not used", reason="; ".join(str(error).splitlines()))
            except Exception as error:  # noqa: BLE001 - a reload's outermost edge: a bug of ours is told, not swallowed
                self._log.error("the new configuration is not used, by a fault of the gateway", error=error)
            else:
                self._log.info("the new configuration is in force")


def connections_most(files_most: int, calls_most: int) -> int:
    """How many clients may be connected: each call needs a connection to a provider too, and may need a file."""
    most = files_most - min(files_most // 2, 2 * calls_most + FILES_OF_ITS_OWN)
    return min(max(most, 1), CONNECTIONS_MOST)


def _settle_memory() -> None:
    """Keep the garbage collector off what was loaded at the start, and make it look less often at what comes and goes.

    A call leaves no cycles behind it; looking for some after every 700 new objects took a tenth of its CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    # The C library gives freed memory back, and asks for it again, with each prompt of 100 KB: up to 17 page faults and
    # an eighth of its CPU. A block that is mapped by itself and freed raises its bounds: from now on it keeps twice
    # as much (glibc, mallopt(3), M_MMAP_THRESHOLD: "dynamic", 2026-11-28). No other library minds.
    bytes(MAPPED_BYTES_LEAST)


async def serve(
    loaded: Loaded,
    *,
    demo_asked: bool,
    again: Again,
    log: OpenLog,
    announce: Callable[[Started], None],
) -> None:
    """Serve a configuration until SIGTERM or SIGINT; `again` is for SIGHUP."""
    await Server(loaded, again, log, announce).run(demo_asked=demo_asked)
