"""How much one of several may have in flight: a provider that hangs, or a key that floods, leaves room."""

from __future__ import annotations

PROVIDER_SHARE = 0.8
"""The part of all calls in flight that may be at one provider, where there are several."""
KEY_SHARE = 0.9
"""The part that may be one API key's, where there are several.

It is more than one provider's, or a provider that hangs would take every place of the key that calls it, and leave that
key none for the next provider.
"""


class Places:
    """Counts the calls of each provider, or of each key, from when it is known which: those that wait too.

    `most` is for each; None for no bound. Only those with calls in flight are remembered.
    """

    __slots__ = ("_open", "_share", "most")

    def __init__(self, share: float) -> None:
        self.most: int | None = None
        self._share = share
        self._open: dict[str, int] = {}

    def fit(self, calls_most: int, number: int) -> None:
        """Take these bounds: so many calls in all, among so many."""
        self.most = max(int(calls_most * self._share), 1) if number > 1 else None

    def enter(self, name: str) -> bool:
        """Take a place for one more call, until it leaves; False where none is left, and none is taken."""
        held = self._open.get(name, 0)
        if self.most is not None and held >= self.most:
            return False
        self._open[name] = held + 1
        return True

    def leave(self, name: str) -> None:
        """A call that took a place is over."""
        left = self._open[name] - 1
        if left:
            self._open[name] = left
        else:
            del self._open[name]

    def open(self, name: str) -> int:
        """The calls that have a place now."""
        return self._open.get(name, 0)


class Bodies:
    """The bytes of the bodies in flight: `total_bytes`, and each key's, as long as it has some."""

    __slots__ = ("_of_key", "total_bytes")

    def __init__(self) -> None:
        self.total_bytes = 0
        self._of_key: dict[str, int] = {}

    def take(self, key_id: str, size_bytes: int, most_bytes: float) -> bool:
        """Count so many more of this key's, which may have `most_bytes` of them; False, and nothing counted, beyond."""
        held_bytes = self._of_key.get(key_id, 0) + size_bytes
        if held_bytes > most_bytes:
            return False
        self._of_key[key_id] = held_bytes
        self.total_bytes += size_bytes
        return True

    def drop(self, key_id: str, size_bytes: int) -> None:
        """So many of this key's are gone; of a key that has none, none may be."""
        left_bytes = self._of_key.get(key_id, 0) - size_bytes
        self.total_bytes -= size_bytes
        if left_bytes:
            self._of_key[key_id] = left_bytes
        else:
            self._of_key.pop(key_id, None)
