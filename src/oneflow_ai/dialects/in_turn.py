"""The pieces of an answer, put in an order in which each call of a tool is whole before anything else follows it."""

from __future__ import annotations

import re
from collections import deque

from oneflow_ai.core.events import Delta

# What tells where a text of JSON ends; after a backslash a mark is none.
_MARKS = re.compile(r'\\.?|["{}\[\]]', re.DOTALL)


class InTurn:
    """Gives deltas of one choice on, for wires on which one part is open at a time or calls are told whole.

    Servers of OpenAI's wire may mix the pieces of several calls. What comes while the arguments of the call before are
    no whole object waits for them, or for the end: nothing is lost, and what begins first is told first. Where each
    call is whole before the next thing, nothing waits. What waits is as large as an answer may be, at the most.
    """

    __slots__ = ("_calls", "_open", "_waiting")

    def __init__(self) -> None:
        self._calls: dict[int, _Call] = {}
        self._open: _Call | None = None
        self._waiting: deque[_Call | Delta] = deque()

    def flows(self, delta: Delta) -> bool:
        """Whether these arguments may be told at once, as most may: nothing waits, and their call is the one told."""
        call = self._open
        if call is None or self._waiting or delta.tool_index != call.begin.tool_index:
            return False
        call.unread.append(delta.text)
        return True

    def put(self, delta: Delta) -> list[Delta]:
        """Give what may be told with this delta; arguments of a call that is over, or never began, are none."""
        if delta.kind == "tool_call":
            call = self._calls[delta.tool_index] = _Call(delta)
            self._waiting.append(call)
        elif delta.kind in ("tool_arguments", "tool_signature"):
            known = self._calls.get(delta.tool_index)
            if known is None:
                return []
            if known.over:
                return [delta] if delta.kind == "tool_signature" else []
            if delta.kind == "tool_arguments":
                known.unread.append(delta.text)
            if known is self._open:
                return [delta, *self._told()]
            known.waiting.append(delta)
            return []
        else:
            self._waiting.append(delta)
        return self._told()

    def rest(self) -> list[Delta]:
        """Give what has waited, at the end."""
        found: list[Delta] = []
        while self._waiting:
            found += self._next()
        return found

    def _told(self) -> list[Delta]:
        found: list[Delta] = []
        while self._waiting and (self._open is None or self._open.is_whole()):
            found += self._next()
        return found

    def _next(self) -> list[Delta]:
        if self._open is not None:
            self._open.over = True
            self._open = None
        first = self._waiting.popleft()
        if isinstance(first, Delta):
            return [first]
        self._open = first
        waited, first.waiting = first.waiting, []
        return [first.begin, *waited]


class _Call:
    """A call so far: how it begins, which pieces of it wait, and whether it is over.

    Its arguments are looked at only once it matters whether they are whole.
    """

    __slots__ = ("_begun", "_depth", "_escapes", "_quoted", "begin", "over", "unread", "waiting")

    def __init__(self, begin: Delta) -> None:
        self.begin = begin
        self.waiting: list[Delta] = []
        self.over = False
        self.unread: list[str] = []
        self._depth = 0
        self._begun = self._quoted = self._escapes = False

    def is_whole(self) -> bool:
        """Whether its arguments are a whole object, or list."""
        unread, self.unread = self.unread, []
        for text in filter(None, unread):
            self._look(text)
        return self._begun and not self._depth and not self._quoted

    def _look(self, text: str) -> None:
        marks = _MARKS.finditer(text, 1 if self._escapes else 0)
        self._escapes = False
        for found in marks:
            mark = found[0]
            if mark[0] == "\\":
                self._escapes = len(mark) == 1
            elif mark == '"':
                self._quoted = not self._quoted
            elif not self._quoted:
                self._begun = True
                self._depth += 1 if mark in "{[" else -1
