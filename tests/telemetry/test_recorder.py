"""The recorder takes without waiting, stores in order, and when its store fails keeps what it may, counts the rest."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from oneflow_ai.core.failure import STORAGE_UNAVAILABLE, Failure
from oneflow_ai.core.record import Exchange
from oneflow_ai.telemetry.log import NoLog
from oneflow_ai.telemetry.recorder import GATHERED_MOST, Bounds, QueueRecorder
from oneflow_ai.testing import SeededChance, VirtualClock, run_virtual
from tests.stores.exchanges import success

Answer = Callable[[list[int]], Exception | int]


def number(exchange: Exchange) -> int:
    return int(exchange.call.id.partition("-")[2])


@dataclass
class ListSink:
    """A store in memory, that may refuse a batch, or lose some of it, as `answer` says."""

    answer: Answer = lambda rows: 0
    batches: list[list[int]] = field(default_factory=list)
    tries: int = 0

    def row(self, exchange: Exchange) -> int:
        return number(exchange)

    def size_bytes(self, row: int) -> int:
        return 1_000

    async def write_batch(self, rows: Sequence[int]) -> int:
        self.tries += 1
        answer = self.answer(list(rows))
        if isinstance(answer, Exception):
            raise answer
        self.batches.append(list(rows))
        return answer

    @property
    def rows(self) -> list[int]:
        return [row for batch in self.batches for row in batch]


class ListLog(NoLog):
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def info(self, event: str, /, **fields: object) -> None:
        self.lines.append(("info", event))

    def warning(self, event: str, /, **fields: object) -> None:
        self.lines.append(("warning", event))

    def error(self, event: str, /, **fields: object) -> None:
        self.lines.append(("error", event))


def run(test: Callable[[VirtualClock], Any]) -> None:
    async def go(clock: VirtualClock, chance: SeededChance) -> None:
        await test(clock)

    run_virtual(go)


def test_rows_are_stored_in_order_half_a_second_later() -> None:
    async def test(clock: VirtualClock) -> None:
        sink = ListSink()
        recorder = QueueRecorder(sink, (), clock, NoLog())
        recorder.start()
        for each in range(5):
            recorder.record(success(each))
        await clock.sleep(0.49)
        assert sink.batches == []
        await clock.sleep(0.02)
        assert sink.batches == [[0, 1, 2, 3, 4]]
        assert (recorder.waiting, recorder.dropped) == (0, 0)
        await recorder.close()

    run(test)


def test_a_full_batch_is_stored_at_once() -> None:
    async def test(clock: VirtualClock) -> None:
        sink = ListSink()
        recorder = QueueRecorder(sink, (), clock, NoLog())
        recorder.start()
        for each in range(1_234):
            recorder.record(success(each))
            await asyncio.sleep(0)
        await clock.sleep(0.1)
        assert [len(batch) for batch in sink.batches] == [500, 500]
        await clock.sleep(0.5)
        assert sink.rows == list(range(1_234))
        await recorder.close()

    run(test)


def test_a_store_that_fails_gets_the_same_batch_again_and_again_in_order_with_one_line_a_change() -> None:
    async def test(clock: VirtualClock) -> None:
        until = clock.monotonic() + 60
        failing = Failure(STORAGE_UNAVAILABLE, "the disk is full")
        sink = ListSink(lambda rows: failing if clock.monotonic() < until else 0)
        log = ListLog()
        recorder = QueueRecorder(sink, (), clock, log)
        recorder.start()
        for each in range(120):
            recorder.record(success(each))
            await clock.sleep(1)
        await recorder.close()
        assert sink.rows == list(range(120))
        assert recorder.dropped == 0
        assert sink.tries < 100
        assert log.lines == [("warning", "the history cannot be written"), ("info", "the history is written again")]

    run(test)


@pytest.mark.parametrize("bounds", [Bounds(rows_most=50), Bounds(bytes_most=50_000)])
def test_when_too_much_waits_the_newest_is_dropped_and_counted(bounds: Bounds) -> None:
    async def test(clock: VirtualClock) -> None:
        healthy = [False]
        sink = ListSink(lambda rows: 0 if healthy[0] else Failure(STORAGE_UNAVAILABLE, "gone"))
        log = ListLog()
        recorder = QueueRecorder(sink, (), clock, log, bounds)
        recorder.start()
        for each in range(200):
            recorder.record(success(each))
            await clock.sleep(0.1)
            assert recorder.waiting <= 50
        assert (recorder.waiting, recorder.dropped) == (50, 150)
        healthy[0] = True
        await clock.sleep(6)
        recorder.record(success(200))
        await recorder.close()
        assert sink.rows == [*range(50), 200]
        assert [level for level, _ in log.lines] == ["warning", "warning", "info"]

    run(test)


def test_a_batch_that_raises_what_it_should_not_is_lost_alone() -> None:
    async def test(clock: VirtualClock) -> None:
        sink = ListSink(lambda rows: ZeroDivisionError() if 0 in rows else 0)
        log = ListLog()
        recorder = QueueRecorder(sink, (), clock, log)
        recorder.start()
        for each in range(3):
            recorder.record(success(each))
            await clock.sleep(1)
        await recorder.close()
        assert (sink.rows, recorder.dropped) == ([1, 2], 1)
        assert log.lines == [("error", "a batch of the history was lost")]

    run(test)


def test_rows_that_can_never_be_stored_are_counted() -> None:
    async def test(clock: VirtualClock) -> None:
        recorder = QueueRecorder(ListSink(lambda rows: 2), (), clock, NoLog())
        recorder.start()
        for each in range(5):
            recorder.record(success(each))
        await recorder.close()
        assert recorder.dropped == 2

    run(test)


def test_a_watcher_sees_each_exchange_at_once_and_its_fault_never_reaches_the_call() -> None:
    async def test(clock: VirtualClock) -> None:
        seen: list[int] = []

        def watch(exchange: Exchange) -> None:
            seen.append(number(exchange))
            if number(exchange) > 0:
                raise ZeroDivisionError

        log = ListLog()
        recorder = QueueRecorder(ListSink(), [watch], clock, log)
        for each in range(3):
            recorder.record(success(each))
        assert seen == [0, 1, 2]
        assert recorder.dropped == 2
        assert log.lines == [("error", "a call could not be recorded")]
        await recorder.close()

    run(test)


def test_close_stores_what_waits_and_takes_no_more() -> None:
    async def test(clock: VirtualClock) -> None:
        sink = ListSink()
        recorder = QueueRecorder(sink, (), clock, NoLog())
        recorder.start()
        for each in range(1_200):
            recorder.record(success(each))
        began = clock.monotonic()
        await recorder.close()
        recorder.record(success(1_200))
        await recorder.close()
        assert clock.monotonic() - began < 0.1
        assert sink.rows == list(range(1_200))
        assert (recorder.waiting, recorder.dropped) == (0, 1)

    run(test)


def test_close_gives_a_dead_store_so_long_and_no_longer() -> None:
    async def test(clock: VirtualClock) -> None:
        sink = ListSink(lambda rows: Failure(STORAGE_UNAVAILABLE, "gone"))
        log = ListLog()
        recorder = QueueRecorder(sink, (), clock, log)
        recorder.start()
        for each in range(7):
            recorder.record(success(each))
        began = clock.monotonic()
        await recorder.close(within_seconds=3.0)
        assert clock.monotonic() - began == pytest.approx(3.0)
        assert (recorder.waiting, recorder.dropped) == (0, 7)
        assert log.lines[-1] == ("error", "the history lost calls at the end")

    run(test)


def test_followers_and_the_sink_are_told_in_the_loops_next_turn_in_order_and_one_fault_costs_one_call() -> None:
    async def test(clock: VirtualClock) -> None:
        told: list[int] = []

        def follow(exchange: Exchange) -> None:
            if number(exchange) == 1:
                raise ZeroDivisionError
            told.append(number(exchange))

        sink, log = ListSink(), ListLog()
        recorder = QueueRecorder(sink, (), clock, log, followers=[follow])
        recorder.start()
        for each in range(3):
            recorder.record(success(each))
        assert (told, recorder.waiting) == ([], 3)
        await asyncio.sleep(0)
        assert (told, recorder.waiting, recorder.dropped) == ([0, 2], 2, 1)
        assert log.lines == [("error", "a call could not be recorded")]
        await recorder.close()
        assert sink.rows == [0, 2]

    run(test)


def test_only_so_many_exchanges_are_kept_whole() -> None:
    async def test(clock: VirtualClock) -> None:
        told: list[int] = []
        recorder = QueueRecorder(ListSink(), (), clock, NoLog(), followers=[lambda exchange: told.append(1)])
        recorder.start()
        for each in range(3 * GATHERED_MOST + 1):
            recorder.record(success(each))
        assert len(told) == 3 * GATHERED_MOST
        await recorder.close()
        assert len(told) == 3 * GATHERED_MOST + 1

    run(test)


def test_a_usage_that_cannot_be_is_a_warning() -> None:
    async def test(clock: VirtualClock) -> None:
        log = ListLog()
        recorder = QueueRecorder(ListSink(), (), clock, log)
        recorder.start()
        odd = success(1)
        assert odd.usage is not None
        odd.usage = replace(odd.usage, odd=True)
        recorder.record(success(0))
        recorder.record(odd)
        await recorder.close()
        (line,) = log.lines
        assert line[0] == "warning" and "usage that cannot be" in line[1]

    run(test)
