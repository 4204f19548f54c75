"""Reasoning that a client of OpenAI's wire gives back, in the fields that this wire's servers have for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from oneflow_ai.core.prompt import Part, Reasoning
from oneflow_ai.dialects.seal import unwrapped

WIRE = "openai"
# The field of a block that can be read, by its type (openrouter.ai/docs, reasoning tokens, 2026-11-26).
_READABLE = {"reasoning.text": "text", "reasoning.summary": "summary"}
_ENCRYPTED = "reasoning.encrypted"


def thoughts_of(message: Mapping[str, Any]) -> list[Part]:
    """The blocks of `reasoning_details`, which have the seals; without them what can be read of the reasoning."""
    details = message.get("reasoning_details")
    if isinstance(details, list) and details:
        blocks = _Blocks()
        for detail in details:
            if isinstance(detail, dict):
                blocks.add(detail)
        return blocks.end()
    text = message.get("reasoning_content") or message.get("reasoning")
    return [Reasoning(text)] if isinstance(text, str) and text else []


class _Blocks:
    """Puts blocks together of the pieces that a stream brought: those of one block have its index."""

    def __init__(self) -> None:
        self._found: list[Part] = []
        self._texts: list[str] = []
        self._index: Any = None

    def add(self, detail: dict[str, Any]) -> None:
        """One more piece, or whole block."""
        kind, index = detail.get("type"), detail.get("index")
        if self._texts and index != self._index:
            self._close("", "")
        self._index = index
        if kind == _ENCRYPTED:
            self._close("", "")
            wire, seal = _seal(detail, "data")
            if seal:
                self._found.append(Reasoning(sealed=seal, wire=wire))
            return
        field = _READABLE.get(kind) if isinstance(kind, str) else None
        text = detail.get(field) if field is not None else None
        if isinstance(text, str):
            self._texts.append(text)
        wire, seal = _seal(detail, "signature", field)
        if seal:
            self._close(seal, wire)

    def end(self) -> list[Part]:
        """All blocks."""
        self._close("", "")
        return self._found

    def _close(self, signature: str, wire: str) -> None:
        text = "".join(self._texts)
        if text or signature:
            self._found.append(Reasoning(text, signature, wire=wire))
        self._texts = []


def _seal(detail: dict[str, Any], field: str, readable: str | None = None) -> tuple[str, str]:
    """The wire and the seal of a block. Of this wire's own, the seal is all of the block but its text."""
    value = detail.get(field)
    if not isinstance(value, str) or not value:
        return "", ""
    wire, seal = unwrapped(value)
    if wire:
        return wire, seal
    return WIRE, orjson.dumps({name: value for name, value in detail.items() if name != readable}).decode()
