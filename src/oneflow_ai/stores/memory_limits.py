"""The limits of our own clients' keys, kept in this process."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeAlias

from oneflow_ai.core.call import Account, Call
from oneflow_ai.core.events import Usage
from oneflow_ai.core.failure import CONCURRENCY_LIMIT_EXCEEDED, OVERLOADED, RATE_LIMIT_EXCEEDED, Failure
from oneflow_ai.core.ports import Clock, RateHints
from oneflow_ai.policy.rate import Concurrency, Gcra

# API keys whose use is remembered until it is made up for.
KEYS_MOST = 100_000
# The longest that an idle key is remembered: its burst, a minute's worth, is whole again by then.
FULL_SECONDS = 60.0
# How many of those not used for long are looked at, each time a new one comes, for what may be forgotten.
SWEPT_EACH_TIME = 4
SWEPT_WHEN_FULL = 256

# What one call took, since when, and of which buckets (requests, tokens): the key may have others by the time it ends.
_Held: TypeAlias = "tuple[_Key, Gcra | None, Gcra | None, int, float]"
_Standing: TypeAlias = tuple[int | None, int | None, float | None]


class MemoryLimits:
    """The limits of our own clients' keys: a `core.ports.Meter` of requests, tokens and calls at once.

    A key may use a whole minute's worth at once; in t minutes it never gets more than its rate · t and that.
    """

    def __init__(self, clock: Clock) -> None:
        self._monotonic = clock.monotonic
        self._keys: OrderedDict[str, _Key] = OrderedDict()
        self._holds: dict[str, _Held] = {}

    async def hold(self, call: Call, tokens: int, nanos: int) -> None:
        """Take one request and so many tokens, all or none.

        Raises `Failure`: `rate_limit_exceeded` with the exact wait (add jitter to what the client is told, never take
        it away), `concurrency_limit_exceeded`, or `overloaded` when too many keys are in use. `param` is the scope.
        """
        account = call.account
        if not (account.requests_per_minute or account.tokens_per_minute or account.concurrency):
            return
        if call.id in self._holds:
            return
        now = self._monotonic()
        key = self._keys.get(account.key_id)
        if key is None or key.account is not account:
            key = self._fitted(account, now)
        self._keys.move_to_end(account.key_id)
        if account.concurrency and key.calls.in_flight >= account.concurrency:
            words = f"this key may run {account.concurrency} calls at once; wait for one to end"
            # Unknown before any has ended.
            wait = (key.calls.served_seconds(1, now) - now) or None
            raise Failure(CONCURRENCY_LIMIT_EXCEEDED, words, param="key", retry_after_seconds=wait)
        of_requests, of_tokens = key.requests, key.tokens
        if of_requests is not None and not of_requests.take_if_there(now):
            raise _refusal(of_requests, now, 1, "requests")
        if of_tokens is not None and not of_tokens.take_if_there(now, tokens):
            if of_requests is not None:
                of_requests.refund(1)
            raise _refusal(of_tokens, now, tokens, "tokens")
        key.calls.in_flight += 1
        self._holds[call.id] = key, of_requests, of_tokens, tokens, now

    async def settle(self, call: Call, usage: Usage, nanos: int) -> None:
        """The call used this: the tokens it did not need are the key's again."""
        held = self._holds.pop(call.id, None)
        if held is None:
            return
        key, _, of_tokens, tokens, since_seconds = held
        now = self._monotonic()
        key.calls.end(now - since_seconds)
        if of_tokens is None:
            return
        used = usage.input_tokens + usage.output_tokens
        if used <= tokens:
            of_tokens.refund(tokens - used)
        else:
            of_tokens.take(now, used - tokens)

    async def void(self, call: Call) -> None:
        """The call never ran: all it took is the key's again."""
        held = self._holds.pop(call.id, None)
        if held is None:
            return
        key, of_requests, of_tokens, tokens, _ = held
        key.calls.in_flight -= 1
        if of_requests is not None:
            of_requests.refund(1)
        if of_tokens is not None:
            of_tokens.refund(tokens)

    def standing(self, account: Account) -> RateHints | None:
        """What `x-ratelimit-*` tells the client: limits, what is left, seconds until all is; None without a limit.

        Looking changes nothing: an account of before a reload leaves the key's limits as its last call found them.
        """
        requests, tokens = account.requests_per_minute, account.tokens_per_minute
        if not (requests or tokens):
            return None
        now = self._monotonic()
        key = self._keys.get(account.key_id)
        if key is None:
            return RateHints(*_untouched(requests), *_untouched(tokens))
        of_requests, of_tokens = key.requests, key.tokens
        return RateHints(
            *(of_requests.standing(now) if requests and of_requests is not None else _untouched(requests)),
            *(of_tokens.standing(now) if tokens and of_tokens is not None else _untouched(tokens)),
        )

    def _fitted(self, account: Account, now_seconds: float) -> _Key:
        """The key of an account, remembered from now on if it was not, with the account's limits."""
        key = self._keys.get(account.key_id)
        if key is None:
            self._sweep(now_seconds)
            if len(self._keys) >= KEYS_MOST:
                words = "too many API keys are in use at once; ask again in a minute"
                raise Failure(OVERLOADED, words, retry_after_seconds=FULL_SECONDS)
            key = self._keys[account.key_id] = _Key()
        key.fit(now_seconds, account)
        return key

    def _sweep(self, now_seconds: float) -> None:
        """Forget some of the keys not used for long, but none that would gain by it."""
        keys = self._keys
        full = len(keys) >= KEYS_MOST
        for _ in range(min(SWEPT_WHEN_FULL if full else SWEPT_EACH_TIME, len(keys))):
            name, key = next(iter(keys.items()))
            if not key.idle(now_seconds):
                keys.move_to_end(name)
            else:
                del keys[name]
                if full:
                    return


