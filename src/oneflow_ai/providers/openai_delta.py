"""One choice of OpenAI's answers, streamed or whole: whether it carries content, and its middle form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from oneflow_ai.core.events import Delta, End
from oneflow_ai.core.failure import UPSTREAM_STREAM_INTERRUPTED, Failure
from oneflow_ai.providers.base import encoded, word
from oneflow_ai.providers.openai_calls import Tools

# This wire's finish reasons in the middle form's words: OpenAI's, and `model_length` of Mistral's. What no one knows is
# a stop: the answer is whole.
REASONS: Mapping[str, str] = {
    "stop": "stop",
    "length": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
# An answer that was broken off by its server: DeepSeek's word (api-docs.deepseek.com), OpenRouter's and vLLM's.
_BROKEN = frozenset({"insufficient_system_resource", "error", "abort"})
# The field that can be read in a block of reasoning, by its type (openrouter.ai/docs, reasoning tokens, 2026-11-26).
_READABLE = {"reasoning.text": "text", "reasoning.summary": "summary"}
# What a citation tells: the middle form's name, and this wire's.
# Of a citation: the middle form's name, the wire's, and what it must be.
_CITED = (
    ("url", "url", str),
    ("title", "title", str),
    ("text", "content", str),
    ("start", "start_index", int),
    ("end", "end_index", int),
)
WIRE = "openai"
_CHOICES_MOST = 128


def delta_of(choice: dict[str, Any]) -> dict[str, Any]:
    """What a choice brings, under its name in a stream, in a whole answer, or on the completions wire."""
    for name in ("delta", "message"):
        found = choice.get(name)
        if isinstance(found, dict):
            return found
    return {"content": choice.get("text")}


def has_content(delta: dict[str, Any]) -> bool:
    """Whether it carries content, reasoning, a tool call or media; a role alone is none of it."""
    return bool(
        delta.get("content")
        or delta.get("tool_calls")
        or delta.get("reasoning_content")
        or delta.get("reasoning")
        or delta.get("refusal")
        or delta.get("function_call")
        or delta.get("audio")
        or delta.get("images")
    )


class Deltas:
    """Turns the choices of one answer into the middle form; remembers of each how far it has come, and how it ended."""

    __slots__ = ("_choices",)

    def __init__(self) -> None:
        self._choices: dict[int, _Choice] = {}

    def of(self, choice: dict[str, Any], *, whole: bool = False) -> list[Delta]:
        """Give what one choice brings, in a chunk or as a whole; in a `whole` message each tool call is its own."""
        delta, index = delta_of(choice), choice.get("index")
        index = index if type(index) is int and 0 <= index < _CHOICES_MOST else 0
        known = self._choices.get(index)
        if known is None:
            known = self._choices[index] = _Choice()
        found = _reasoning(delta, index)
        content, refusal = delta.get("content"), delta.get("refusal")
        if content:
            thought = any(each.kind == "reasoning" for each in found)
            found += [
                Delta(said, text, index) for said, text in _texts(content, "text") if said == "text" or not thought
            ]
        if refusal:
            found += [Delta(said, text, index) for said, text in _texts(refusal, "refusal")]
        if delta.get("tool_calls") or delta.get("function_call"):
            found += _calls(delta, index, known.tools, whole=whole)
        if delta.get("annotations"):
            found += _citations(delta["annotations"], index)
        if choice.get("logprobs"):
            found += _logprobs(choice["logprobs"], index)
        known.note(delta, choice)
        return found

    def ended(self, end: End) -> End:
        """The end in the middle form's words, the wire's own finish reason given."""
        known = self._choices
        if end.failure is None and (words := _unfinished([choice.finished for choice in known.values()])):
            return replace(end, reason=None, failure=Failure(UPSTREAM_STREAM_INTERRUPTED, words))
        first = known[min(known)] if known else _Choice()
        reason = first.reason(end.reason)
        stop = first.stop_sequence if reason == "stop" else ""
        reasons = None
        if len(known) > 1 and end.failure is None:
            reasons = {index: choice.reason(None) for index, choice in known.items()}
        return replace(end, reason=reason, stop_sequence=stop, reasons=reasons)


@dataclass(slots=True)
class _Choice:
    """One choice so far; `finished` is the wire's word for why it ended, empty until then."""

    tools: Tools = field(default_factory=Tools)
    finished: str = ""
    stop_sequence: str = ""
    refused: bool = False

    def note(self, delta: dict[str, Any], choice: dict[str, Any]) -> None:
        """Remember what tells how it ended."""
        if delta.get("refusal"):
            self.refused = True
        finished = choice.get("finish_reason")
        if not finished or type(finished) is not str:
            return
        self.finished = finished
        # What ended the text, as vLLM tells it (docs.vllm.ai, OpenAI-compatible server, 2026-11-26).
        stop = choice.get("stop_reason")
        if isinstance(stop, str) and finished == "stop":
            self.stop_sequence = stop

    def reason(self, usual: str | None) -> str | None:
        """Why it ended, in the middle form's words; without a word of its own, for the wire's `usual` reason."""
        told = self.finished or usual
        reason = None if told is None else REASONS.get(told, "stop")
        return "refusal" if reason == "stop" and self.refused else reason


