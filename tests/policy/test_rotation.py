"""A new key comes first, the old one ends a day later; a key is due from day 80 and overdue from day 90."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.kept_key import KeptKey
from oneflow_ai.core.target import Secret
from oneflow_ai.policy.rotation import Age, age_days, age_of, in_use, next_end, rotated, with_another

NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def key(name: str, ends: timedelta | None = None, age: timedelta = DAY) -> KeptKey:
    return KeptKey(Secret(name), NOW - age, None if ends is None else NOW + ends)


def shown(keys: tuple[KeptKey, ...]) -> list[tuple[str, timedelta | None]]:
    return [(each.secret.reveal(), None if each.ends_at is None else each.ends_at - NOW) for each in keys]


NEW = KeptKey(Secret("new"), NOW)


def test_the_new_key_is_first_and_the_old_one_is_used_for_a_day() -> None:
    assert shown(rotated([key("old")], NEW, NOW)) == [("new", None), ("old", DAY)]


def test_a_key_that_ends_sooner_still_does() -> None:
    after = rotated([key("old"), key("older", timedelta(hours=2)), key("oldest", -DAY)], NEW, NOW)
    assert shown(after) == [("new", None), ("old", DAY), ("older", timedelta(hours=2))]


def test_one_key_of_several_is_replaced_alone() -> None:
    assert shown(rotated([key("a"), key("b")], NEW, NOW, 1)) == [("b", None), ("new", None), ("a", DAY)]


def test_another_key_comes_after_those_that_stay() -> None:
    after = with_another([key("a"), key("ending", DAY), key("ended", -DAY)], NEW, NOW)
    assert shown(after) == [("a", None), ("new", None), ("ending", DAY)]


def test_a_key_is_never_kept_twice() -> None:
    again = KeptKey(Secret("a"), NOW)
    assert rotated([key("a")], again, NOW) == (again,)
    assert with_another([key("a"), key("b")], again, NOW) == (key("b"), again)


@pytest.mark.parametrize(("ends", "used"), [(None, True), (timedelta(seconds=1), True), (timedelta(0), False)])
def test_a_key_is_used_until_its_moment(ends: timedelta | None, used: bool) -> None:
    assert bool(in_use([key("a", ends)], NOW)) is used


def test_the_next_end_is_the_soonest_that_is_to_come() -> None:
    keys = [key("a"), key("b", 2 * DAY), key("c", DAY), key("d", -DAY)]
    assert next_end(keys, NOW) == NOW + DAY
    assert next_end(keys[:1], NOW) is None


AGES = [
    (timedelta(days=79, hours=23), Age.FRESH),
    (timedelta(days=80), Age.DUE),
    (timedelta(days=89, hours=23), Age.DUE),
    (timedelta(days=90), Age.OVERDUE),
    (-DAY, Age.FRESH),
]


@pytest.mark.parametrize(("age", "expected"), AGES)
def test_a_key_is_due_from_day_80_and_overdue_from_day_90(age: timedelta, expected: Age) -> None:
    assert age_of(key("a", age=age), NOW) is expected


def test_a_key_that_ends_is_not_due_and_one_of_unknown_age_is_not_either() -> None:
    assert age_of(key("a", DAY, age=100 * DAY), NOW) is Age.ENDING
    unknown = KeptKey(Secret("a"))
    assert (age_of(unknown, NOW), age_days(unknown, NOW)) == (Age.UNKNOWN, None)


HOURS = st.none() | st.integers(-48, 48).map(lambda hours: timedelta(hours=hours))


@given(st.lists(HOURS, max_size=5))
def test_after_a_rotation_nothing_outlasts_a_day_but_the_new_key(ends: list[timedelta | None]) -> None:
    before = [key(f"k{number}", each) for number, each in enumerate(ends)]
    after = rotated(before, NEW, NOW)
    assert [each.secret for each in in_use(after, NOW + DAY)] == [NEW.secret]
    assert {each.secret for each in in_use(after, NOW)} == {NEW.secret} | {each.secret for each in in_use(before, NOW)}
