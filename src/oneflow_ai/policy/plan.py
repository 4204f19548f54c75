"""The plan of one call: which target next, after what wait, told each outcome; it decides and never acts."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure, Kind
from oneflow_ai.core.ports import Chance
from oneflow_ai.core.target import RetryPolicy, Target
from oneflow_ai.core.value import value
from oneflow_ai.policy.continuation import goes_on
from oneflow_ai.policy.health import HealthBook, Outcome

FIRST_WAIT_SECONDS = 1.0
RETRY_AFTER_SECONDS_MOST = 120.0
RETRY_AFTER_JITTER = 0.1
BUCKET_MOST = 100
RETRY_COST = 4
TIMEOUT_RETRY_COST = 8

# Blamed on nobody, but met with one credential only: its account's limit, its own queue.
_OF_ONE_CREDENTIAL = frozenset({kinds.UPSTREAM_RATE_LIMITED.code, kinds.QUEUE_TIMEOUT.code})


@value
class Try:
    """Try this target now; `number` counts the call's attempts from 1."""

    target: Target
    number: int


@value
class Wait:
    """Wait so long before the next step, in seconds."""

    seconds: float


Step = Try | Wait


@value
class Result:
    """How one try ended, at which monotonic second. `committed`: something of the answer reached the client.

    `continued`: another model may go on with what did.
    """

    failure: Failure | None
    committed: bool
    now_seconds: float
    continued: bool = False


class RetryBucket:
    """What bounds retries at one provider: a success gives 1 back, a retry takes 4, after a timeout 8."""

    __slots__ = ("level",)

    def __init__(self) -> None:
        self.level = BUCKET_MOST

    def take(self, cost: int) -> bool:
        """Take the cost of a retry if it is there."""
        if self.level < cost:
            return False
        self.level -= cost
        return True


class RetryBudgets:
    """The bucket of each provider, by its name."""

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        self._buckets: dict[str, RetryBucket] = {}

    def of(self, provider: str) -> RetryBucket:
        """The provider's bucket."""
        bucket = self._buckets.get(provider)
        if bucket is None:
            bucket = self._buckets[provider] = RetryBucket()
        return bucket

    def give(self, provider: str) -> None:
        """A success there; a provider without a bucket has a full one."""
        bucket = self._buckets.get(provider)
        if bucket is not None and bucket.level < BUCKET_MOST:
            bucket.level += 1


@dataclass(slots=True)
class Planner:
    """Makes plans: what they share is the health of places, the retry budgets, and chance."""

    book: HealthBook
    budgets: RetryBudgets
    chance: Chance

    def plan(
        self, targets: Sequence[Target], policy: RetryPolicy, now_seconds: float, deadline_seconds: float
    ) -> Generator[Step, Result | None, None]:
        """Yield steps until one succeeds or none is left; send a `Result` after each `Try`, None after a `Wait`.

        Each place is tried up to `policy.attempts` times, then the next; a refused or limited credential gives way to
        the next of the same place at once, a rate limit to the next place first. After a prompt that was too long only
        places that take more are tried, as far as is known what each takes. After a part of the answer only those are
        that go on with it, if it is to be continued. Places with an open breaker are passed over, but never all of
        them. There is at least one target and one `Try`; raises `Failure` (`deadline_exceeded`)
        when it is too late even for that.
        """
        assert targets
        if now_seconds >= deadline_seconds:
            raise Failure(kinds.DEADLINE_EXCEEDED, "the call's time was over before it could be tried")
        chain: _Chain | None = None
        place: _Place | None
        if len(targets) == 1:
            # Most calls have one target, and succeed: there is nothing to choose among before it fails.
            only = place = _Place(targets[0])
            only.ticket = self.book.admits(only.target.place, now_seconds, self.chance.random())
        else:
            chain = _Chain(self, policy, deadline_seconds)
            place = chain.first(targets, now_seconds)
        number = 0
        while place is not None:
            number += 1
            place.tries += 1
            target, ticket, place.ticket = place.target, place.ticket, None
            result: Result | None = None
            try:
                result = yield Try(target, number)
            finally:
                if result is None:
                    self.book.report(target.place, Outcome.NEUTRAL, ticket, now_seconds, 0.0)
            assert result is not None
            now_seconds, failure = result.now_seconds, result.failure
            if failure is None:
                self.budgets.give(target.provider)
                self.book.succeeded(target, ticket, now_seconds)
                return
            self._failed(target, ticket, failure.kind, now_seconds)
            if chain is None:
                chain = _Chain(self, policy, deadline_seconds, place)
            place = chain.after(place, result, failure)
            if place is not None and place.ticket is None:
                if place.ready_seconds > now_seconds:
                    yield Wait(place.ready_seconds - now_seconds)
                    now_seconds = place.ready_seconds
                place = chain.again(place, now_seconds)

    def _failed(self, target: Target, ticket: int | None, kind: Kind, now_seconds: float) -> None:
        outcome = Outcome.NEUTRAL
        if kind.blame == "target":
            outcome = Outcome.CONNECT_FAILURE if kind is kinds.UPSTREAM_UNREACHABLE else Outcome.FAILURE
        elif kind.blame == "credential":
            self.book.refuse(target.credential, now_seconds)
        self.book.report(target.place, outcome, ticket, now_seconds, self.chance.random())


