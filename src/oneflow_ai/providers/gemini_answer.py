"""One answer of Gemini's as the middle form: its responses, one after another or a single one, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from oneflow_ai.core.events import Delta, End, Event
from oneflow_ai.core.failure import PROVIDER_AUTH_FAILED, UPSTREAM_BAD_RESPONSE, UPSTREAM_STREAM_INTERRUPTED, Failure
from oneflow_ai.providers.base import encoded, listed, mapping, word
from oneflow_ai.providers.gemini_extras import Said, citations_in, logprobs_in
from oneflow_ai.providers.gemini_seal import WIRE
from oneflow_ai.providers.gemini_searches import Searches
from oneflow_ai.providers.gemini_usage import read_usage

_CHOICES_MOST = 128
_CITATIONS_MOST = 4_096
# ai.google.dev/api/generate-content and google-genai 3.6.1, 2026-11-26. CONTINUATION is a limit for one request, after
# which another could go on. What is not here stopped the answer for a reason of the content.
_REASONS = {"STOP": "stop", "MAX_TOKENS": "length", "CONTINUATION": "length"}
# The account is limited or disabled.
_REFUSED = "PUP_LIMITED_DISABLED"
# The model's answer is broken: to give it as whole would be a lie, and another try may do better.
_BROKEN = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "MISSING_THOUGHT_SIGNATURE",
        "TOO_MANY_TOOL_CALLS",
        "UNEXPECTED_TOOL_CALL",
    }
)


@dataclass(slots=True)
class _Choice:
    """One candidate so far."""

    reason: str = ""
    calls: int = 0
    said: Said = field(default_factory=Said)
    cited: set[str] = field(default_factory=set)

    def why(self) -> str:
        """Why it ended, in the middle form's words."""
        reason = _REASONS.get(self.reason, "content_filter")
        return "tool_calls" if reason == "stop" and self.calls else reason


