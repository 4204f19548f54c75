"""The shipped clocks and the loop in virtual time keep their word."""

import asyncio
import socket
from datetime import timedelta

import pytest

from oneflow_ai.testing import EPOCH, SeededChance, StepClock, VirtualClock, run_virtual


async def test_a_step_clock_wakes_sleepers_in_the_order_in_which_their_sleep_ends() -> None:
    clock, woken = StepClock(), list[str]()

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    async with asyncio.TaskGroup() as group:
        for name, seconds in (("late", 5.0), ("soon", 1.0), ("next", 1.5)):
            group.create_task(sleeper(name, seconds))
        await asyncio.sleep(0)
        clock.step(0.9)
        await asyncio.sleep(0)
        assert woken == []
        clock.step(0.6)
        await asyncio.sleep(0)
        assert woken == ["soon", "next"]
        clock.step(10.0)
    assert woken == ["soon", "next", "late"]
    assert clock.slept_seconds == [5.0, 1.0, 1.5]
    assert clock.monotonic() == 11.5


async def test_a_step_clock_may_step_itself() -> None:
    clock = StepClock(100.0, steps_itself=True)
    await clock.sleep(7.0)
    assert clock.monotonic() == 107.0


async def test_a_sleeper_that_was_cancelled_is_forgotten() -> None:
    clock = StepClock()
    task = asyncio.ensure_future(clock.sleep(1.0))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    clock.step(2.0)


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="back"):
        StepClock().step(-1.0)


def test_the_wall_clock_runs_with_the_steps_and_may_be_set() -> None:
    clock = StepClock()
    clock.step(60.0)
    assert clock.utc() == EPOCH + timedelta(minutes=1)
    clock.jump_wall(-86_400.0)
    assert clock.utc() == EPOCH + timedelta(minutes=1, days=-1)
    assert clock.monotonic() == 60.0


def test_a_day_of_virtual_time_costs_nothing_and_keeps_its_order() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> list[float]:
        ends: list[float] = []

        async def sleeper(seconds: float) -> None:
            await clock.sleep(seconds)
            ends.append(clock.monotonic())

        await asyncio.gather(*(sleeper(seconds) for seconds in (86_400.0, 3_600.0, 0.25, 0.0)))
        assert clock.utc() == EPOCH + timedelta(days=1)
        return ends

    assert run_virtual(story) == pytest.approx([0.0, 0.25, 3_600.0, 86_400.0])


def test_timeouts_run_in_virtual_time() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30.0):
                await clock.sleep(31.0)
        assert clock.monotonic() == 30.0

    run_virtual(story)


def test_the_same_seed_gives_the_same_run() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> list[tuple[str, float]]:
        seen: list[tuple[str, float]] = []

        async def walker(name: str) -> None:
            for _ in range(20):
                await clock.sleep(chance.random())
                seen.append((name, clock.monotonic()))

        await asyncio.gather(*(walker(name) for name in "abc"))
        return seen

    assert run_virtual(story, seed=7) == run_virtual(story, seed=7)
    assert run_virtual(story, seed=7) != run_virtual(story, seed=8)


def test_an_error_tells_its_seed() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        raise LookupError("lost")

    with pytest.raises(LookupError) as error:
        run_virtual(story, seed=1234)
    assert error.value.__notes__ == ["seed 1234"]


def test_waiting_for_what_can_never_come_is_an_error() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="never come"):
        run_virtual(story)


def test_a_task_that_is_left_running_is_an_error() -> None:
    left: list[asyncio.Task[None]] = []

    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        left.append(asyncio.create_task(clock.sleep(1e6)))
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="1 tasks are left running"):
        run_virtual(story)
    assert left[0].cancelled()


def test_what_is_raised_in_a_callback_is_not_lost() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        asyncio.get_running_loop().call_later(1.0, lambda: 1 // 0)
        await clock.sleep(2.0)

    with pytest.raises(ZeroDivisionError):
        run_virtual(story)


def test_a_virtual_loop_has_no_network() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        left, right = socket.socketpair()
        with left, right:
            left.setblocking(False)
            await asyncio.get_running_loop().sock_recv(left, 1)

    with pytest.raises(RuntimeError, match="never come"):
        run_virtual(story)
