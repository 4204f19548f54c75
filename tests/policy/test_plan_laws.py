"""Laws that every plan keeps, whatever its chain, its policy and what the providers answer."""

from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.target import RetryPolicy
from oneflow_ai.policy.health import CONNECT_FAILURES_MOST, Outcome
from oneflow_ai.policy.plan import Planner, Result, Step, Try, Wait
from tests.policy.places import planner, targets

NAMES = ["a", "a#2", "a#3", "a/n", "b", "b#2", "c"]

failures = st.builds(
    lambda kind, asked, word: Failure(kind, "it failed", retry_after_seconds=asked, should_retry=word),
    st.sampled_from(list(kinds.KINDS.values())),
    st.none() | st.just(0.0) | st.floats(0.001, 300),
    st.sampled_from([None, None, None, True, False]),
)
policies = st.builds(RetryPolicy, attempts=st.integers(1, 5), unsafe=st.booleans(), jitter=st.booleans())


@dataclass(frozen=True, slots=True)
class Case:
    """One call's surroundings: the answers come in turn, each after some seconds, and then it fails for good."""

    names: list[str]
    policy: RetryPolicy
    answers: list[tuple[Failure, float]]
    deadline_seconds: float
    seed: int
    open_places: set[str]
    empty: bool

    def planner(self) -> Planner:
        made = planner(self.seed)
        for place in self.open_places:
            for _ in range(CONNECT_FAILURES_MOST):
                made.book.report(place, Outcome.CONNECT_FAILURE, 1, 0.0, 0.5)
        if self.empty:
            made.budgets.of("a").level = 0
        return made


cases = st.builds(
    Case,
    names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=len(NAMES), unique=True),
    policy=policies,
    answers=st.lists(st.tuples(failures, st.floats(0, 30)), max_size=40),
    deadline_seconds=st.floats(0.1, 600),
    seed=st.integers(0, 99),
    open_places=st.sets(st.sampled_from(["a/m", "a/n", "b/m", "c/m"])),
    empty=st.booleans(),
)


@dataclass(slots=True)
class Played:
    """The steps of a plan, each with the second at which it was yielded."""

    steps: list[tuple[Step, float]] = field(default_factory=list)

    def play(self, case: Case) -> None:
        now = 0.0
        plan = case.planner().plan(targets(" ".join(case.names)), case.policy, now, case.deadline_seconds)
        answers = [*case.answers, *[(Failure(kinds.UPSTREAM_REJECTED, "it failed"), 0.0)] * 60]
        sent: Result | None = None
        while True:
            try:
                step = plan.send(sent)
            except StopIteration:
                return
            self.steps.append((step, now))
            if isinstance(step, Wait):
                now, sent = now + step.seconds, None
            else:
                failure, seconds = answers.pop(0)
                now += seconds
                sent = Result(failure, False, now)

    @property
    def tries(self) -> list[Try]:
        return [step for step, _ in self.steps if isinstance(step, Try)]


def played(case: Case) -> Played:
    made = Played()
    made.play(case)
    return made


@given(cases)
@settings(max_examples=300)
def test_tries_are_bounded_by_attempts_places_and_credentials(case: Case) -> None:
    tries = played(case).tries
    chain = targets(" ".join(case.names))
    places = len({target.place for target in chain})
    assert 1 <= len(tries) <= case.policy.attempts * places + len(chain) - places
    assert [step.number for step in tries] == list(range(1, len(tries) + 1))
    assert {step.target.way for step in tries} <= set(case.names)


@given(cases)
@settings(max_examples=300)
def test_every_step_and_every_wait_ends_before_the_deadline(case: Case) -> None:
    for step, now in played(case).steps:
        assert now < case.deadline_seconds
        if isinstance(step, Wait):
            assert step.seconds > 0 and now + step.seconds < case.deadline_seconds * (1 + 1e-9)


@given(cases)
@settings(max_examples=300)
def test_the_same_target_comes_twice_in_a_row_only_after_a_wait(case: Case) -> None:
    steps = [step for step, _ in played(case).steps]
    for before, after in pairwise(steps):
        if isinstance(before, Try) and isinstance(after, Try):
            assert before.target.way != after.target.way
        assert not (isinstance(before, Wait) and isinstance(after, Wait))
    assert isinstance(steps[-1], Try)


@given(cases)
@settings(max_examples=300)
def test_a_provider_is_not_asked_again_before_the_time_it_named(case: Case) -> None:
    until: dict[str, float] = {}
    answers = iter(case.answers)
    for step, now in played(case).steps:
        if isinstance(step, Try):
            name = step.target.way
            assert now >= until.get(name, 0.0) - 1e-9
            failure, seconds = next(answers, (None, 0.0))
            if failure is not None and failure.retry_after_seconds:
                until[name] = now + seconds + failure.retry_after_seconds


@given(cases)
@settings(max_examples=200)
def test_the_same_chance_gives_the_same_plan(case: Case) -> None:
    assert played(case).steps == played(case).steps