class Answer:
    """Gathers what the end needs, and gives what each response brings. Ids of calls are made of the answer's own."""

    __slots__ = ("_answer_id", "_blocked", "_choices", "_id", "_made", "_model", "_searches", "_usage", "raw")

    def __init__(self, call_id: str, *, by_query: bool = False, raw: bool = False) -> None:
        self._id = call_id.removeprefix("req_")
        self._made = 0
        self._choices: dict[int, _Choice] = {}
        self._usage: Any = None
        self._model: str | None = None
        self._answer_id = ""
        self._blocked = ""
        self._searches = Searches(by_query=by_query)
        self.raw = raw

    @property
    def finished(self) -> bool:
        """Whether each candidate so far has its reason, or there is none since the prompt was blocked."""
        if not self._choices:
            return bool(self._blocked)
        return all(one.reason for one in self._choices.values())

    def take(self, found: dict[str, Any]) -> list[Delta]:
        """Give what one response brings."""
        deltas: list[Delta] = []
        for candidate, index, choice in self._noted(found):
            deltas += self._candidate(candidate, index, choice)
        return deltas

    def look(self, found: dict[str, Any]) -> bool:
        """Note what one response tells, which is passed on as it is; gives whether it has content."""
        return any(_says(candidate) for candidate, _, _ in self._noted(found))

    def _noted(self, found: dict[str, Any]) -> list[tuple[dict[str, Any], int, _Choice]]:
        """The candidates of a response, each with its place and what is known of it; all else of it is remembered."""
        if isinstance(found.get("usageMetadata"), dict):
            self._usage = found["usageMetadata"]
        self._model = word(found.get("modelVersion")) or self._model
        self._answer_id = word(found.get("responseId")) or self._answer_id
        feedback = found.get("promptFeedback")
        if isinstance(feedback, dict) and feedback.get("blockReason"):
            self._blocked = word(feedback["blockReason"]) or "OTHER"
        candidates = listed(found.get("candidates"))
        return [self._choice(each, order) for order, each in enumerate(candidates) if isinstance(each, dict)]

    def _choice(self, candidate: dict[str, Any], order: int) -> tuple[dict[str, Any], int, _Choice]:
        index = candidate.get("index")
        if type(index) is not int or not 0 <= index < _CHOICES_MOST:
            index = order
        choice = self._choices.setdefault(index, _Choice())
        reason = word(candidate.get("finishReason"))
        if reason and reason != "FINISH_REASON_UNSPECIFIED":
            choice.reason = reason
        self._searches.note(candidate)
        return candidate, index, choice

    def end(self, failure: Failure | None = None, last: dict[str, Any] | None = None) -> list[Event]:
        """The end, with the usage before it: well when each candidate has its reason, or the prompt was blocked.

        `last` is the event that is to end a raw stream.
        """
        failure = failure or self._problem()
        usage = read_usage(self._usage)
        if usage is not None and self._searches.count:
            usage = replace(usage, web_searches=self._searches.count)
        if usage is not None and failure is not None:
            usage = replace(usage, source="provider_partial")
        reason, reasons = self._reasons() if failure is None else (None, None)
        chunk = last if failure is None else None
        end = End(reason, failure, self._model, chunk=chunk, answer_id=self._answer_id, reasons=reasons)
        return [end] if usage is None else [usage, end]

    def _problem(self) -> Failure | None:
        if any(one.reason == _REFUSED for one in self._choices.values()):
            return Failure(PROVIDER_AUTH_FAILED, "the provider refused the gateway's credential")
        broken = next((one.reason for one in self._choices.values() if one.reason in _BROKEN), None)
        if broken is not None:
            return Failure(UPSTREAM_BAD_RESPONSE, f"the model's answer is broken: {broken}")
        if self.finished:
            return None
        if self._choices:
            words = "the provider ended the answer before it was finished"
            return Failure(UPSTREAM_STREAM_INTERRUPTED, words)
        return Failure(UPSTREAM_BAD_RESPONSE, "the provider's answer has no candidates")

    def _reasons(self) -> tuple[str | None, dict[int, str | None] | None]:
        """Why the first candidate ended, and each where there are several; without any the prompt was blocked."""
        choices = self._choices
        if self.raw:
            return (choices[min(choices)].reason if choices else self._blocked), None
        if len(choices) > 1:
            return choices[min(choices)].why(), {index: choice.why() for index, choice in choices.items()}
        return next((choice.why() for choice in choices.values()), "content_filter"), None

    def _candidate(self, candidate: dict[str, Any], index: int, choice: _Choice) -> list[Delta]:
        deltas: list[Delta] = []
        for part in _parts(candidate):
            deltas += self._part(part, index, choice)
        logprobs = logprobs_in(candidate.get("logprobsResult"))
        if logprobs:
            deltas.append(Delta("logprobs", logprobs, index))
        for citation in citations_in(candidate, choice.said):
            if citation not in choice.cited and len(choice.cited) < _CITATIONS_MOST:
                choice.cited.add(citation)
                deltas.append(Delta("citation", citation, index))
        return deltas

    def _part(self, part: dict[str, Any], index: int, choice: _Choice) -> list[Delta]:
        signature, called = word(part.get("thoughtSignature")), part.get("functionCall")
        if isinstance(called, dict):
            return self._call(called, signature, index, choice)
        deltas: list[Delta] = []
        text = word(part.get("text"))
        if text and part.get("thought") is True:
            deltas.append(Delta("reasoning", text, index))
        elif text:
            choice.said.add(text)
            deltas.append(Delta("text", text, index))
        if signature:
            deltas.append(Delta("signature", signature, index, wire=WIRE))
        return deltas

    def _call(self, called: dict[str, Any], signature: str, index: int, choice: _Choice) -> list[Delta]:
        name, arguments = word(called.get("name")), encoded(mapping(called.get("args")), "{}")
        if not name:
            return []
        place = choice.calls
        choice.calls += 1
        self._made += 1
        tool_id = word(called.get("id")) or f"call_{self._id}_{self._made}"
        deltas = [Delta("tool_call", name, index, place, tool_id), Delta("tool_arguments", arguments, index, place)]
        if signature:
            deltas.append(Delta("tool_signature", signature, index, place, wire=WIRE))
        return deltas


def _parts(candidate: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for part in listed(mapping(candidate.get("content")).get("parts")) if isinstance(part, dict)]


def _says(candidate: dict[str, Any]) -> bool:
    """Whether there is anything in it: an empty text is none, nor is what says that it would be a thought."""
    return any(part.keys() - _EMPTY or part.get("text") or part.get("thoughtSignature") for part in _parts(candidate))


_EMPTY = frozenset({"text", "thought", "thoughtSignature"})
