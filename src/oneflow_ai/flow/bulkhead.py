"""How many calls one provider may hold at once, so that one that hangs leaves room for the others."""

from __future__ import annotations

from collections import defaultdict

from oneflow_ai.core.failure import OVERLOADED, Failure

SHARE = 0.8
"""The part of all calls in flight that may be at one provider, where there are several."""
RETRY_SECONDS = 1.0


class Bulkheads:
    """Counts the calls at each provider, those that wait for its limits too. `most` is for each; None for no bound."""

    __slots__ = ("_open", "most")

    def __init__(self) -> None:
        self.most: int | None = None
        self._open: defaultdict[str, int] = defaultdict(int)

    def fit(self, calls_most: int, providers: int) -> None:
        """Take these bounds: so many calls in all, among so many providers."""
        self.most = max(int(calls_most * SHARE), 1) if providers > 1 else None

    def enter(self, provider: str) -> None:
        """One more call at a provider, until it leaves; raises `Failure` (`overloaded`) when that is too many.

        It must leave even then.
        """
        self._open[provider] += 1
        if self.most is not None and self._open[provider] > self.most:
            words = f"{provider} holds {self.most} calls already, all that one provider may; ask again later"
            raise Failure(OVERLOADED, words, retry_after_seconds=RETRY_SECONDS)

    def leave(self, provider: str) -> None:
        """One that came is over."""
        left = self._open[provider] - 1
        if left:
            self._open[provider] = left
        else:
            del self._open[provider]

    def open(self, provider: str) -> int:
        """The calls at a provider now."""
        return self._open.get(provider, 0)
