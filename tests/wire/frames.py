"""Amazon's event stream written in tests, by its specification and by nothing of ours."""

import struct
import zlib
from collections.abc import Mapping

import orjson


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message with text headers."""
    return framed(b"".join(header(name, b"\x07" + _sized(value.encode())) for name, value in headers.items()), payload)


def framed(headers: bytes, payload: bytes) -> bytes:
    """One message with these bytes as its headers."""
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    whole = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return whole + struct.pack(">I", zlib.crc32(whole))


def header(name: str, kind_and_value: bytes) -> bytes:
    """One header: the length of its name, the name, the kind of its value and the value."""
    return bytes([len(name)]) + name.encode() + kind_and_value


def event(kind: str, payload: object) -> bytes:
    """One event as Converse sends it."""
    names = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return frame(names, payload if isinstance(payload, bytes) else orjson.dumps(payload))


def exception(kind: str, message: str) -> bytes:
    """One exception as Converse sends it."""
    names = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return frame(names, orjson.dumps({"message": message}))


def _sized(content: bytes) -> bytes:
    return struct.pack(">H", len(content)) + content
