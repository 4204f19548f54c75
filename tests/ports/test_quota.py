"""What every keeper of providers' limits does: `core.ports.Quota`."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from oneflow_ai.core.failure import QUEUE_TIMEOUT, Failure
from oneflow_ai.core.ports import Quota, RateHints
from oneflow_ai.core.target import ProviderLimits, Target
from oneflow_ai.testing import SeededChance, VirtualClock, run_virtual
from tests.ports.calls import call, target
from tests.ports.stores import QUOTAS

Story = Callable[[Quota, VirtualClock], Awaitable[None]]
Play = Callable[[Story], None]

SIXTY = target(ProviderLimits(requests_per_minute=60, requests_firm=True))
STARTS_AT_SIXTY = target(ProviderLimits(requests_per_minute=60))
FREE = target(ProviderLimits())
ONE_AT_A_TIME = target(ProviderLimits(concurrency=1))
THOUSAND_TOKENS = target(ProviderLimits(tokens_per_minute=1_000))


@pytest.fixture(params=QUOTAS)
def play(request: pytest.FixtureRequest) -> Play:
    """Runs a story in virtual time with a new quota of one store."""

    def run(story: Story) -> None:
        async def main(clock: VirtualClock, chance: SeededChance) -> None:
            await story(QUOTAS[request.param](clock, chance), clock)

        run_virtual(main)

    return run


async def fill(quota: Quota, where: Target, calls: int) -> None:
    """Let so many calls through."""
    for _ in range(calls):
        await quota.hold(call(), where, 1)


async def waited_seconds(quota: Quota, clock: VirtualClock, where: Target, tokens: int = 1) -> float:
    """How long one more call waits."""
    start_seconds = clock.monotonic()
    await quota.hold(call(), where, tokens)
    return clock.monotonic() - start_seconds


def soon(seconds: float) -> object:
    """Equal to a wait of so long, and what timers add."""
    return pytest.approx(seconds, abs=0.01)


def test_a_minutes_worth_goes_at_once_and_the_next_call_when_the_first_has_left_the_window(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        await fill(quota, SIXTY, 60)
        assert clock.monotonic() == 0.0
        assert await waited_seconds(quota, clock, SIXTY) == soon(60.5)

    play(story)


def test_without_limits_nobody_waits(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        await fill(quota, FREE, 1_000)
        assert clock.monotonic() == 0.0

    play(story)


def test_each_credential_has_its_own_limits(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        other = target(SIXTY.limits, credential="openai#2")
        await fill(quota, SIXTY, 60)
        await fill(quota, other, 60)
        assert clock.monotonic() == 0.0

    play(story)


def test_models_of_one_credential_share_what_is_set(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        await fill(quota, SIXTY, 60)
        assert await waited_seconds(quota, clock, target(SIXTY.limits, model="gpt-6-astra")) == soon(60.5)

    play(story)


def test_a_call_that_ends_frees_its_place_for_the_next(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        first = call()
        await quota.hold(first, ONE_AT_A_TIME, 1)
        second = asyncio.create_task(waited_seconds(quota, clock, ONE_AT_A_TIME))
        await clock.sleep(7.0)
        quota.settle(first, ONE_AT_A_TIME, 1)
        assert await second == soon(7.0)

    play(story)


def test_calls_in_flight_are_as_many_as_the_provider_last_said_for_all_models_of_a_credential(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        other_model = target(FREE.limits, model="gpt-6-astra")
        quota.learn(FREE, RateHints(limit_concurrency=2))
        await fill(quota, FREE, 1)
        await fill(quota, other_model, 1)
        waiting = asyncio.create_task(waited_seconds(quota, clock, other_model))
        await clock.sleep(5.0)
        quota.learn(FREE, RateHints(limit_concurrency=3))
        assert await waiting == soon(5.0)

    play(story)


def test_settling_is_harmless_if_repeated_or_unheard_of(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        first = call()
        quota.settle(first, ONE_AT_A_TIME, 1)
        await quota.hold(first, ONE_AT_A_TIME, 1)
        for _ in range(3):
            quota.settle(first, ONE_AT_A_TIME, 1)
        await quota.hold(call(), ONE_AT_A_TIME, 1)
        with pytest.raises(Failure):
            await quota.hold(call(deadline_seconds=1.0), ONE_AT_A_TIME, 1)

    play(story)


def test_tokens_that_a_call_did_not_use_are_free_for_the_next(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        first = call()
        await quota.hold(first, THOUSAND_TOKENS, 900)
        second = asyncio.create_task(waited_seconds(quota, clock, THOUSAND_TOKENS, 500))
        await clock.sleep(3.0)
        quota.settle(first, THOUSAND_TOKENS, 100)
        assert await second == soon(3.0)
        assert await waited_seconds(quota, clock, THOUSAND_TOKENS, 500) == soon(57.5)

    play(story)


def test_a_call_above_the_token_limit_goes_alone(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        await quota.hold(call(), THOUSAND_TOKENS, 10)
        assert await waited_seconds(quota, clock, THOUSAND_TOKENS, 50_000) == soon(60.5)
        assert await waited_seconds(quota, clock, THOUSAND_TOKENS, 1) == soon(60.5)

    play(story)


def test_keys_that_wait_take_turns(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        opener = call("first")
        await quota.hold(opener, ONE_AT_A_TIME, 1)
        order: list[str] = []

        async def one(key: str) -> None:
            mine = call(key)
            await quota.hold(mine, ONE_AT_A_TIME, 1)
            order.append(key)
            quota.settle(mine, ONE_AT_A_TIME, 1)

        waiting = [asyncio.create_task(one(key)) for key in "aaaaab"]
        await asyncio.sleep(0)
        quota.settle(opener, ONE_AT_A_TIME, 1)
        await asyncio.gather(*waiting)
        assert "".join(order) == "abaaaa"

    play(story)


def test_a_small_call_does_not_overtake_a_large_one_that_waits(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        await quota.hold(call(), THOUSAND_TOKENS, 500)
        large = asyncio.create_task(waited_seconds(quota, clock, THOUSAND_TOKENS, 900))
        await clock.sleep(1.0)
        small = asyncio.create_task(waited_seconds(quota, clock, THOUSAND_TOKENS, 10))
        assert await large == soon(60.5)
        assert await small == soon(59.5)

    play(story)


def test_a_call_that_cannot_be_served_in_time_is_refused_at_once(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        await fill(quota, SIXTY, 60)
        with pytest.raises(Failure) as refused:
            await quota.hold(call(deadline_seconds=60.0), SIXTY, 1)
        assert refused.value.kind is QUEUE_TIMEOUT
        assert refused.value.retry_after_seconds == soon(60.5)
        assert clock.monotonic() == 0.0

    play(story)


def test_a_call_that_waits_is_refused_at_its_deadline(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        await quota.hold(call(), ONE_AT_A_TIME, 1)
        with pytest.raises(Failure) as refused:
            await quota.hold(call(deadline_seconds=5.0), ONE_AT_A_TIME, 1)
        assert refused.value.kind is QUEUE_TIMEOUT
        assert clock.monotonic() == soon(5.0)

    play(story)


def test_a_call_that_waited_in_vain_is_told_when_a_turn_comes(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        earlier = call()
        await quota.hold(earlier, ONE_AT_A_TIME, 1)
        await clock.sleep(8.0)
        quota.settle(earlier, ONE_AT_A_TIME, 1)
        await quota.hold(call(), ONE_AT_A_TIME, 1)
        waiting = [
            asyncio.create_task(quota.hold(call(deadline_seconds=clock.monotonic() + after), ONE_AT_A_TIME, 1))
            for after in (8.5, 17.0)
        ]
        done = await asyncio.gather(*waiting, return_exceptions=True)
        waits = [failure.retry_after_seconds for failure in done if isinstance(failure, Failure)]
        # Calls last 8 s: the first comes back behind the other, the other behind none.
        assert waits == [soon(16.0), soon(8.0)]

    play(story)


def test_a_call_whose_deadline_is_past_does_not_wait(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        await quota.hold(call(), ONE_AT_A_TIME, 1)
        await clock.sleep(10.0)
        with pytest.raises(Failure):
            await quota.hold(call(deadline_seconds=9.0), ONE_AT_A_TIME, 1)
        assert clock.monotonic() == 10.0

    play(story)


def test_a_cancelled_call_takes_no_place_and_lets_the_next_go(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        await fill(quota, SIXTY, 59)
        await clock.sleep(1.0)
        await fill(quota, SIXTY, 1)
        given_up = asyncio.create_task(waited_seconds(quota, clock, SIXTY))
        await asyncio.sleep(0)
        patient = asyncio.create_task(waited_seconds(quota, clock, SIXTY))
        await clock.sleep(2.0)
        given_up.cancel()
        assert await patient == soon(59.5)
        await fill(quota, SIXTY, 58)
        assert clock.monotonic() == soon(60.5)

    play(story)


def test_a_call_cancelled_just_as_its_turn_comes_gives_it_to_the_next(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        first = call()
        await quota.hold(first, ONE_AT_A_TIME, 1)
        given_up = asyncio.create_task(waited_seconds(quota, clock, ONE_AT_A_TIME))
        patient = asyncio.create_task(waited_seconds(quota, clock, ONE_AT_A_TIME))
        await clock.sleep(1.0)
        quota.settle(first, ONE_AT_A_TIME, 1)
        given_up.cancel()
        assert await patient == soon(1.0)
        with pytest.raises(asyncio.CancelledError):
            await given_up

    play(story)


@pytest.mark.parametrize(
    ("where", "limit"),
    [(STARTS_AT_SIXTY, 90), (STARTS_AT_SIXTY, 20), (SIXTY, 20)],
    ids=["raised", "lowered", "a set one lowered"],
)
def test_headers_move_the_limit(play: Play, where: Target, limit: int) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        quota.learn(where, RateHints(limit_requests=limit))
        await fill(quota, where, limit)
        assert await waited_seconds(quota, clock, where) == soon(60.5)

    play(story)


def test_headers_do_not_raise_what_was_set(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        quota.learn(SIXTY, RateHints(limit_requests=500, remaining_requests=499, reset_requests_seconds=0.1))
        await fill(quota, SIXTY, 60)
        assert await waited_seconds(quota, clock, SIXTY) == soon(60.5)

    play(story)


def test_what_one_models_headers_say_does_not_slow_another(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        narrow = target(STARTS_AT_SIXTY.limits, model="narrow")
        wide = target(STARTS_AT_SIXTY.limits, model="wide")
        quota.learn(narrow, RateHints(limit_requests=2))
        quota.learn(wide, RateHints(limit_requests=200))
        await fill(quota, narrow, 2)
        late = asyncio.create_task(waited_seconds(quota, clock, narrow))
        await asyncio.sleep(0)
        await fill(quota, wide, 198)
        assert clock.monotonic() == 0.0
        assert await late == soon(60.5)

    play(story)


def test_tokens_of_a_models_own_limit_are_corrected_too(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        where, first = target(ProviderLimits(tokens_per_minute=100_000)), call()
        quota.learn(where, RateHints(limit_tokens=1_000))
        await quota.hold(first, where, 900)
        quota.settle(first, where, 100)
        await quota.hold(call(), where, 900)
        assert clock.monotonic() == 0.0

    play(story)


def test_a_call_that_waits_for_its_credential_counts_at_its_model_from_when_it_goes(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        where, first, second, third = target(ProviderLimits(100, concurrency=1)), call(), call(), call()
        quota.learn(where, RateHints(limit_requests=2))
        quota.learn(target(where.limits, model="another"), RateHints(limit_requests=50))
        await quota.hold(first, where, 1)
        held = asyncio.create_task(quota.hold(second, where, 1))
        await clock.sleep(30.0)
        quota.settle(first, where, 1)
        await held
        quota.settle(second, where, 1)
        await quota.hold(third, where, 1)
        assert clock.monotonic() == soon(60.5)
        quota.settle(third, where, 1)
        assert await waited_seconds(quota, clock, where) == soon(30.0)

    play(story)


def test_a_call_that_its_credential_has_no_place_for_leaves_its_models_place_free(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        where, first = target(ProviderLimits(100, concurrency=1)), call()
        quota.learn(where, RateHints(limit_requests=2))
        await quota.hold(first, where, 1)
        for _ in range(10):
            with pytest.raises(Failure):
                await quota.hold(call(deadline_seconds=clock.monotonic() + 1.0), where, 1)
        quota.settle(first, where, 1)
        assert await waited_seconds(quota, clock, where) == 0.0

    play(story)


def test_an_empty_bucket_is_waited_for_even_where_nothing_is_set(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        quota.learn(FREE, RateHints(limit_requests=10, remaining_requests=0, reset_requests_seconds=12.0))
        assert await waited_seconds(quota, clock, FREE) == soon(12.0)

    play(story)


def test_a_refusal_stops_the_whole_credential_and_tells_those_who_cannot_wait(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        await quota.hold(call(), ONE_AT_A_TIME, 1)
        impatient = asyncio.create_task(quota.hold(call(deadline_seconds=15.0), ONE_AT_A_TIME, 1))
        await clock.sleep(1.0)
        quota.refused(target(ONE_AT_A_TIME.limits, model="other"), 20.0)
        with pytest.raises(Failure) as refused:
            await impatient
        assert refused.value.kind is QUEUE_TIMEOUT
        # The stop is known, and has up to a tenth of jitter.
        assert refused.value.retry_after_seconds is not None and 20.0 <= refused.value.retry_after_seconds <= 22.1
        assert clock.monotonic() == 1.0

    play(story)


def test_after_a_refusal_the_provider_is_left_alone_for_as_long_as_it_said(play: Play) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        quota.refused(FREE, 20.0)
        assert 20.0 <= await waited_seconds(quota, clock, FREE) <= 22.01
        assert await waited_seconds(quota, clock, FREE) == 0.0

    play(story)


@pytest.mark.parametrize("hours", [-24, 24])
def test_the_wall_clock_changes_nothing(play: Play, hours: int) -> None:
    async def story(quota: Quota, clock: VirtualClock) -> None:
        await fill(quota, SIXTY, 60)
        late = asyncio.create_task(waited_seconds(quota, clock, SIXTY))
        await clock.sleep(1.0)
        clock.jump_wall(hours * 3600.0)
        assert await late == soon(60.5)

    play(story)
