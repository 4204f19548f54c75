"""Chats that their client wrote on OpenAI's wire, made fit for a server of it that takes less than others do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oneflow_ai.providers.openai_idiom import Idiom
from oneflow_ai.providers.openai_turns import BREAK, Turns

_Fields = dict[str, Any]
# The fields in which this wire's servers tell what was thought, and where Google's of them seal a call of a tool.
_THOUGHTS = frozenset({"reasoning", "reasoning_content", "reasoning_details"})
_SEALED_CALL = "extra_content"
_SAID = ("content", "tool_calls", "function_call", "refusal", "audio")


class OwnChats:
    """Makes bodies fit for one server, as `idiom` tells what it takes of a conversation.

    A client goes on at one server with what it was told by another: ids of calls, thoughts, its own ways of writing.
    """

    def __init__(self, idiom: Idiom) -> None:
        self._idiom = idiom
        self._tool_id = Turns(idiom, frozenset()).tool_id if idiom.tool_id_characters else None
        self._all_fit = not (
            idiom.thoughts_refused or idiom.tool_id_characters or idiom.joins_texts or not idiom.has_developer
        )

    def fit(self, body: _Fields) -> tuple[_Fields, tuple[str, ...]]:
        """The body, and the name of what lost anything. What fits already is left as it is."""
        messages = body.get("messages")
        if self._all_fit or not isinstance(messages, list):
            return body, ()
        kept = list(map(self._message, messages))
        refused = self._idiom.thoughts_refused
        told = any(message.get(name) for message in messages for name in refused)
        return {**body, "messages": kept}, ("messages",) if told else ()

    def _message(self, message: _Fields) -> _Fields:
        idiom, changes = self._idiom, _Fields()
        if not idiom.has_developer and message.get("role") == "developer":
            changes["role"] = "system"
        if idiom.joins_texts and (text := _joined(message.get("content"))) is not None:
            changes["content"] = text
        if self._tool_id is not None:
            if message.get("tool_calls"):
                changes["tool_calls"] = [{**call, "id": self._tool_id(call["id"])} for call in message["tool_calls"]]
            if message.get("tool_call_id"):
                changes["tool_call_id"] = self._tool_id(message["tool_call_id"])
        if not changes and idiom.thoughts_refused.isdisjoint(message):
            return message
        return {name: value for name, value in {**message, **changes}.items() if name not in idiom.thoughts_refused}


def _joined(content: Any) -> str | None:
    """The one text of a list of texts; None where it is none."""
    if not isinstance(content, list):
        return None
    if not all(isinstance(part, Mapping) and isinstance(part.get("text"), str) for part in content):
        return None
    return BREAK.join(part["text"] for part in content)


def without_seals(message: _Fields) -> _Fields:
    """A message of this wire's own without what was thought, and without the seals of its calls of tools."""
    kept = {name: value for name, value in message.items() if name not in _THOUGHTS}
    calls = kept.get("tool_calls")
    if isinstance(calls, list):
        kept["tool_calls"] = [{name: call[name] for name in call if name != _SEALED_CALL} for call in calls]
    if kept["role"] == "assistant" and not any(map(kept.get, _SAID)):
        # Nothing but the thoughts was in it; a content that says nothing may not be null.
        kept["content"] = ""
    return kept
