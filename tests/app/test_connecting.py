"""Faults before a request is sent, through the whole gateway: names, connections, TLS, and whose answer comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import uvloop

from oneflow_ai.simulator import (
    FAST,
    NXDOMAIN,
    SERVFAIL,
    SILENT,
    Blackhole,
    Names,
    Rule,
    Simulator,
    SimulatorOptions,
)
from oneflow_ai.upstream import Way, Ways
from oneflow_ai.upstream.nonces import NonceWays
from tests.app.gateway import Gateway, Reply, running
from tests.certificates import Authority

RETRY = "[retry]\nattempts = 2\njitter = false\n"
LIMITS = "connect_seconds = 0.4\n"
SECONDS_MOST = 9.0
HELLOS = ("plain", "stall", "alert", "old")


@dataclass(frozen=True)
class Case:
    """A provider that cannot be talked to, what the client must see of it, and how often it is tried."""

    name: str
    status: int
    code: str | None
    attempts: int


CASES = (
    Case("nxdomain", 502, "upstream_unreachable", 2),
    Case("servfail", 502, "upstream_unreachable", 2),
    Case("silent", 502, "upstream_unreachable", 2),
    Case("inside", 502, "upstream_blocked", 1),
    Case("metadata", 502, "upstream_blocked", 1),
    Case("mixed", 502, "upstream_blocked", 1),
    Case("allowed", 200, None, 1),
    Case("refused", 502, "upstream_unreachable", 2),
    Case("blackhole", 504, "upstream_timeout", 2),
    Case("expired", 502, "upstream_tls_error", 1),
    Case("misnamed", 502, "upstream_tls_error", 1),
    Case("self-signed", 502, "upstream_tls_error", 1),
    Case("unknown", 502, "upstream_tls_error", 1),
    Case("trusted", 200, None, 1),
    *(Case(hello, 502, "upstream_tls_error", 1) for hello in HELLOS),
)
NAMES = {
    "servfail.example": SERVFAIL,
    "silent.example": SILENT,
    "nxdomain.example": NXDOMAIN,
    "inside.example": ["127.0.0.1"],
    "metadata.example": ["169.254.169.254"],
    "mixed.example": ["203.0.113.9", "127.0.0.1"],
    "allowed.example": ["127.0.0.1"],
}


@dataclass(frozen=True)
class Seen:
    """What a case came to, whole and as a stream."""

    replies: tuple[Reply, Reply]
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What all came to; `requests` reached the simulators, `tasks` and `connections` are left at the end."""

    seen: Mapping[str, Seen]
    fallback: Reply
    blocked: Reply
    requests: Mapping[str, int]
    tasks: set[str]
    connections: int


@asynccontextmanager
async def _places(home: Path, behind: Simulator, stack: AsyncExitStack) -> AsyncIterator[dict[str, str]]:
    """The lines of each case's provider."""
    right, other = Authority(home, "right"), Authority(home, "other")
    names = {name: f"http://{name}.example:{behind.port}/v1" for name in (file.partition(".")[0] for file in NAMES)}
    secured = {
        "expired": await behind.listen_tls(right.server(until=timedelta(days=-1))),
        "misnamed": await behind.listen_tls(right.server("provider.example")),
        "self-signed": await behind.listen_tls(right.self_signed()),
        "unknown": await behind.listen_tls(other.server()),
        "trusted": await behind.listen_tls(right.server()),
    }
    for hello in HELLOS:
        spoilt = await stack.enter_async_context(Simulator(SimulatorOptions(pace=FAST)))
        spoilt.rules = (Rule(fault=f"F5;kind={hello}"),)
        secured[hello] = spoilt.base_url.replace("http://", "https://")
    hole = stack.enter_context(Blackhole())
    closed = await stack.enter_async_context(Simulator(SimulatorOptions(pace=FAST)))
    closed.refuse()
    places = {**names, **secured, "refused": closed.base_url, "blackhole": f"http://127.0.0.1:{hole.port}/v1"}
    lines = {name: f'base_url = "{place}"\n{LIMITS}' for name, place in places.items()}
    for name in secured:
        lines[name] += 'ca_file = "right.pem"\n'
    lines["allowed"] += "private = true\n"
    yield lines