class _Place:
    """One model at one provider within the chain of a call: its credentials, and what has been tried.

    `target` has the credential to try next. `spare` are those not tried yet, `limited` those told to wait, with the
    second from which they may be tried again. `ticket` is the breaker's, for the next try.
    """

    __slots__ = ("limited", "over", "ready_seconds", "spare", "target", "ticket", "tries")

    def __init__(self, target: Target) -> None:
        self.target = target
        self.spare: list[Target] = []
        self.limited: list[tuple[float, Target]] = []
        self.ticket: int | None = None
        self.tries = 0
        self.ready_seconds = 0.0
        self.over = False


class _Chain:
    """The places of one call, in order, and the choice among them.

    `_down` has the providers that failed within this call, with what another try at one costs: a second place at the
    same provider is a retry there as much as a second try of the first.
    """

    __slots__ = ("_book", "_budgets", "_chance", "_deadline_seconds", "_down", "_places", "_policy")

    def __init__(self, planner: Planner, policy: RetryPolicy, until_seconds: float, *places: _Place) -> None:
        self._book = planner.book
        self._budgets = planner.budgets
        self._chance = planner.chance
        self._policy = policy
        self._deadline_seconds = until_seconds
        self._down: dict[str, int] = {}
        self._places: Sequence[_Place] = places

    def first(self, targets: Sequence[Target], now_seconds: float) -> _Place:
        """The place to begin with, among those of these targets."""
        self._places = self._grouped(targets, now_seconds)
        if len(self._places) > 1:
            return self._fresh(now_seconds) or self._untried(now_seconds)[0]
        place = self._places[0]
        place.ticket = self._book.admits(place.target.place, now_seconds, self._chance.random())
        return place

    def after(self, place: _Place, result: Result, failure: Failure) -> _Place | None:
        """The place to try next after a try that failed; with a part of the answer, if that is to be continued."""
        if not result.committed:
            return self.next(place, failure, result.now_seconds)
        return self._go_on(place.target, failure, result.now_seconds) if result.continued else None

    def next(self, place: _Place, failure: Failure, now_seconds: float) -> _Place | None:
        """The place to try next, from its `ready_seconds` on, after its last try failed so; None when that was all."""
        kind = failure.kind
        if now_seconds >= self._deadline_seconds or (kind.ran and not self._policy.unsafe):
            return None
        if kind is kinds.CONTEXT_LENGTH_EXCEEDED:
            self._leave_no_longer(place.target)
        wait = self._wait(place, failure, now_seconds)
        if kind.blame == "target":
            cost = TIMEOUT_RETRY_COST if kind is kinds.UPSTREAM_TIMEOUT else RETRY_COST
            self._down[place.target.provider] = cost
        # Models are given account by account too.
        lacked = kind is kinds.UPSTREAM_MODEL_NOT_FOUND and wait is None
        if lacked or kind.blame == "credential" or kind.code in _OF_ONE_CREDENTIAL:
            if self._other_credential(place, wait, now_seconds):
                return place
            return self._elsewhere(now_seconds)
        place.over = wait is None
        if wait is not None:
            place.ready_seconds = now_seconds + wait
            leaves = kind.hurry or self._book.ailing(place.target.place, place.tries, now_seconds)
            if not (leaves and kind.other) and self._pay(place):
                return place
        return self._elsewhere(now_seconds) if kind.other else None

    def again(self, place: _Place, now_seconds: float) -> _Place:
        """This place now that its wait is over, or another if this was found to be dead meanwhile."""
        name = place.target.place
        other = self._fresh(now_seconds) if self._book.ailing(name, place.tries, now_seconds) else None
        if other is None:
            place.ticket = self._book.admits(name, now_seconds, self._chance.random())
            other = self._fresh(now_seconds) if place.ticket is None else None
        return other or place

    def _go_on(self, cut: Target, failure: Failure, now_seconds: float) -> _Place | None:
        """The first place that goes on with what this target began; from now on no other is tried."""
        if now_seconds >= self._deadline_seconds:
            return None
        if failure.kind.blame == "target":
            self._down[cut.provider] = RETRY_COST
        for place in self._places:
            place.over = place.over or not goes_on(place.target, cut)
        return self._elsewhere(now_seconds)

    def _leave_no_longer(self, short: Target) -> None:
        """A prompt that was too long for one model is so for all that are known to take no more."""
        most_tokens = short.context_window_tokens
        for place in self._places:
            window_tokens = place.target.context_window_tokens
            if most_tokens is not None and window_tokens is not None and window_tokens <= most_tokens:
                place.over = True

    def _fresh(self, now_seconds: float) -> _Place | None:
        """The first place not tried yet that lets the call in."""
        for place in self._places:
            target = place.target
            if place.tries or place.over or self._book.quarantined(target.credential, now_seconds):
                continue
            cost = self._down.get(target.provider, 0)
            if cost and self._budgets.of(target.provider).level < cost:
                continue
            place.ticket = self._book.admits(target.place, now_seconds, self._chance.random())
            if place.ticket is not None:
                if cost:
                    self._budgets.of(target.provider).take(cost)
                return place
        return None

    def _untried(self, now_seconds: float) -> list[_Place]:
        """The places not tried yet, whatever is held against them; those with a refused credential last."""
        places = [place for place in self._places if not place.tries and not place.over]
        return sorted(places, key=lambda place: self._book.quarantined(place.target.credential, now_seconds))

    def _elsewhere(self, now_seconds: float) -> _Place | None:
        if (fresh := self._fresh(now_seconds)) is not None:
            return fresh
        waiting = [place for place in self._places if place.tries and not place.over]
        for place in sorted(waiting, key=lambda place: place.ready_seconds):
            if self._pay(place):
                return place
        # Rather a place whose breaker is open than no answer: the last healthy option is never removed.
        for place in self._untried(now_seconds):
            if place.target.provider not in self._down or self._pay(place):
                return place
        return None

    def _pay(self, place: _Place) -> bool:
        provider = place.target.provider
        return self._budgets.of(provider).take(self._down.get(provider, RETRY_COST))

    def _wait(self, place: _Place, failure: Failure, now_seconds: float) -> float | None:
        """Seconds before this target may be tried again; None when it may not, or not in time."""
        same = failure.kind.same if failure.should_retry is None else failure.should_retry
        asked = failure.retry_after_seconds or 0.0
        if not same or place.tries >= self._policy.attempts or asked > RETRY_AFTER_SECONDS_MOST:
            return None
        chance = self._chance.random() if self._policy.jitter else None
        if asked > 0:
            wait = asked if chance is None else asked * (1 + RETRY_AFTER_JITTER * chance)
        else:
            wait = FIRST_WAIT_SECONDS * 2.0 ** (place.tries - 1) * (1.0 if chance is None else chance)
        return wait if now_seconds + wait < self._deadline_seconds else None

    def _other_credential(self, place: _Place, wait: float | None, now_seconds: float) -> bool:
        """Turn to another credential of this place: at once to one not tried yet, else to the first that may again."""
        if wait is not None:
            place.limited.append((now_seconds + wait, place.target))
        if place.spare:
            place.target = place.spare.pop(0)
            place.tries -= 1
            place.ready_seconds = now_seconds
            return True
        place.over = not place.limited or place.tries >= self._policy.attempts
        if not place.over:
            soonest = min(place.limited, key=lambda limited: limited[0])
            place.limited.remove(soonest)
            place.ready_seconds, place.target = soonest
        return False

    def _grouped(self, targets: Sequence[Target], now_seconds: float) -> list[_Place]:
        places: dict[str, _Place] = {}
        for target in targets:
            place = places.get(target.place)
            if place is None:
                places[target.place] = _Place(target)
            else:
                place.spare.append(target)
        for place in places.values():
            if place.spare:
                self._spread(place, now_seconds)
        return list(places.values())

    def _spread(self, place: _Place, now_seconds: float) -> None:
        """Let any of a place's credentials begin, so that calls use all of them; one that was refused comes last."""
        targets = [place.target, *place.spare]
        begin = int(self._chance.random() * len(targets))
        targets = [*targets[begin:], *targets[:begin]]
        targets.sort(key=lambda target: self._book.quarantined(target.credential, now_seconds))
        place.target, *place.spare = targets
