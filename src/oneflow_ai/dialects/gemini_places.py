"""Places in an answer, told in characters, as this wire tells them: in bytes."""

from __future__ import annotations

from bisect import bisect_right

_BLOCK_CHARACTERS = 1_024


class Places:
    """The text of an answer so far, cut into blocks whose ends are known, so that a late place costs no more."""

    __slots__ = ("_blocks", "_ends_bytes", "_ends_characters", "_fresh")

    def __init__(self) -> None:
        self._fresh: list[str] = []
        self._blocks: list[str] = []
        self._ends_bytes = [0]
        self._ends_characters = [0]

    def add(self, text: str) -> None:
        """Take the next piece."""
        self._fresh.append(text)

    def bytes_before(self, characters: int) -> int:
        """How many bytes stand before this character; all where the text is shorter."""
        self._cut()
        block = bisect_right(self._ends_characters, characters) - 1
        if block >= len(self._blocks):
            return self._ends_bytes[-1]
        rest = self._blocks[block][: characters - self._ends_characters[block]]
        return self._ends_bytes[block] + len(rest.encode())

    def _cut(self) -> None:
        text = "".join(self._fresh)
        self._fresh.clear()
        for start in range(0, len(text), _BLOCK_CHARACTERS):
            block = text[start : start + _BLOCK_CHARACTERS]
            self._blocks.append(block)
            self._ends_bytes.append(self._ends_bytes[-1] + len(block.encode()))
            self._ends_characters.append(self._ends_characters[-1] + len(block))
