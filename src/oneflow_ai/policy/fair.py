"""A fair queue by key: each key's turns in order, the keys served alike, and when a newcomer's turn will come."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

QUEUE_MOST = 16_384
QUEUE_OF_KEY_MOST = 8_192
KEYS_MOST = 4_096
ARRIVALS_SECONDS = 60.0

_STALE_MOST = 64
_GUESSES = 24
_SHARE_WEIGHT = 0.05
_ROUNDING = 1e-9


class Turn:
    """One that waits: whose it is, how many tokens it takes, and what it costs of the key's share (1 or more)."""

    __slots__ = ("cost", "key", "tokens")

    def __init__(self, key: str, tokens: int = 0, cost: float = 1.0) -> None:
        self.key = key
        self.tokens = tokens
        self.cost = cost


T = TypeVar("T", bound=Turn)


class _Flow(Generic[T]):
    """The turns of one key, what they cost in all, and how much of its share it has not used."""

    __slots__ = ("cost", "key", "share", "tokens", "turns")

    def __init__(self, key: str) -> None:
        self.key = key
        self.turns: OrderedDict[T, None] = OrderedDict()
        self.cost = 0.0
        self.tokens = 0
        self.share = 0.0

    def can_go(self) -> bool:
        """Whether its share pays for its first turn."""
        return self.share + _ROUNDING >= next(iter(self.turns)).cost

    def within(self, cost: float) -> int:
        """How many of its turns so much pays for, by their mean."""
        return math.floor(cost * len(self.turns) / self.cost + _ROUNDING)


