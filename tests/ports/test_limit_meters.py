"""What every keeper of our own clients' limits does: `core.ports.Meter` for requests, tokens and calls at once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from oneflow_ai.core.call import Account
from oneflow_ai.core.events import Usage
from oneflow_ai.core.failure import CONCURRENCY_LIMIT_EXCEEDED, RATE_LIMIT_EXCEEDED, Failure
from oneflow_ai.core.ports import Meter
from oneflow_ai.testing import SeededChance, VirtualClock, run_virtual
from tests.ports.calls import call
from tests.ports.stores import LIMIT_METERS

Story = Callable[[Meter, VirtualClock], Awaitable[None]]
Play = Callable[[Story], None]

FREE = Account("free")
TEN = Account("ten", requests_per_minute=10)
TOKENS = Account("tokens", tokens_per_minute=1_000)
TWO_AT_ONCE = Account("two", concurrency=2)
ALL = Account("all", requests_per_minute=10, tokens_per_minute=1_000, concurrency=2)


@pytest.fixture(params=LIMIT_METERS)
def play(request: pytest.FixtureRequest) -> Play:
    """Runs a story in virtual time with a new meter of one store."""

    def run(story: Story) -> None:
        async def main(clock: VirtualClock, chance: SeededChance) -> None:
            await story(LIMIT_METERS[request.param](clock), clock)

        run_virtual(main)

    return run


async def admitted(meter: Meter, account: Account, *, tokens: int = 1, most: int = 1_000) -> int:
    """How many calls in a row are let in."""
    for count in range(most):
        try:
            await meter.hold(call(account), tokens, 0)
        except Failure:
            return count
    return most


async def refusal(meter: Meter, account: Account, tokens: int = 1) -> Failure:
    """How one more call is refused."""
    with pytest.raises(Failure) as refused:
        await meter.hold(call(account), tokens, 0)
    return refused.value


@pytest.mark.parametrize(
    ("account", "tokens", "let_in"),
    [(FREE, 1, 1_000), (TEN, 1, 10), (TOKENS, 300, 3), (TWO_AT_ONCE, 1, 2), (ALL, 1, 2), (ALL, 600, 1)],
)
def test_a_key_gets_its_minutes_worth_and_no_more(play: Play, account: Account, tokens: int, let_in: int) -> None:
    async def story(meter: Meter, clock: VirtualClock) -> None:
        assert await admitted(meter, account, tokens=tokens) == let_in

    play(story)


@pytest.mark.parametrize(
    ("account", "tokens", "code"),
    [
        (TEN, 1, RATE_LIMIT_EXCEEDED.code),
        (TOKENS, 300, RATE_LIMIT_EXCEEDED.code),
        (TWO_AT_ONCE, 1, CONCURRENCY_LIMIT_EXCEEDED.code),
    ],
)
def test_a_refusal_names_the_scope(play: Play, account: Account, tokens: int, code: str) -> None:
    async def story(meter: Meter, clock: VirtualClock) -> None:
        await admitted(meter, account, tokens=tokens)
        failure = await refusal(meter, account, tokens)
        assert (failure.code, failure.param, failure.status) == (code, "key", 429)

    play(story)


def test_whoever_waits_as_told_is_let_in_and_not_sooner(play: Play) -> None:
    async def story(meter: Meter, clock: VirtualClock) -> None:
        await admitted(meter, TEN)
        wait_seconds = (await refusal(meter, TEN)).retry_after_seconds
        assert wait_seconds == pytest.approx(6.0, abs=0.001)
        assert wait_seconds is not None
        await clock.sleep(wait_seconds - 0.01)
        await refusal(meter, TEN)
        await clock.sleep(0.01)
        assert await admitted(meter, TEN) == 1

    play(story)


def test_a_call_that_asks_for_more_than_a_minute_has_is_told_not_to_retry(play: Play) -> None:
    async def story(meter: Meter, clock: VirtualClock) -> None:
        failure = await refusal(meter, TOKENS, 1_001)
        assert failure.should_retry is False
        assert failure.retry_after_seconds is None
        assert await admitted(meter, TOKENS, tokens=1_000) == 1

    play(story)


def test_what_is_refused_takes_of_nothing(play: Play) -> None:
    async def story(meter: Meter, clock: VirtualClock) -> None:
        account = replace(ALL, concurrency=0)
        for _ in range(50):
            await refusal(meter, account, 1_001)
        await meter.hold(call(account), 1_000, 0)
        for _ in range(50):
            await refusal(meter, account, 1)
        await clock.sleep(59.9)
        assert await admitted(meter, account, tokens=1) == 10

    play(story)


def test_a_settled_call_gives_back_the_tokens_it_did_not_need_and_its_place(play: Play) -> None:
    async def story(meter: Meter, clock: VirtualClock) -> None:
        mine = call(ALL)
        await meter.hold(mine, 1_000, 0)
        await meter.settle(mine, Usage(input_tokens=100, output_tokens=100), 0)
        assert await admitted(meter, ALL, tokens=400) == 2

    play(story)


def test_a_call_that_used_more_than_it_held_owes_it(play: Play) -> None:
    async def story(meter: Meter, clock: VirtualClock) -> None:
        mine = call(TOKENS)
        await meter.hold(mine, 400, 0)
        await meter.settle(mine, Usage(input_tokens=1_400, output_tokens=100), 0)
        assert (await refusal(meter, TOKENS, 1)).retry_after_seconds == pytest.approx(30.06, abs=0.001)

    play(story)


def test_a_voided_call_gives_back_everything(play: Play) -> None:
    async def story(meter: Meter, clock: VirtualClock) -> None:
        for _ in range(100):
            mine = call(ALL)
            await meter.hold(mine, 1_000, 0)
            await meter.void(mine)
        assert await admitted(meter, replace(ALL, concurrency=0), tokens=100) == 10

    play(story)


def test_each_word_is_harmless_if_repeated(play: Play) -> None:
    async def story(meter: Meter, clock: VirtualClock) -> None:
        mine = call(ALL)
        for _ in range(3):
            await meter.hold(mine, 500, 0)
        for _ in range(3):
            await meter.settle(mine, Usage(input_tokens=200), 0)
        for _ in range(3):
            await meter.void(mine)
        assert await admitted(meter, replace(ALL, concurrency=0), tokens=100) == 8

    play(story)


def test_keys_do_not_share(play: Play) -> None:
    async def story(meter: Meter, clock: VirtualClock) -> None:
        assert await admitted(meter, TEN) == 10
        assert await admitted(meter, replace(TEN, key_id="another")) == 10

    play(story)


def test_another_limit_for_a_key_keeps_what_it_took(play: Play) -> None:
    async def story(meter: Meter, clock: VirtualClock) -> None:
        await admitted(meter, TEN)
        assert await admitted(meter, replace(TEN, requests_per_minute=25)) == 15
        await refusal(meter, TEN)

    play(story)


def test_in_any_time_a_key_gets_its_rate_and_one_burst_and_nearly_all_of_it(play: Play) -> None:
    async def story(meter: Meter, clock: VirtualClock) -> None:
        account = Account("busy", requests_per_minute=6_000)
        let_in: list[float] = []

        async def client() -> None:
            while clock.monotonic() < 30.0:
                try:
                    await meter.hold(call(account), 1, 0)
                    let_in.append(clock.monotonic())
                except Failure as failure:
                    await clock.sleep(failure.retry_after_seconds or 0.0)

        await asyncio.gather(*(client() for _ in range(4)))
        most = 6_000 + 6_000 * let_in[-1] / 60
        assert 0.98 * most <= len(let_in) <= most

    play(story)


@pytest.mark.parametrize("hours", [-24, 24])
def test_the_wall_clock_lets_nobody_in(play: Play, hours: int) -> None:
    async def story(meter: Meter, clock: VirtualClock) -> None:
        await admitted(meter, TEN)
        clock.jump_wall(hours * 3600.0)
        await refusal(meter, TEN)
        await clock.sleep(6.01)
        assert await admitted(meter, TEN) == 1

    play(story)


def test_a_call_beyond_those_at_once_is_told_how_long_calls_last(play: Play) -> None:
    async def story(meter: Meter, clock: VirtualClock) -> None:
        first, second = call(TWO_AT_ONCE), call(TWO_AT_ONCE)
        await meter.hold(first, 1, 0)
        await meter.hold(second, 1, 0)
        assert (await refusal(meter, TWO_AT_ONCE)).retry_after_seconds is None
        await clock.sleep(6.0)
        await meter.settle(first, Usage(), 0)
        await meter.hold(call(TWO_AT_ONCE), 1, 0)
        # Two that last six seconds each: one of them ends every three.
        assert (await refusal(meter, TWO_AT_ONCE)).retry_after_seconds == pytest.approx(3.0)
        await meter.void(second)
        await meter.hold(call(TWO_AT_ONCE), 1, 0)

    play(story)
