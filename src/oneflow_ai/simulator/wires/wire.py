"""What every wire gives: pure functions from a request to an answer, and the odd forms that faults need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from oneflow_ai.simulator.answer import Answer, Headers
from oneflow_ai.simulator.limits import LimitState, Refusal
from oneflow_ai.simulator.memory import Memory
from oneflow_ai.simulator.request import Request

UsageChange = Callable[[dict[str, Any]], Any]
"""Gives the usage to send instead; `DROPPED` to send none."""

DROPPED = object()

BAD_KEY = "bad"
"""What the keys begin with that no wire accepts."""

POOR_KEY = "poor"
"""What the keys begin with that have no credit left."""

_UNKNOWN_MODEL = "no-such"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a wire may know beside the request: the time in Unix seconds, a name nobody has yet, the models there are.

    `say` is the text to answer with instead of a composed one, `answer_tokens` the length of composed ones (0: free),
    `speech_seconds` that of speech (0: by the text), `file_bytes_most` the largest file (0: as the provider has it).
    `memory` is what all requests share.
    """

    now_unix: int
    unique: str
    models: tuple[str, ...] = ()
    strict_models: bool = False
    answer_tokens: int = 0
    say: str | None = None
    speech_seconds: float = 0.0
    file_bytes_most: int = 0
    memory: Memory = field(default_factory=Memory)

    def knows(self, model: str, models: Sequence[str]) -> bool:
        """Whether a model exists; `models` are those that its wire lists by itself."""
        if model.startswith(_UNKNOWN_MODEL):
            return False
        return not self.strict_models or model in (self.models or models) or "sim-" in model


@dataclass(frozen=True, slots=True)
class Problem:
    """An error that a provider reports, before it has that provider's shape; None as code or kind: by status.

    `waits` are the headers that say when to come back, `retry-after` and `retry-after-ms`; a wire may say it otherwise.
    """

    status: int
    message: str = ""
    code: str | None = None
    kind: str | None = None
    param: str | None = None
    waits: Headers = ()


class Wire(Protocol):
    """One provider's wire. It has no state: everything comes in as arguments."""

    def claims(self, request: Request) -> bool:
        """Whether a request is for this provider."""

    def model(self, request: Request) -> str:
        """The model a request asks for; empty when it names none."""

    def answer(self, request: Request, around: Surroundings) -> Answer:
        """The answer to a request, errors in it included."""

    def sample(self, model: str, stream: bool, around: Surroundings) -> Answer:
        """The answer to a question that nobody asked."""

    def headers(self, around: Surroundings, processing_seconds: float, limits: LimitState | None) -> Headers:
        """The headers that go with every answer: its id, the time it took, what is left of the limits."""

    def refusal(self, refusal: Refusal, around: Surroundings) -> Answer:
        """What a request over a limit gets."""

    def failure(self, problem: Problem, around: Surroundings) -> Answer:
        """The answer that reports an error."""

    def stream_failure(self, problem: Problem, named: bool, sent: Sequence[bytes]) -> bytes:
        """An error inside a stream, after the events that were sent; `named` asks for the other form that is known."""

    def stream_ping(self, sent: Sequence[bytes]) -> bytes:
        """An event without meaning, as sent to keep a stream open."""

    def with_usage(self, answer: Answer, change: UsageChange) -> Answer:
        """The same answer with another usage."""

    def with_two_usages(self, answer: Answer, change: UsageChange) -> Answer:
        """The same stream with a changed usage before the true one; a whole answer stays as it is."""

    def with_model(self, answer: Answer, model: str) -> Answer:
        """The same answer as from another model."""

    def odd(self, kind: str, model: str, stream: bool, around: Surroundings, count: int) -> Answer | None:
        """A well-formed answer of an unusual form; the kinds are those of fault F48, None where there is no such."""
