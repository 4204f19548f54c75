"""How often Gemini searched for an answer, as Google bills it."""

from __future__ import annotations

from typing import Any

from oneflow_ai.providers.base import listed, mapping

_QUERIES_MOST = 4_096
_QUERIES = ("webSearchQueries", "imageSearchQueries")


class Searches:
    """Gathers what the candidates of an answer tell of searches.

    Since Gemini 3 each query is billed, once and not an empty one; before, the prompt is, however many there were
    (ai.google.dev/gemini-api/docs/google-search and …/pricing, 2026-11-27). What was looked up on Google's maps has no
    price in the tables: it counts as one search more.
    """

    __slots__ = ("_by_query", "_maps", "_queries")

    def __init__(self, *, by_query: bool) -> None:
        self._by_query = by_query
        self._queries: set[str] = set()
        self._maps = False

    @property
    def count(self) -> int:
        """How many there are to be paid."""
        return (len(self._queries) if self._by_query else bool(self._queries)) + self._maps

    def note(self, candidate: dict[str, Any]) -> None:
        """What one more candidate, or a piece of one, tells."""
        grounded = candidate.get("groundingMetadata")
        if not isinstance(grounded, dict):
            return
        for name in _QUERIES:
            queries = [each for each in listed(grounded.get(name)) if isinstance(each, str) and each]
            self._queries.update(queries[: _QUERIES_MOST - len(self._queries)])
        chunks = listed(grounded.get("groundingChunks"))
        self._maps = self._maps or any("maps" in mapping(chunk) for chunk in chunks)
