"""A plan tries, waits and turns elsewhere as the failures, the credentials, the breakers and the deadline say."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure, Kind
from oneflow_ai.core.target import RetryPolicy, Target
from oneflow_ai.policy.health import CONNECT_FAILURES_MOST, HealthBook, Outcome
from oneflow_ai.policy.plan import BUCKET_MOST, Planner, Result, RetryBudgets, Try
from tests.policy.places import PLAIN, Answer, Chosen, Play, planner, target, targets

ERROR = kinds.UPSTREAM_ERROR
LIMITED = kinds.UPSTREAM_RATE_LIMITED
REFUSED = kinds.PROVIDER_AUTH_FAILED


def failing(kind: Kind, seconds: float | None = None, *, should_retry: bool | None = None) -> Failure:
    return Failure(kind, "it failed", retry_after_seconds=seconds, should_retry=should_retry)


def only(healthy: str, kind: Kind = ERROR) -> Callable[[Target], Answer]:
    """Everything fails but this one."""
    return lambda tried: None if tried.way == healthy else kind


def tripped(place: str, book: HealthBook, now_seconds: float = 0.0) -> None:
    """Opens the breaker of a place, for a second from now at least."""
    for _ in range(CONNECT_FAILURES_MOST):
        book.report(place, Outcome.CONNECT_FAILURE, 1, now_seconds, 0.0)


def test_it_tries_at_once_then_after_1_2_and_4_seconds() -> None:
    assert Play().steps("a", [ERROR]) == ["a", 1.0, "a", 2.0, "a", 4.0, "a"]


def test_it_ends_with_the_first_success() -> None:
    assert Play().steps("a b", [ERROR, ERROR, None]) == ["a", 1.0, "a", 2.0, "a"]


def test_jitter_takes_a_random_part_of_each_wait() -> None:
    made = Planner(HealthBook(), RetryBudgets(), Chosen([0.25]))
    assert Play(made, RetryPolicy()).steps("a", [ERROR]) == ["a", 0.25, "a", 0.5, "a", 1.0, "a"]


def test_full_jitter_spreads_over_the_whole_wait() -> None:
    waits: list[list[float]] = [[], [], []]
    for seed in range(300):
        found = [step for step in Play(planner(seed), RetryPolicy()).steps("a", [ERROR]) if isinstance(step, float)]
        for number, wait in enumerate(found):
            waits[number].append(wait)
    for most, found in zip((1.0, 2.0, 4.0), waits, strict=True):
        assert 0 < min(found) < 0.05 * most and 0.95 * most < max(found) < most
        assert sum(found) / len(found) == pytest.approx(most / 2, rel=0.1)


@pytest.mark.parametrize("attempts", [1, 2, 3, 10])
def test_each_place_has_its_attempts_and_then_the_next(attempts: int) -> None:
    steps = Play(policy=replace(PLAIN, attempts=attempts), deadline_seconds=9_999.0).steps("a b", [ERROR])
    tried = [step for step in steps if isinstance(step, str)]
    assert tried == ["a"] * attempts + ["b"] * attempts


@pytest.mark.parametrize(
    ("asked", "deadline", "places", "steps"),
    [
        (2.5, 600, "a", ["a", 2.5, "a"]),  # instead of 1 s
        (0.15, 600, "a", ["a", 0.15, "a"]),
        (0.0, 600, "a", ["a", 1.0, "a"]),  # says nothing
        (120.0, 600, "a", ["a", 120.0, "a"]),
        (120.1, 600, "a", ["a"]),  # too long: stop,
        (120.1, 600, "a b", ["a", "b"]),  # or another place
        (10.0, 10, "a", ["a"]),  # longer than the call has
        (10.0, 10, "a b", ["a", "b"]),
        (86_400.0, 600, "a b", ["a", "b"]),
    ],
)
def test_retry_after_is_obeyed_where_it_fits(asked: float, deadline: float, places: str, steps: list[object]) -> None:
    answers = [failing(kinds.UPSTREAM_OVERLOADED, asked), None]
    assert Play(deadline_seconds=deadline).steps(places, answers) == steps


def test_retry_after_is_spread_by_a_tenth_and_never_shortened() -> None:
    for seed in range(100):
        [_, wait, _] = Play(planner(seed), RetryPolicy()).steps("a", [failing(kinds.UPSTREAM_OVERLOADED, 10.0), None])
        assert isinstance(wait, float) and 10.0 <= wait < 11.0


@pytest.mark.parametrize(
    ("kind", "word", "steps"),
    [
        (ERROR, False, ["a", "b"]),
        (ERROR, True, ["a", 1.0, "a"]),
        (kinds.UPSTREAM_REJECTED, None, ["a"]),
        (kinds.UPSTREAM_REJECTED, False, ["a"]),
        (kinds.UPSTREAM_REJECTED, True, ["a", 1.0, "a"]),
        (kinds.UPSTREAM_MODEL_NOT_FOUND, True, ["a", 1.0, "a"]),
        (LIMITED, False, ["a", "b"]),
    ],
)
def test_the_providers_own_word_comes_first(kind: Kind, word: bool | None, steps: list[object]) -> None:
    assert Play().steps("a b", [failing(kind, should_retry=word), None]) == steps


OF_ONE_CREDENTIAL = (
    *(REFUSED, LIMITED, kinds.PROVIDER_QUOTA_EXHAUSTED, kinds.QUEUE_TIMEOUT),
    # Another account may have the model.
    kinds.UPSTREAM_MODEL_NOT_FOUND,
)


@pytest.mark.parametrize("kind", OF_ONE_CREDENTIAL)
def test_another_credential_is_tried_at_once_then_another_place(kind: Kind) -> None:
    assert Play().steps("a a#2 a#3 b", only("b", kind)) == ["a", "a#2", "a#3", "b"]


@pytest.mark.parametrize("kind", [ERROR, kinds.UPSTREAM_TIMEOUT, kinds.UPSTREAM_CLOSED])
def test_a_place_that_fails_is_not_asked_with_another_credential(kind: Kind) -> None:
    assert "a#2" not in Play().steps("a a#2", [kind])


def test_another_credential_is_not_one_of_the_attempts() -> None:
    steps = Play().steps("a a#2", [REFUSED, ERROR])
    assert steps == ["a", "a#2", 1.0, "a#2", 2.0, "a#2", 4.0, "a#2"]


def test_of_limited_credentials_the_first_that_may_be_used_again_is_waited_for() -> None:
    answers = [failing(LIMITED, 9.0), failing(LIMITED, 3.0), failing(LIMITED, 60.0), None]
    assert Play().steps("a a#2 a#3", answers) == ["a", "a#2", "a#3", 3.0, "a#2"]


def test_limited_credentials_take_turns_until_the_attempts_are_used_up() -> None:
    assert Play().steps("a a#2", [LIMITED]) == ["a", "a#2", 1.0, "a", "a#2", 2.0, "a"]
    careful = replace(PLAIN, attempts=1)
    assert Play(policy=careful).steps("a a#2", [LIMITED]) == ["a", "a#2"]


def test_calls_are_spread_over_the_credentials_of_a_place() -> None:
    made = planner(7)
    begun = [Play(made).steps("a a#2 a#3", [None])[0] for _ in range(3_000)]
    assert all(900 < begun.count(name) < 1_100 for name in ("a", "a#2", "a#3"))


@pytest.mark.parametrize("kind", [LIMITED, kinds.UPSTREAM_UNREACHABLE])
def test_in_a_hurry_every_other_place_comes_first_then_the_rest_of_the_wait(kind: Kind) -> None:
    assert Play(try_seconds=0.25).steps("a b c", [kind, kind, kind, None]) == ["a", "b", "c", 0.5, "a"]


def test_a_refused_credential_is_not_tried_again() -> None:
    assert Play().steps("a", [REFUSED]) == ["a"]


@pytest.mark.parametrize("kind", [kind for kind in kinds.KINDS.values() if kind.ran])
def test_what_may_have_run_is_not_run_again_unless_that_is_allowed(kind: Kind) -> None:
    careful = replace(PLAIN, unsafe=False)
    assert Play(policy=careful).steps("a b", [kind]) == ["a"]


@pytest.mark.parametrize("kind", [kind for kind in kinds.KINDS.values() if kind.same and not kind.ran])
def test_what_did_not_run_is_tried_again_even_when_careful(kind: Kind) -> None:
    careful = replace(PLAIN, unsafe=False)
    assert Play(policy=careful).steps("a", [kind, None]) == ["a", 1.0, "a"]


@pytest.mark.parametrize("kind", kinds.KINDS.values(), ids=kinds.KINDS)
def test_each_kind_of_failure_leads_where_its_row_says(kind: Kind) -> None:
    steps = {
        (False, False, False): ["a"],
        (False, True, False): ["a", "b"],
        (True, True, False): ["a", 1.0, "a", 2.0, "a", 4.0, "a", "b"],
        (True, True, True): ["a", "b"],
    }[kind.same, kind.other, kind.hurry]
    assert Play().steps("a b", only("b", kind)) == steps


@pytest.mark.parametrize("kind", kinds.KINDS.values(), ids=kinds.KINDS)
def test_nothing_is_tried_once_the_answer_began(kind: Kind) -> None:
    assert Play(committed=True).steps("a a#2 b", [kind]) == ["a"]


def test_no_step_comes_after_the_deadline() -> None:
    assert Play(try_seconds=3.0, deadline_seconds=9.0).steps("a b", [ERROR]) == ["a", 1.0, "a", "b"]
    assert Play(try_seconds=9.0, deadline_seconds=9.0).steps("a b", [LIMITED]) == ["a"]


def test_a_wait_that_does_not_fit_gives_way_to_another_place() -> None:
    assert Play(deadline_seconds=2.5).steps("a b", only("b")) == ["a", 1.0, "a", "b"]


def test_a_call_whose_time_is_over_fails_before_any_try() -> None:
    with pytest.raises(Failure, match="time was over") as caught:
        Play(now_seconds=600.0).steps("a", [None])
    assert caught.value.kind is kinds.DEADLINE_EXCEEDED


def test_an_open_breaker_is_passed_over() -> None:
    made = planner()
    tripped("a/m", made.book)
    assert Play(made).steps("a b", [None]) == ["b"]


def test_the_last_option_is_never_removed() -> None:
    made = planner()
    for place in ("a/m", "b/m"):
        tripped(place, made.book)
    assert Play(made).steps("a", [None]) == ["a"]
    assert Play(made).steps("a b", [kinds.UPSTREAM_TLS_ERROR, None]) == ["a", "b"]
    assert Play(made).steps("a b c", only("b", kinds.UPSTREAM_TLS_ERROR)) == ["c", "a", "b"]


def test_an_open_breaker_is_tried_as_the_last_option_even_without_a_retry_to_spend() -> None:
    made = planner()
    tripped("b/m", made.book)
    made.budgets.of("a").level = made.budgets.of("b").level = 0
    assert Play(made).steps("a b", [ERROR, None]) == ["a", "b"]


@pytest.mark.parametrize(
    ("answers", "shown"),
    [
        ([ERROR], [(4, 4)]),  # every try counts, the retries too
        ([ERROR, None], [(1, 2)]),
        ([ERROR, LIMITED, None], [(1, 2)]),
        ([kinds.UPSTREAM_TIMEOUT, None], [(1, 2)]),
        ([LIMITED], []),
        ([REFUSED], []),
        ([kinds.UPSTREAM_REJECTED], []),
        ([None], []),
    ],
)
def test_failures_of_the_place_and_successes_are_counted_and_nothing_else(
    answers: list[Answer], shown: list[tuple[int, int]]
) -> None:
    made = planner()
    Play(made).steps("a", answers)
    assert [(breaker.failures, breaker.outcomes) for breaker in made.book.shown(0.0)] == shown


def test_five_refused_connections_open_the_breaker() -> None:
    made = planner()
    for _ in range(CONNECT_FAILURES_MOST):
        assert Play(made).steps("a b", only("b", kinds.UPSTREAM_UNREACHABLE)) == ["a", "b"]
    assert Play(made).steps("a b", only("b", kinds.UPSTREAM_UNREACHABLE)) == ["b"]


def test_a_place_that_opened_is_not_waited_for_while_another_is_there() -> None:
    made = planner()

    def answer(tried: Target) -> Answer:
        tripped("a/m", made.book)
        return ERROR if tried.way == "a" else None

    assert Play(made).steps("a b", answer) == ["a", "b"]
    assert Play(made).steps("a", [ERROR, None]) == ["a", 1.0, "a"]


def test_a_place_found_dead_during_the_wait_is_left_for_another() -> None:
    made = planner()
    plan = made.plan(targets("a b"), PLAIN, 0.0, 600.0)
    next(plan)
    plan.send(Result(failing(ERROR), False, 0.0))
    tripped("a/m", made.book, 0.5)
    assert next(plan) == Try(target("b"), 2)


def test_a_refused_credential_is_left_aside_by_later_calls() -> None:
    made = planner()
    assert Play(made).steps("a a#2", [REFUSED, None]) == ["a", "a#2"]
    assert Play(made).steps("a a#2", [None]) == ["a#2"]
    assert Play(made).steps("a b", [None]) == ["b"]
    assert Play(made).steps("a", [None]) == ["a"]


def test_a_credential_that_is_accepted_again_is_left_aside_no_longer() -> None:
    made = planner()
    Play(made).steps("a", [REFUSED])
    assert Play(made).steps("a", [None]) == ["a"]
    assert Play(made).steps("a b", [None]) == ["a"]


def test_a_refused_credential_is_less_of_an_option_than_an_open_breaker() -> None:
    made = planner()
    Play(made).steps("a", [REFUSED])
    tripped("b/m", made.book)
    assert Play(made).steps("a b", [None]) == ["b"]


def test_a_replaced_key_is_another_credential() -> None:
    made = planner()
    Play(made).steps("a", [REFUSED])
    renewed = replace(target("a"), credential=replace(target("a").credential, secret=None))
    assert Play(made).steps([renewed, target("b")], [None]) == ["a"]


def test_a_failed_plan_just_ends() -> None:
    plan = planner().plan(targets("a"), PLAIN, 0.0, 600.0)
    assert next(plan) == Try(target("a"), 1)
    with pytest.raises(StopIteration) as ended:
        plan.send(Result(failing(REFUSED), False, 0.0))
    assert ended.value.value is None


def test_a_probe_that_was_given_up_makes_room_for_the_next() -> None:
    made = planner()
    tripped("a/m", made.book)
    probe = made.plan(targets("a b"), PLAIN, 10.0, 600.0)
    assert next(probe) == Try(target("a"), 1)
    assert Play(made, now_seconds=10.0).steps("a b", [None]) == ["b"]
    probe.close()
    assert Play(made, now_seconds=10.0).steps("a b", [None]) == ["a"]


@pytest.mark.parametrize(("kind", "retries"), [(ERROR, 25), (kinds.UPSTREAM_TIMEOUT, 12), (LIMITED, 25)])
def test_the_bucket_of_a_provider_bounds_its_retries(kind: Kind, retries: int) -> None:
    made = planner()
    tried = [step for _ in range(40) for step in Play(made).steps("a", [kind]) if isinstance(step, str)]
    assert len(tried) == 40 + retries


def test_four_successes_pay_for_one_retry() -> None:
    made = planner()
    made.budgets.of("a").level = 0
    for _ in range(4):
        assert Play(made).steps("a", [ERROR]) == ["a"]
        assert Play(made).steps("a", [None]) == ["a"]
    assert Play(made).steps("a", [ERROR, kinds.UPSTREAM_REJECTED]) == ["a", 1.0, "a"]


def test_a_full_bucket_takes_nothing_more() -> None:
    made = planner()
    Play(made).steps("a", [None])
    assert made.budgets.of("a").level == BUCKET_MOST == 100


@pytest.mark.parametrize(
    ("kind", "level", "steps", "left"),
    [
        (kinds.UPSTREAM_TLS_ERROR, 100, ["a", "a/n"], 97),  # 4 for the second try, 1 for its success
        (kinds.UPSTREAM_TLS_ERROR, 4, ["a", "a/n"], 1),
        (kinds.UPSTREAM_TLS_ERROR, 3, ["a", "b"], 3),
        (ERROR, 0, ["a", "b"], 0),
        (kinds.UPSTREAM_TIMEOUT, 7, ["a", "b"], 7),
        (kinds.CONTEXT_LENGTH_EXCEEDED, 0, ["a", "a/n"], 1),  # nothing is wrong with the provider
    ],
)
def test_a_second_model_at_a_provider_that_fails_is_a_retry_there(
    kind: Kind, level: int, steps: list[object], left: int
) -> None:
    made = planner()
    made.budgets.of("a").level = level
    assert Play(made).steps("a a/n b", [kind, None]) == steps
    assert made.budgets.of("a").level == left


def windows(*sizes: int | None) -> list[Target]:
    """A chain of providers `a`, `b`, … whose models take so many tokens."""
    names = "abcdef"[: len(sizes)]
    return [replace(target(name), context_window_tokens=size) for name, size in zip(names, sizes, strict=True)]


@pytest.mark.parametrize(
    ("sizes", "steps"),
    [
        ((1_000, 2_000), ["a", "b"]),
        ((1_000, 1_000), ["a"]),
        ((2_000, 1_000), ["a"]),
        ((2_000, 1_000, 3_000), ["a", "c"]),
        ((1_000, 2_000, 1_500, 3_000), ["a", "b", "d"]),
        ((None, 1_000, 2_000), ["a", "b", "c"]),  # nobody knows what the first takes
        ((1_000, None, 2_000), ["a", "b", "c"]),
    ],
)
def test_after_a_prompt_that_was_too_long_only_what_takes_more_is_tried(
    sizes: tuple[int | None, ...], steps: list[object]
) -> None:
    assert Play().steps(windows(*sizes), [kinds.CONTEXT_LENGTH_EXCEEDED]) == steps


def test_a_place_to_be_tried_again_is_not_when_another_of_its_length_was_too_short() -> None:
    """A rate limit gives way to the next place first; what that one says of the prompt holds for both."""
    steps = Play().steps(windows(1_000, 1_000), [LIMITED, kinds.CONTEXT_LENGTH_EXCEEDED])
    assert steps == ["a", "b"]


def test_a_provider_that_is_down_is_not_asked_for_another_model_without_a_retry_to_spend() -> None:
    made = planner()
    made.budgets.of("a").level = 0
    tripped("a/n", made.book)
    assert Play(made).steps("a a/n", [ERROR]) == ["a"]
