"""The provider's limits, enforced to the letter: what each credential may use in any 60 s, and at a time."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from oneflow_ai.simulator.options import Limits

WINDOW_SECONDS = 60.0
CREDENTIALS_MOST = 10_000

REQUESTS, TOKENS, CONCURRENCY, TOO_LARGE = "requests", "tokens", "concurrency", "too_large"
"""Why a request is refused; `too_large` is more tokens than the limit, which no waiting cures."""


@dataclass(frozen=True, slots=True)
class LimitState:
    """What the headers of an answer tell; a limit of zero is not told. Resets are seconds until all is free again."""

    limit_requests: int = 0
    remaining_requests: int = 0
    reset_requests_seconds: float = 0.0
    limit_tokens: int = 0
    remaining_tokens: int = 0
    concurrency: int = 0
    in_flight: int = 0
    reset_tokens_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request over a limit: which, how much of it was used, and when asking again may help."""

    scope: str
    limit: int
    used: int
    requested: int
    retry_after_seconds: float


@dataclass(slots=True)
class _Usage:
    arrivals: deque[float] = field(default_factory=deque)
    spent: deque[tuple[float, int]] = field(default_factory=deque)
    tokens: int = 0
    in_flight: int = 0
    burst: deque[float] = field(default_factory=deque)
    shut_out_until: float = 0.0


class Limiter:
    """Refuses a request when as many as the limit came within the 60 s before it, the refused ones among them.

    Tokens are those of admitted requests, prompt and answer. At most 10,000 credentials are known; beyond, the one
    that was quiet longest is forgotten.
    """

    def __init__(self) -> None:
        self._usage: OrderedDict[str, _Usage] = OrderedDict()

    def admit(self, limits: Limits, credential: str, tokens: int, now_seconds: float) -> Refusal | None:
        """Count an arrival; give why it is refused, or None. An admitted one must be released at its end."""
        usage = self._of(credential)
        _forget(usage, now_seconds)
        refusal = _burst(usage, limits, now_seconds) or _refusal(usage, limits, tokens, now_seconds)
        if limits.requests_per_minute:
            usage.arrivals.append(now_seconds)
            while len(usage.arrivals) > limits.requests_per_minute:
                usage.arrivals.popleft()
        if refusal is None:
            usage.in_flight += 1
            if limits.tokens_per_minute:
                usage.spent.append((now_seconds, tokens))
                usage.tokens += tokens
        return refusal

    def release(self, credential: str) -> None:
        """An admitted request ended."""
        if usage := self._usage.get(credential):
            usage.in_flight = max(usage.in_flight - 1, 0)

    def state(self, limits: Limits, credential: str, now_seconds: float) -> LimitState | None:
        """What to tell of the limits of requests, tokens and requests at a time; None when there are none."""
        if not limits.requests_per_minute and not limits.tokens_per_minute and not limits.concurrency:
            return None
        usage = self._of(credential)
        _forget(usage, now_seconds)
        long_ago = now_seconds - WINDOW_SECONDS
        last_arrival = usage.arrivals[-1] if usage.arrivals else long_ago
        last_spent = usage.spent[-1][0] if usage.spent else long_ago
        return LimitState(
            limit_requests=limits.requests_per_minute,
            remaining_requests=max(limits.requests_per_minute - len(usage.arrivals), 0),
            reset_requests_seconds=WINDOW_SECONDS - (now_seconds - last_arrival),
            limit_tokens=limits.tokens_per_minute,
            remaining_tokens=max(limits.tokens_per_minute - usage.tokens, 0),
            reset_tokens_seconds=WINDOW_SECONDS - (now_seconds - last_spent),
            concurrency=limits.concurrency,
            in_flight=usage.in_flight,
        )

    def _of(self, credential: str) -> _Usage:
        usage = self._usage.get(credential)
        if usage is None:
            usage = self._usage[credential] = _Usage()
            if len(self._usage) > CREDENTIALS_MOST:
                self._usage.popitem(last=False)
        else:
            self._usage.move_to_end(credential)
        return usage


def _burst(usage: _Usage, limits: Limits, now: float) -> Refusal | None:
    """Shut out whoever asks too often in a short time."""
    most, arrivals = limits.burst_requests, usage.burst
    if not most:
        return None
    if now >= usage.shut_out_until:
        while arrivals and arrivals[0] <= now - limits.burst_seconds:
            arrivals.popleft()
        arrivals.append(now)
        if len(arrivals) <= most:
            return None
        usage.shut_out_until = now + limits.timeout_seconds
        arrivals.clear()
    return Refusal(REQUESTS, most, most, 1, usage.shut_out_until - now)


def _refusal(usage: _Usage, limits: Limits, tokens: int, now: float) -> Refusal | None:
    if limits.concurrency and usage.in_flight >= limits.concurrency:
        return Refusal(CONCURRENCY, limits.concurrency, usage.in_flight, 1, 1.0)
    limit, arrivals = limits.requests_per_minute, usage.arrivals
    if limit and len(arrivals) >= limit:
        # this arrival will be the newest of the window, so the oldest but one has to leave before the next is let in
        oldest = arrivals[1 - limit] if limit > 1 else now
        return Refusal(REQUESTS, limit, limit, 1, WINDOW_SECONDS - (now - oldest))
    limit = limits.tokens_per_minute
    if not limit or usage.tokens + tokens <= limit:
        return None
    if tokens > limit:
        return Refusal(TOO_LARGE, limit, usage.tokens, tokens, 0.0)
    return Refusal(TOKENS, limit, usage.tokens, tokens, _free_after(usage, usage.tokens + tokens - limit, now))


def _forget(usage: _Usage, now: float) -> None:
    while usage.arrivals and usage.arrivals[0] <= now - WINDOW_SECONDS:
        usage.arrivals.popleft()
    while usage.spent and usage.spent[0][0] <= now - WINDOW_SECONDS:
        usage.tokens -= usage.spent.popleft()[1]


def _free_after(usage: _Usage, needed: int, now: float) -> float:
    """How long until so many tokens have left the window."""
    for at, spent in usage.spent:
        needed -= spent
        if needed <= 0:
            return WINDOW_SECONDS - (now - at)
    return WINDOW_SECONDS


def go_duration(seconds: float) -> str:
    """A duration as Go writes it, to the millisecond, rounded up: `6ms`, `8.64s`, `1m13.588s`."""
    milliseconds = max(-int(-seconds * 1000 // 1), 0)
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds else "0s"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}h" if hours else ""
    text += f"{minutes}m" if hours or minutes else ""
    return text + f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
