"""Every fault of the catalogue through the whole gateway: the client's bytes, the wire's attempts, nothing left."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvloop

from tests.app.gateway import Gateway, Reply, running, sockets, tasks

TOGETHER = 8
FIRST_EVENT_SECONDS = 1.5
DEADLINE_MILLISECONDS = 6_000
HANGING_MILLISECONDS = 2_500
LIMITS = f"first_event_seconds = {FIRST_EVENT_SECONDS}\nidle_seconds = 1.0"
# Where a whole answer breaks: before its body, in it, in its midst.
POINTS = ("head", "byte:1", "byte:200", "event:1")
RETRY = "[retry]\nattempts = 2\njitter = false\n"


@dataclass(frozen=True)
class Case:
    """A fault, asked for as a stream or whole; what the client must see and how many requests reach the provider.

    `code` is None for a success. A status of 200 with a code is a stream that ends in that error.
    """

    fault: str
    stream: bool
    status: int
    code: str | None
    attempts: int
    milliseconds: int = DEADLINE_MILLISECONDS

    def __str__(self) -> str:
        return f"{self.fault} {'stream' if self.stream else 'whole'}"


def both(fault: str, status: int, code: str | None, attempts: int) -> tuple[Case, Case]:
    return Case(fault, False, status, code, attempts), Case(fault, True, status, code, attempts)


def each(faults: Iterable[str], status: int, code: str | None, attempts: int) -> tuple[Case, ...]:
    return tuple(case for fault in faults for case in both(fault, status, code, attempts))


def whole(fault: str, status: int, code: str | None, attempts: int, milliseconds: int = DEADLINE_MILLISECONDS) -> Case:
    return Case(fault, False, status, code, attempts, milliseconds)


def stream(fault: str, status: int, code: str | None, attempts: int) -> Case:
    return Case(fault, True, status, code, attempts)


CASES: tuple[Case, ...] = (
    *both("F6", 502, "upstream_closed", 2),
    *both("F7", 502, "upstream_closed", 2),
    *both("F7;kind=rst", 502, "upstream_closed", 2),
    stream("F9", 504, "upstream_timeout", 2),
    whole("F9", 504, "upstream_timeout", 1, HANGING_MILLISECONDS),
    stream("F10;gap=0.05", 504, "upstream_timeout", 2),
    whole("F10;gap=0.05", 504, "upstream_timeout", 1, HANGING_MILLISECONDS),
    stream("F11", 504, "upstream_timeout", 2),
    whole("F11", 504, "upstream_timeout", 1, HANGING_MILLISECONDS),
    *(whole(f"F12;gap=0.1;at={point}", 504, "upstream_timeout", 1, HANGING_MILLISECONDS) for point in POINTS),
    stream("F12@event:0", 504, "upstream_timeout", 2),
    stream("F12;gap=0.2", 200, "upstream_idle_timeout", 1),
    stream("F12;kind=pings;gap=0.05", 200, "upstream_idle_timeout", 1),
    stream("F12;kind=comments;gap=0.05", 200, "upstream_idle_timeout", 1),
    stream("F13@event:0", 502, "upstream_closed", 2),
    *(stream(f"F13@event:{index}", 200, "upstream_stream_interrupted", 1) for index in (1, 2, 3, 7, "last")),
    *(whole(f"F13;at={point}", 502, "upstream_closed", 2) for point in POINTS),
    stream("F14@event:0", 502, "upstream_stream_interrupted", 2),
    *(stream(f"F14@event:{index}", 200, "upstream_stream_interrupted", 1) for index in (1, 2, 3, 7, "last")),
    *(whole(f"F14;at={point}", 502, "upstream_closed", 2) for point in POINTS),
    *(whole(f"F14;kind=torn;at={point}", 502, "upstream_closed", 2) for point in POINTS),
    *(whole(f"F14;kind=eof;at={point}", 502, "upstream_bad_response", 2) for point in POINTS),
    stream("F14;kind=torn;at=event:1", 200, "upstream_stream_interrupted", 1),
    stream("F14;kind=eof;at=event:2", 200, "upstream_stream_interrupted", 1),
    *both("F15", 200, None, 1),
    *both("F15;kind=bare", 200, None, 1),
    *both("F16", 200, None, 1),
    *both("F16;kind=data", 200, None, 1),
    stream("F17", 502, "upstream_error", 2),
    stream("F17;kind=named", 502, "upstream_error", 2),
    stream("F17;status=429", 429, "upstream_rate_limited", 2),
    whole("F17", 502, "upstream_bad_response", 2),
    *(stream(f"F18@event:{index}", 200, "upstream_overloaded", 1) for index in (1, 2, 5)),
    stream("F18;kind=named", 200, "upstream_overloaded", 1),
    *both("F19;after=1", 429, "upstream_rate_limited", 2),
    *both("F20", 429, "upstream_rate_limited", 2),
    *each((f"F21;value={value}" for value in ("date", "past", "negative", "inf")), 429, "upstream_rate_limited", 2),
    *each((f"F21;value={value}" for value in ("1e309", "junk")), 429, "upstream_rate_limited", 2),
    *both("F21;value=far", 429, "upstream_rate_limited", 1),
    *both("F22", 429, "upstream_rate_limited", 2),
    *both("F22;kind=quota", 503, "provider_quota_exhausted", 1),
    *both("F22;kind=spend", 503, "provider_quota_exhausted", 1),
    *both("F22;kind=toolarge", 429, "upstream_request_too_large", 1),
    *each((f"F23;status={status}" for status in (500, 502, 504, 520, 521, 522, 523, 524)), 502, "upstream_error", 2),
    *each((f"F23;status={status}" for status in (503, 529)), 503, "upstream_overloaded", 2),
    stream("F23", 502, "upstream_error", 2),
    *both("F23;body=html", 502, "upstream_error", 2),
    *both("F23;body=empty", 502, "upstream_error", 2),
    *both("F24", 502, "provider_auth_failed", 1),
    *both("F24;status=403", 502, "provider_auth_failed", 1),
    *both("F25", 400, "invalid_value", 1),
    *both("F25;status=404", 404, "model_not_found", 1),
    *both("F25;status=413", 413, "invalid_value", 1),
    *both("F25;status=422", 422, "invalid_value", 1),
    *both("F25;kind=context", 400, "context_length_exceeded", 1),
    whole("F26", 502, "upstream_bad_response", 2),
    stream("F26", 502, "upstream_error", 2),
    *both("F27", 502, "upstream_bad_response", 2),
    *both("F28", 502, "upstream_bad_response", 2),
    *both("F28;kind=204", 502, "upstream_bad_response", 2),
    *both("F28;kind=304", 502, "upstream_bad_response", 2),
    whole("F29", 502, "upstream_bad_response", 2),
    stream("F29", 200, "upstream_stream_interrupted", 1),
    whole("F30", 502, "upstream_closed", 2),
    stream("F30;kind=short", 200, "upstream_stream_interrupted", 1),
    *each((f"F30;kind={kind}" for kind in ("duplicate", "negative", "te")), 502, "upstream_bad_response", 2),
    whole("F30;kind=short", 502, "upstream_bad_response", 2),
    *each((f"F31;kind={kind}" for kind in ("size", "huge", "crlf", "trailers")), 502, "upstream_bad_response", 2),
    *both("F31;kind=extension", 502, "upstream_bad_response", 2),
    *both("F32", 200, None, 1),
    *both("F32;kind=surrogate", 200, None, 1),
    *both("F32;kind=nul", 200, None, 1),
    *both("F32;kind=rawnul", 200, None, 1),
    *both("F32;kind=bom", 200, None, 1),
    *both("F33", 200, None, 1),
    *both("F33;kind=cr", 200, None, 1),
    *both("F33;kind=crlf", 200, None, 1),
    *both("F33;kind=mixed", 200, None, 1),
    whole("F35;mib=100", 502, "upstream_too_large", 1),
    whole("F35;kind=endless", 502, "upstream_too_large", 1),
    stream("F35;kind=endless", 502, "upstream_too_large", 1),
    stream("F34;mib=3", 502, "upstream_too_large", 1),
    stream("F34@event:3;mib=2", 200, "upstream_too_large", 1),
    whole("F34;mib=2", 200, None, 1),
    whole("F34;mib=65", 502, "upstream_too_large", 1),
    *both("F36;kind=header", 502, "upstream_bad_response", 2),
    *both("F36;kind=many", 502, "upstream_bad_response", 2),
    *both("F36;kind=cr", 502, "upstream_bad_response", 2),
    *both("F36;kind=lf", 502, "upstream_bad_response", 2),
    *both("F36;kind=hop", 200, None, 1),
    whole("F37", 502, "upstream_too_large", 1),
    stream("F37", 502, "upstream_too_large", 1),
    *both("F37;encoding=zstd", 502, "upstream_bad_response", 2),
    stream("F37;kind=nested", 502, "upstream_bad_response", 2),
    stream("F37;kind=lying", 502, "upstream_bad_response", 2),
    whole("F37;kind=nested", 502, "upstream_bad_response", 2),
    whole("F37;kind=lying", 502, "upstream_bad_response", 2),
    whole("F37;encoding=br;mib=2", 502, "upstream_bad_response", 2),
    *both("F38", 200, None, 1),
    *both("F38;kind=null", 200, None, 1),
    *both("F38;kind=headers", 200, None, 1),
    *each((f"F39;usage={kind}" for kind in ("negative", "float", "string", "beyond", "huge")), 200, None, 1),
    *each((f"F39;usage={kind}" for kind in ("mismatch", "changing", "zero")), 200, None, 1),
    *both("F40", 200, None, 1),
    *each((f"F41;to={place}" for place in ("other", "loopback", "http", "file")), 502, "upstream_redirect_refused", 1),
    *each((f"F41;status={status}" for status in (301, 303, 307, 308)), 502, "upstream_redirect_refused", 1),
    *both("F42", 200, None, 1),
    *both("F42;kind=processing", 200, None, 1),
    *both("F42;kind=hints;count=3", 200, None, 1),
    *both("F42;kind=switching", 502, "upstream_bad_response", 2),
    *both("F43", 413, "upstream_rejected", 1),
    *both("F43;status=429", 429, "upstream_rate_limited", 2),
    whole("F43;status=200", 200, None, 1),
    *both("F45", 200, None, 1),
    *both("F45;kind=http09", 502, "upstream_bad_response", 2),
    *both("F45;kind=h2", 502, "upstream_bad_response", 2),
    *both("F45;kind=settings", 502, "upstream_bad_response", 2),
    whole("F45;kind=goaway", 502, "upstream_closed", 2),
    *(stream(f"F45;kind=goaway;at=event:{index}", 200, "upstream_stream_interrupted", 1) for index in (1, 3, "last")),
    *both("F48;kind=unclosed", 200, None, 1),
    *both("F48;kind=many;count=500", 200, None, 1),
    *both("F48;kind=gaps", 200, None, 1),
    *both("F48;kind=norole", 200, None, 1),
    *both("F48;kind=nochoices", 200, None, 1),
    *both("F48;kind=interleaved", 200, None, 1),
    *both("F48;kind=reasoning", 200, None, 1),
)


@dataclass(frozen=True)
class Seen:
    """What one case came to."""

    reply: Reply
    attempts: int
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """All that was seen: of each case, the requests of each fault's model on the wire, and what was left behind."""

    seen: dict[Case, Seen]
    wire_attempts: dict[str, int]
    tasks_left: set[str]
    sockets_left: set[str]


