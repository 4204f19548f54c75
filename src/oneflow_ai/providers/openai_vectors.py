"""Decoders of OpenAI's embeddings and moderations: whole answers, as raw bytes or as vectors."""

from __future__ import annotations

import struct
from binascii import Error, a2b_base64
from typing import Any

from oneflow_ai.core.events import End, Event, Raw, Usage, Vector
from oneflow_ai.core.failure import UPSTREAM_BAD_RESPONSE, Failure
from oneflow_ai.providers.openai_stream import read_whole, whole_failure
from oneflow_ai.providers.openai_usage import read_usage

_NUMBER_BYTES = 4


class EmbeddingDecoder:
    """Decodes one answer of embeddings, as numbers or base64; nothing is given before its end."""

    __slots__ = ("_chunks", "_raw")

    def __init__(self, *, raw: bool) -> None:
        self._raw = raw
        self._chunks: list[bytes] = []

    def feed(self, chunk: bytes) -> list[Event]:
        """Keep the bytes until the end."""
        self._chunks.append(chunk)
        return []

    def close(self) -> list[Event]:
        """The whole answer as events, or the failure that its bytes stand for."""
        body, found = read_whole(self._chunks)
        failure = whole_failure(found, "data")
        if failure is not None:
            return [End(failure=failure)]
        events: list[Event] = []
        if self._raw:
            events.append(Raw(body, 1))
        else:
            for place, item in enumerate(found["data"]):
                vector = _vector(item, place)
                if vector is None:
                    words = "the provider sent an embedding that is no list of numbers"
                    return [End(failure=Failure(UPSTREAM_BAD_RESPONSE, words))]
                events.append(vector)
        usage = found.get("usage")
        # Servers of this wire leave out what there never is, or write nought.
        counted = read_usage({"completion_tokens": 0, **usage}) if isinstance(usage, dict) else None
        if counted is not None:
            events.append(counted)
        model = found.get("model")
        return [*events, End(model=model if isinstance(model, str) else None)]


class ModerationDecoder:
    """Decodes one answer of a moderation, which only clients of the same wire ask for. It costs nothing anywhere."""

    __slots__ = ("_chunks",)

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def feed(self, chunk: bytes) -> list[Event]:
        """Keep the bytes until the end."""
        self._chunks.append(chunk)
        return []

    def close(self) -> list[Event]:
        """The whole answer as its bytes, or the failure that they stand for."""
        body, found = read_whole(self._chunks)
        failure = whole_failure(found, "results")
        if failure is not None:
            return [End(failure=failure)]
        model, answer_id = found.get("model"), found.get("id")
        end = End(
            model=model if isinstance(model, str) else None, answer_id=answer_id if isinstance(answer_id, str) else ""
        )
        return [Raw(body, 1), Usage(), end]


def _vector(item: Any, place: int) -> Vector | None:
    if not isinstance(item, dict):
        return None
    index, values = item.get("index"), item.get("embedding")
    index = index if type(index) is int else place
    if isinstance(values, str):
        numbers = _unpacked(values)
        return None if numbers is None else Vector(index, numbers)
    if not isinstance(values, list) or not all(type(value) is float or type(value) is int for value in values):
        return None
    return Vector(index, tuple(map(float, values)))


def _unpacked(text: str) -> tuple[float, ...] | None:
    """Numbers of 32 bits, the least significant byte first, out of base64."""
    try:
        content = a2b_base64(text, strict_mode=True)
    except (Error, ValueError):
        return None
    count, rest = divmod(len(content), _NUMBER_BYTES)
    return None if rest else struct.unpack(f"<{count}f", content)
