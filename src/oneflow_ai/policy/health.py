"""The health of each place a call may go: a breaker as a table of states and events, fed after every outcome."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from enum import StrEnum

from oneflow_ai.core.target import Credential, Target

WINDOW_SECONDS = 20.0
WINDOW_OUTCOMES_LEAST = 10
WINDOW_OUTCOMES_MOST = 512
FAILURE_SHARE_MOST = 0.5
CONSECUTIVE_FAILURES_MOST = 10
CONNECT_FAILURES_MOST = 5
AILING_FAILURES = 3
OPEN_SECONDS = 5.0
OPEN_SECONDS_MOST = 120.0
PROBE_SUCCESSES = 3
SLOW_START_SECONDS = 30.0
SLOW_START_SHARE = 0.1
STABLE_SECONDS = 300.0
PROBE_LEASE_SECONDS = 660.0
PLACES_MOST = 4_096
QUARANTINE_SECONDS = 60.0
QUARANTINE_SECONDS_MOST = 1_800.0

FIRST_TICKET = 1
_DOUBLINGS_MOST = 16


class State(StrEnum):
    """Closed lets calls through, open none, half-open one at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Outcome(StrEnum):
    """What one attempt says of a place. `NEUTRAL`: nothing (a cancelled call, a client's mistake, a rate limit)."""

    SUCCESS = "success"
    FAILURE = "failure"
    CONNECT_FAILURE = "connect_failure"
    NEUTRAL = "neutral"


class Event(StrEnum):
    """What moves a breaker."""

    TRIPPED = "tripped"
    COOLED = "cooled"
    PROBE_FAILED = "probe_failed"
    PROVED = "proved"


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.CLOSED, Event.TRIPPED): State.OPEN,
    (State.OPEN, Event.COOLED): State.HALF_OPEN,
    (State.HALF_OPEN, Event.PROBE_FAILED): State.OPEN,
    (State.HALF_OPEN, Event.PROVED): State.CLOSED,
}


@dataclass(frozen=True, slots=True)
class BreakerState:
    """A breaker as shown to people: failures among the outcomes of its window, and seconds until it lets a probe by."""

    place: str
    state: State
    failures: int
    outcomes: int
    open_seconds_left: float
    transitions: int


class Breaker:
    """The breaker of one place.

    A call that it lets through takes a ticket and hands it back with its outcome. Each change of state, and each probe,
    makes the tickets given before worthless: a call that began in another time says nothing of this one.
    """

    __slots__ = (
        "_connect_failures", "_failed", "_failures", "_opens", "_outcomes", "_probe_until", "_probes_passed", "_since",
        "_ticket", "_until", "state", "transitions",
    )  # fmt: skip

    def __init__(self) -> None:
        self.state = State.CLOSED
        self.transitions = 0
        self._ticket = FIRST_TICKET
        self._outcomes: deque[tuple[float, bool]] = deque()
        self._failed = 0
        self._failures = 0
        self._connect_failures = 0
        self._opens = 0
        self._until = 0.0
        self._since = 0.0
        self._probes_passed = 0
        self._probe_until = 0.0

    def admits(self, now_seconds: float, chance: float) -> int | None:
        """The ticket of a call that may go there now, None for one that may not. In half-open it is the probe's."""
        if self.state is State.CLOSED:
            if self.transitions == 0 or chance < self._share(now_seconds):
                return self._ticket
            return None
        if self.state is State.OPEN:
            if now_seconds < self._until:
                return None
            self._move(Event.COOLED, now_seconds)
        if now_seconds < self._probe_until:
            return None
        self._probe_until = now_seconds + PROBE_LEASE_SECONDS
        self._ticket += 1
        return self._ticket

    def ailing(self, own_failures: int, now_seconds: float) -> bool:
        """Whether it is open and stays so for now, or about to: the calls of others failed there in a row too."""
        if self.state is State.OPEN:
            return now_seconds < self._until
        return self._failures - own_failures >= AILING_FAILURES

    def report(self, outcome: Outcome, ticket: int | None, now_seconds: float, chance: float) -> None:
        """Take the outcome of the call with this ticket; `chance` spreads the reopening of many breakers."""
        if ticket != self._ticket:
            return
        if self.state is State.HALF_OPEN:
            self._probed(outcome, now_seconds, chance)
        elif outcome is not Outcome.NEUTRAL:
            self._count(outcome, now_seconds)
            if self._tripped():
                self._open(Event.TRIPPED, now_seconds, chance)

    def shown(self, place: str, now_seconds: float) -> BreakerState:
        """The breaker as shown to people."""
        self._forget(now_seconds)
        left = max(self._until - now_seconds, 0.0) if self.state is State.OPEN else 0.0
        return BreakerState(place, self.state, self._failed, len(self._outcomes), left, self.transitions)

    def _share(self, now_seconds: float) -> float:
        age = (now_seconds - self._since) / SLOW_START_SECONDS
        return SLOW_START_SHARE + (1 - SLOW_START_SHARE) * min(age, 1.0)

    def _probed(self, outcome: Outcome, now_seconds: float, chance: float) -> None:
        self._probe_until = 0.0
        if outcome is Outcome.SUCCESS:
            self._probes_passed += 1
            if self._probes_passed >= PROBE_SUCCESSES:
                self._move(Event.PROVED, now_seconds)
        elif outcome is not Outcome.NEUTRAL:
            self._open(Event.PROBE_FAILED, now_seconds, chance)

    def _count(self, outcome: Outcome, now_seconds: float) -> None:
        failed = outcome is not Outcome.SUCCESS
        self._outcomes.append((now_seconds, failed))
        self._failed += failed
        self._forget(now_seconds)
        self._failures = self._failures + 1 if failed else 0
        self._connect_failures = self._connect_failures + 1 if outcome is Outcome.CONNECT_FAILURE else 0

    def _forget(self, now_seconds: float) -> None:
        outcomes, oldest_seconds = self._outcomes, now_seconds - WINDOW_SECONDS
        while outcomes and (outcomes[0][0] < oldest_seconds or len(outcomes) > WINDOW_OUTCOMES_MOST):
            self._failed -= outcomes.popleft()[1]

    def _tripped(self) -> bool:
        # In a row, because a place that is seldom asked has never ten outcomes in its window.
        if self._connect_failures >= CONNECT_FAILURES_MOST or self._failures >= CONSECUTIVE_FAILURES_MOST:
            return True
        return len(self._outcomes) >= WINDOW_OUTCOMES_LEAST and self._failed >= FAILURE_SHARE_MOST * len(self._outcomes)

    def _open(self, event: Event, now_seconds: float, chance: float) -> None:
        if event is Event.TRIPPED and now_seconds - self._since > STABLE_SECONDS:
            self._opens = 0
        longest = min(OPEN_SECONDS * 2**self._opens, OPEN_SECONDS_MOST)
        self._opens = min(self._opens + 1, _DOUBLINGS_MOST)
        # Half of it for certain, so that a flapping place changes state at most twice in a long while.
        self._until = now_seconds + longest * (0.5 + 0.5 * chance)
        self._move(event, now_seconds)

    def _move(self, event: Event, now_seconds: float) -> None:
        self.state = TRANSITIONS[self.state, event]
        self.transitions += 1
        self._ticket += 1
        self._since = now_seconds
        self._outcomes.clear()
        self._failed = self._failures = self._connect_failures = self._probes_passed = 0
        self._probe_until = 0.0


