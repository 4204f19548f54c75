"""A fault as it is asked for, `F13@event:3;times=2`, and the scene it is played in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from random import Random

from oneflow_ai.simulator.answer import Answer, Headers, at_once, chunk, ended, head, stream_head
from oneflow_ai.simulator.options import Pace
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.steps import Send, Step, Steps
from oneflow_ai.simulator.wires.wire import Problem, Surroundings, Wire

_ID = re.compile(r"F[1-9][0-9]?")
_TEXT_MOST = 200


class FaultError(ValueError):
    """A fault that was asked for in words nobody understands; the text says which and what is known."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault with its parameters, as asked for or by default; `asked` is the text it was asked for with."""

    asked: str
    id: str
    parameters: Mapping[str, str]

    def text(self, name: str) -> str:
        """A parameter as text."""
        return self.parameters[name]

    def number(self, name: str) -> float:
        """A parameter as a number."""
        return float(self.parameters[name])

    def count(self, name: str) -> int:
        """A parameter as a whole number."""
        return int(self.parameters[name])


def split(asked: str) -> tuple[str, dict[str, str]]:
    """Give a fault's id and the parameters it was asked for with; raises `FaultError`."""
    name, _, rest = asked[:_TEXT_MOST].strip().partition(";")
    name, at, place = name.partition("@")
    given = {"at": place} if at else {}
    for part in rest.split(";") if rest else ():
        key, equals, value = part.partition("=")
        if not equals:
            raise FaultError(f"fault {asked!r}: {part!r} is not of the form name=value")
        given[key.strip()] = value.strip()
    if not _ID.fullmatch(name):
        raise FaultError(f"fault {asked!r}: {name!r} is not an id from F1 to F48")
    return name, given


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything a fault may know: the request, the answer it would have got, and where it stands.

    `common` are the headers of every answer, `served` how many requests the connection served before, `since_seconds`
    the time since the fault was set or first asked for.
    """

    fault: Fault
    request: Request
    answer: Answer
    wire: Wire
    around: Surroundings
    common: Headers
    pace: Pace
    now: datetime
    served: int
    since_seconds: float
    chance: Random

    def failure(self, problem: Problem) -> Send:
        """A whole answer that reports a problem."""
        told = self.wire.failure(problem, self.around)
        return self.reply(told.status, told.body, told.headers, told.media_type)

    def reply(self, status: int, body: bytes, headers: Headers = (), media_type: str = "application/json") -> Send:
        """A whole answer with its length."""
        typed = ("content-type", media_type), ("content-length", str(len(body)))
        return Send(head(status, (*self.common, *typed, *headers)) + body)

    def head(self, *headers: tuple[str, str]) -> bytes:
        """The head of a good answer whose framing is given."""
        return head(200, (*self.common, ("content-type", self.answer.media_type), *headers, *self.answer.headers))

    def stream_head(self) -> bytes:
        """The head of the streamed answer."""
        return stream_head(self.answer, self.common, self.request)

    def usual(self, answer: Answer | None = None) -> Send:
        """The answer it would have got, or another one in its place, all at once."""
        return Send(at_once(answer or self.answer, self.common, self.request))

    def frame(self, content: bytes) -> bytes:
        """A piece of a streamed body as HTTP frames it."""
        return chunk(content) if self.request.version == "1.1" else content

    def body_end(self) -> Step:
        """The step that ends a streamed body in order."""
        return ended(self.request)

    def body(self) -> bytes:
        """The bytes of the body, whole or of all events."""
        if self.answer.events is None:
            return self.answer.body
        return b"".join([event.content for event in self.answer.events])


Play = Callable[[Scene], Steps | None]
"""Plays a fault, as steps; None when it has no cause to strike now."""