class FairQueue(Generic[T]):
    """Deficit round robin over the keys that wait.

    The keys stand in a ring. Whose turn it is gets the share of a round, about the cost of one turn, and is served as
    far as that goes; what is left it keeps while it waits. A key that comes stands last, so nobody is overtaken twice.
    """

    __slots__ = ("_flows", "_ring", "_share", "_visited", "length")

    def __init__(self) -> None:
        self.length = 0
        self._flows: dict[str, _Flow[T]] = {}
        self._ring: deque[_Flow[T]] = deque()
        self._share = 0.0
        self._visited = False

    def full(self, key: str) -> bool:
        """Whether there is no place for another turn of this key."""
        flow = self._flows.get(key)
        return self.length >= QUEUE_MOST or (flow is not None and len(flow.turns) >= QUEUE_OF_KEY_MOST)

    def push(self, turn: T) -> None:
        """Add a turn at the end of its key's."""
        flow = self._flows.get(turn.key)
        if flow is None:
            flow = self._flows[turn.key] = _Flow(turn.key)
            self._ring.append(flow)
            if len(self._ring) > 2 * len(self._flows) + _STALE_MOST:
                self._forget_empty()
        flow.turns[turn] = None
        flow.cost += turn.cost
        flow.tokens += turn.tokens
        self._share += (turn.cost - self._share) * (_SHARE_WEIGHT if self.length else 1.0)
        self.length += 1

    def peek(self) -> T | None:
        """The turn that is next, or None."""
        flow = self._first()
        return None if flow is None else next(iter(flow.turns))

    def pop(self) -> T:
        """Serve the turn that is next."""
        flow = self._first()
        assert flow is not None
        turn = next(iter(flow.turns))
        flow.share -= turn.cost
        self._drop(flow, turn)
        if flow.turns and not flow.can_go():
            self._ring.rotate(-1)
            self._visited = False
        return turn

    def remove(self, turn: T) -> None:
        """Take out a turn that will not wait any longer; harmless if it is not there."""
        flow = self._flows.get(turn.key)
        if flow is not None and turn in flow.turns:
            self._drop(flow, turn)

    def expected_seconds(
        self, turn: Turn, now_seconds: float, served: Callable[[int, int], float], rates: Mapping[str, float]
    ) -> float:
        """When such a newcomer's turn will come.

        `served(calls, tokens)` tells when so many calls of so many tokens will have gone; `rates` how many calls each
        key brings a second, since those of other keys that arrive meanwhile may still go before this one.
        """
        calls, tokens, rivals = self._before(turn, rates)
        calls, tokens = calls + 1, tokens + turn.tokens
        expected = served(calls, tokens)
        if not rivals or not math.isfinite(expected):
            return expected
        mean = tokens // calls
        for _ in range(_GUESSES):
            extra = round(sum(min(rate * (expected - now_seconds), more) for rate, more in rivals))
            later = served(calls + extra, tokens + extra * mean)
            if later <= expected:
                break
            expected = later
        return expected

    def _before(self, turn: Turn, rates: Mapping[str, float]) -> tuple[int, int, list[tuple[float, float]]]:
        """Calls and tokens that go before a new turn; of each other key its rate, and how many more it may bring."""
        own = self._flows.get(turn.key)
        share = self._share or turn.cost
        calls, tokens, cost = 0, 0, turn.cost
        if own is not None:
            calls, tokens, cost = len(own.turns), own.tokens, own.cost + turn.cost - own.share
        rounds = max(math.ceil(cost / share - _ROUNDING), 0)
        rivals: list[tuple[float, float]] = []
        passed = False
        for place, flow in enumerate(self._ring):
            if flow is own:
                # The share of the round that has begun is in what it has left: others come first only after that.
                passed = not (place == 0 and self._visited)
            elif flow.turns:
                visits = rounds - passed - (place == 0 and self._visited)
                most = max(flow.within(flow.share + visits * share), 0)
                count = min(most, len(flow.turns))
                calls += count
                tokens += flow.tokens * count // len(flow.turns)
                if most > count and flow.key in rates:
                    rivals.append((rates[flow.key], most - count))
        most = math.floor((rounds - 1) * share / turn.cost + _ROUNDING)
        if most > 0:
            others = rates.keys() - self._flows.keys() - {turn.key}
            rivals.extend((rates[key], most) for key in rates if key in others)
        # Whoever comes once its last round has begun stands behind it.
        part = (rounds - 1) / rounds if rounds else 0.0
        return calls, tokens, [(rate * part, more) for rate, more in rivals]

    def _first(self) -> _Flow[T] | None:
        ring = self._ring
        tried = 0
        while ring:
            flow = ring[0]
            if flow.turns:
                if not self._visited:
                    flow.share += self._share
                    self._visited = True
                if flow.can_go():
                    return flow
                ring.rotate(-1)
                tried += 1
                if tried > len(ring):
                    self._skip_rounds()
                    tried = 0
            else:
                ring.popleft()
            self._visited = False
            ring = self._ring
        return None

    def _skip_rounds(self) -> None:
        """Give at once the rounds in which no key could be served, but for the last."""
        self._forget_empty()
        lacking = min(next(iter(flow.turns)).cost - flow.share for flow in self._ring)
        rounds = math.ceil(lacking / self._share) - 1
        for flow in self._ring:
            flow.share += max(rounds, 0) * self._share

    def _forget_empty(self) -> None:
        first = self._ring[0]
        self._visited = self._visited and bool(first.turns)
        self._ring = deque(flow for flow in self._ring if flow.turns or flow is self._flows.get(flow.key))

    def _drop(self, flow: _Flow[T], turn: T) -> None:
        del flow.turns[turn]
        flow.cost -= turn.cost
        flow.tokens -= turn.tokens
        self.length -= 1
        if not flow.turns:
            del self._flows[flow.key]
            if flow is self._ring[0]:
                self._ring.popleft()
                self._visited = False


class Arrivals:
    """How many calls each key brought of late: in the last minute or two."""

    __slots__ = ("_before", "_before_seconds", "_now", "_since_seconds")

    def __init__(self) -> None:
        self._now: dict[str, int] = {}
        self._before: dict[str, int] = {}
        self._before_seconds = 0.0
        self._since_seconds = 0.0

    def note(self, key: str, now_seconds: float) -> None:
        """One more call of this key."""
        if now_seconds - self._since_seconds >= ARRIVALS_SECONDS:
            self._turn(now_seconds)
        counts = self._now
        if key in counts:
            counts[key] += 1
        elif len(counts) < KEYS_MOST:
            counts[key] = 1

    def per_second(self, now_seconds: float) -> dict[str, float]:
        """The rate of each key."""
        if now_seconds - self._since_seconds >= ARRIVALS_SECONDS:
            self._turn(now_seconds)
        span_seconds = max(now_seconds - self._since_seconds + self._before_seconds, ARRIVALS_SECONDS)
        return {
            key: (self._now.get(key, 0) + self._before.get(key, 0)) / span_seconds
            for key in {**self._before, **self._now}
        }

    def _turn(self, now_seconds: float) -> None:
        lasted_seconds = now_seconds - self._since_seconds
        recent = lasted_seconds < 2 * ARRIVALS_SECONDS
        self._before = self._now if recent else {}
        self._before_seconds = lasted_seconds if recent else 0.0
        self._now = {}
        self._since_seconds = now_seconds
