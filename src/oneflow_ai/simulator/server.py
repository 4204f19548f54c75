"""The simulator itself: its sockets, and the handles that tests and the demo hold it by."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from random import Random
from types import TracebackType

from oneflow_ai.core.ports import Clock
from oneflow_ai.simulator.clock import MachineClock
from oneflow_ai.simulator.connection import Connection, Host
from oneflow_ai.simulator.control import ControlHost
from oneflow_ai.simulator.options import Limits, Pace, Rule, SimulatorOptions
from oneflow_ai.simulator.record import Record
from oneflow_ai.simulator.stage import Stage

_BACKLOG = 1_024
_STOP_ROUNDS_MOST = 100


class Simulator:
    """The simulated providers on a port of their own. Use it as an async context manager, or `start` and `stop` it.

    Everything waits by `clock` and is drawn from `chance`, so a run can be repeated. Not safe from other threads.
    """

    def __init__(
        self, options: SimulatorOptions | None = None, clock: Clock | None = None, chance: Random | None = None
    ) -> None:
        options = options or SimulatorOptions()
        # chance here plays a provider, it guards nothing
        self._stage = Stage(options, clock or MachineClock(), chance or Random(options.seed))  # noqa: S311 not for secrets
        self._host = ""
        self._port = 0
        self._listener: _Listener | None = None
        self._control: _Listener | None = None
        self._tls: list[_Listener] = []

    async def start(self, host: str = "127.0.0.1", port: int = 0, control_port: int | None = None) -> Simulator:
        """Listen; port 0 is any free one, `control_port` None leaves the control port out. Raises `OSError`."""
        self._listener = await _Listener.open(self._stage, host, port)
        self._host, self._port = host, self._listener.port
        if control_port is not None:
            try:
                self._control = await _Listener.open(ControlHost(self), host, control_port)
            except OSError:
                self._listener.close()
                raise
        return self

    async def listen_tls(self, context: ssl.SSLContext, host: str = "127.0.0.1", port: int = 0) -> str:
        """Speak TLS on one more port, by a certificate of the caller's; gives the base address. Raises `OSError`.

        A connection counts once its handshake is over. Several such ports may have certificates wrong in several ways.
        """
        listener = await _Listener.open(self._stage, host, port, context)
        self._tls.append(listener)
        return f"https://{_shown(host)}:{listener.port}/v1"

    async def stop(self) -> None:
        """Stop listening and break off every connection. Harmless if repeated."""
        listeners = [each for each in (self._listener, self._control, *self._tls) if each is not None]
        self._listener = self._control = None
        self._tls = []
        for listener in listeners:
            listener.close()
            listener.drop()
        for _ in range(_STOP_ROUNDS_MOST):
            # the loop tells connections and their tasks of the end in its next rounds
            if not any(listener.busy for listener in listeners):
                break
            await asyncio.sleep(0)

    async def __aenter__(self) -> Simulator:
        if self._listener is None:
            await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # ---- where it is

    @property
    def port(self) -> int:
        """The port it listens on, the same after `refuse`."""
        return self._port

    @property
    def base_url(self) -> str:
        """The base address for clients of OpenAI's wire."""
        return f"{self.origin}/v1"

    @property
    def origin(self) -> str:
        """The address alone: what stands before `/v1/messages` and `/v1beta/models`."""
        return f"http://{_shown(self._host)}:{self._port}"

    @property
    def control_port(self) -> int | None:
        """The control port, when there is one."""
        return self._control.port if self._control is not None else None

    # ---- what it does

    @property
    def clock(self) -> Clock:
        """The clock it waits by."""
        return self._stage.clock

    @property
    def record(self) -> Record:
        """What reached it on the wire."""
        return self._stage.record

    @property
    def limits(self) -> Limits:
        """The limits it enforces; may be set at any time."""
        return self._stage.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._stage.limits = limits

    @property
    def pace(self) -> Pace:
        """How fast it answers; may be set at any time."""
        return self._stage.pace

    @pace.setter
    def pace(self, pace: Pace) -> None:
        self._stage.pace = pace

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The faults that strike without being asked for; may be set at any time, and then count their time anew."""
        return self._stage.rules

    @rules.setter
    def rules(self, rules: tuple[Rule, ...]) -> None:
        self._stage.rules = rules

    @property
    def accepting(self) -> bool:
        """Whether it listens."""
        return self._listener is not None and self._listener.listening

    def refuse(self, drop: bool = True) -> None:
        """Refuse new connections, and break off the open ones unless told otherwise (fault F3)."""
        if self._listener is not None:
            self._listener.close()
            if drop:
                self._listener.drop()

    async def accept_again(self) -> None:
        """Listen again on the same port; raises `OSError` when somebody else took it meanwhile."""
        if self._listener is not None and not self.accepting:
            await self._listener.listen(self._host, self._port)


class _Listener:
    """A listening socket and the connections it gave."""

    def __init__(self, host: Host, context: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self._host = host
        self._context = context
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None

    @classmethod
    async def open(cls, host: Host, address: str, port: int, context: ssl.SSLContext | None = None) -> _Listener:
        listener = cls(host, context)
        await listener.listen(address, port)
        return listener

    async def listen(self, address: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self._host, self._connections), address, port, backlog=_BACKLOG, ssl=self._context
        )
        self.port = int(self._server.sockets[0].getsockname()[1])

    @property
    def listening(self) -> bool:
        return self._server is not None

    @property
    def busy(self) -> bool:
        return bool(self._connections)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def drop(self) -> None:
        for connection in tuple(self._connections):
            connection.drop()


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def run(
    options: SimulatorOptions,
    host: str,
    port: int,
    control_port: int | None,
    announce: Callable[[str], None],
    until: asyncio.Event,
) -> None:
    """Serve until `until` is set; `announce` is told, a line each, where. Raises `OSError` when a port is taken."""
    async with await Simulator(options).start(host, port, control_port) as simulator:
        announce(f"OpenAI's wire: {simulator.base_url}")
        for name in ("Anthropic's", "Gemini's", "Stability's", "ElevenLabs'"):
            announce(f"{name} wire: {simulator.origin}")
        if simulator.control_port is not None:
            announce(f"Control port: http://{host}:{simulator.control_port}/_sim/status")
        await until.wait()