async def _run(home: Path) -> Outcome:
    sockets_before = sockets()
    # A provider each, so that no case's retries, breaker or connections touch another's.
    providers = {f"p{number}": LIMITS for number in range(len(CASES))} | {"warm": ""}
    seen: dict[Case, Seen] = {}
    async with running(home, providers=providers, configuration=RETRY) as gateway:
        await gateway.chat("warm/up")
        before = tasks()
        for start in range(0, len(CASES), TOGETHER):
            numbers = range(start, min(start + TOGETHER, len(CASES)))
            for number, result in zip(
                numbers, await asyncio.gather(*(_one(gateway, n, CASES[n]) for n in numbers)), strict=True
            ):
                seen[CASES[number]] = result
        await gateway.quiet()
        await asyncio.sleep(0.3)
        tasks_left = tasks() - before
        wire_attempts = {case.fault: gateway.wire_attempts(f"sim-{case.fault}") for case in CASES}
    # A closed socket leaves in the loop's next turns.
    await asyncio.sleep(0.1)
    return Outcome(seen, wire_attempts, tasks_left, sockets() - sockets_before)


async def _one(gateway: Gateway, number: int, case: Case) -> Seen:
    began = asyncio.get_running_loop().time()
    headers = {"x-oneflow-timeout-ms": str(case.milliseconds)}
    reply = await gateway.chat(f"p{number}/sim-{case.fault}", stream=case.stream, headers=headers)
    attempts = int(reply.headers["x-oneflow-attempts"])
    return Seen(reply, attempts, asyncio.get_running_loop().time() - began)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    # The loop that `oneflow serve` runs on.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(tmp_path_factory.mktemp("faults")))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_fault_is_told_as_the_catalogue_says(case: Case, outcome: Outcome) -> None:
    reply, attempts, seconds = _parts(outcome.seen[case])
    assert reply.status == case.status, reply.body[:300]
    assert attempts == case.attempts
    assert seconds < case.milliseconds / 1000 + 0.75
    # A stream that failed midway does not look whole, even to a client that does not read its last event.
    assert reply.broken == (case.stream and reply.status == 200 and case.code is not None)
    if case.stream and reply.status == 200:
        _check_stream(reply, case)
    elif case.code is not None:
        assert reply.code == case.code
        assert reply.headers["x-oneflow-cost-usd"] == "0"
        assert reply.headers.get("x-should-retry") == "false"
    else:
        assert isinstance(reply.json, dict)


