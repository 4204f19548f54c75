"""How many calls one API key may have in flight, so that one that floods leaves room for the others."""

from __future__ import annotations

FREE_PART = 10
"""One part in so many of all calls in flight is kept from any one key, where there are several.

A key may hold more than one provider may (`flow/bulkhead.py`): or a provider that hangs would take every place of the
key that calls it, and leave that key none for the next provider.
"""


class KeyPlaces:
    """Counts the calls of each key, from when its key is known: those whose bodies still arrive too.

    `most` is for each; None for no bound. Only keys with calls in flight are remembered.
    """

    __slots__ = ("_open", "most")

    def __init__(self) -> None:
        self.most: int | None = None
        self._open: dict[str, int] = {}

    def fit(self, calls_most: int, keys: int) -> None:
        """Take these bounds: so many calls in all, among so many keys."""
        self.most = calls_most - calls_most // FREE_PART if keys > 1 else None

    def enter(self, key_id: str) -> bool:
        """Take a place for one more call of a key, until it leaves; False where it has none left, and takes none."""
        held = self._open.get(key_id, 0)
        if self.most is not None and held >= self.most:
            return False
        self._open[key_id] = held + 1
        return True

    def leave(self, key_id: str) -> None:
        """A call that took a place is over."""
        left = self._open[key_id] - 1
        if left:
            self._open[key_id] = left
        else:
            del self._open[key_id]

    def open(self, key_id: str) -> int:
        """The calls of a key now."""
        return self._open.get(key_id, 0)
