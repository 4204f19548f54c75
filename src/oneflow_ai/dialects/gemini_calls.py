"""Calls of functions in a conversation of Gemini's wire: where they have no ids, which answer is whose."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

from oneflow_ai.core.failure import INVALID_MESSAGES, Failure


class Calls:
    """Gives the ids of calls and of their answers, told them in their order."""

    __slots__ = ("_called", "_named", "_waiting")

    def __init__(self) -> None:
        self._called = 0
        self._waiting: Counter[str] = Counter()
        # The ids by the functions' names, some of which may have been answered since.
        self._named: dict[str, deque[str]] = {}

    def called(self, call: Mapping[str, Any]) -> str:
        """The id of a call; one without, as older models make them, is given one."""
        self._called += 1
        call_id: str = call.get("id") or f"function_{self._called}"
        self._waiting[call_id] += 1
        self._named.setdefault(call["name"], deque()).append(call_id)
        return call_id

    def answered(self, given: Mapping[str, Any]) -> str:
        """The id of the call that a function's answer is for: that which it names, else the first of its name that
        waits; raises `Failure` where there is none.
        """
        call_id: str = given.get("id") or ""
        same = self._named.get(given["name"], deque())
        while not call_id and same:
            call_id = same.popleft()
            if not self._waiting[call_id]:
                call_id = ""
        if not call_id or not self._waiting[call_id]:
            words = "a functionResponse answers a functionCall of an earlier content"
            raise Failure(INVALID_MESSAGES, words, param="contents")
        self._waiting[call_id] -= 1
        return call_id