def _parts(seen: Seen) -> tuple[Reply, int, float]:
    return seen.reply, seen.attempts, seen.seconds


def _check_stream(reply: Reply, case: Case) -> None:
    events = reply.events()
    assert reply.body.decode("utf-8")
    if case.code is None:
        assert events.count(b"[DONE]") == 1
        assert events[-1] == b"[DONE]"
    else:
        assert b"[DONE]" not in events
        assert events[-1]["error"]["code"] == case.code


def test_no_task_is_left(outcome: Outcome) -> None:
    assert outcome.tasks_left == set()


def test_no_socket_is_left(outcome: Outcome) -> None:
    assert outcome.sockets_left == set()


@pytest.mark.parametrize("fault", sorted({case.fault for case in CASES}))
def test_as_many_requests_reach_the_provider_as_are_told(fault: str, outcome: Outcome) -> None:
    """Asked whole and as a stream, a fault has one model: their requests are counted together."""
    assert outcome.wire_attempts[fault] == sum(case.attempts for case in CASES if case.fault == fault)


@pytest.mark.parametrize("kind", ["bytes", "cr", "crlf", "mixed"])
def test_however_a_stream_is_cut_its_text_is_the_same(kind: str, outcome: Outcome) -> None:
    seen = {case.fault: found.reply for case, found in outcome.seen.items() if case.stream}
    fault = "F33" if kind == "bytes" else f"F33;kind={kind}"
    assert seen[fault].text() == seen["F15"].text()
    assert seen[fault].text()


