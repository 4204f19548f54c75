"""What a candidate of Gemini's brings beside its text: where it comes from, and how likely each token was."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

_ITEMS_MOST = 4_096


def citations_in(candidate: dict[str, Any], texts: Sequence[str]) -> list[str]:
    """The citations of a candidate as JSON, in the middle form; `texts` are the pieces of its answer so far.

    The wire counts bytes of the answer, the middle form characters.
    """
    found = [*_cited(candidate.get("citationMetadata")), *_grounded(candidate.get("groundingMetadata"))]
    if not found:
        return []
    answer = "".join(texts).encode()
    placed = (_with_place(citation, start, end, answer) for citation, start, end in found)
    return [orjson.dumps(citation).decode() for citation in placed if citation.get("url") or citation.get("title")]


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


def _with_place(citation: dict[str, Any], start: Any, end: Any, answer: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {name: value for name, value in citation.items() if isinstance(value, str) and value}
    if type(start) is int and type(end) is int and 0 <= start < end <= len(answer):
        found["start"] = len(answer[:start].decode("utf-8", "ignore"))
        found["end"] = len(answer[:end].decode("utf-8", "ignore"))
    return found


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
