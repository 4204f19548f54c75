"""The catalogue of faults: what each is, what can be chosen about it, and the function that plays it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from oneflow_ai.simulator.faults import body, connection, framing, protocol, status, stream, tls, usage
from oneflow_ai.simulator.faults.fault import Fault, FaultError, Play, split
from oneflow_ai.simulator.steps import Steps
from oneflow_ai.simulator.wires.openai_odd import ODD_KINDS

_NUMBER = r"[0-9]{1,5}(\.[0-9]{1,9})?"
_DIVISOR = r"(?![0.]+$)" + _NUMBER
_COUNT = r"[0-9]{1,5}"
_STATUS = r"[1-5]\d\d"
_EVENTS = r"event:([0-9]{1,5}|last)|any:[0-9]{1,5}"
_POINT = _EVENTS + r"|head|byte:[0-9]{1,9}"
_WORD = r"[\w.:/-]{1,100}"


PlayAtAccept = Callable[[Fault], Steps | None]
"""Plays a fault on a connection before anything is read of it; None when this fault does not strike so early."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """What can be chosen about a fault: its default and what it may be; `choices` are all, where there are few."""

    default: str
    pattern: str = _WORD
    choices: tuple[str, ...] = ()

    def allows(self, value: str) -> bool:
        """Whether it may be that."""
        if self.choices:
            return value in self.choices
        return value == self.default or re.fullmatch(self.pattern, value) is not None


@dataclass(frozen=True, slots=True)
class FaultRow:
    """A fault of the catalogue. Without a function to play it, `note` says how to have it instead.

    An `early` fault strikes before the body is read, where it is asked for by header, by rule, or by a model's name
    that stands at the beginning of the body. What `accept` plays strikes a connection as it comes; by rule only.
    """

    id: str
    line: str
    play: Play | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    early: bool = False
    note: str = ""
    accept: PlayAtAccept | None = None


COMMON: Mapping[str, Parameter] = {
    "times": Parameter("0", _COUNT),
    "probability": Parameter("1", r"0(\.\d+)?|1(\.0+)?"),
}
"""What can be chosen about every fault: how many attempts it strikes (0: all), and how likely each time."""


def _of(*choices: str) -> Parameter:
    return Parameter(choices[0], choices=choices)


def _row(name: str, line: str, play: Play, early: bool = False, **parameters: Parameter) -> FaultRow:
    return FaultRow(name, line, play, parameters, early)


def _number(default: str) -> Parameter:
    return Parameter(default, _NUMBER)


def _count(default: str) -> Parameter:
    return Parameter(default, _COUNT)


def _statuses(*choices: int) -> Parameter:
    return _of(*map(str, choices))


_BROKEN = _statuses(500, 502, 503, 504, 520, 521, 522, 523, 524, 529)

ROWS: tuple[FaultRow, ...] = (
    FaultRow("F1", "the name does not resolve, or slowly", note="the Names of this package, as resolver"),
    FaultRow("F2", "the name resolves to a private address", note="the Names of this package, as resolver"),
    FaultRow("F3", "connections are refused", note="Simulator.refuse(), or POST /_sim/refuse"),
    FaultRow("F4", "connections are never answered", note="the Blackhole of this package"),
    FaultRow(
        "F5",
        "TLS fails as the connection comes: plain text, silence, an alert, TLS 1.0; by rule, on the plain port",
        parameters={"kind": _of(*tls.KINDS)},
        accept=tls.play,
        note="for certificates that are wrong: Simulator.listen_tls(context)",
    ),
    FaultRow(
        "F6",
        "break off before the body is read; by rule also as the connection comes (accept)",
        connection.reset,
        {"kind": _of("head", "accept")},
        early=True,
        accept=connection.reset_at_accept,
    ),
    _row("F7", "read the request, then close without a byte", connection.close, kind=_of("fin", "rst")),
    _row(
        "F8",
        "close a kept connection as the next request comes (race), or unsaid after an answer (idle)",
        connection.stale,
        kind=_of("race", "idle"),
        after=_number("0"),
    ),
    _row("F9", "never answer", connection.silent),
    _row("F10", "send the head a byte at a time", framing.dripped_head, gap=_number("1")),
    _row("F11", "send the head, then nothing", connection.head_then_silent),
    _row(
        "F12",
        "from a point on a byte at a time, only pings or only comments",
        stream.dripped,
        kind=_of("body", "pings", "comments"),
        gap=_number("1"),
        at=Parameter("event:1", _POINT),
    ),
    _row(
        "F13",
        "break off after a point of the answer",
        stream.reset_midway,
        at=Parameter("event:1", _POINT),
        after=_number("0.05"),
    ),
    _row(
        "F14",
        "close in order after a point: framing complete (clean), cut (torn) or by the close alone (eof)",
        stream.closed_midway,
        kind=_of("clean", "torn", "eof"),
        at=Parameter("event:1", _POINT),
    ),
    _row(
        "F15", "a finish reason but no end mark, with the usage or bare", stream.without_done, kind=_of("usage", "bare")
    ),
    _row(
        "F16",
        "the end mark twice, or data after it",
        stream.after_done,
        kind=_of("twice", "data"),
        at=Parameter("end", _EVENTS),
    ),
    _row(
        "F17",
        "an error as event of a good stream, before content",
        stream.error_inside,
        status=Parameter("500", _STATUS),
        kind=_of("plain", "named"),
        at=Parameter("event:0", _POINT),
    ),
    _row(
        "F18",
        "an error as event of a good stream, after content",
        stream.error_inside,
        status=Parameter("529", _STATUS),
        kind=_of("plain", "named"),
        at=Parameter("event:1", _POINT),
    ),
    _row("F19", "429 with retry-after in seconds", status.retry_after, after=_number("2")),
    _row(
        "F20",
        "429 with retry-after-ms, which wins over retry-after",
        status.retry_after_ms,
        ms=_number("150"),
        after=_number("30"),
    ),
    _row("F21", "429 with an odd retry-after", status.odd_retry_after, value=_of(*status.WAITS)),
    _row("F22", "429 without retry-after: for a rate, for money, for size", status.refusal, kind=_of(*status.REFUSALS)),
    _row(
        "F23",
        "the server fails",
        status.broken,
        status=_BROKEN,
        body=_of("json", "html", "empty"),
        after=Parameter("", r"|" + _NUMBER),
    ),
    _row(
        "F24",
        "the credential is refused; the message names a key",
        status.credential_refused,
        status=_statuses(401, 403),
    ),
    _row(
        "F25",
        "the request is refused; the message holds something like a key",
        status.request_refused,
        status=_statuses(400, 404, 413, 422),
        kind=_of("plain", "context"),
    ),
    _row("F26", "an error's body with status 200", body.error_as_success, status=Parameter("500", _STATUS)),
    _row("F27", "a web page with status 200", body.html),
    _row("F28", "no body: 200, 204 or 304", body.nothing, kind=_of("empty", "204", "304")),
    _row("F29", "half the body, framed as if it were all", body.truncated),
    _row("F30", "a content-length that is not the body's", framing.lengths, kind=_of(*framing.LENGTHS)),
    _row("F31", "chunks that are none", framing.chunks, kind=_of(*framing.CHUNKS)),
    _row("F32", "text that is none", body.odd_text, kind=_of(*body.ODD_BYTES)),
    _row(
        "F33",
        "the answer in tiny pieces, or with other line ends",
        body.split,
        kind=_of(*body.LINE_ENDS),
        size=_count("1"),
    ),
    _row(
        "F34",
        "one event of many megabytes",
        body.long_event,
        mib=_count("64"),
        at=Parameter("event:0", _EVENTS),
    ),
    _row(
        "F35",
        "a JSON body of a gigabyte, or one without end",
        body.too_large,
        kind=_of("json", "endless"),
        mib=_count("1024"),
    ),
    _row(
        "F36",
        "headers too long, too many, with CR or LF inside, or of the hop only",
        framing.headers,
        kind=_of(*framing.HEADERS),
        count=_count("10000"),
    ),
    _row(
        "F37",
        "a compression bomb, nested encodings, an encoding that is a lie",
        body.compressed,
        kind=_of("bomb", "nested", "lying"),
        encoding=_of(*body.BOMBS),
        mib=_count("200"),
    ),
    _row("F38", "no usage, null, or only in headers", usage.missing, kind=_of("missing", "null", "headers")),
    _row("F39", "a usage that cannot be right", usage.odd, usage=_of(*usage.ODD_USAGES)),
    _row("F40", "the answer of another model", usage.other_model, model=Parameter("gpt-other-2026")),
    _row(
        "F41",
        "a redirect to another host, to loopback, to http or to a file",
        framing.redirect,
        to=_of(*framing.PLACES),
        status=_statuses(302, 301, 303, 307, 308),
    ),
    _row("F42", "interim answers, or another protocol", framing.interim, kind=_of(*framing.INTERIM), count=_count("1")),
    _row(
        "F43",
        "an answer before the body is read, then a break",
        connection.early,
        early=True,
        status=_statuses(413, 429, 200),
        after=_number("0.05"),
    ),
    _row("F44", "the body is never read", connection.deaf, early=True, seconds=_number("60")),
    _row(
        "F45",
        "HTTP/1.0, HTTP/0.9, or frames of HTTP/2: settings and a goaway, settings without end, a goaway midway",
        protocol.version,
        kind=_of(*protocol.VERSIONS),
        at=Parameter("event:1", _POINT),
    ),
    _row("F46", "the answer to somebody else's request", usage.cross_talk),
    _row(
        "F47",
        "an outage, a brown-out, failures at random, up and down in turn",
        status.correlated,
        kind=_of(*status.CORRELATED),
        status=_statuses(503, 500, 502, 504, 529),
        start=_number("0"),
        end=_number("60"),
        factor=Parameter("20", _DIVISOR),
        seconds=_number("1"),
        share=_number("0.3"),
        period=Parameter("7", _DIVISOR),
    ),
    _row("F48", "an answer of an unusual form", usage.odd_form, kind=_of(*ODD_KINDS), count=_count("100000")),
)

FAULTS: Mapping[str, FaultRow] = {row.id: row for row in ROWS}
"""The catalogue by id."""


def read(asked: str) -> tuple[Fault, FaultRow]:
    """Give the fault that is asked for, its defaults filled in, and its row; raises `FaultError`."""
    name, given = split(asked)
    row = FAULTS.get(name)
    if row is None:
        raise FaultError(f"fault {asked!r}: the ids are F1 to F{len(ROWS)}")
    if row.play is None and row.accept is None:
        raise FaultError(f"fault {asked!r}: not to be had here: {row.note}")
    known = {**row.parameters, **COMMON}
    for key, value in given.items():
        if key not in known:
            raise FaultError(f"fault {asked!r}: {name} has no {key!r}; it has {', '.join(known)}")
        if not known[key].allows(value):
            choices = known[key].choices
            allowed = f"one of {', '.join(choices)}" if choices else f"like {known[key].default}"
            raise FaultError(f"fault {asked!r}: {key}={value} must be {allowed}")
    return Fault(asked, name, {key: parameter.default for key, parameter in known.items()} | given), row