@pytest.mark.parametrize(
    ("kind", "estimated"),
    [("negative", True), ("float", True), ("string", True), ("beyond", True), ("huge", True), ("mismatch", False)],
)
def test_an_impossible_usage_is_no_evidence(kind: str, estimated: bool, outcome: Outcome) -> None:
    reply = next(seen.reply for case, seen in outcome.seen.items() if case.fault == f"F39;usage={kind}")
    assert (reply.headers.get("x-oneflow-estimated") == "true") is estimated
    assert 0 < float(reply.headers["x-oneflow-cost-usd"]) < 0.1


def test_an_explicit_zero_costs_nothing(outcome: Outcome) -> None:
    reply = next(seen.reply for case, seen in outcome.seen.items() if case.fault == "F39;usage=zero")
    assert reply.headers["x-oneflow-cost-usd"] == "0"
    assert "x-oneflow-estimated" not in reply.headers


def test_another_model_than_asked_is_named(outcome: Outcome) -> None:
    reply = next(seen.reply for case, seen in outcome.seen.items() if case.fault == "F40" and not case.stream)
    assert reply.headers["x-oneflow-model-actual"] == "gpt-other-2026"


def test_no_header_of_the_provider_is_relayed(outcome: Outcome) -> None:
    for case, seen in outcome.seen.items():
        if case.fault.startswith("F36"):
            relayed = {"x-secret", "set-cookie", "proxy-authenticate", "openai-organization", "x-unknown", "x-note"}
            assert relayed.isdisjoint(seen.reply.headers)


def test_nothing_like_a_key_is_told(outcome: Outcome) -> None:
    for seen in outcome.seen.values():
        assert b"sk-simulated" not in seen.reply.body


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_kept_connection_that_went_stale_is_never_noticed(tmp_path: Path, stream: bool) -> None:
    """F8: it is closed as the request comes. The request is sent once more, and that is no attempt of the call's."""
    async with running(tmp_path) as gateway:
        assert (await gateway.chat("sim/gpt-6-luna")).status == 200
        reply = await gateway.chat("sim/sim-F8", stream=stream)
        assert (reply.status, reply.headers["x-oneflow-attempts"]) == (200, "1")
        assert gateway.wire_attempts("sim-F8") == 2
        assert [one.place for one in gateway.runtime.books.health.shown(0.0) if one.failures] == []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_provider_that_does_not_read_the_request_is_given_up(tmp_path: Path, stream: bool) -> None:
    """F44: its window fills, the request never gets to it whole."""
    attempts = 2 if stream else 1
    messages = [{"role": "user", "content": "x" * 10_000_000}]
    before = sockets()
    async with running(tmp_path, providers={"sim": f"concurrency = 1\n{LIMITS}"}, configuration=RETRY) as gateway:
        headers = {"x-oneflow-timeout-ms": str(DEADLINE_MILLISECONDS if stream else HANGING_MILLISECONDS)}
        reply = await gateway.chat("sim/sim-F44;seconds=3", stream=stream, messages=messages, headers=headers)
        assert (reply.status, reply.code) == (504, "upstream_timeout")
        assert reply.headers["x-oneflow-attempts"] == str(attempts)
        assert reply.headers["x-oneflow-cost-usd"] == "0"
        assert gateway.wire_attempts("sim-F44;seconds=3") == attempts
        # Its place is free again.
        assert (await gateway.chat("sim/gpt-6-luna", headers=headers)).status == 200
        await gateway.quiet()
    await asyncio.sleep(0.1)
    assert sockets() <= before
