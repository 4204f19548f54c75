"""The simulator as a whole: its port, its pace, its thread, its end."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime
from random import Random

import orjson
import pytest

from oneflow_ai.simulator import FAST, Blackhole, Pace, Simulator, SimulatorOptions, run, run_in_thread
from oneflow_ai.simulator.answer import CONTENT, Answer, StreamEvent, paced
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.steps import Wait
from tests.simulator.raw import CHAT, STREAM, exchange, once, request


class CountingClock:
    """Time that passes only by sleeping, at once."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def utc(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


async def test_refused_connections_break_open_ones_and_the_port_stays(simulator: Simulator) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    await exchange(reader, writer, request(CHAT))
    port = simulator.port
    simulator.refuse()
    with pytest.raises(ConnectionResetError):
        await reader.read(1)
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await once(simulator, CHAT)
    await simulator.accept_again()
    assert simulator.port == port
    assert (await once(simulator, CHAT)).status == 200


async def test_a_taken_port_is_told() -> None:
    async with await Simulator().start() as simulator:
        with pytest.raises(OSError, match="in use"):
            await Simulator().start(port=simulator.port)
        with pytest.raises(OSError, match="in use"):
            await Simulator().start(control_port=simulator.port)


async def test_stopping_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    simulator = await Simulator(SimulatorOptions(pace=FAST)).start()
    asking = [asyncio.create_task(once(simulator, {**CHAT, "model": "sim-F9"})) for _ in range(3)]
    await simulator.record.until(lambda record: record.counts.in_flight == 3)
    await simulator.stop()
    assert [(await each).end for each in asking] == ["reset"] * 3
    assert asyncio.all_tasks() == before
    await simulator.stop()


async def test_a_stream_waits_for_the_first_token_and_between_tokens() -> None:
    clock = CountingClock()
    pace = Pace(first_token_seconds=0.2, tokens_per_second=50, jitter=0.0)
    async with await Simulator(SimulatorOptions(pace=pace), clock, Random(1)).start() as simulator:
        seen = await once(simulator, STREAM)
    assert seen.contents == 8
    assert clock.slept == [0.2, *[pytest.approx(0.02)] * 7]


async def test_a_whole_answer_takes_as_long_as_its_stream_up_to_a_cap() -> None:
    clock = CountingClock()
    async with await Simulator(SimulatorOptions(), clock).start() as simulator:
        await once(simulator, {**CHAT, "max_tokens": 6})
        await once(simulator, {**CHAT, "max_tokens": 1_000, "n": 10})
    assert clock.slept == [pytest.approx(0.15 + 6 / 60), 1.5]


def test_jitter_stays_within_its_share_of_the_gap() -> None:
    events = tuple(StreamEvent(CONTENT, b"x") for _ in range(3))
    pace = Pace(first_token_seconds=0.0, tokens_per_second=10, jitter=0.5)
    steps = paced(Answer(events=events), (), Request("POST", "/", []), pace, [0.0, 0.999_999])
    waits = [step.seconds for step in steps if isinstance(step, Wait)]
    assert waits == [0.0, pytest.approx(0.05), pytest.approx(0.15, rel=1e-3)]


async def test_a_brown_out_is_so_many_times_slower() -> None:
    clock = CountingClock()
    pace = Pace(first_token_seconds=0.1, tokens_per_second=10, jitter=0.0, whole_seconds_most=9.0)
    async with await Simulator(SimulatorOptions(pace=pace), clock).start() as simulator:
        await once(simulator, {**CHAT, "max_tokens": 5, "model": "sim-F47;kind=brownout;factor=20"})
    assert clock.slept == [pytest.approx(12.0)]


async def test_flapping_goes_down_and_up_in_turn() -> None:
    clock = CountingClock()
    statuses = []
    async with await Simulator(SimulatorOptions(pace=FAST), clock).start() as simulator:
        for _ in range(6):
            statuses.append((await once(simulator, {**CHAT, "model": "sim-F47;kind=flap;period=7"})).status)
            clock.now += 3.5
    assert statuses == [503, 503, 200, 200, 503, 503]


async def test_the_same_seed_gives_the_same_bytes() -> None:
    raws = []
    for _ in range(2):
        async with await Simulator(SimulatorOptions(pace=FAST, seed=3), CountingClock()).start() as simulator:
            raws.append((await once(simulator, STREAM)).raw)
    assert raws[0] == raws[1]


def test_a_thread_serves_callers_without_a_loop() -> None:
    with run_in_thread(SimulatorOptions(pace=FAST)) as simulator:
        with socket.create_connection(("127.0.0.1", simulator.port), 5) as connection:
            connection.sendall(request(CHAT, headers={"connection": "close"}))
            raw = b"".join(iter(lambda: connection.recv(65_536), b""))
        assert orjson.loads(raw.partition(b"\r\n\r\n")[2])["object"] == "chat.completion"
        assert simulator.do(lambda running: running.record.counts.requests) == 1
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", simulator.port), 5)


def test_a_thread_tells_of_a_taken_port() -> None:
    with run_in_thread() as simulator, pytest.raises(OSError, match="in use"), run_in_thread(port=simulator.port):
        pass


async def test_run_announces_where_it_serves_until_it_is_told_to_end() -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    until = asyncio.Event()
    serving = asyncio.create_task(run(SimulatorOptions(pace=FAST), "127.0.0.1", 0, 0, told.put_nowait, until))
    lines = [await told.get() for _ in range(6)]
    until.set()
    await serving
    assert lines[0].startswith("OpenAI's wire: http://127.0.0.1:")
    names = [f"{each} wire" for each in ("Anthropic's", "Gemini's", "Stability's", "ElevenLabs'")]
    assert [line.partition(": http://127.0.0.1:")[0] for line in lines[1:5]] == names
    assert lines[5].startswith("Control port: http://127.0.0.1:")


def test_a_blackhole_never_answers_a_connection_attempt() -> None:
    """F4: the attempt neither succeeds nor fails in its time."""
    with Blackhole() as hole, pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.1", hole.port), 0.2)
