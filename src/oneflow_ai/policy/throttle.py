"""The limits of a credential, or of one of its models: taken all or none, and what a refusal does to them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from oneflow_ai.core.ports import RateHints
from oneflow_ai.core.target import ProviderLimits
from oneflow_ai.policy.rate import WINDOW_SECONDS, Concurrency, SlidingLog, Slot, TokenReservations

# After a 429: the rate falls to this part of itself, and comes back by this part of the ceiling each second.
SLOWED_FACTOR = 0.8
FACTOR_LEAST = 0.1
RISE_PER_SECOND = 0.01
# Where a 429 names no wait: one second, doubled for each that follows within a minute.
STOP_SECONDS = 1.0
STOP_DOUBLINGS_MOST = 2
STOP_SECONDS_MOST = 3_600.0
STOP_JITTER = 0.1
# Requests that were on their way when a 429 came bring theirs within about this time: one lesson, not many.
VOLLEY_SECONDS = 1.0
# A limit that takes longer than this to fill again is not one of a minute.
MINUTE_RESET_SECONDS_MOST = 62.0
# A request that goes out later than this after its turn came has its minute counted from then.
LATE_SECONDS = 0.05
# What calls are thought to use of the tokens they reserve, before any has told.
USED_PART_UNKNOWN = 0.5


class Hold:
    """What one call took of a throttle."""

    __slots__ = ("request", "reserved_tokens", "taken_seconds", "tokens")

    def __init__(self, request: Slot, tokens: Slot | None, reserved_tokens: int, taken_seconds: float) -> None:
        self.request = request
        self.tokens = tokens
        self.reserved_tokens = reserved_tokens
        self.taken_seconds = taken_seconds


class Throttle:
    """Requests and tokens a minute, concurrency, and a stop: a call takes of all or of none. 0 is no limit."""

    __slots__ = (
        "_factor", "_refused_seconds", "_requests_ceiling", "_risen_from_seconds", "_stops", "_tokens_ceiling",
        "_unsettled_tokens", "_used_part", "concurrency", "requests", "stopped_until_seconds", "tokens",
    )  # fmt: skip

    def __init__(self) -> None:
        self.requests = SlidingLog(0)
        self.tokens = TokenReservations(0)
        self.concurrency = Concurrency(0)
        self.stopped_until_seconds = -math.inf
        self._requests_ceiling = 0
        self._tokens_ceiling = 0
        self._factor = 1.0
        self._risen_from_seconds = 0.0
        self._refused_seconds = -math.inf
        self._stops = 0
        # What calls use of what they reserve, of late, and what those under way have reserved: for foreseeing alone.
        self._used_part = USED_PART_UNKNOWN
        self._unsettled_tokens = 0

    @property
    def ceilings(self) -> tuple[int, int]:
        """Requests and tokens a minute before any slowing; 0 for none."""
        return self._requests_ceiling, self._tokens_ceiling

    def fit(self, now_seconds: float, requests: int, tokens: int, concurrency: int) -> None:
        """Take these as the ceilings from now on; what is held stays held."""
        self._requests_ceiling = requests
        self._tokens_ceiling = tokens
        self.concurrency.limit = concurrency
        self._scale(self.factor(now_seconds))

    def take(self, now_seconds: float, tokens: int) -> Hold | None:
        """Take one request of so many tokens if there is room in all; else nothing."""
        if now_seconds < self.stopped_until_seconds:
            return None
        if self._factor < 1.0:
            self._recover(now_seconds)
        requests, reserved, concurrency = self.requests, self.tokens, self.concurrency
        # What is counted only falls as time passes: where it leaves room, a log need not be looked through.
        if requests.used + requests.others >= requests.limit > 0 and not requests.room(now_seconds):
            return None
        if concurrency.in_flight >= concurrency.limit > 0:
            return None
        slot = None
        if reserved.limit:
            if reserved.used + reserved.others + tokens > reserved.limit and not reserved.room(now_seconds, tokens):
                return None
            slot = reserved.take(now_seconds, tokens)
            self._unsettled_tokens += tokens
        concurrency.in_flight += 1
        return Hold(requests.take(now_seconds), slot, tokens, now_seconds)

    def restart(self, hold: Hold, sent_seconds: float) -> None:
        """The request went out only then: its minute begins then. Small differences are the network's and let be."""
        if sent_seconds - hold.taken_seconds <= LATE_SECONDS:
            return
        self.requests.give_back(hold.request)
        hold.request = self.requests.take(sent_seconds)
        if hold.tokens is not None:
            self.tokens.give_back(hold.tokens, hold.reserved_tokens)
            hold.tokens = self.tokens.take(sent_seconds, hold.reserved_tokens)

    def settle(self, hold: Hold, now_seconds: float, tokens: int) -> None:
        """The call ended, having used so many tokens."""
        self.concurrency.end(now_seconds - hold.taken_seconds)
        if hold.tokens is not None:
            self.tokens.correct(hold.tokens, now_seconds, hold.reserved_tokens, tokens)
            self._unsettled_tokens -= hold.reserved_tokens
            part = min(tokens / max(hold.reserved_tokens, 1), 1.0)
            self._used_part += (part - self._used_part) * Concurrency.WEIGHT

    def void(self, hold: Hold) -> None:
        """The call was never sent: everything it took is free at once."""
        self.concurrency.in_flight -= 1
        self.requests.give_back(hold.request)
        if hold.tokens is not None:
            self.tokens.give_back(hold.tokens, hold.reserved_tokens)
            self._unsettled_tokens -= hold.reserved_tokens

    def ready_seconds(self, now_seconds: float, tokens: int) -> float:
        """When such a call may go, by the passing of time alone; infinity when another must end first."""
        if not self.concurrency.room():
            return math.inf
        if self._factor < 1.0:
            self._recover(now_seconds)
        requests_seconds = self.requests.next_free_seconds(now_seconds)
        tokens_seconds = self.tokens.next_free_seconds(now_seconds, tokens)
        if self._factor < 1.0:
            requests_seconds = min(requests_seconds, self._rises_seconds(self.requests, self._requests_ceiling, 1))
            tokens_seconds = min(tokens_seconds, self._rises_seconds(self.tokens, self._tokens_ceiling, tokens))
        return max(self.stopped_until_seconds, requests_seconds, tokens_seconds)

    def schedule(self, now_seconds: float) -> Callable[[int, int], float]:
        """Gives a function that tells when the last of so many calls, of so many tokens in all, will have gone."""
        if self._factor < 1.0:
            self._recover(now_seconds)
        start_seconds = max(now_seconds, self.stopped_until_seconds)
        requests = self.requests.schedule(now_seconds, start_seconds)
        reserved = self._tokens_schedule(now_seconds, start_seconds) if self.tokens.limit else None
        running = self.concurrency.served_seconds

        def served_seconds(calls: int, tokens: int) -> float:
            when = max(requests(calls), running(calls, start_seconds))
            return when if reserved is None else max(when, reserved(tokens))

        return served_seconds

    def _tokens_schedule(self, now_seconds: float, start_seconds: float) -> Callable[[int], float]:
        """The tokens' schedule, where calls give back what they reserve too much as they end."""
        self.tokens.expire(now_seconds)
        limit, used, part = self.tokens.limit, self.tokens.used, self._used_part
        settled = max(used - self._unsettled_tokens, 0)
        weight = (settled + (used - settled) * part) / used if used else 1.0
        counted = self.tokens.schedule(now_seconds, start_seconds, weight)
        # What is reserved too much comes back as calls end: that part of the limit is passed on once in a call's time.
        passed_on = limit * (1.0 - part)
        lasts_seconds = self.concurrency.mean_seconds if self._unsettled_tokens and passed_on >= 1.0 else 0.0

        def served_seconds(tokens: int) -> float:
            when = counted(math.ceil(tokens * part))
            missing = tokens + used - limit
            if missing <= 0 or not lasts_seconds:
                return when
            return max(when, start_seconds + min(lasts_seconds * missing / passed_on, WINDOW_SECONDS))

        return served_seconds

    def cost(self, tokens: int) -> float:
        """What a call takes of the scarcer limit, in requests (in tokens where only those are limited)."""
        if not self._tokens_ceiling:
            return 1.0
        return max(1.0, tokens * (self._requests_ceiling or self._tokens_ceiling) / self._tokens_ceiling)

    def stop(self, until_seconds: float) -> None:
        """Nothing goes until then."""
        self.stopped_until_seconds = max(self.stopped_until_seconds, until_seconds)

    def refused(self, now_seconds: float, retry_after_seconds: float | None, chance: float) -> None:
        """The provider answered 429: stop as long as it says and a little of `chance` (0 to 1) more, then go slower."""
        first = now_seconds >= max(self.stopped_until_seconds, self._refused_seconds + VOLLEY_SECONDS)
        if first:
            again = now_seconds < max(self.stopped_until_seconds, self._refused_seconds) + WINDOW_SECONDS
            self._stops = min(self._stops + 1, STOP_DOUBLINGS_MOST) if again else 0
            self._factor = max(self.factor(now_seconds) * SLOWED_FACTOR, FACTOR_LEAST)
            self._refused_seconds = now_seconds
        wait_seconds = STOP_SECONDS * 2**self._stops
        if retry_after_seconds is not None and 0 <= retry_after_seconds < math.inf:
            wait_seconds = retry_after_seconds
        self.stop(now_seconds + min(wait_seconds * (1 + STOP_JITTER * chance), STOP_SECONDS_MOST))
        self._risen_from_seconds = max(self.stopped_until_seconds, now_seconds)
        self._scale(self._factor)

    def factor(self, now_seconds: float) -> float:
        """The part of the ceilings that is in force: 1.0, or less for a while after a refusal."""
        if self._factor >= 1.0:
            return 1.0
        return min(1.0, self._factor + RISE_PER_SECOND * max(now_seconds - self._risen_from_seconds, 0.0))

    def learn(self, now_seconds: float, hints: RateHints, limits: ProviderLimits) -> None:
        """Take the provider's word for one model: a limit only where one is set, an empty bucket always."""
        requests, tokens = self._requests_ceiling, self._tokens_ceiling
        if limits.requests_per_minute and _of_a_minute(hints.limit_requests, hints.reset_requests_seconds):
            requests = hints.limit_requests or requests
        if limits.tokens_per_minute and _of_a_minute(hints.limit_tokens, hints.reset_tokens_seconds):
            tokens = hints.limit_tokens or tokens
        if (requests, tokens) != (self._requests_ceiling, self._tokens_ceiling):
            self.fit(now_seconds, requests, tokens, 0)
        self._hear(now_seconds, self.requests, requests, hints.remaining_requests, hints.reset_requests_seconds)
        self._hear(now_seconds, self.tokens, tokens, hints.remaining_tokens, hints.reset_tokens_seconds)

    def idle(self, now_seconds: float) -> bool:
        """Whether nothing of it matters any more: nothing in the window, under way, stopped or slowed."""
        self.requests.expire(now_seconds)
        self.tokens.expire(now_seconds)
        busy = self.requests.used or self.tokens.used or self.concurrency.in_flight
        return not busy and now_seconds >= self.stopped_until_seconds and self.factor(now_seconds) >= 1.0

    def _hear(
        self, now_seconds: float, log: SlidingLog, ceiling: int, remaining: int | None, reset_seconds: float | None
    ) -> None:
        if remaining is None:
            return
        if ceiling and _of_a_minute(ceiling, reset_seconds):
            wait_seconds = WINDOW_SECONDS if reset_seconds is None else min(reset_seconds, WINDOW_SECONDS)
            log.true_up(now_seconds, ceiling - remaining, now_seconds + wait_seconds)
        elif not remaining and reset_seconds:
            self.stop(now_seconds + min(reset_seconds, STOP_SECONDS_MOST))

    def _recover(self, now_seconds: float) -> None:
        factor = self.factor(now_seconds)
        self._scale(factor)
        if factor >= 1.0:
            self._factor = 1.0

    def _scale(self, factor: float) -> None:
        for log, ceiling in ((self.requests, self._requests_ceiling), (self.tokens, self._tokens_ceiling)):
            log.resize(max(int(ceiling * factor), 1) if ceiling else 0)

    def _rises_seconds(self, log: SlidingLog, ceiling: int, amount: int) -> float:
        need = log.used + log.others + amount
        if not ceiling or need > ceiling:
            return math.inf
        return self._risen_from_seconds + (need / ceiling - self._factor) / RISE_PER_SECOND


def ceiling(limit: int, *, firm: bool, told: Iterable[int]) -> int:
    """A credential's limit: what is set, moved to what headers told of all its models; a firm one is only lowered."""
    in_all = sum(told)
    if not limit or not in_all:
        return limit
    return min(limit, in_all) if firm else in_all


def concurrent(limit: int, *, firm: bool, told: int) -> int:
    """A credential's limit of calls in flight, 0 for none: what headers told, but that a firm one is only lowered."""
    if not told or (firm and not limit):
        return limit
    return min(limit, told) if firm else told


def _of_a_minute(limit: int | None, reset_seconds: float | None) -> bool:
    return bool(limit) and (reset_seconds is None or reset_seconds <= MINUTE_RESET_SECONDS_MOST)
