"""The control port: a simulator seen and steered by JSON over HTTP, under `/_sim/`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qs

import msgspec
import orjson

from oneflow_ai.core.ports import Clock
from oneflow_ai.simulator.answer import Answer, whole
from oneflow_ai.simulator.faults.table import COMMON, ROWS
from oneflow_ai.simulator.options import FAST, Limits, Pace, Rule
from oneflow_ai.simulator.record import Attempt, Record
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.script import check_rule, script_rules
from oneflow_ai.simulator.stage import Performance
from oneflow_ai.simulator.steps import Await, Send, Step

_SHOWN_DEFAULT = 100


class ControlError(ValueError):
    """A control request that cannot be obeyed; the text says why."""


class Steered(Protocol):
    """What the control port needs of a simulator."""

    limits: Limits
    pace: Pace
    rules: tuple[Rule, ...]

    @property
    def clock(self) -> Clock:
        """The clock it waits by."""

    @property
    def record(self) -> Record:
        """What reached it on the wire."""

    @property
    def base_url(self) -> str:
        """Its base address."""

    @property
    def accepting(self) -> bool:
        """Whether it listens."""

    def refuse(self, drop: bool = True) -> None:
        """Refuse new connections."""

    async def accept_again(self) -> None:
        """Listen again."""


class _Outage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    from_seconds: float = 0.0
    to_seconds: float = 60.0
    status: int = 503


# ---- what can be asked: a simulator, the decoded body and the query come in, JSON goes out


def _status(simulator: Steered, body: Any, query: Mapping[str, str]) -> Any:
    return {
        "accepting": simulator.accepting,
        "base_url": simulator.base_url,
        "limits": simulator.limits,
        "timings": simulator.pace,
        "rules": simulator.rules,
        "counts": simulator.record.counts.as_json(),
    }


def _record(simulator: Steered, body: Any, query: Mapping[str, str]) -> Any:
    most = query.get("most", str(_SHOWN_DEFAULT))
    if not most.isdigit():
        raise ControlError(f"most is {most!r}, must be a number")
    attempts: list[Attempt] = simulator.record.attempts(query.get("model"))
    latest = attempts[-int(most) :] if int(most) else []
    return {"counts": simulator.record.counts.as_json(), "requests": [each.as_json() for each in latest]}


def _forget(simulator: Steered, body: Any, query: Mapping[str, str]) -> Any:
    told = _record(simulator, body, query)
    simulator.record.clear()
    return told


def _limit(simulator: Steered, body: Any, query: Mapping[str, str]) -> Any:
    simulator.limits = msgspec.convert(body, Limits)
    return simulator.limits


def _time(simulator: Steered, body: Any, query: Mapping[str, str]) -> Any:
    simulator.pace = FAST if body == {"fast": True} else msgspec.convert(body, Pace)
    return simulator.pace


def _fault(simulator: Steered, body: Any, query: Mapping[str, str]) -> Any:
    simulator.rules = (check_rule(msgspec.convert(body, Rule)),)
    return simulator.rules


def _outage(simulator: Steered, body: Any, query: Mapping[str, str]) -> Any:
    outage = msgspec.convert(body, _Outage)
    fault = f"F23;status={outage.status}"
    simulator.rules = (check_rule(Rule(fault=fault, from_seconds=outage.from_seconds, to_seconds=outage.to_seconds)),)
    return simulator.rules


def _script(simulator: Steered, body: Any, query: Mapping[str, str]) -> Any:
    simulator.rules = script_rules(body)
    return simulator.rules


def _no_rules(simulator: Steered, body: Any, query: Mapping[str, str]) -> Any:
    simulator.rules = ()
    return simulator.rules


def _faults(simulator: Steered, body: Any, query: Mapping[str, str]) -> Any:
    return [
        {
            "id": row.id,
            "line": row.line,
            "note": row.note,
            "parameters": {
                name: {"default": each.default, "choices": each.choices}
                for name, each in ({**row.parameters, **COMMON} if row.play or row.accept else {}).items()
            },
        }
        for row in ROWS
    ]


def _refuse(simulator: Steered, body: Any, query: Mapping[str, str]) -> Any:
    simulator.refuse()
    return {"accepting": simulator.accepting}


Route = Callable[[Steered, Any, Mapping[str, str]], Any]

ROUTES: Mapping[tuple[str, str], Route] = {
    ("GET", "status"): _status,
    ("GET", "faults"): _faults,
    ("GET", "record"): _record,
    ("DELETE", "record"): _forget,
    ("PUT", "limits"): _limit,
    ("PUT", "timings"): _time,
    ("PUT", "fault"): _fault,
    ("DELETE", "fault"): _no_rules,
    ("PUT", "outage"): _outage,
    ("DELETE", "outage"): _no_rules,
    ("PUT", "script"): _script,
    ("DELETE", "script"): _no_rules,
    ("POST", "refuse"): _refuse,
}
"""What the control port understands, by method and the last part of the path; `POST accept` beside it waits."""

PREFIX = "/_sim/"


class ControlHost:
    """Serves the control port of one simulator. It keeps no record; a browser's page is not obeyed."""

    def __init__(self, simulator: Steered) -> None:
        self.clock = simulator.clock
        self._simulator = simulator

    def opened(self) -> int:
        """A connection came."""
        return 0

    def closed(self) -> None:
        """A connection went."""

    def malformed(self) -> None:
        """A client sent bytes that are no HTTP request."""

    def unwelcome(self) -> None:
        """No connection is."""

    def early(self, request: Request, place: tuple[int, int], part: bytes = b"") -> None:
        """Nothing strikes here."""

    def ended(self, performance: Performance, how: str, sent_bytes: int) -> None:
        """A performance is over."""

    def begin(self, request: Request, place: tuple[int, int]) -> Performance:
        """What a request to the control port gets."""
        if (request.method, request.path) == ("POST", f"{PREFIX}accept") and not request.header(b"origin"):
            return Performance(None, steps=self._accept_again())
        return Performance(None, whole(self._answer(request), ()))

    def _accept_again(self) -> Iterator[Step]:
        failed: list[str] = []

        async def accept() -> None:
            try:
                await self._simulator.accept_again()
            except OSError as error:
                failed.append(str(error))

        yield Await(accept)
        told = _error(409, failed[0]) if failed else _told({"accepting": self._simulator.accepting})
        yield Send(whole(told, ()))

    def _answer(self, request: Request) -> Answer:
        if request.header(b"origin"):
            return _error(403, "requests from web pages are not obeyed")
        route = ROUTES.get((request.method, request.path.removeprefix(PREFIX)))
        if route is None or not request.path.startswith(PREFIX):
            return _error(
                404, f"no {request.method} {request.path}; there is {', '.join(sorted({name for _, name in ROUTES}))}"
            )
        if request.body and request.document is None:
            return _error(400, "the body is not JSON")
        query = {name: values[-1] for name, values in parse_qs(request.query).items()}
        try:
            return _told(route(self._simulator, request.document if request.body else {}, query))
        except ValueError as error:
            return _error(400, str(error))


def _told(document: Any) -> Answer:
    return Answer(body=orjson.dumps(msgspec.to_builtins(document), option=orjson.OPT_NON_STR_KEYS))


def _error(status: int, message: str) -> Answer:
    return Answer(status, orjson.dumps({"error": message}))