def _unfinished(reasons: list[str]) -> str:
    """What is wrong with an answer whose choices ended so; empty where nothing is.

    Servers that never tell a reason have finished when they say so; one that does has left the choice that has none.
    """
    broken = next((reason for reason in reasons if reason in _BROKEN), None)
    if broken is not None:
        return f"the provider stopped before the answer was finished ({broken})"
    return "the provider ended the answer before each choice was finished" if any(reasons) and not all(reasons) else ""


def _calls(delta: dict[str, Any], index: int, tools: Tools, *, whole: bool) -> list[Delta]:
    found: list[Delta] = []
    calls = delta.get("tool_calls")
    if isinstance(calls, list):
        for order, call in enumerate(calls):
            if isinstance(call, dict):
                found += _call(call, index, tools, order if whole else call.get("index"))
    legacy = delta.get("function_call")
    if isinstance(legacy, dict):
        found += _call({"function": legacy}, index, tools, 0)
    return found


def _call(call: dict[str, Any], index: int, tools: Tools, order: Any) -> list[Delta]:
    function = call.get("function") or call.get("custom")
    if not isinstance(function, dict):
        function = {}
    name, tool_id = word(function.get("name")), word(call.get("id"))
    place, begins = tools.place(order, name, tool_id)
    arguments = function.get("arguments", function.get("input"))
    if isinstance(arguments, dict):
        arguments = encoded(arguments)
    found = []
    if begins:
        found.append(Delta("tool_call", name, index, place, tool_id))
    if isinstance(arguments, str) and arguments:
        found.append(Delta("tool_arguments", arguments, index, place))
    return found


def _reasoning(delta: dict[str, Any], index: int) -> list[Delta]:
    """What was thought, which comes before what is said: servers write it under either name, or in blocks beside it."""
    found = _thoughts(delta, index) if "reasoning_details" in delta else []
    thought = delta.get("reasoning_content") or delta.get("reasoning")
    if not thought or any(each.kind == "reasoning" for each in found):
        return found
    # A seal ends the thought before it.
    return [*(Delta(said, text, index) for said, text in _texts(thought, "reasoning")), *found]


def _thoughts(delta: dict[str, Any], index: int) -> list[Delta]:
    """The blocks of `reasoning_details`: what can be read, and seals. A seal is all of its block but the text."""
    details = delta.get("reasoning_details")
    found: list[Delta] = []
    for detail in details if isinstance(details, list) else ():
        if not isinstance(detail, dict):
            continue
        kind = detail.get("type")
        if kind == "reasoning.encrypted":
            if detail.get("data"):
                found.append(Delta("sealed", encoded(detail), index, wire=WIRE))
            continue
        field = _READABLE.get(kind) if isinstance(kind, str) else None
        text = detail.get(field) if field is not None else None
        if isinstance(text, str) and text:
            found.append(Delta("reasoning", text, index))
        if detail.get("signature"):
            rest = {name: value for name, value in detail.items() if name != field}
            found.append(Delta("signature", encoded(rest), index, wire=WIRE))
    return found


def _citations(annotations: Any, index: int) -> list[Delta]:
    found = []
    for annotation in annotations if isinstance(annotations, list) else ():
        cited = annotation.get("url_citation") if isinstance(annotation, dict) else None
        if isinstance(cited, dict):
            told = {name: cited[given] for name, given, kind in _CITED if type(cited.get(given)) is kind}
            text = encoded(told) if told else ""
            if text:
                found.append(Delta("citation", text, index))
    return found


def _logprobs(logprobs: Any, index: int) -> list[Delta]:
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    text = encoded(content) if isinstance(content, list) and content else ""
    return [Delta("logprobs", text, index)] if text else []


def _texts(value: Any, kind: str) -> list[tuple[str, str]]:
    """The kind and text of a field: a text, or a list of parts where a reasoning model of Mistral's sends one."""
    if isinstance(value, str):
        return [(kind, value)]
    found: list[tuple[str, str]] = []
    for part in value if isinstance(value, list) else []:
        if isinstance(part, dict):
            thinking = part.get("thinking")
            if thinking:
                found += _texts(thinking, "reasoning")
            elif isinstance(part.get("text"), str) and part["text"]:
                found.append((kind, part["text"]))
    return found
