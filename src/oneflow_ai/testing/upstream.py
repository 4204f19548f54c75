"""A provider that follows a script."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from oneflow_ai.core.failure import UPSTREAM_TIMEOUT, Failure
from oneflow_ai.core.ports import Clock, HttpAnswer, HttpRequest, Mark, Pouring


@dataclass(frozen=True, slots=True)
class Scripted:
    """One answer of a scripted provider.

    The request goes out after `connect_seconds`; its head, or `failure`, comes `wait_seconds` later (`NEVER`: never).
    `steps` follow: bytes arrive, a number is so many seconds of silence, a `Failure` is raised; then it is over.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[bytes | float | Failure, ...] = ()
    wait_seconds: float = 0.0
    failure: Failure | None = None
    connect_seconds: float = 0.0


Script = Callable[[HttpRequest], Scripted]


class ScriptedUpstream:
    """A `core.ports.Upstream` that answers by script: a list of answers in order, or a function of the request.

    `requests` lists what was sent, `open_answers` counts answers not yet closed, `closed` tells whether it was.
    """

    def __init__(self, script: Iterable[Scripted] | Script, clock: Clock) -> None:
        self.requests: list[HttpRequest] = []
        self.open_answers = 0
        self.closed = False
        self._clock = clock
        self._script = script if callable(script) else _in_order(script)

    async def send(self, request: HttpRequest, until_seconds: float, mark: Mark | None = None) -> HttpAnswer:
        """Note the request and give its answer's head; raises what the script says, or `upstream_timeout`."""
        if self.closed:
            raise RuntimeError("the upstream is closed")
        self.requests.append(request)
        scripted = self._script(request)
        await _sleep_until(self._clock.monotonic() + scripted.connect_seconds, until_seconds, self._clock)
        if mark is not None:
            mark.sent = True
        head_seconds = self._clock.monotonic() + scripted.wait_seconds
        await _sleep_until(head_seconds, until_seconds, self._clock)
        if scripted.failure is not None:
            raise scripted.failure
        self.open_answers += 1
        return ScriptedAnswer(scripted, head_seconds, self, self._clock)

    async def close(self) -> None:
        """No more requests; answers still open are the test's to find."""
        self.closed = True


class ScriptedAnswer(Pouring):
    """One answer under way. Bytes arrive when the script says, however late they are read."""

    def __init__(self, scripted: Scripted, head_seconds: float, upstream: ScriptedUpstream, clock: Clock) -> None:
        self.status = scripted.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in scripted.headers.items()}
        self.sent_seconds: float | None = None
        self.released = self.closed = False
        self._coming = deque(_arrivals(scripted.steps, head_seconds))
        self._upstream, self._clock = upstream, clock

    async def read(self, until_seconds: float) -> bytes:
        """Give the next chunk of the script, or nothing at its end; raises what it says, or `upstream_timeout`."""
        if self.closed:
            raise RuntimeError("the answer is closed")
        if not self._coming:
            return b""
        due_seconds, what = self._coming[0]
        await _sleep_until(due_seconds, until_seconds, self._clock)
        self._coming.popleft()
        if isinstance(what, Failure):
            raise what
        return what

    def release(self) -> None:
        """Give the connection back for another request."""
        self.released = True
        self.close()

    def close(self) -> None:
        """Close the connection; harmless if repeated."""
        if not self.closed:
            self.closed = True
            self._upstream.open_answers -= 1

    def discard(self) -> None:
        """Close the connection."""
        self.close()


def _arrivals(steps: Iterable[bytes | float | Failure], head_seconds: float) -> Iterator[tuple[float, bytes | Failure]]:
    due_seconds = head_seconds
    for step in steps:
        if isinstance(step, bytes | Failure):
            yield due_seconds, step
        else:
            due_seconds += step
    yield due_seconds, b""


def _in_order(script: Iterable[Scripted]) -> Script:
    answers = iter(script)

    def answer(request: HttpRequest) -> Scripted:
        scripted = next(answers, None)
        if scripted is None:
            raise AssertionError(f"the script has no answer left for {request.method} {request.url}")
        return scripted

    return answer


async def _sleep_until(due_seconds: float, until_seconds: float, clock: Clock) -> None:
    seconds = min(due_seconds, until_seconds) - clock.monotonic()
    if seconds > 0:
        await clock.sleep(seconds)
    if due_seconds > until_seconds:
        raise Failure(UPSTREAM_TIMEOUT, f"nothing came in {max(seconds, 0.0):.1f} s")