class _Key:
    """What one API key has used."""

    __slots__ = ("account", "calls", "requests", "tokens")

    def __init__(self) -> None:
        self.account: Account | None = None
        self.calls = Concurrency(0)
        self.requests: Gcra | None = None
        self.tokens: Gcra | None = None

    def fit(self, now_seconds: float, account: Account) -> None:
        """Take the account's limits."""
        self.account = account
        self.calls.limit = account.concurrency
        self.requests = _fit(self.requests, now_seconds, account.requests_per_minute)
        self.tokens = _fit(self.tokens, now_seconds, account.tokens_per_minute)

    def idle(self, now_seconds: float) -> bool:
        """Whether nothing would be gained by forgetting it."""
        buckets = (self.requests, self.tokens)
        return not self.calls.in_flight and all(not bucket or not bucket.standing(now_seconds)[2] for bucket in buckets)


def _fit(bucket: Gcra | None, now_seconds: float, rate_per_minute: int) -> Gcra | None:
    if not rate_per_minute:
        return None
    if bucket is None:
        return Gcra(rate_per_minute, rate_per_minute)
    if bucket.rate_per_minute != rate_per_minute:
        bucket.resize(now_seconds, rate_per_minute, rate_per_minute)
    return bucket


def _refusal(bucket: Gcra, now_seconds: float, cost: int, unit: str) -> Failure:
    wait_seconds = bucket.wait_seconds(now_seconds, cost)
    if wait_seconds is None:
        words = f"this call may need {cost} {unit}, this key has {bucket.burst} a minute: lower max_tokens"
        return Failure(RATE_LIMIT_EXCEEDED, words, param="key", should_retry=False)
    words = f"this key has {bucket.rate_per_minute} {unit} a minute and has used them; wait {wait_seconds:.1f} s"
    return Failure(RATE_LIMIT_EXCEEDED, words, param="key", retry_after_seconds=wait_seconds)


def _untouched(rate_per_minute: int) -> _Standing:
    return (rate_per_minute, rate_per_minute, 0.0) if rate_per_minute else (None, None, None)
