"""What the simulated providers remember between requests: beginnings of prompts, and the answers they stored."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import orjson

CACHED_TOKENS_LEAST = 1_024
"""The shortest beginning of a prompt that is cached."""

CACHED_SECONDS = 300
_STEP_TOKENS = 128
_STEP_BYTES = 4 * _STEP_TOKENS
_SEEN_BYTES_MOST = 1 << 20
_MARKS_MOST = 100_000
_STORED_BYTES_MOST = 32 << 20


class Memory:
    """The caches of prompts and the stored answers. Bounded: the oldest are forgotten first."""

    def __init__(self) -> None:
        self._marks: OrderedDict[bytes, int] = OrderedDict()
        self._stored: OrderedDict[tuple[str, str], tuple[Mapping[str, Any], int]] = OrderedDict()
        self._stored_bytes = 0

    def seen(self, owner: str, content: bytes, now: int) -> int:
        """How many tokens of a prompt's beginning were seen before from the same owner, in steps of 128.

        Every beginning of it is remembered for five minutes. Fewer than 1,024 tokens count as none.
        """
        if len(content) < 4 * CACHED_TOKENS_LEAST:
            return 0
        hashed, known, found = hashlib.blake2b(owner.encode(), digest_size=16), 0, True
        for end in range(_STEP_BYTES, min(len(content), _SEEN_BYTES_MOST) + 1, _STEP_BYTES):
            hashed.update(content[end - _STEP_BYTES : end])
            mark = hashed.digest()
            found = found and self._marks.get(mark, 0) > now
            known = end if found else known
            self._keep(mark, now + CACHED_SECONDS)
        tokens = known // 4
        return tokens if tokens >= CACHED_TOKENS_LEAST else 0

    def marked(self, owner: str, content: bytes, now: int, seconds: int) -> bool:
        """Whether exactly this beginning of a prompt was marked before by the same owner; it is from now on."""
        mark = hashlib.blake2b(owner.encode() + b"\0" + content, digest_size=16).digest()
        known = self._marks.get(mark, 0) > now
        self._keep(mark, now + seconds)
        return known

    def store(self, owner: str, name: str, document: Mapping[str, Any]) -> None:
        """Remember an owner's document under its id; of all that is remembered the oldest goes when it is too much."""
        _, before = self._stored.pop((owner, name), ({}, 0))
        size = len(orjson.dumps(document))
        self._stored[owner, name] = document, size
        self._stored_bytes += size - before
        while self._stored_bytes > _STORED_BYTES_MOST:
            _, (_, size) = self._stored.popitem(last=False)
            self._stored_bytes -= size

    def stored(self, owner: str, name: str) -> Mapping[str, Any] | None:
        """The document with this id, if it is this owner's."""
        found = self._stored.get((owner, name))
        return found[0] if found is not None else None

    def _keep(self, mark: bytes, until: int) -> None:
        self._marks[mark] = max(self._marks.get(mark, 0), until)
        self._marks.move_to_end(mark)
        if len(self._marks) > _MARKS_MOST:
            self._marks.popitem(last=False)
