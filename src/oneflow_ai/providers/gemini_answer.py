"""One answer of Gemini's as the middle form: its responses, one after another or a single one, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from oneflow_ai.core.events import Delta, End, Event
from oneflow_ai.core.failure import PROVIDER_AUTH_FAILED, UPSTREAM_BAD_RESPONSE, UPSTREAM_STREAM_INTERRUPTED, Failure
from oneflow_ai.providers.base import encoded, mapping, word
from oneflow_ai.providers.gemini_extras import Said, citations_in, logprobs_in
from oneflow_ai.providers.gemini_seal import WIRE
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

    __slots__ = ("_answer_id", "_blocked", "_choices", "_id", "_made", "_model", "_usage")

    def __init__(self, call_id: str) -> None:
        self._id = call_id.removeprefix("req_")
        self._made = 0
        self._choices: dict[int, _Choice] = {}
        self._usage: Any = None
        self._model: str | None = None
        self._answer_id = ""
        self._blocked = False

    def take(self, found: dict[str, Any]) -> list[Delta]:
        """Give what one response brings."""
        if isinstance(found.get("usageMetadata"), dict):
            self._usage = found["usageMetadata"]
        self._model = word(found.get("modelVersion")) or self._model
        self._answer_id = word(found.get("responseId")) or self._answer_id
        feedback = found.get("promptFeedback")
        if isinstance(feedback, dict) and feedback.get("blockReason"):
            self._blocked = True
        deltas: list[Delta] = []
        candidates = found.get("candidates")
        for order, candidate in enumerate(candidates if isinstance(candidates, list) else []):
            if isinstance(candidate, dict):
                deltas += self._candidate(candidate, order)
        return deltas

    def end(self, failure: Failure | None = None) -> list[Event]:
        """The end, with the usage before it: well when each candidate has its reason, or the prompt was blocked."""
        failure = failure or self._problem()
        usage = read_usage(self._usage)
        if usage is not None and failure is not None:
            usage = replace(usage, source="provider_partial")
        reason, reasons = self._reasons() if failure is None else (None, None)
        end = End(reason, failure, self._model, answer_id=self._answer_id, reasons=reasons)
        return [end] if usage is None else [usage, end]

    def _problem(self) -> Failure | None:
        if any(one.reason == _REFUSED for one in self._choices.values()):
            return Failure(PROVIDER_AUTH_FAILED, "the provider refused the gateway's credential")
        broken = next((one.reason for one in self._choices.values() if one.reason in _BROKEN), None)
        if broken is not None:
            return Failure(UPSTREAM_BAD_RESPONSE, f"the model's answer is broken: {broken}")
        if self._choices and all(one.reason for one in self._choices.values()):
            return None
        if not self._choices and self._blocked:
            return None
        if self._choices:
            words = "the provider ended the answer before it was finished"
            return Failure(UPSTREAM_STREAM_INTERRUPTED, words)
        return Failure(UPSTREAM_BAD_RESPONSE, "the provider's answer has no candidates")

    def _reasons(self) -> tuple[str | None, dict[int, str | None] | None]:
        """Why the first candidate ended, and each where there are several; without any the prompt was blocked."""
        choices = self._choices
        if len(choices) > 1:
            return choices[min(choices)].why(), {index: choice.why() for index, choice in choices.items()}
        return next((choice.why() for choice in choices.values()), "content_filter"), None

    def _candidate(self, candidate: dict[str, Any], order: int) -> list[Delta]:
        index = candidate.get("index")
        if type(index) is not int or not 0 <= index < _CHOICES_MOST:
            index = order
        choice = self._choices.setdefault(index, _Choice())
        content, deltas = candidate.get("content"), []
        parts = content.get("parts") if isinstance(content, dict) else None
        for part in parts if isinstance(parts, list) else []:
            if isinstance(part, dict):
                deltas += self._part(part, index, choice)
        logprobs = logprobs_in(candidate.get("logprobsResult"))
        if logprobs:
            deltas.append(Delta("logprobs", logprobs, index))
        for citation in citations_in(candidate, choice.said):
            if citation not in choice.cited and len(choice.cited) < _CITATIONS_MOST:
                choice.cited.add(citation)
                deltas.append(Delta("citation", citation, index))
        reason = word(candidate.get("finishReason"))
        if reason and reason != "FINISH_REASON_UNSPECIFIED":
            choice.reason = reason
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
