"""What is particular to our clients' limits kept in this process: what headers tell, how many keys are remembered."""

import pytest

from oneflow_ai.core.call import Account
from oneflow_ai.core.events import Usage
from oneflow_ai.core.failure import OVERLOADED, Failure
from oneflow_ai.core.ports import RateHints
from oneflow_ai.stores.memory_limits import KEYS_MOST, MemoryLimits
from oneflow_ai.testing import SeededChance, StepClock, VirtualClock, run_virtual
from tests.ports.calls import call


def test_it_tells_what_is_left_and_until_when() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        limits = MemoryLimits(clock)
        account = Account("key", requests_per_minute=60, tokens_per_minute=6_000)
        assert limits.standing(account) == RateHints(60, 60, 0.0, 6_000, 6_000, 0.0)
        mine = call(account)
        await limits.hold(mine, 1_000, 0)
        assert limits.standing(account) == RateHints(60, 59, 1.0, 6_000, 5_000, 10.0)
        await limits.settle(mine, Usage(input_tokens=100, output_tokens=300), 0)
        await clock.sleep(1.0)
        assert limits.standing(account) == RateHints(60, 60, 0.0, 6_000, 5_700, 3.0)

    run_virtual(story)


@pytest.mark.parametrize("account", [Account("free"), Account("calls", concurrency=3)])
def test_where_there_is_no_limit_a_minute_nothing_is_told(account: Account) -> None:
    assert MemoryLimits(StepClock()).standing(account) is None


@pytest.mark.parametrize(
    ("account", "told"),
    [
        (
            Account("key", requests_per_minute=60),
            RateHints(60, 59, 1.0, None, None, None),
        ),
        (
            Account("key", tokens_per_minute=600),
            RateHints(None, None, None, 600, 500, 10.0),
        ),
    ],
)
def test_only_the_limits_that_there_are_are_told(account: Account, told: RateHints) -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        limits = MemoryLimits(clock)
        await limits.hold(call(account), 100, 0)
        assert limits.standing(account) == told

    run_virtual(story)


def test_all_that_is_told_to_be_left_is_there_and_no_more() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        limits = MemoryLimits(clock)
        account = Account("key", requests_per_minute=7)
        for _ in range(200):
            await clock.sleep(chance.random() * 20)
            told = limits.standing(account)
            assert told is not None and told.remaining_requests is not None and told.reset_requests_seconds is not None
            for _ in range(told.remaining_requests):
                await limits.hold(call(account), 0, 0)
            with pytest.raises(Failure):
                await limits.hold(call(account), 0, 0)
            now = limits.standing(account)
            assert now is not None and now.remaining_requests == 0
            assert 0 <= told.reset_requests_seconds <= 60

    run_virtual(story)


def test_looking_changes_nothing_whatever_the_account_says() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        limits = MemoryLimits(clock)
        account = Account("key", requests_per_minute=2)
        for _ in range(2):
            await limits.hold(call(account), 0, 0)
        before = limits.standing(account)
        for other in (Account("key"), Account("key", tokens_per_minute=5), Account("key", requests_per_minute=9_000)):
            limits.standing(other)
        assert limits.standing(account) == before == RateHints(2, 0, 60.0)
        with pytest.raises(Failure):
            await limits.hold(call(account), 0, 0)

    run_virtual(story)


def test_no_key_gains_by_the_coming_of_others() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        limits = MemoryLimits(clock)

        async def once(account: Account) -> None:
            mine = call(account)
            await limits.hold(mine, 0, 0)
            await limits.settle(mine, Usage(), 0)

        early = Account("early", requests_per_minute=1)
        await once(early)
        one = call(Account("one", concurrency=1))
        await limits.hold(one, 0, 0)
        for number in range(KEYS_MOST - 2):
            await once(Account(f"key-{number}", requests_per_minute=1))
        with pytest.raises(Failure) as overloaded:
            await once(Account("one too many", requests_per_minute=1))
        assert (overloaded.value.kind, overloaded.value.retry_after_seconds) == (OVERLOADED, 60.0)
        with pytest.raises(Failure):
            await limits.hold(call(early), 0, 0)
        await clock.sleep(60.01)
        for number in range(1_000):
            await once(Account(f"later-{number}", requests_per_minute=1))
        await once(early)
        with pytest.raises(Failure):
            await limits.hold(call(one.account), 0, 0)

    run_virtual(story)
