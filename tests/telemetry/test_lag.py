"""The event loop's lag is the longest delay of the last samples."""

from oneflow_ai.telemetry.lag import INTERVAL_SECONDS, SAMPLES, LoopLag
from oneflow_ai.testing import StepClock


class LateClock(StepClock):
    """A clock whose sleeper wakes up late by `late_seconds`."""

    late_seconds = 0.0

    async def sleep(self, seconds: float) -> None:
        self.step(seconds + self.late_seconds)


async def nowhere() -> None:
    """A way without stages."""


async def test_the_longest_delay_is_told_until_it_is_15_seconds_old() -> None:
    clock = LateClock()
    heard: list[tuple[float, float]] = []
    busy = iter((0.0, 0.05, 0.05, 0.15, *[1.0] * SAMPLES * 2))
    lag = LoopLag(
        clock, lambda now, delay, busy: heard.append((round(delay, 6), round(busy, 6))), lambda: next(busy), nowhere
    )
    assert lag.worst_seconds() == 0
    for late in (0.0, 0.3, 0.1):
        clock.late_seconds = late
        await lag.sample()
    assert heard == [(0.0, 0.5), (0.3, 0.25), (0.1, 0.0)]
    assert round(lag.worst_seconds(), 6) == 0.3
    clock.late_seconds = 0.0
    for _ in range(SAMPLES - 2):
        await lag.sample()
    assert round(lag.worst_seconds(), 6) == 0.3
    await lag.sample()
    assert round(lag.worst_seconds(), 6) == 0.1
    assert round(SAMPLES * INTERVAL_SECONDS, 6) == 15


async def test_what_calls_wait_for_each_other_is_heard_but_is_no_delay_of_the_loop() -> None:
    clock = LateClock()
    heard: list[float] = []

    async def way() -> None:
        clock.step(0.25)

    lag = LoopLag(clock, lambda now, waits, busy: heard.append(round(waits, 6)), lambda: 0.0, way)
    clock.late_seconds = 0.125
    await lag.sample()
    assert heard == [0.375]
    assert round(lag.worst_seconds(), 6) == 0.125
