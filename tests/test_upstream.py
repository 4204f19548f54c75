"""The way out to providers: what its time limits, its pool and its error words do, over real sockets."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from oneflow_ai.core import failure as kinds
from oneflow_ai.simulator import FAST, Blackhole, Simulator, SimulatorOptions
from oneflow_ai.upstream import Way, Ways
from oneflow_ai.upstream.pool import Pool
from tests.upstreams import BODY, KINDS, TIMEOUTS, Kind, failure_of, request_to, soon, upstream_of, whole


@pytest.fixture(params=KINDS.values(), ids=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    """One behaviour, two implementations of the port."""
    found: Kind = request.param
    return found


async def test_a_refused_connection_is_unreachable(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        simulator.refuse()
        failure = await failure_of(lambda: upstream.send(request_to(simulator.base_url), soon()))
        assert failure.kind is kinds.UPSTREAM_UNREACHABLE


async def test_a_name_that_does_not_resolve_is_unreachable(kind: Kind) -> None:
    async with upstream_of(kind) as upstream:
        failure = await failure_of(lambda: upstream.send(request_to("http://provider.invalid/v1"), soon()))
        assert failure.kind is kinds.UPSTREAM_UNREACHABLE


async def test_a_connection_that_is_never_accepted_times_out_by_the_connect_limit(kind: Kind) -> None:
    with Blackhole() as blackhole:
        began = time.monotonic()
        async with upstream_of(kind) as upstream:
            address = f"http://127.0.0.1:{blackhole.port}/v1"
            failure = await failure_of(lambda: upstream.send(request_to(address), soon(10)))
        assert (failure.kind, failure.status, failure.code) == (kinds.UPSTREAM_UNREACHABLE, 504, "upstream_timeout")
        assert time.monotonic() - began < TIMEOUTS.connect_seconds + 1


async def test_plain_text_on_a_tls_address_is_a_tls_error(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        address = simulator.base_url.replace("http://", "https://")
        failure = await failure_of(lambda: upstream.send(request_to(address), soon()))
        assert failure.kind is kinds.UPSTREAM_TLS_ERROR


async def test_a_kept_connection_that_went_stale_is_replaced_unseen(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        assert (await whole(upstream, request_to(simulator.base_url)))[0] == 200
        status, _ = await whole(upstream, request_to(simulator.base_url, b"sim-F8"))
        assert status == 200
        assert simulator.record.counts.by_model["sim-F8"] == 2


async def test_a_connection_is_kept_after_a_whole_answer(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        for _ in range(5):
            await whole(upstream, request_to(simulator.base_url))
        assert simulator.record.counts.connections == 1


async def test_an_answer_left_in_the_middle_is_never_reused(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        answer = await upstream.send(request_to(simulator.base_url, b"sim-F11"), soon())
        answer.close()
        await whole(upstream, request_to(simulator.base_url))
        assert simulator.record.counts.connections == 2


async def test_an_answer_that_is_discarded_takes_its_connection_with_it(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        for model, read in ((b"gpt-6-luna", True), (b"gpt-6-luna", False), (b"sim-F11", False)):
            answer = await upstream.send(request_to(simulator.base_url, model), soon())
            while read and await answer.read(soon()):
                pass
            answer.discard()
            answer.discard()
            answer.close()
        await whole(upstream, request_to(simulator.base_url))
        assert simulator.record.counts.connections == 4


@pytest.mark.parametrize("left", ["close", "release"])
async def test_what_was_given_back_is_not_discarded(kind: Kind, left: str) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        answer = await upstream.send(request_to(simulator.base_url), soon())
        while await answer.read(soon()):
            pass
        getattr(answer, left)()
        other = await upstream.send(request_to(simulator.base_url), soon())
        answer.discard()
        while await other.read(soon()):
            pass
        other.close()
        assert simulator.record.counts.connections == 1


async def test_surplus_bytes_never_become_the_next_answer(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        answer = await upstream.send(request_to(simulator.base_url, b"sim-F30;kind=smuggle"), soon())
        while await answer.read(soon()):
            pass
        answer.close()
        status, body = await whole(upstream, request_to(simulator.base_url))
        assert status == 200
        assert b'"model":"gpt-6-luna"' in body


async def test_reading_stops_at_its_deadline(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        answer = await upstream.send(request_to(simulator.base_url, b"sim-F11"), soon())
        began = time.monotonic()
        failure = await failure_of(lambda: answer.read(soon(0.3)))
        answer.close()
        assert failure.kind is kinds.UPSTREAM_TIMEOUT
        assert 0.25 < time.monotonic() - began < 1.0


async def test_a_head_that_drips_is_cut(kind: Kind) -> None:
    async with (
        Simulator(SimulatorOptions(pace=FAST)) as simulator,
        upstream_of(kind, Way(head_seconds=0.3)) as upstream,
    ):
        began = time.monotonic()
        failure = await failure_of(lambda: upstream.send(request_to(simulator.base_url, b"sim-F10;gap=0.1"), soon(20)))
        assert failure.kind is kinds.UPSTREAM_TIMEOUT
        assert time.monotonic() - began < 2.0


async def test_a_provider_that_does_not_read_is_given_up(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        body = BODY.replace(b"%b", b"sim-F44").replace(b"Hello", b"x" * 10_000_000)
        began = time.monotonic()
        failure = await failure_of(lambda: upstream.send(request_to(simulator.base_url, body=body), soon(20)))
        assert failure.kind is kinds.UPSTREAM_TIMEOUT
        assert time.monotonic() - began < 5.0


async def test_a_large_body_arriveswhole(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        body = BODY.replace(b"%b", b"gpt-6-luna").replace(b"Hello", b"x" * 3_000_000)
        assert (await whole(upstream, request_to(simulator.base_url, body=body)))[0] == 200
        (attempt,) = simulator.record.attempts("gpt-6-luna")
        assert attempt.body_bytes == len(body)


async def test_a_packed_answer_is_unpacked_within_bounds(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        answer = await upstream.send(request_to(simulator.base_url, b"sim-F37;mib=40"), soon())
        sizes = []
        while chunk := await answer.read(soon(20)):
            sizes.append(len(chunk))
        answer.close()
        assert sum(sizes) >= 40 << 20
        assert max(sizes) <= 256 << 10


async def test_each_way_has_connections_of_its_own() -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator:
        ways = Ways({"sim": Way(connections_most=1), "other": Way(connections_most=1)})
        try:
            hung = asyncio.ensure_future(ways.send(request_to(simulator.base_url, b"sim-F9"), soon(3)))
            await simulator.record.until(lambda record: record.counts.in_flight == 1)
            other = replace(request_to(simulator.base_url), way="other")
            answer = await ways.send(other, soon(2))
            assert answer.status == 200
            answer.close()
            hung.cancel()
            await asyncio.wait((hung,))
        finally:
            await ways.close()


async def test_a_cancelled_call_closes_its_connection_at_once(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        task = asyncio.ensure_future(upstream.send(request_to(simulator.base_url, b"sim-F9"), soon(30)))
        await simulator.record.until(lambda record: record.counts.in_flight == 1)
        task.cancel()
        await asyncio.wait((task,))
        await asyncio.wait_for(simulator.record.until(lambda record: record.counts.in_flight == 0), 0.2)


async def test_a_head_in_two_pieces_does_not_hurry_the_body(kind: Kind) -> None:
    done = asyncio.Event()

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in (b"HTTP/1.1 200 OK\r\n", b"content-length: 4\r\n\r\n", b"a", b"b", b"c", b"d"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.15)
        writer.close()
        await writer.wait_closed()
        done.set()

    server = await asyncio.start_server(slowly, "127.0.0.1", 0)
    async with server, upstream_of(kind, Way(head_seconds=0.4)) as upstream:
        port = server.sockets[0].getsockname()[1]
        assert await whole(upstream, request_to(f"http://127.0.0.1:{port}/v1")) == (200, b"abcd")
        await done.wait()


async def test_a_wait_for_ones_own_limit_of_connections_blames_nobody(kind: Kind) -> None:
    async with (
        Simulator(SimulatorOptions(pace=FAST)) as simulator,
        upstream_of(kind, Way(connections_most=1)) as upstream,
    ):
        hung = asyncio.ensure_future(upstream.send(request_to(simulator.base_url, b"sim-F9"), soon(30)))
        await simulator.record.until(lambda record: record.counts.in_flight == 1)
        failure = await failure_of(lambda: upstream.send(request_to(simulator.base_url), soon(0.1)))
        assert failure.kind is kinds.QUEUE_TIMEOUT
        hung.cancel()
        await asyncio.gather(hung, return_exceptions=True)
        assert (await whole(upstream, request_to(simulator.base_url)))[0] == 200


async def test_at_the_limit_of_connections_our_pool_keeps_them() -> None:
    async with (
        Simulator(SimulatorOptions(pace=FAST)) as simulator,
        upstream_of(Pool, Way(connections_most=4)) as upstream,
    ):

        async def caller() -> None:
            for _ in range(20):
                assert (await whole(upstream, request_to(simulator.base_url)))[0] == 200

        await asyncio.gather(*(caller() for _ in range(12)))
        assert simulator.record.counts.requests == 240
        assert simulator.record.counts.connections < 120


async def test_ways_that_were_replaced_twice_are_all_closed() -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator:
        ways = Ways({"sim": Way()})
        for connections_most in (7, 8, 9):
            answer = await ways.send(replace(request_to(simulator.base_url), way="sim"), soon())
            while await answer.read(soon()):
                pass
            answer.close()
            await ways.replace({"sim": Way(connections_most=connections_most)}, 600.0)
        assert simulator.record.counts.connections_open == 3
        await ways.close()
        await _until_none_open(simulator)


async def test_a_way_that_was_replaced_closes_when_its_longest_call_is_over() -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator:
        ways = Ways({"sim": Way(), "gone": Way()})
        for name in ("sim", "gone"):
            answer = await ways.send(replace(request_to(simulator.base_url), way=name), soon())
            while await answer.read(soon()):
                pass
            answer.close()
        await ways.replace({"sim": Way(connections_most=7)}, 0.3)
        # A call that began before may still take the way that is gone.
        (await ways.send(replace(request_to(simulator.base_url), way="gone"), soon())).close()
        assert simulator.record.counts.connections_open >= 1
        await _until_none_open(simulator)
        with pytest.raises(KeyError):
            await ways.send(replace(request_to(simulator.base_url), way="gone"), soon())
        await ways.close()


async def test_a_call_that_began_before_two_reloads_finds_its_way() -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator:
        ways = Ways({"gone": Way()})
        request = replace(request_to(simulator.base_url), way="gone")
        await ways.replace({"gone": Way()}, 60.0)
        await ways.replace({}, 0.05)
        await asyncio.sleep(0.2)
        (await ways.send(request, soon())).close()
        await ways.close()


async def _until_none_open(simulator: Simulator) -> None:
    for _ in range(200):
        if not simulator.record.counts.connections_open:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{simulator.record.counts.connections_open} connections are open")
