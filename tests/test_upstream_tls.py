"""TLS to providers: what is trusted, what is refused and in which words, how often it is agreed on (F5)."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest

from oneflow_ai.core import failure as kinds
from oneflow_ai.simulator import FAST, Blackhole, Names, Rule, Simulator, SimulatorOptions
from oneflow_ai.upstream import Way
from tests.certificates import Authority
from tests.upstreams import KINDS, TIMEOUTS, Kind, failure_of, request_to, soon, upstream_of, whole

Wrong = Callable[[Authority, Authority], ssl.SSLContext]

WRONG: dict[str, tuple[Wrong, str]] = {
    "expired": (lambda right, other: right.server(until=timedelta(days=-1)), "expired"),
    "another name": (lambda right, other: right.server("provider.example"), "IP address mismatch"),
    "self-signed": (lambda right, other: right.self_signed(), "self-signed certificate"),
    "another authority": (lambda right, other: other.server(), "unable to get local issuer certificate"),
}


@pytest.fixture(params=KINDS.values(), ids=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    """One behaviour, two implementations of the port."""
    found: Kind = request.param
    return found


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """The authority that these providers' certificates come from."""
    return Authority(tmp_path)


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_wrong_certificate_is_refused_before_anything_is_sent(
    kind: Kind, authority: Authority, tmp_path: Path, wrong: str
) -> None:
    context, words = WRONG[wrong]
    other = Authority(tmp_path, "Another authority")
    async with (
        Simulator(SimulatorOptions(pace=FAST)) as simulator,
        upstream_of(kind, Way(ca_file=str(authority.file))) as upstream,
    ):
        base_url = await simulator.listen_tls(context(authority, other))
        failure = await failure_of(lambda: upstream.send(request_to(base_url), soon()))
        assert failure.kind is kinds.UPSTREAM_TLS_ERROR
        assert words in failure.message
        assert simulator.record.counts.requests == 0


async def test_a_certificate_for_another_host_name_is_refused(kind: Kind, authority: Authority) -> None:
    names = Names({"provider.internal": ["127.0.0.1"]})
    async with (
        Simulator(SimulatorOptions(pace=FAST)) as simulator,
        upstream_of(kind, Way(ca_file=str(authority.file), resolver=names)) as upstream,
    ):
        base_url = await simulator.listen_tls(authority.server("elsewhere.internal"))
        place = base_url.replace("127.0.0.1", "provider.internal")
        failure = await failure_of(lambda: upstream.send(request_to(place), soon()))
        assert failure.kind is kinds.UPSTREAM_TLS_ERROR
        assert "Hostname mismatch" in failure.message


async def test_a_certificate_is_checked_against_the_name_not_the_address(kind: Kind, authority: Authority) -> None:
    names = Names({"provider.internal": ["127.0.0.1"]})
    async with (
        Simulator(SimulatorOptions(pace=FAST)) as simulator,
        upstream_of(kind, Way(ca_file=str(authority.file), resolver=names)) as upstream,
    ):
        base_url = await simulator.listen_tls(authority.server("provider.internal"))
        place = base_url.replace("127.0.0.1", "provider.internal")
        assert (await whole(upstream, request_to(place)))[0] == 200


async def test_the_systems_authorities_do_not_know_a_providers_own(kind: Kind, authority: Authority) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        base_url = await simulator.listen_tls(authority.server())
        failure = await failure_of(lambda: upstream.send(request_to(base_url), soon()))
        assert failure.kind is kinds.UPSTREAM_TLS_ERROR


async def test_a_file_without_certificates_is_a_tls_error(kind: Kind, authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    for file in ("empty.pem", "gone.pem"):
        async with upstream_of(kind, Way(ca_file=str(tmp_path / file))) as upstream:
            failure = await failure_of(lambda: upstream.send(request_to("https://127.0.0.1:9/v1"), soon()))
            assert failure.kind is kinds.UPSTREAM_TLS_ERROR
            assert file in failure.message
            assert str(tmp_path) not in failure.message


async def test_tls_is_agreed_on_once_for_many_calls(kind: Kind, authority: Authority) -> None:
    async with (
        Simulator(SimulatorOptions(pace=FAST)) as simulator,
        upstream_of(kind, Way(ca_file=str(authority.file))) as upstream,
    ):
        base_url = await simulator.listen_tls(authority.server())
        for _ in range(5):
            assert (await whole(upstream, request_to(base_url)))[0] == 200
        assert simulator.record.counts.connections == 1


async def test_a_stale_tls_connection_is_replaced_unseen(kind: Kind, authority: Authority) -> None:
    async with (
        Simulator(SimulatorOptions(pace=FAST)) as simulator,
        upstream_of(kind, Way(ca_file=str(authority.file))) as upstream,
    ):
        base_url = await simulator.listen_tls(authority.server())
        assert (await whole(upstream, request_to(base_url)))[0] == 200
        assert (await whole(upstream, request_to(base_url, b"sim-F8")))[0] == 200
        assert simulator.record.counts.connections == 2


@pytest.mark.parametrize("hello", ["plain", "stall", "alert", "old"])
async def test_a_hello_that_is_none_is_a_tls_error(kind: Kind, hello: str) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        simulator.rules = (Rule(fault=f"F5;kind={hello}"),)
        place = simulator.base_url.replace("http://", "https://")
        began = time.monotonic()
        failure = await failure_of(lambda: upstream.send(request_to(place), soon()))
        assert failure.kind is kinds.UPSTREAM_TLS_ERROR
        assert time.monotonic() - began < TIMEOUTS.connect_seconds + TIMEOUTS.tls_seconds + 1
        await asyncio.wait_for(simulator.record.until(lambda record: record.counts.connections_open == 0), 1)


async def test_a_tls_address_that_accepts_nothing_is_told_as_any_other(kind: Kind) -> None:
    with Blackhole() as blackhole:
        async with upstream_of(kind) as upstream:
            place = f"https://127.0.0.1:{blackhole.port}/v1"
            failure = await failure_of(lambda: upstream.send(request_to(place), soon(10)))
    assert (failure.kind, failure.status, failure.code) == (kinds.UPSTREAM_UNREACHABLE, 504, "upstream_timeout")


async def test_a_cancelled_hello_leaves_nothing(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        before = asyncio.all_tasks()
        simulator.rules = (Rule(fault="F5;kind=stall"),)
        place = simulator.base_url.replace("http://", "https://")
        task = asyncio.ensure_future(upstream.send(request_to(place), soon(30)))
        await simulator.record.until(lambda record: record.counts.connections == 1)
        task.cancel()
        await asyncio.wait((task,))
        await asyncio.wait_for(simulator.record.until(lambda record: record.counts.connections_open == 0), 0.2)
        await simulator.stop()
        assert asyncio.all_tasks() == before


def test_no_way_out_can_be_told_not_to_check() -> None:
    """What a way can be told is a list of names; one that turns checks off would stand here."""
    known = {"ca_file", "proxy", "connections_most", "head_seconds", "private", "resolver"}
    assert {field.name for field in fields(Way)} == known


async def test_no_environment_turns_the_checks_off(
    kind: Kind, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PYTHONHTTPSVERIFY", "NODE_TLS_REJECT_UNAUTHORIZED", "SSL_VERIFY"):
        monkeypatch.setenv(name, "0")
    for name in ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, "")
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        base_url = await simulator.listen_tls(authority.self_signed())
        failure = await failure_of(lambda: upstream.send(request_to(base_url), soon()))
        assert failure.kind is kinds.UPSTREAM_TLS_ERROR
