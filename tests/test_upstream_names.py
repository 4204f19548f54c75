"""Names of providers: found, not found, slow, and never leading where they may not (F1, F2)."""

from __future__ import annotations

import asyncio
import time

import pytest

from oneflow_ai.core import failure as kinds
from oneflow_ai.simulator import FAST, NXDOMAIN, SERVFAIL, SILENT, Blackhole, Names, Simulator, SimulatorOptions
from oneflow_ai.upstream import Way
from oneflow_ai.upstream.reach import METADATA, PRIVATE, PUBLIC, is_own, sort_of
from tests.upstreams import KINDS, TIMEOUTS, Kind, failure_of, request_to, soon, upstream_of, whole

HOST = "api.provider.example"

SORTS = {
    PUBLIC: (
        "1.1.1.1", "104.18.7.192", "172.15.255.255", "172.32.0.1", "192.167.1.1", "100.63.255.255", "100.128.0.1",
        "2606:4700::6812:7c0", "2a00:1450:4001:80e::200e", "64:ff9b::101:101", "2002:101:101::", "::ffff:1.1.1.1",
    ),
    PRIVATE: (
        "127.0.0.1", "127.1.2.3", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "0.0.0.1", "0.1.2.3", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1",
        "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1",
        "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::", "2002:c0a8:101::", "2001::1", "2001:db8::1", "fc00::1",
        "fd12:3456:789a::1", "fe80::1", "fe80::1%1", "fec0::1", "ff02::1", "100::1", "3fff::1", "5f00::1",
    ),
    METADATA: (
        "169.254.169.254", "169.254.170.2", "169.254.0.1", "168.63.129.16", "100.100.100.200", "192.0.0.192",
        "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "fd00:ec2::254", "fd20:ce::254",
    ),
}  # fmt: skip

OWN = ("localhost", "ollama", "gpu-box.lan", "llm.corp.internal", "models.local", "vllm.ns.svc", "::1", "10.0.0.7")
FOREIGN = (
    "api.openai.com", "llm.example.com", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.nip.io",
    "①②⑦.⓪.⓪.①", "internal.example.com",
)  # fmt: skip


