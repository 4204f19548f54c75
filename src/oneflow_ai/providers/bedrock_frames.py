"""Amazon's event stream, cut anywhere, as whole messages.

A message is its length, the length of its headers and a checksum of both (four bytes each, big-endian), the headers,
the payload, and a checksum of all before it (https://smithy.io/2.0/aws/amazon-eventstream.html, checked 2026-11-26).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from zlib import crc32

from oneflow_ai.core.failure import UPSTREAM_BAD_RESPONSE, UPSTREAM_TOO_LARGE, Failure
from oneflow_ai.core.value import value

MESSAGE_BYTES_MOST = 1 << 20
_PRELUDE = struct.Struct(">III")
_CHECKSUM = struct.Struct(">I")
_LENGTH = struct.Struct(">H")
_LEAST_BYTES = _PRELUDE.size + _CHECKSUM.size
_TEXT, _BYTES = 7, 6
# The other kinds of header values, by how long they are; none of them is used here.
_FIXED_BYTES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}


@value
class Message:
    """One message: its headers whose values are texts, and its payload."""

    headers: dict[str, str]
    payload: bytes


class MessageSplitter:
    """Collects bytes and gives each message once it is whole. `waiting` says whether a message has begun."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def waiting(self) -> bool:
        """Whether bytes are left of a message that is not whole."""
        return bool(self._buffer)

    def feed(self, chunk: bytes) -> Iterator[Message]:
        """Yield the messages that end in this chunk; raises `Failure` for what is no message, or too large a one."""
        buffer = self._buffer
        buffer += chunk
        start = 0
        try:
            while len(buffer) - start >= _PRELUDE.size:
                whole_bytes, header_bytes = _prelude(bytes(buffer[start : start + _PRELUDE.size]))
                if len(buffer) - start < whole_bytes:
                    break
                message = bytes(buffer[start : start + whole_bytes])
                start += whole_bytes
                yield _message(message, header_bytes)
        finally:
            del buffer[:start]


def _prelude(prelude: bytes) -> tuple[int, int]:
    whole_bytes, header_bytes, checksum = _PRELUDE.unpack(prelude)
    if crc32(prelude[:8]) != checksum:
        raise _broken("its lengths are not what their checksum says")
    if whole_bytes > MESSAGE_BYTES_MOST:
        raise Failure(UPSTREAM_TOO_LARGE, f"the provider sent an event of more than {MESSAGE_BYTES_MOST} bytes")
    if whole_bytes < _LEAST_BYTES + header_bytes:
        raise _broken("its lengths do not agree")
    return whole_bytes, header_bytes


def _message(message: bytes, header_bytes: int) -> Message:
    if crc32(message[: -_CHECKSUM.size]) != _CHECKSUM.unpack(message[-_CHECKSUM.size :])[0]:
        raise _broken("it is not what its checksum says")
    end = _PRELUDE.size + header_bytes
    return Message(_headers(message[_PRELUDE.size : end]), message[end : -_CHECKSUM.size])


def _headers(content: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    place = 0
    try:
        while place < len(content):
            name_bytes = content[place]
            name, kind = content[place + 1 : place + 1 + name_bytes], content[place + 1 + name_bytes]
            place += 2 + name_bytes
            size = _FIXED_BYTES.get(kind)
            if size is None:
                if kind not in (_TEXT, _BYTES):
                    raise _broken("a header is of no known kind")
                size = _LENGTH.unpack(content[place : place + _LENGTH.size])[0]
                place += _LENGTH.size
            found = content[place : place + size]
            place += size
            if kind == _TEXT:
                headers[name.decode("utf-8", "replace")] = found.decode("utf-8", "replace")
    except (IndexError, struct.error):
        raise _broken("its headers are cut") from None
    return headers


def _broken(words: str) -> Failure:
    return Failure(UPSTREAM_BAD_RESPONSE, f"the provider sent a broken event: {words}")
