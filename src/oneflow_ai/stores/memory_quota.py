"""Providers' limits, kept in this process: a call waits for its turn at a credential, and at a model of it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from oneflow_ai.core.call import Call
from oneflow_ai.core.failure import OVERLOADED, Failure
from oneflow_ai.core.ports import Chance, Clock, RateHints
from oneflow_ai.core.target import ProviderLimits, Target
from oneflow_ai.policy.rate import WINDOW_SECONDS
from oneflow_ai.policy.throttle import Hold, ceiling, concurrent
from oneflow_ai.stores.memory_lane import Lane

CREDENTIALS_MOST = 4_096
# Models of one credential whose own limits are remembered from headers.
PLACES_MOST = 64
# How many of the oldest are looked at, each time a new one comes, for what may be forgotten.
SWEPT_EACH_TIME = 4


@dataclass(frozen=True, slots=True)
class QuotaState:
    """How one credential stands. Limits are those in force, 0 for none; `stopped_seconds` is how long it still rests.

    `factor` is the part of its ceilings that is in force, below 1.0 for a while after the provider refused.
    """

    waiting: int
    in_flight: int
    requests_used: int
    requests_limit: int
    tokens_used: int
    tokens_limit: int
    concurrency_limit: int
    stopped_seconds: float
    factor: float


class _Credential(Lane):
    """The lane of one credential, with the lanes that headers opened for its models, and what its calls hold."""

    __slots__ = ("concurrency_told", "holds", "limits", "place_holds", "places")

    def __init__(self, name: str, clock: Clock) -> None:
        super().__init__(name, clock)
        self.limits = ProviderLimits()
        self.concurrency_told = 0
        self.holds: dict[tuple[str, str], Hold] = {}
        self.places: dict[str, Lane] = {}
        self.place_holds: dict[tuple[str, str], tuple[Lane, Hold]] = {}

    def fit(self, now_seconds: float, limits: ProviderLimits) -> None:
        """Take these limits, moved by what the headers of its models told."""
        self.limits = limits
        told = [place.throttle.ceilings for place in self.places.values()]
        self.throttle.fit(
            now_seconds,
            ceiling(limits.requests_per_minute, firm=limits.requests_firm, told=(requests for requests, _ in told)),
            ceiling(limits.tokens_per_minute, firm=limits.tokens_firm, told=(tokens for _, tokens in told)),
            concurrent(limits.concurrency, firm=limits.concurrency_firm, told=self.concurrency_told),
        )

    def place(self, name: str, clock: Clock) -> Lane | None:
        """The lane of a model, opened if need be; None when there is no place for another."""
        lane = self.places.get(name)
        if lane is None:
            if len(self.places) >= PLACES_MOST:
                now = clock.monotonic()
                idle = next((name for name, lane in self.places.items() if lane.idle(now)), None)
                if idle is None:
                    return None
                del self.places[idle]
            lane = self.places[name] = Lane(self.name, clock)
        return lane


class MemoryQuota:
    """Providers' limits for the calls of one event loop: `core.ports.Quota`.

    What is set holds for a credential; what headers tell, for a model at a credential. A call needs room in both, and
    waits for it in fair turn by API key. Only `clock.monotonic()` is read; timers run on the loop that calls.
    """

    def __init__(self, clock: Clock, chance: Chance) -> None:
        self._clock = clock
        self._monotonic = clock.monotonic
        self._chance = chance
        self._credentials: OrderedDict[str, _Credential] = OrderedDict()

    async def hold(self, call: Call, target: Target, tokens: int) -> None:
        """Wait for a turn; raises `Failure` (`queue_timeout`) when none can come before the deadline."""
        credential = self._credentials.get(target.credential.id)
        if credential is None or credential.limits is not target.limits:
            credential = self._fitted(target)
        key = (call.id, target.place)
        if key in credential.holds:
            return
        if credential.places and (place := credential.places.get(target.place)) is not None:
            credential.holds[key] = await self._hold_both(credential, place, key, call, tokens)
            return
        hold = credential.take(call.account.key_id, tokens, self._monotonic())
        if hold is None:
            hold = await credential.wait(call.account.key_id, tokens, call.deadline_seconds)
        credential.holds[key] = hold

    def settle(self, call: Call, target: Target, tokens: int) -> None:
        """The call ended, having used so many tokens: free its place, correct the tokens. Harmless if repeated."""
        credential = self._credentials.get(target.credential.id)
        if credential is None:
            return
        key = (call.id, target.place)
        hold = credential.holds.pop(key, None)
        if hold is None:
            return
        now = self._monotonic()
        if credential.place_holds and (taken := credential.place_holds.pop(key, None)) is not None:
            taken[0].settle(taken[1], now, tokens)
        credential.settle(hold, now, tokens)

    def void(self, call: Call, target: Target) -> None:
        """The call was never sent: even its place in the minute is free again. Harmless if repeated."""
        credential = self._credentials.get(target.credential.id)
        key = (call.id, target.place)
        if credential is None or (hold := credential.holds.pop(key, None)) is None:
            return
        if (taken := credential.place_holds.pop(key, None)) is not None:
            taken[0].void(taken[1])
        credential.void(hold)

    def sent(self, call: Call, target: Target, sent_seconds: float) -> None:
        """The request went out only then (a connection had to be opened first): its minute begins then."""
        credential = self._credentials.get(target.credential.id)
        key = (call.id, target.place)
        if credential is None or (hold := credential.holds.get(key)) is None:
            return
        credential.throttle.restart(hold, sent_seconds)
        if (taken := credential.place_holds.get(key)) is not None:
            taken[0].throttle.restart(taken[1], sent_seconds)

    def learn(self, target: Target, hints: RateHints) -> None:
        """Adjust to what the provider's headers say of this model."""
        credential = self._credentials.get(target.credential.id) or self._fitted(target)
        limits = target.limits
        told = hints.limit_concurrency
        if told and told != credential.concurrency_told:
            # It is one for all models of an account.
            credential.concurrency_told = told
            credential.fit(self._clock.monotonic(), limits)
            credential.pump(self._clock.monotonic())
        if target.place not in credential.places and not _tells(hints, limits):
            return
        place = credential.place(target.place, self._clock)
        if place is None:
            return
        now = self._monotonic()
        before = place.throttle.ceilings
        place.throttle.learn(now, hints, limits)
        place.give_up_before(place.throttle.stopped_until_seconds)
        if place.throttle.ceilings != before:
            credential.fit(now, limits)
            credential.pump(now)
        if place.queue.length:
            place.pump(now)

    def refused(self, target: Target, retry_after_seconds: float | None) -> None:
        """The provider answered 429: stop that credential for a while, then let it go slower and slowly faster."""
        credential = self._credentials.get(target.credential.id) or self._fitted(target)
        credential.throttle.refused(self._monotonic(), retry_after_seconds, self._chance.random())
        credential.give_up_before(credential.throttle.stopped_until_seconds)

    def expected_seconds(self, call: Call, target: Target, tokens: int) -> float:
        """How long such a call would wait for its turn, as far as can be told; 0.0 for not at all."""
        credential = self._credentials.get(target.credential.id) or self._fitted(target)
        now = self._monotonic()
        key = call.account.key_id
        place = credential.places.get(target.place)
        expected = credential.expected_seconds(key, tokens, now)
        if place is not None:
            expected = max(expected, place.expected_seconds(key, tokens, now))
        return max(expected - now, 0.0)

    def state(self, credential_id: str) -> QuotaState | None:
        """How a credential stands now, or None when no call ever asked for it."""
        credential = self._credentials.get(credential_id)
        if credential is None:
            return None
        now = self._monotonic()
        throttle = credential.throttle
        throttle.requests.expire(now)
        throttle.tokens.expire(now)
        return QuotaState(
            waiting=credential.queue.length + sum(place.queue.length for place in credential.places.values()),
            in_flight=len(credential.holds),
            requests_used=throttle.requests.used,
            requests_limit=throttle.requests.limit,
            tokens_used=throttle.tokens.used,
            tokens_limit=throttle.tokens.limit,
            concurrency_limit=throttle.concurrency.limit,
            stopped_seconds=max(throttle.stopped_until_seconds - now, 0.0),
            factor=throttle.factor(now),
        )

    async def _hold_both(
        self, credential: _Credential, place: Lane, key: tuple[str, str], call: Call, tokens: int
    ) -> Hold:
        account = call.account.key_id
        taken = place.take(account, tokens, self._monotonic())
        if taken is None:
            taken = await place.wait(account, tokens, call.deadline_seconds)
        try:
            hold = credential.take(account, tokens, self._monotonic())
            if hold is None:
                hold = await credential.wait(account, tokens, call.deadline_seconds)
                place.throttle.restart(taken, self._monotonic())
        except BaseException:
            place.void(taken)
            raise
        credential.place_holds[key] = (place, taken)
        return hold

    def _fitted(self, target: Target) -> _Credential:
        """The lane of a target's credential, opened if need be, with the target's limits."""
        name = target.credential.id
        now = self._monotonic()
        credential = self._credentials.get(name)
        if credential is None:
            self._sweep(now)
            if len(self._credentials) >= CREDENTIALS_MOST:
                words = f"more than {CREDENTIALS_MOST} provider credentials are in use"
                raise Failure(OVERLOADED, words, retry_after_seconds=WINDOW_SECONDS)
            credential = self._credentials[name] = _Credential(name, self._clock)
        credential.fit(now, target.limits)
        credential.pump(now)
        return credential

    def _sweep(self, now_seconds: float) -> None:
        for name in list(self._credentials)[:SWEPT_EACH_TIME]:
            credential = self._credentials[name]
            places = credential.places.values()
            if credential.idle(now_seconds) and all(place.idle(now_seconds) for place in places):
                del self._credentials[name]
            else:
                self._credentials.move_to_end(name)


def _tells(hints: RateHints, limits: ProviderLimits) -> bool:
    """Whether headers say something that a lane of its own is worth: a limit where one is set, or an empty bucket."""
    limited = (limits.requests_per_minute and hints.limit_requests) or (limits.tokens_per_minute and hints.limit_tokens)
    return bool(limited) or hints.remaining_requests == 0 or hints.remaining_tokens == 0
