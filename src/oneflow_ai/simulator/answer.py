"""What a wire gives back for a request, before any timing or fault: a whole body, or the events of a stream."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple

from oneflow_ai.simulator.lazy import Lazy
from oneflow_ai.simulator.options import Pace
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.steps import Close, Send, Step, Steps, Wait

Headers = tuple[tuple[str, str], ...]

START, CONTENT, FRAME, FINISH, USAGE, DONE = "start", "content", "frame", "finish", "usage", "done"
"""The kinds of stream events: before content, content, between content, the finish reason, the usage, the end mark."""

LAST_CHUNK = b"0\r\n\r\n"
STREAM_TYPE = "text/event-stream; charset=utf-8"
_REASONS = {each.value: each.phrase for each in HTTPStatus} | {
    520: "Web Server Returned an Unknown Error",
    521: "Web Server Is Down",
    522: "Connection Timed Out",
    523: "Origin Is Unreachable",
    524: "A Timeout Occurred",
    529: "Overloaded",
}


class StreamEvent(NamedTuple):
    """One event of a stream: its kind and its bytes as they stand on the wire, blank line included."""

    kind: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the simulated provider; a stream when `events` is not None.

    `barred` says that the credential was refused: such a request counts against no limit.
    """

    status: int = 200
    body: bytes = b""
    events: Sequence[StreamEvent] | None = None
    media_type: str = "application/json"
    headers: Headers = ()
    input_tokens: int = 0
    output_tokens: int = 0
    barred: bool = False

    @property
    def opaque(self) -> bool:
        """Whether it is a picture, a sound or plain text: nothing that a usage or an error could be written into."""
        return self.media_type.startswith(("audio/", "image/", "text/plain"))

    @property
    def flows(self) -> bool:
        """Whether its events are made as they are sent, so that it is never whole anywhere."""
        return isinstance(self.events, Lazy)


def head(status: int, headers: Iterable[tuple[str, str]], version: str = "1.1") -> bytes:
    """The head of an answer, blank line included."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    return f"HTTP/{version} {status} {reason(status)}\r\n{lines}\r\n".encode("latin-1")


def reason(status: int) -> str:
    """The words that go with a status."""
    return _REASONS.get(status, "Unknown")


def chunk(content: bytes) -> bytes:
    """A chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(content), content)


def whole(answer: Answer, common: Headers) -> bytes:
    """A whole answer on the wire."""
    length = ("content-length", str(len(answer.body)))
    return head(answer.status, (*common, ("content-type", answer.media_type), length, *answer.headers)) + answer.body


def stream_head(answer: Answer, common: Headers, request: Request) -> bytes:
    """The head of a streamed answer: chunked, or ended by the close for a client of HTTP/1.0."""
    framing = ("transfer-encoding", "chunked") if request.version == "1.1" else ("connection", "close")
    return head(answer.status, (*common, ("content-type", answer.media_type), framing, *answer.headers))


def at_once(answer: Answer, common: Headers, request: Request) -> bytes:
    """The whole answer as one piece, each event of a stream still a chunk of its own."""
    if answer.events is None:
        return whole(answer, common)
    if request.version != "1.1":
        request.keep_alive = False
        return stream_head(answer, common, request) + b"".join([event.content for event in answer.events])
    chunks = [b"%x\r\n%b\r\n" % (len(content), content) for _, content in answer.events]
    return b"".join((stream_head(answer, common, request), *chunks, LAST_CHUNK))


def paced(answer: Answer, common: Headers, request: Request, pace: Pace, jitter: Iterable[float]) -> Steps:
    """The same answer in time; `jitter` gives one number from 0 up to 1 for each gap."""
    if answer.events is None:
        yield Wait(pace.whole_seconds(answer.output_tokens))
        yield Send(whole(answer, common))
        return
    frame = chunk if request.version == "1.1" else bytes
    if not pace.instant:
        yield Wait(pace.first_token_seconds)
    yield Send(stream_head(answer, common, request))
    drawn, first = iter(jitter), True
    for kind, content in answer.events:
        if kind == CONTENT and not first and not pace.instant:
            yield Wait(pace.gap_seconds * (1 + pace.jitter * (2 * next(drawn) - 1)))
        first = first and kind != CONTENT
        yield Send(frame(content))
    yield ended(request)


def ended(request: Request) -> Step:
    """The step that ends a streamed body as HTTP asks."""
    return Send(LAST_CHUNK) if request.version == "1.1" else Close()