async def _run(home: Path) -> Outcome:
    async with AsyncExitStack() as stack:
        behind = await stack.enter_async_context(Simulator(SimulatorOptions(pace=FAST)))
        providers = await stack.enter_async_context(_places(home, behind, stack))
        routes = "".join(
            f'[routes.{first}-first]\ntask = "text"\ntargets = ["{first}/m", "trusted/m"]\n'
            for first in ("expired", "inside")
        )
        names = Names(NAMES)

        def ways(found: Mapping[str, Way]) -> Ways:
            return Ways(found, names)

        async with running(home, providers=providers, configuration=RETRY + routes, upstream=ways) as gateway:
            await gateway.chat("trusted/warm-up")
            before = _tasks()
            seen = dict(zip(providers, await asyncio.gather(*(_ask(gateway, name) for name in providers)), strict=True))
            fallback, blocked = await gateway.chat("expired-first"), await gateway.chat("inside-first")
            await gateway.quiet()
            await asyncio.wait_for(behind.record.until(lambda record: record.counts.in_flight == 0), 1)
            left = _tasks() - before
        await asyncio.wait_for(behind.record.until(lambda record: record.counts.connections_open == 0), 1)
        counts = behind.record.counts
        return Outcome(seen, fallback, blocked, dict(counts.by_model), left, counts.connections_open)


async def _ask(gateway: Gateway, name: str) -> Seen:
    began = asyncio.get_running_loop().time()
    replies = await gateway.chat(f"{name}/m-{name}"), await gateway.chat(f"{name}/m-{name}", stream=True)
    return Seen(replies, asyncio.get_running_loop().time() - began)


def _tasks() -> set[str]:
    return {repr(task.get_coro()).split(" at ")[0] for task in asyncio.all_tasks()}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    # The loop that `oneflow serve` runs on.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(tmp_path_factory.mktemp("connecting")))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_provider_that_cannot_be_talked_to_is_told_so(case: Case, outcome: Outcome) -> None:
    seen = outcome.seen[case.name]
    assert seen.seconds < 2 * SECONDS_MOST
    for reply in seen.replies:
        assert reply.status == case.status, reply.body[:300]
        assert int(reply.headers["x-oneflow-attempts"]) == case.attempts
        if case.code is not None:
            assert reply.code == case.code
            assert reply.headers["x-oneflow-cost-usd"] == "0"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_nothing_is_sent_to_whom_nobody_trusts(case: Case, outcome: Outcome) -> None:
    assert outcome.requests.get(f"m-{case.name}", 0) == (2 if case.code is None else 0)


def test_a_bad_certificate_leads_to_the_next_target(outcome: Outcome) -> None:
    assert outcome.fallback.status == 200
    assert outcome.fallback.headers["x-oneflow-provider"] == "trusted"


def test_a_name_that_leads_inside_is_no_reason_to_go_elsewhere(outcome: Outcome) -> None:
    assert (outcome.blocked.status, outcome.blocked.code) == (502, "upstream_blocked")


def test_no_address_inside_is_told_to_a_client(outcome: Outcome) -> None:
    for seen in outcome.seen.values():
        for reply in seen.replies:
            assert b"169.254" not in reply.body
            assert b"203.0.113" not in reply.body


def test_no_task_and_no_connection_is_left(outcome: Outcome) -> None:
    assert (outcome.tasks, outcome.connections) == (set(), 0)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_answer_to_another_request_never_reaches_a_client(tmp_path: Path, stream: bool) -> None:
    """F46: told as a bad answer, with an alarm, and its connections closed."""
    alarms: list[str] = []

    def ways(found: Mapping[str, Way]) -> Ways:
        return NonceWays(found, alarms.append)

    async with running(tmp_path, configuration=RETRY, upstream=ways) as gateway:
        assert (await gateway.chat("sim/m", stream=stream)).status == 200
        reply = await gateway.chat("sim/sim-F46", stream=stream)
        assert (reply.status, reply.code) == (502, "upstream_bad_response")
        assert b"somebody" not in reply.body
        assert alarms == ["sim", "sim"]
        assert gateway.wire_attempts("sim-F46") == 2
        assert (await gateway.chat("sim/m", stream=stream)).status == 200
        await gateway.quiet()


async def test_a_wait_for_ones_own_limit_of_connections_leads_elsewhere_and_holds_nothing_against_it(
    tmp_path: Path,
) -> None:
    providers = {"narrow": "connections_most = 1\n", "wide": ""}
    targets = '[{ target = "narrow/m", timeout_seconds = 0.3 }, "wide/m"]'
    route = f'[routes.both]\ntask = "text"\ntargets = {targets}\n'
    async with running(tmp_path, providers=providers, configuration=RETRY + route) as gateway:
        hung = asyncio.ensure_future(gateway.chat("narrow/sim-F9"))
        await gateway.simulator.record.until(lambda record: record.counts.in_flight == 1)
        replies = await asyncio.gather(*(gateway.chat("both") for _ in range(12)))
        assert {(reply.status, reply.headers["x-oneflow-provider"]) for reply in replies} == {(200, "wide")}
        shown = gateway.runtime.books.health.shown(gateway.runtime.clock.monotonic())
        assert [breaker.place for breaker in shown if breaker.failures or breaker.transitions] == []
        hung.cancel()
        await asyncio.gather(hung, return_exceptions=True)
        await gateway.quiet()
