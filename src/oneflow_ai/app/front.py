"""The front of one server: its edge, with the door and the bounds that the configuration in force gives it."""

from __future__ import annotations

from collections.abc import Mapping

from oneflow_ai.app.runtime import Runtime
from oneflow_ai.control import ControlPorts, control_plane
from oneflow_ai.core.call import Account
from oneflow_ai.edge import Edge, EdgeLimits, EdgePorts
from oneflow_ai.edge.door import Door, loopback_hosts
from oneflow_ai.policy.overload import BODIES_MEMORY_SHARE
from oneflow_ai.settings import Loaded, Settings, is_loopback
from oneflow_ai.stores.key_format import KeyDigest
from oneflow_ai.stores.keys import Keys
from oneflow_ai.telemetry.access import AccessLog
from oneflow_ai.telemetry.lines import LineWriter
from oneflow_ai.telemetry.recorder import Watcher


class Front:
    """What a server's requests meet first, over a runtime. `edge` takes each request with its turn.

    Access lines go to `lines`, where the configuration wants them.
    """

    def __init__(self, runtime: Runtime, keys: Keys, digest: KeyDigest, lines: LineWriter) -> None:
        settings = runtime.loaded.settings
        self._runtime = runtime
        self._digest = digest
        self._access: Watcher = AccessLog(lines)
        self._door = _door(settings, digest)
        runtime.follow_with(self._followers(settings))
        self.edge = Edge(
            EdgePorts(
                desk=runtime.desk,
                engine=runtime.engine,
                door=self._door,
                control=control_plane(ControlPorts(runtime, keys, self._account)),
                limits=_limits(settings, runtime.memory_most_bytes),
                overload=runtime.overload,
                clock=runtime.clock,
                chance=runtime.chance,
                log=runtime.log,
                refused=runtime.metrics.refused,
                standing=runtime.limits.standing,
                spool=runtime.loaded.home,
            )
        )

    async def reload(self, loaded: Loaded) -> None:
        """Serve by another configuration from the next request on; raises `ValueError` and keeps the old one whole."""
        await self._runtime.reload(loaded)
        settings = loaded.settings
        self._door = _door(settings, self._digest)
        self.edge.adopt(_limits(settings, self._runtime.memory_most_bytes), self._door)
        self._runtime.follow_with(self._followers(settings))

    def _account(self, headers: Mapping[bytes, bytes], query: bytes) -> Account:
        return self._door.account(headers, self._runtime.desk.snapshot, query)

    def _followers(self, settings: Settings) -> tuple[Watcher, ...]:
        return (self._access,) if settings.log.access else ()


def _door(settings: Settings, digest: KeyDigest) -> Door:
    server = settings.server
    hosts = loopback_hosts(server.hosts) if is_loopback(server.host) else None
    return Door(digest, keys_needed=server.auth == "keys", hosts=hosts)


def _limits(settings: Settings, memory_most_bytes: int) -> EdgeLimits:
    server = settings.server
    # One body of the largest size always has room.
    bodies = max(int(memory_most_bytes * BODIES_MEMORY_SHARE), server.body_bytes_most)
    return EdgeLimits(
        server.body_bytes_most,
        server.calls_most,
        bodies,
        settings.retry.deadline_seconds,
        server.upload_bytes_most,
    )