@pytest.fixture(params=KINDS.values(), ids=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    """One behaviour, two implementations of the port."""
    found: Kind = request.param
    return found


def _at(host: str, base_url: str) -> str:
    return base_url.replace("127.0.0.1", host)


@pytest.mark.parametrize(("sort", "address"), [(sort, one) for sort, all_ in SORTS.items() for one in all_])
def test_an_address_is_public_private_or_a_clouds_metadata(sort: str, address: str) -> None:
    assert sort_of(address) == sort


@pytest.mark.parametrize("host", OWN)
def test_a_host_of_ones_own_network_may_be_private(host: str) -> None:
    assert is_own(host)


@pytest.mark.parametrize("host", FOREIGN)
def test_a_public_name_or_an_address_in_disguise_may_not(host: str) -> None:
    assert not is_own(host)


@pytest.mark.parametrize("answer", [NXDOMAIN, SERVFAIL, []], ids=["nxdomain", "servfail", "none"])
async def test_a_name_that_is_not_found_is_unreachable(kind: Kind, answer: str | list[str]) -> None:
    async with upstream_of(kind, Way(resolver=Names({HOST: answer}))) as upstream:
        failure = await failure_of(lambda: upstream.send(request_to(f"http://{HOST}/v1"), soon()))
        assert (failure.kind, failure.status) == (kinds.UPSTREAM_UNREACHABLE, 502)
        assert HOST in failure.message


async def test_a_name_that_is_never_answered_is_unreachable_within_the_connect_limit(kind: Kind) -> None:
    before = asyncio.all_tasks()
    began = time.monotonic()
    async with upstream_of(kind, Way(resolver=Names({HOST: SILENT}))) as upstream:
        failure = await failure_of(lambda: upstream.send(request_to(f"http://{HOST}/v1"), soon(20)))
    assert (failure.kind, failure.status) == (kinds.UPSTREAM_UNREACHABLE, 502)
    assert time.monotonic() - began < TIMEOUTS.connect_seconds + 1
    assert asyncio.all_tasks() == before


async def test_a_slow_name_spends_the_calls_deadline(kind: Kind) -> None:
    began = time.monotonic()
    async with upstream_of(kind, Way(resolver=Names({HOST: SILENT}))) as upstream:
        await failure_of(lambda: upstream.send(request_to(f"http://{HOST}/v1"), soon(0.2)))
    assert time.monotonic() - began < 0.4


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254", "fd00:ec2::254"])
async def test_a_public_name_never_leads_inside(kind: Kind, address: str) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator:
        names = Names({HOST: [address]})
        async with upstream_of(kind, Way(resolver=names)) as upstream:
            place = _at(HOST, simulator.base_url)
            failure = await failure_of(lambda: upstream.send(request_to(place), soon()))
        assert (failure.kind, failure.status) == (kinds.UPSTREAM_BLOCKED, 502)
        assert address not in failure.message
        assert simulator.record.counts.connections == 0


async def test_one_address_inside_spoils_the_answer(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator:
        names = Names({HOST: ["203.0.113.9", "127.0.0.1"]})
        async with upstream_of(kind, Way(resolver=names)) as upstream:
            failure = await failure_of(lambda: upstream.send(request_to(_at(HOST, simulator.base_url)), soon()))
        assert failure.kind is kinds.UPSTREAM_BLOCKED
        assert simulator.record.counts.connections == 0


async def test_a_name_that_leads_inside_later_is_refused_then(kind: Kind) -> None:
    """Rebinding: what is checked is what is connected to, at each new connection."""
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator:
        names = Names({HOST: ["127.0.0.1"]})
        async with upstream_of(kind, Way(resolver=names, private=True)) as upstream:
            place = _at(HOST, simulator.base_url)
            assert (await whole(upstream, request_to(place)))[0] == 200
        names.answers[HOST] = ["169.254.169.254"]
        async with upstream_of(kind, Way(resolver=names, private=True)) as upstream:
            failure = await failure_of(lambda: upstream.send(request_to(place), soon()))
            assert failure.kind is kinds.UPSTREAM_BLOCKED


@pytest.mark.parametrize(
    ("host", "private", "reached"),
    [
        (HOST, True, True),
        (HOST, None, False),
        ("box.internal", None, True),
        ("box.internal", False, False),
        ("127.0.0.1", None, True),
        ("127.0.0.1", False, False),
    ],
)
async def test_the_operator_says_whether_a_host_may_be_private(
    kind: Kind, host: str, private: bool | None, reached: bool
) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator:
        names = Names({name: ["127.0.0.1"] for name in (HOST, "box.internal")})
        async with upstream_of(kind, Way(resolver=names, private=private)) as upstream:
            place = request_to(_at(host, simulator.base_url))
            if reached:
                assert (await whole(upstream, place))[0] == 200
            else:
                failure = await failure_of(lambda: upstream.send(place, soon()))
                assert failure.kind is kinds.UPSTREAM_BLOCKED
                assert "private = true" in failure.message


async def test_an_address_in_disguise_leads_nowhere_inside(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        for host in ("127.1", "2130706433", "0x7f000001", "0177.0.0.1"):
            failure = await failure_of(lambda: upstream.send(request_to(_at(host, simulator.base_url)), soon()))  # noqa: B023 awaited at once
            assert failure.kind in (kinds.UPSTREAM_BLOCKED, kinds.UPSTREAM_UNREACHABLE)
        assert simulator.record.counts.connections == 0


async def test_no_setting_opens_a_clouds_metadata(kind: Kind) -> None:
    async with upstream_of(kind, Way(private=True)) as upstream:
        for host in ("169.254.169.254", "[fd00:ec2::254]", "[::ffff:169.254.169.254]"):
            failure = await failure_of(lambda: upstream.send(request_to(f"http://{host}/v1"), soon()))  # noqa: B023 awaited at once
            assert failure.kind is kinds.UPSTREAM_BLOCKED


async def test_the_next_address_is_tried_when_one_refuses_or_is_silent(kind: Kind) -> None:
    with Blackhole("127.0.0.2") as blackhole:
        async with await Simulator(SimulatorOptions(pace=FAST)).start(port=blackhole.port) as simulator:
            names = Names({"box.internal": ["127.0.0.3", "127.0.0.2", "127.0.0.1"]})
            async with upstream_of(kind, Way(resolver=names)) as upstream:
                place = _at("box.internal", simulator.base_url)
                assert (await whole(upstream, request_to(place)))[0] == 200
