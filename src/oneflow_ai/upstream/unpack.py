"""Packed answers unpacked a bounded piece at a time: a bomb costs no more memory than any other answer."""

from __future__ import annotations

import zlib
from typing import Any

from oneflow_ai.core.failure import UPSTREAM_BAD_RESPONSE, Failure

PIECE_BYTES_MOST = 256 << 10
_PLAIN = frozenset({"", "identity"})
_KNOWN = frozenset({"gzip", "x-gzip", "deflate"})


class Unpacker:
    """Unpacks gzip or deflate. Asked not to pack, some servers do all the same."""

    __slots__ = ("_host", "_stream")

    def __init__(self, host: str) -> None:
        self._host = host
        self._stream: Any = zlib.decompressobj(zlib.MAX_WBITS | 32)

    @property
    def waiting(self) -> bytes:
        """Packed bytes that were given and not yet unpacked."""
        left: bytes = self._stream.unconsumed_tail
        return left

    @property
    def ended(self) -> bool:
        """Whether the packed bytes came to their end."""
        return bool(self._stream.eof)

    def unpack(self, packed: bytes) -> bytes:
        """The next piece, at most `PIECE_BYTES_MOST`; raises `Failure` for what is not packed."""
        try:
            piece: bytes = self._stream.decompress(packed, PIECE_BYTES_MOST)
        except zlib.error:
            raise Failure(UPSTREAM_BAD_RESPONSE, f"{self._host} sent a packed answer that is broken") from None
        return piece


def unpacker_for(encoding: str | None, host: str) -> Unpacker | None:
    """What unpacks an answer of this `content-encoding`; None for a plain one. Raises `Failure` for other packings."""
    name = (encoding or "").strip().lower()
    if name in _PLAIN:
        return None
    if name not in _KNOWN:
        raise Failure(UPSTREAM_BAD_RESPONSE, f"{host} packed its answer in a way it was asked not to")
    return Unpacker(host)
