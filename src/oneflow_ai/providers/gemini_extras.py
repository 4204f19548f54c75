"""What a candidate of Gemini's brings beside its text: where it comes from, and how likely each token was."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

import orjson

_ITEMS_MOST = 4_096
_NAME_CHARACTERS_MOST = 4_096
_BLOCK_CHARACTERS = 1_024


class Said:
    """The text of an answer so far, in which a place told in bytes is found in characters.

    It is cut into blocks whose ends are known, so that a place costs no more in a long text than in a short one.
    """

    __slots__ = ("_blocks", "_ends_bytes", "_ends_characters", "_fresh")

    def __init__(self) -> None:
        self._fresh: list[str] = []
        self._blocks: list[bytes] = []
        self._ends_bytes = [0]
        self._ends_characters = [0]

    def add(self, text: str) -> None:
        """Take the next piece."""
        self._fresh.append(text)

    def characters(self, place_bytes: int) -> int | None:
        """How many characters stand before this byte; None where the text has none such."""
        self._cut()
        block = bisect_right(self._ends_bytes, place_bytes) - 1
        if block == len(self._blocks):
            return self._ends_characters[-1] if place_bytes == self._ends_bytes[-1] else None
        rest = self._blocks[block][: place_bytes - self._ends_bytes[block]]
        return self._ends_characters[block] + len(rest.decode("utf-8", "ignore"))

    def _cut(self) -> None:
        for text in self._fresh:
            for start in range(0, len(text), _BLOCK_CHARACTERS):
                piece = text[start : start + _BLOCK_CHARACTERS]
                self._blocks.append(piece.encode())
                self._ends_bytes.append(self._ends_bytes[-1] + len(self._blocks[-1]))
                self._ends_characters.append(self._ends_characters[-1] + len(piece))
        self._fresh.clear()


def citations_in(candidate: dict[str, Any], said: Said) -> list[str]:
    """The citations of a candidate as JSON, in the middle form, at most 4,096; `said` is its answer so far.

    The wire counts bytes of the answer, the middle form characters.
    """
    placed = (_with_place(citation, start, end, said) for citation, start, end in _found(candidate))
    return [orjson.dumps(citation).decode() for citation in placed if citation.get("url") or citation.get("title")]


def _found(candidate: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any, Any]]:
    cited, grounded = candidate.get("citationMetadata"), candidate.get("groundingMetadata")
    return islice(chain(_cited(cited), _grounded(grounded)), _ITEMS_MOST)


def logprobs_in(result: Any) -> str:
    """The log-probabilities of the chosen tokens as OpenAI's chat has them; empty where there are none."""
    if not isinstance(result, dict):
        return ""
    chosen, top = _dicts(result.get("chosenCandidates")), _list(result.get("topCandidates"))
    tokens = []
    for place, candidate in enumerate(chosen):
        token = _logprob(candidate)
        others = top[place] if place < len(top) and isinstance(top[place], dict) else {}
        if token is not None:
            more = map(_logprob, _dicts(others.get("candidates")))
            tokens.append({**token, "top_logprobs": [each for each in more if each is not None]})
    return orjson.dumps(tokens).decode() if tokens else ""


def _cited(metadata: Any) -> Iterator[tuple[dict[str, Any], Any, Any]]:
    """Texts that the answer recites: `citationSources` here, `citations` on Vertex AI."""
    if not isinstance(metadata, dict):
        return
    for source in _dicts(metadata.get("citationSources") or metadata.get("citations")):
        citation = {"url": source.get("uri"), "title": source.get("title")}
        yield citation, source.get("startIndex", 0), source.get("endIndex")


def _grounded(metadata: Any) -> Iterator[tuple[dict[str, Any], Any, Any]]:
    """Pages that the answer rests on, with the stretch of it that each supports."""
    if not isinstance(metadata, dict):
        return
    chunks = _list(metadata.get("groundingChunks"))
    for support in _dicts(metadata.get("groundingSupports")):
        segment = support.get("segment")
        segment = segment if isinstance(segment, dict) else {}
        for number in _list(support.get("groundingChunkIndices")):
            chunk = chunks[number] if type(number) is int and 0 <= number < len(chunks) else None
            page = (chunk.get("web") or chunk.get("retrievedContext")) if isinstance(chunk, dict) else None
            if isinstance(page, dict):
                citation = {"url": page.get("uri"), "title": page.get("title")}
                yield citation, segment.get("startIndex", 0), segment.get("endIndex")


def _with_place(citation: dict[str, Any], start: Any, end: Any, said: Said) -> dict[str, Any]:
    found: dict[str, Any] = {name: value for name, value in citation.items() if _is_name(value)}
    if type(start) is int and type(end) is int and 0 <= start < end:
        begins, ends = said.characters(start), said.characters(end)
        if begins is not None and ends is not None:
            found |= {"start": begins, "end": ends}
    return found


def _is_name(value: Any) -> bool:
    """Whether it is an address or a title; many stretches may rest on one page, so that a huge one is none."""
    return isinstance(value, str) and 0 < len(value) <= _NAME_CHARACTERS_MOST


def _logprob(candidate: dict[str, Any]) -> dict[str, Any] | None:
    token, logprob = candidate.get("token"), candidate.get("logProbability", 0.0)
    if not isinstance(token, str) or isinstance(logprob, bool) or not isinstance(logprob, int | float):
        return None
    if not math.isfinite(logprob):
        return None
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


def _list(value: Any) -> list[Any]:
    return value[:_ITEMS_MOST] if isinstance(value, list) else []


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in _list(value) if isinstance(item, dict)]
