"""Answers without end, heads without measure, bombs and other protocols, straight at the way out (F35-F37, F45)."""

from __future__ import annotations

import asyncio

import pytest

from oneflow_ai.core import failure as kinds
from oneflow_ai.simulator import FAST, Simulator, SimulatorOptions
from tests.upstreams import BODY, KINDS, Kind, failure_of, request_to, soon, upstream_of, whole

MIB = 1 << 20
TAKEN_BYTES = 8 * MIB
AHEAD_BYTES_MOST = 16 * MIB
STREAMED = BODY.replace(b'"messages"', b'"stream":true,"messages"')

NO_HTTP = (
    "F36;kind=header",
    "F36;kind=many",
    "F36;kind=cr",
    "F36;kind=lf",
    "F45;kind=http09",
    "F45;kind=h2",
    "F45;kind=settings",
)
PACKED = ("F37;kind=nested", "F37;kind=lying", "F37;encoding=br;mib=8", "F37;encoding=zstd;mib=8")


@pytest.fixture(params=KINDS.values(), ids=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    """One behaviour, two implementations of the port."""
    found: Kind = request.param
    return found


@pytest.mark.parametrize("fault", NO_HTTP)
async def test_what_is_no_http_is_told_so_and_its_connection_closed(kind: Kind, fault: str) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        failure = await failure_of(lambda: whole(upstream, request_to(simulator.base_url, f"sim-{fault}".encode())))
        assert failure.kind is kinds.UPSTREAM_BAD_RESPONSE
        await asyncio.wait_for(simulator.record.until(lambda record: record.counts.connections_open == 0), 1)
        assert (await whole(upstream, request_to(simulator.base_url)))[0] == 200


@pytest.mark.parametrize("fault", PACKED)
async def test_what_cannot_be_unpacked_is_told_so_and_nothing_is_left_in_flight(kind: Kind, fault: str) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        failure = await failure_of(lambda: whole(upstream, request_to(simulator.base_url, f"sim-{fault}".encode())))
        assert failure.kind is kinds.UPSTREAM_BAD_RESPONSE
        await asyncio.wait_for(simulator.record.until(lambda record: record.counts.in_flight == 0), 1)
        assert (await whole(upstream, request_to(simulator.base_url)))[0] == 200


@pytest.mark.parametrize("fault", ["F35", "F35;kind=endless"])
async def test_a_body_comes_no_faster_than_it_is_read(kind: Kind, fault: str) -> None:
    """What is not taken stays at the provider: no answer fills our memory."""
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        answer = await upstream.send(request_to(simulator.base_url, f"sim-{fault}".encode()), soon())
        taken = 0
        while taken < TAKEN_BYTES:
            taken += len(await answer.read(soon()))
        answer.close()
        await asyncio.wait_for(simulator.record.until(lambda record: record.counts.in_flight == 0), 1)
        (attempt,) = simulator.record.attempts()
        assert attempt.sent_bytes < taken + AHEAD_BYTES_MOST


async def test_a_bomb_goes_off_no_faster_than_it_is_read(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        answer = await upstream.send(request_to(simulator.base_url, b"sim-F37;mib=2000"), soon())
        taken, most = 0, 0
        while taken < TAKEN_BYTES:
            piece = await answer.read(soon())
            taken, most = taken + len(piece), max(most, len(piece))
        answer.close()
        assert most <= 256 << 10
        assert taken < TAKEN_BYTES + most


async def test_line_ends_inside_a_body_are_its_own(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        for fault in ("F42;kind=hints;count=3", "F33;kind=bytes", "F33;kind=mixed"):
            body = STREAMED.replace(b"%b", f"sim-{fault}".encode())
            assert (await whole(upstream, request_to(simulator.base_url, body=body)))[0] == 200


async def test_headers_of_the_hop_are_told_and_harm_nothing(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        for _ in range(2):
            assert (await whole(upstream, request_to(simulator.base_url, b"sim-F36;kind=hop")))[0] == 200
        assert simulator.record.counts.connections == 1


async def test_an_answer_of_http_1_0_ends_with_its_connection(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        for _ in range(2):
            status, body = await whole(upstream, request_to(simulator.base_url, b"sim-F45"))
            assert status == 200
            assert body.endswith(b"}")
        assert simulator.record.counts.connections == 2


async def test_frames_of_http_2_midway_break_the_answer(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        body = STREAMED.replace(b"%b", b"sim-F45;kind=goaway;at=event:2")
        answer = await upstream.send(request_to(simulator.base_url, body=body), soon())
        assert answer.status == 200
        assert b"data: " in await answer.read(soon())

        async def rest() -> None:
            while await answer.read(soon()):
                pass

        failure = await failure_of(rest)
        answer.close()
        assert failure.kind is kinds.UPSTREAM_BAD_RESPONSE
        await asyncio.wait_for(simulator.record.until(lambda record: record.counts.connections_open == 0), 1)


INTERIM = b"HTTP/1.1 103 Early Hints\r\n%b\r\n"
GOOD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@pytest.mark.parametrize(("headers", "sound"), [(b"link: a\r\n" * 20, True), (b"link: a\r\n" * 300, False)])
async def test_the_headers_of_an_interim_answer_are_bounded_too(headers: bytes, sound: bool) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(INTERIM % headers + GOOD)
        await reader.read()
        writer.close()
        over.set()

    over = asyncio.Event()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        async with upstream_of(KINDS["own"]) as upstream:
            request = request_to(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
            if sound:
                assert await whole(upstream, request) == (200, b"{}")
            else:
                failure = await failure_of(lambda: whole(upstream, request))
                assert failure.kind is kinds.UPSTREAM_BAD_RESPONSE
        await over.wait()
