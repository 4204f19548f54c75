"""Who plays what: which fault a request meets, by header, by the model's name or by a standing rule."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from random import Random

from oneflow_ai.simulator.faults.fault import Fault, FaultError
from oneflow_ai.simulator.faults.table import FaultRow, read
from oneflow_ai.simulator.options import Rule
from oneflow_ai.simulator.request import Request

FAULT_HEADER = b"x-fault"
REMEMBERED_MOST = 10_000
_NAMED = re.compile(r"(?:.*/)?sim-(F\d.*)")
_NAMED_EARLY = re.compile(
    rb'"model(?:_id)?"\s*:\s*"((?:[^"\\]*/)?sim-F\d[^"\\]*)"'
    rb'|name="model(?:_id)?"(?:\r\n[^\r\n]+)*\r\n\r\n((?:[^\r\n]*/)?sim-F\d[^\r\n]*)'
)


def fault_in_name(model: str) -> str:
    """The fault that a model's name asks for, `F13@event:3` of `sim-F13@event:3`; empty for other names."""
    found = _NAMED.fullmatch(model) if "sim-F" in model else None
    return found[1] if found else ""


def _read(asked: str) -> tuple[Fault, FaultRow] | None:
    """The fault, or None where nobody understands it: that is told once the request is whole."""
    try:
        return read(asked)
    except FaultError:
        return None


def model_in_part(content: bytes) -> str:
    """The model's name in the beginning of a body, when it asks for a fault; else empty."""
    found = _NAMED_EARLY.search(content)
    return (found[1] or found[2]).decode("utf-8", "replace") if found else ""


@dataclass(frozen=True, slots=True)
class Cast:
    """A fault that may strike a request: since when it stands, and the key its strikes are counted under."""

    fault: Fault
    row: FaultRow
    since_seconds: float
    key: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Standing:
    rule: Rule
    fault: Fault
    row: FaultRow
    since_seconds: float

    @property
    def at_accept(self) -> bool:
        """Whether it strikes connections, and so no requests."""
        return self.row.accept is not None and self.row.accept(self.fault) is not None

    @property
    def at_head(self) -> bool:
        """Whether it strikes before the body is read, as it asks for no model and no attempt."""
        return self.row.early and not self.at_accept and self.rule.model == "*" and self.rule.attempts is None

    def meets(self, path: str, model: str, attempt: int, elapsed: float) -> bool:
        rule = self.rule
        if elapsed < rule.from_seconds or (rule.to_seconds is not None and elapsed >= rule.to_seconds):
            return False
        if rule.attempts is not None and not rule.attempts[0] <= attempt <= rule.attempts[1]:
            return False
        return fnmatchcase(model, rule.model) and fnmatchcase(path, rule.path)


@dataclass(slots=True)
class _Strikes:
    since_seconds: float
    count: int = 0


class Casting:
    """The standing rules and the memory of what struck whom. At most 10,000 names are remembered, the latest."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._standing: list[_Standing] = []
        self._strikes: OrderedDict[tuple[str, str, str], _Strikes] = OrderedDict()
        self._attempts: OrderedDict[tuple[str, str], int] = OrderedDict()

    def stand(self, rules: Iterable[Rule], now_seconds: float) -> None:
        """Replace the standing rules; raises `FaultError` for one that cannot be played."""
        self._standing = [_Standing(rule, *read(rule.fault), now_seconds) for rule in rules]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The standing rules."""
        return tuple([each.rule for each in self._standing])

    def attempt(self, nonce: str, model: str, credential: str) -> int:
        """Count an attempt, by nonce or else by model and credential, and give its number from 1."""
        key = (nonce, "") if nonce else (model, credential)
        number = self._attempts.get(key, 0) + 1
        self._attempts[key] = number
        self._attempts.move_to_end(key)
        if len(self._attempts) > REMEMBERED_MOST:
            self._attempts.popitem(last=False)
        return number

    @property
    def idle(self) -> bool:
        """Whether no rule stands."""
        return not self._standing

    def at_accept(self, now_seconds: float) -> Cast | None:
        """The standing fault that strikes a connection before anything is read."""
        for standing in self._standing:
            if standing.at_accept and standing.meets("", "", 1, now_seconds - standing.since_seconds):
                return self._standing_cast(standing, "", "", now_seconds)
        return None

    def at_head(self, request: Request) -> Iterator[Cast]:
        """The early faults that strike when only the head is known: by header, by rules for any model."""
        asked = request.header(FAULT_HEADER)
        if asked and (found := _read(asked)) and found[1].early:
            yield from self._asked(asked, "", request)
        for standing in self._standing:
            if standing.at_head:
                yield from self._by_rule(standing, request, "", 1)

    def at_part(self, model: str, request: Request) -> Iterator[Cast]:
        """The early fault that a model's name asks for, known by a part of the body."""
        asked = fault_in_name(model)
        if asked and (found := _read(asked)) and found[1].early:
            yield from self._asked(asked, model, request)

    def at_end(self, request: Request, model: str, attempt: int) -> Iterator[Cast]:
        """The faults that may strike a whole request: by header, name, rules. Raises `FaultError`."""
        asked = request.header(FAULT_HEADER)
        if asked and not read(asked)[1].early:
            yield from self._asked(asked, model, request)
        if named := fault_in_name(model):
            yield from self._asked(named, model, request)
        for standing in self._standing:
            if not standing.at_head and not standing.at_accept:
                yield from self._by_rule(standing, request, model, attempt)

    def _asked(self, asked: str, model: str, request: Request) -> Iterator[Cast]:
        fault, row = read(asked)
        if row.play is None:
            raise FaultError(f"fault {asked!r}: strikes connections as they come; set it by a rule")
        key = (asked, model, request.credential_hash)
        if self._strikes_now(fault, key, request.arrived_seconds):
            yield Cast(fault, row, self._strikes[key].since_seconds, key)

    def _by_rule(self, standing: _Standing, request: Request, model: str, attempt: int) -> Iterator[Cast]:
        now = request.arrived_seconds
        if not standing.meets(request.path, model, attempt, now - standing.since_seconds):
            return
        if cast := self._standing_cast(standing, model, request.credential_hash, now):
            yield cast

    def _standing_cast(self, standing: _Standing, model: str, credential: str, now: float) -> Cast | None:
        key = (standing.rule.fault, model, credential)
        if not self._likely(standing.rule.probability) or not self._strikes_now(standing.fault, key, now):
            return None
        return Cast(standing.fault, standing.row, standing.since_seconds, key)

    def struck(self, cast: Cast) -> None:
        """Count that a fault was played."""
        self._strikes[cast.key].count += 1

    def _strikes_now(self, fault: Fault, key: tuple[str, str, str], now: float) -> bool:
        strikes = self._strikes.get(key)
        if strikes is None:
            strikes = self._strikes[key] = _Strikes(now)
            if len(self._strikes) > REMEMBERED_MOST:
                self._strikes.popitem(last=False)
        else:
            self._strikes.move_to_end(key)
        times = fault.count("times")
        return (times == 0 or strikes.count < times) and self._likely(fault.number("probability"))

    def _likely(self, probability: float) -> bool:
        return probability >= 1 or self._chance.random() < probability
