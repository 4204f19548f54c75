"""Server-sent events, cut anywhere, as the data of whole events, and its JSON (WHATWG HTML §9.2, 2026-11-24)."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import orjson

EVENT_BYTES_MOST = 1 << 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BLANK_LINE = b"\n\n"
_LINE = b"data: "
_SURROGATES = re.compile("[\ud800-\udfff]")


class EventSplitter:
    """Collects bytes and gives the `data` of each event once it is whole.

    Lines may end in LF, CR or CRLF; comments, ids and event names are dropped; several data lines are joined by LF.
    `overflow` is True once an event was larger than `bytes_most`: nothing is given after it. Where events `repeat` what
    those before them said, each makes that bound larger by its own size.
    """

    __slots__ = ("_after_return", "_repeat", "_started", "_waiting", "_waiting_bytes", "bytes_most", "overflow")

    def __init__(self, bytes_most: int = EVENT_BYTES_MOST, *, repeat: bool = False) -> None:
        self.bytes_most = bytes_most
        self._repeat = repeat
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._after_return = False
        self._started = False
        self.overflow = False

    def is_one(self, chunk: bytes) -> bool:
        """Whether this chunk is one event, whole, in a single data line with plain line feeds; it need not be fed."""
        if not self._started or self._waiting or self._after_return or self.overflow or chunk[:6] != _LINE:
            return False
        end = chunk.find(b"\n")
        return end == len(chunk) - 2 and chunk[-1] == 10 and 13 not in chunk and end <= self.bytes_most

    def feed(self, chunk: bytes) -> list[bytes]:
        """Give the data of the events that end in this chunk."""
        if self.is_one(chunk):
            self.bytes_most += self._repeat * len(chunk)
            return [chunk[6:-2]]
        if self.overflow:
            return []
        if not self._started:
            chunk = self._start(chunk)
        if self._after_return or 13 in chunk:
            chunk = self._line_feeds(chunk)
        waiting = self._waiting
        if _BLANK_LINE not in chunk and not (waiting and chunk[:1] == b"\n" and waiting[-1].endswith(b"\n")):
            self._wait(chunk)
            return []
        blocks = (b"".join((*waiting, chunk)) if waiting else chunk).split(_BLANK_LINE)
        self._waiting, self._waiting_bytes = [], 0
        found: list[bytes] = []
        rest, repeat = blocks.pop(), self._repeat
        for block in blocks:
            if len(block) > self.bytes_most:
                self.overflow = True
                return found
            self.bytes_most += repeat * (len(block) + len(_BLANK_LINE))
            # Nearly always one line.
            data = block[6:] if block[:6] == _LINE and 10 not in block else _data(block)
            if data is not None:
                found.append(data)
        self._wait(rest)
        return found

    def close(self) -> bytes | None:
        """Give the data of an event that no blank line ended; the standard drops it, for it may have been cut."""
        rest = b"".join(self._waiting)
        self._waiting, self._waiting_bytes = [], 0
        return None if self.overflow else _data(rest)

    def _start(self, chunk: bytes) -> bytes:
        whole = b"".join((*self._waiting, chunk))
        if len(whole) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(whole):
            self._waiting = [whole]
            return b""
        self._started = True
        self._waiting = []
        return whole.removeprefix(_BYTE_ORDER_MARK)

    def _line_feeds(self, chunk: bytes) -> bytes:
        if self._after_return and chunk:
            # The line ended with the CR before; an LF after it belongs to the same end.
            chunk = chunk.removeprefix(b"\n")
            self._after_return = False
        if chunk.endswith(b"\r"):
            self._after_return = True
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _wait(self, rest: bytes) -> None:
        if rest:
            self._waiting.append(rest)
            self._waiting_bytes += len(rest)
            # One more, for the line end that a whole event of the largest size still has before its blank line.
            if self._waiting_bytes > self.bytes_most + 1:
                self.overflow = True


def is_json(data: bytes) -> bool:
    """Whether these bytes are JSON, all of them."""
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return True


def mended(data: bytes) -> tuple[bytes, Any]:
    """Bytes that are not sound JSON, and their value, with what is no Unicode or no finite number replaced in both.

    The value is None, and the bytes are as they were, where nothing can be made of them.
    """
    try:
        found = json.loads(
            data.decode("utf-8-sig", "replace"), strict=False, parse_constant=_nothing, parse_float=_finite
        )
        sound = _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", json.dumps(found, ensure_ascii=False)).encode()
        return sound, orjson.loads(sound)
    except (ValueError, RecursionError):
        return data, None


def _nothing(constant: str) -> None:
    """NaN and Infinity, which some servers write where there is no number."""


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _data(block: bytes) -> bytes | None:
    lines = [_value(line) for line in block.split(b"\n") if line.startswith(b"data")]
    data = [line for line in lines if line is not None]
    return b"\n".join(data) if data else None


def _value(line: bytes) -> bytes | None:
    if line == b"data":
        return b""
    if not line.startswith(b"data:"):
        return None
    return line[6:] if line.startswith(_LINE) else line[5:]
