"""A head that a client sends again and again on one connection, with nothing new in it but the length of the body."""

from __future__ import annotations

import re

from oneflow_ai.edge.head import RequestHead

LENGTH_DIGITS_MOST = 10
# It is kept as long as its connection.
HEAD_BYTES_MOST = 4 << 10
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,10})\r\n", re.IGNORECASE)
_NAME = b"content-length"
_END = b"\r\n\r\n"
# With these, more than the head says where a body ends, or whether another request follows.
_OTHERWISE = (b"transfer-encoding", b"connection", b"upgrade", b"expect")


class Repeat:
    """One head, and its bytes before and after the digits of its length."""

    __slots__ = ("_after", "_before", "_place", "head")

    def __init__(self, head: RequestHead, before: bytes, after: bytes) -> None:
        self.head = head
        self._before = before
        self._after = after
        self._place = [name for name, _ in head.all_headers].index(_NAME)

    def body(self, data: bytes) -> bytes | None:
        """The body, if these bytes are this head with whatever length, and a body of no more than that behind it.

        The head then tells the new length. What is missing to that follows.
        """
        if not data.startswith(self._before):
            return None
        begin = len(self._before)
        end = data.find(b"\r", begin, begin + LENGTH_DIGITS_MOST + 1)
        digits = data[begin:end]
        if end < 0 or not digits.isdigit() or not data.startswith(self._after, end):
            return None
        body = data[end + len(self._after) :]
        length_bytes = int(digits)
        if len(body) > length_bytes:
            return None
        head = self.head
        head.length_bytes = length_bytes
        head.headers[_NAME] = digits
        head.all_headers[self._place] = (_NAME, digits)
        return body


def repeat_of(head: RequestHead, data: bytes, body_bytes: int) -> Repeat | None:
    """The head for use with the next request; None where it leaves anything but its length to be decided anew.

    `data` is a request that has just been read as such, or its beginning, `body_bytes` of them its body.
    """
    if head.failure is not None or not head.keep or any(name in head.headers for name in _OTHERWISE):
        return None
    text = data[: len(data) - body_bytes]
    if len(text) > HEAD_BYTES_MOST:
        return None
    found = _LENGTH.search(text)
    # The head ends with its first empty line: what may stand behind it, as a line end too many, is none of it.
    if found is None or text.find(_END) != len(text) - len(_END) or int(found[1]) != head.length_bytes:
        return None
    return Repeat(head, text[: found.start(1)], text[found.end(1) :])
