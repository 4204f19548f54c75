"""The way out to providers: what its time limits, its pool and its error words do, over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.core.target import Timeouts
from oneflow_ai.simulator import FAST, Blackhole, Simulator, SimulatorOptions
from oneflow_ai.upstream import Way, Ways
from oneflow_ai.upstream.aiohttp_pool import AiohttpUpstream
from oneflow_ai.upstream.pool import Pool

BODY = b'{"model":"%b","messages":[{"role":"user","content":"Hello"}]}'
TIMEOUTS = Timeouts(connect_seconds=0.4, write_seconds=0.4)


def _request(base_url: str, model: bytes = b"gpt-6-luna", body: bytes | None = None) -> HttpRequest:
    headers = (("content-type", "application/json"), ("authorization", "Bearer sk-simulated"))
    return HttpRequest(
        "POST", base_url + "/chat/completions", headers, body or BODY.replace(b"%b", model), TIMEOUTS, "sim"
    )


def _soon(seconds: float = 5.0) -> float:
    return time.monotonic() + seconds


Kind = type[AiohttpUpstream] | type[Pool]


@pytest.fixture(params=[AiohttpUpstream, Pool], ids=["aiohttp", "own"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """One behaviour, two implementations of the port."""
    found: Kind = request.param
    return found


@asynccontextmanager
async def _upstream(kind: Kind, way: Way | None = None) -> AsyncIterator[AiohttpUpstream | Pool]:
    upstream = kind(way or Way())
    try:
        yield upstream
    finally:
        await upstream.close()


async def _whole(upstream: AiohttpUpstream | Pool, request: HttpRequest) -> tuple[int, bytes]:
    answer = await upstream.send(request, _soon())
    body = b""
    try:
        while chunk := await answer.read(_soon()):
            body += chunk
    finally:
        answer.close()
    return answer.status, body


async def _failure(work: Callable[[], Awaitable[object]]) -> Failure:
    with pytest.raises(Failure) as caught:
        await work()
    return caught.value


async def test_a_refused_connection_is_unreachable(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, _upstream(kind) as upstream:
        simulator.refuse()
        failure = await _failure(lambda: upstream.send(_request(simulator.base_url), _soon()))
        assert failure.kind is kinds.UPSTREAM_UNREACHABLE


async def test_a_name_that_does_not_resolve_is_unreachable(kind: Kind) -> None:
    async with _upstream(kind) as upstream:
        failure = await _failure(lambda: upstream.send(_request("http://provider.invalid/v1"), _soon()))
        assert failure.kind is kinds.UPSTREAM_UNREACHABLE


async def test_a_connection_that_is_never_accepted_times_out_by_the_connect_limit(kind: Kind) -> None:
    with Blackhole() as blackhole:
        began = time.monotonic()
        async with _upstream(kind) as upstream:
            address = f"http://127.0.0.1:{blackhole.port}/v1"
            failure = await _failure(lambda: upstream.send(_request(address), _soon(10)))
        assert (failure.kind, failure.status, failure.code) == (kinds.UPSTREAM_UNREACHABLE, 504, "upstream_timeout")
        assert time.monotonic() - began < TIMEOUTS.connect_seconds + 1


async def test_plain_text_on_a_tls_address_is_a_tls_error(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, _upstream(kind) as upstream:
        address = simulator.base_url.replace("http://", "https://")
        failure = await _failure(lambda: upstream.send(_request(address), _soon()))
        assert failure.kind is kinds.UPSTREAM_TLS_ERROR


async def test_a_kept_connection_that_went_stale_is_replaced_unseen(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, _upstream(kind) as upstream:
        assert (await _whole(upstream, _request(simulator.base_url)))[0] == 200
        status, _ = await _whole(upstream, _request(simulator.base_url, b"sim-F8"))
        assert status == 200
        assert simulator.record.counts.by_model["sim-F8"] == 2


async def test_a_connection_is_kept_after_a_whole_answer(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, _upstream(kind) as upstream:
        for _ in range(5):
            await _whole(upstream, _request(simulator.base_url))
        assert simulator.record.counts.connections == 1


async def test_an_answer_left_in_the_middle_is_never_reused(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, _upstream(kind) as upstream:
        answer = await upstream.send(_request(simulator.base_url, b"sim-F11"), _soon())
        answer.close()
        await _whole(upstream, _request(simulator.base_url))
        assert simulator.record.counts.connections == 2


async def test_surplus_bytes_never_become_the_next_answer(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, _upstream(kind) as upstream:
        answer = await upstream.send(_request(simulator.base_url, b"sim-F30;kind=smuggle"), _soon())
        while await answer.read(_soon()):
            pass
        answer.close()
        status, body = await _whole(upstream, _request(simulator.base_url))
        assert status == 200
        assert b'"model":"gpt-6-luna"' in body


async def test_reading_stops_at_its_deadline(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, _upstream(kind) as upstream:
        answer = await upstream.send(_request(simulator.base_url, b"sim-F11"), _soon())
        began = time.monotonic()
        failure = await _failure(lambda: answer.read(_soon(0.3)))
        answer.close()
        assert failure.kind is kinds.UPSTREAM_TIMEOUT
        assert 0.25 < time.monotonic() - began < 1.0


async def test_a_head_that_drips_is_cut(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, _upstream(kind, Way(head_seconds=0.3)) as upstream:
        began = time.monotonic()
        failure = await _failure(lambda: upstream.send(_request(simulator.base_url, b"sim-F10;gap=0.1"), _soon(20)))
        assert failure.kind is kinds.UPSTREAM_TIMEOUT
        assert time.monotonic() - began < 2.0


async def test_a_provider_that_does_not_read_is_given_up(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, _upstream(kind) as upstream:
        body = BODY.replace(b"%b", b"sim-F44").replace(b"Hello", b"x" * 10_000_000)
        began = time.monotonic()
        failure = await _failure(lambda: upstream.send(_request(simulator.base_url, body=body), _soon(20)))
        assert failure.kind is kinds.UPSTREAM_TIMEOUT
        assert time.monotonic() - began < 5.0


async def test_a_large_body_arrives_whole(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, _upstream(kind) as upstream:
        body = BODY.replace(b"%b", b"gpt-6-luna").replace(b"Hello", b"x" * 3_000_000)
        assert (await _whole(upstream, _request(simulator.base_url, body=body)))[0] == 200
        (attempt,) = simulator.record.attempts("gpt-6-luna")
        assert attempt.body_bytes == len(body)


async def test_a_packed_answer_is_unpacked_within_bounds(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, _upstream(kind) as upstream:
        answer = await upstream.send(_request(simulator.base_url, b"sim-F37;mib=40"), _soon())
        sizes = []
        while chunk := await answer.read(_soon(20)):
            sizes.append(len(chunk))
        answer.close()
        assert sum(sizes) >= 40 << 20
        assert max(sizes) <= 256 << 10


async def test_each_way_has_connections_of_its_own() -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator:
        ways = Ways({"sim": Way(connections_most=1), "other": Way(connections_most=1)})
        try:
            hung = asyncio.ensure_future(ways.send(_request(simulator.base_url, b"sim-F9"), _soon(3)))
            await simulator.record.until(lambda record: record.counts.in_flight == 1)
            other = replace(_request(simulator.base_url), way="other")
            answer = await ways.send(other, _soon(2))
            assert answer.status == 200
            answer.close()
            hung.cancel()
            await asyncio.wait((hung,))
        finally:
            await ways.close()


async def test_a_cancelled_call_closes_its_connection_at_once(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, _upstream(kind) as upstream:
        task = asyncio.ensure_future(upstream.send(_request(simulator.base_url, b"sim-F9"), _soon(30)))
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
    async with server, _upstream(kind, Way(head_seconds=0.4)) as upstream:
        port = server.sockets[0].getsockname()[1]
        assert await _whole(upstream, _request(f"http://127.0.0.1:{port}/v1")) == (200, b"abcd")
        await done.wait()


async def test_at_the_limit_of_connections_our_pool_keeps_them() -> None:
    async with (
        Simulator(SimulatorOptions(pace=FAST)) as simulator,
        _upstream(Pool, Way(connections_most=4)) as upstream,
    ):

        async def caller() -> None:
            for _ in range(20):
                assert (await _whole(upstream, _request(simulator.base_url)))[0] == 200

        await asyncio.gather(*(caller() for _ in range(12)))
        assert simulator.record.counts.requests == 240
        assert simulator.record.counts.connections < 120
