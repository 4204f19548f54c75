"""Events that bring a piece of the only choice's text and nothing else, as most of a chat's stream do, told by shape.

They need not be read: it is enough that they have this shape, which takes half the time and leaves nothing to look at.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import DecodeError, Meta, Struct
from msgspec.json import Decoder

# A look that finds something else costs as much as three that do not: after so many in a row nobody looks any more.
MISSES_MOST = 3
# A larger one is read: it might be nested deeper than our readers take (1,024 levels), which newer Pythons let pass.
EVENT_BYTES_MOST = 2_048


class _Delta(Struct):
    content: Annotated[str, Meta(min_length=1)]
    tool_calls: None = None
    function_call: None = None


class _Choice(Struct):
    delta: _Delta
    index: Literal[0] = 0
    finish_reason: None = None


class _Chunk(Struct):
    choices: tuple[_Choice]
    error: None = None
    usage: None = None
    x_groq: None = None


_decode = Decoder(_Chunk).decode
_OTHERS = (DecodeError, UnicodeDecodeError, RecursionError)


class PlainText:
    """Looks for such events at the beginning of what a read brought, for as long as it finds some.

    What an event says beside its shape is the provider's to answer for: of numbers only that they are some is seen, not
    whether they are finite.
    """

    __slots__ = ("_misses",)

    def __init__(self) -> None:
        self._misses = 0

    def is_one(self, data: bytes) -> bool:
        """Whether this event, in one line, is nothing else."""
        if self._misses == MISSES_MOST or len(data) > EVENT_BYTES_MOST:
            return False
        try:
            _decode(data)
            data.isascii() or data.decode()
        except _OTHERS:
            self._misses += 1
            return False
        self._misses = 0
        return True

    def count(self, events: list[bytes], begin: int) -> int:
        """How many events in a row, from the one at `begin` on, are nothing else, each in one line."""
        if self._misses == MISSES_MOST:
            return 0
        place = begin
        try:
            while place < len(events) and len(data := events[place]) <= EVENT_BYTES_MOST and 10 not in data:
                _decode(data)
                # What is skipped is not decoded.
                data.isascii() or data.decode()
                place += 1
        except _OTHERS:
            self._misses += 1
        if place > begin:
            self._misses = 0
        return place - begin