class HealthBook:
    """The breakers of all places that ever failed, and the credentials left aside.

    At most `PLACES_MOST` breakers; the one without an outcome for the longest is forgotten first. Credentials are as
    many as are configured: one that was replaced is another credential, and its predecessor is forgotten in time.
    """

    __slots__ = ("_breakers", "_quarantined")

    def __init__(self) -> None:
        self._breakers: OrderedDict[str, Breaker] = OrderedDict()
        self._quarantined: dict[Credential, tuple[float, int]] = {}

    def admits(self, place: str, now_seconds: float, chance: float) -> int | None:
        """The ticket of a call that may go to this place now, or None."""
        breaker = self._breakers.get(place)
        return FIRST_TICKET if breaker is None else breaker.admits(now_seconds, chance)

    def ailing(self, place: str, own_failures: int, now_seconds: float) -> bool:
        """Whether a call that failed there so often itself had better go elsewhere than wait."""
        breaker = self._breakers.get(place)
        return breaker is not None and breaker.ailing(own_failures, now_seconds)

    def report(self, place: str, outcome: Outcome, ticket: int | None, now_seconds: float, chance: float) -> None:
        """Take the outcome of an attempt with the ticket that it had; None if it went there all the same."""
        breaker = self._breakers.get(place)
        if breaker is None:
            if outcome is Outcome.SUCCESS or outcome is Outcome.NEUTRAL:
                return
            breaker = self._breakers[place] = Breaker()
            if len(self._breakers) > PLACES_MOST:
                self._breakers.popitem(last=False)
        else:
            self._breakers.move_to_end(place)
        breaker.report(outcome, ticket, now_seconds, chance)

    def refuse(self, credential: Credential, now_seconds: float) -> None:
        """A provider refused this credential, or its account has no money: leave it aside, longer each time."""
        if self.quarantined(credential, now_seconds):
            return
        oldest_seconds = now_seconds - QUARANTINE_SECONDS_MOST
        self._quarantined = {key: found for key, found in self._quarantined.items() if found[0] > oldest_seconds}
        _, times = self._quarantined.get(credential, (0.0, 0))
        seconds = min(QUARANTINE_SECONDS * 2**times, QUARANTINE_SECONDS_MOST)
        self._quarantined[credential] = (now_seconds + seconds, min(times + 1, _DOUBLINGS_MOST))

    def succeeded(self, target: Target, ticket: int | None, now_seconds: float) -> None:
        """An attempt with this ticket succeeded at the target's place, and its provider accepted its credential."""
        if self._quarantined:
            self._quarantined.pop(target.credential, None)
        if self._breakers:
            self.report(target.place, Outcome.SUCCESS, ticket, now_seconds, 0.0)

    def quarantined(self, credential: Credential, now_seconds: float) -> bool:
        """Whether the credential is left aside now."""
        return bool(self._quarantined) and self._quarantined.get(credential, (0.0, 0))[0] > now_seconds

    def shown(self, now_seconds: float) -> list[BreakerState]:
        """Every breaker that has seen an outcome."""
        return [breaker.shown(place, now_seconds) for place, breaker in self._breakers.items()]
