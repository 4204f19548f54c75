"""How well each provider has done a task of late, whichever of its models did it."""

from __future__ import annotations

from collections.abc import Sequence

from oneflow_ai.policy.score import ScoreBook

FORMULA = "0.7·(s + 4.5)/(n + 5) + 0.3·(fastest/own), s of n attempts succeeded, each worth half after 30 minutes"


class ProviderScores(ScoreBook):
    """A `ScoreBook` by provider: places are told apart by their provider alone."""

    __slots__ = ()

    def scores(self, places: Sequence[str], now_seconds: float) -> list[float]:
        """The score of each place's provider."""
        return super().scores([place.partition("/")[0] for place in places], now_seconds)

    def told(self, provider: str, now_seconds: float) -> str:
        """What a provider's score is made of, in words."""
        tally = self.tally(provider, now_seconds)
        mean = "no time yet" if tally.mean_seconds is None else f"own {tally.mean_seconds:.2f} s"
        return f"{provider} s {tally.successes:.1f}, n {tally.calls:.1f}, {mean}"
