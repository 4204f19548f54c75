"""Keys are served alike, each in its own order, and a newcomer's turn is foreseen."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from oneflow_ai.policy.fair import QUEUE_MOST, QUEUE_OF_KEY_MOST, Arrivals, FairQueue, Turn


def queue_of(*keys: str) -> FairQueue[Turn]:
    queue: FairQueue[Turn] = FairQueue()
    for key in keys:
        queue.push(Turn(key))
    return queue


def served(queue: FairQueue[Turn]) -> str:
    """Serve all, and give the keys in order."""
    order = []
    while queue.length:
        order.append(queue.pop().key)
    assert queue.peek() is None
    return "".join(order)


def test_keys_take_turns_whatever_they_bring() -> None:
    assert served(queue_of(*"aaaaaabbc")) == "abcabaaaa"


def test_a_newcomer_stands_behind_those_who_wait_and_is_not_overtaken() -> None:
    queue = queue_of(*"aabb")
    queue.pop()
    queue.push(Turn("c"))
    queue.push(Turn("b"))
    assert served(queue) == "bacbb"


def test_a_key_that_always_has_one_waiting_gets_no_more_than_others() -> None:
    queue = queue_of(*"aaaaaaaab")
    order = ""
    for _ in range(8):
        key = queue.pop().key
        order += key
        if key == "b":
            queue.push(Turn("b"))
    assert order == "abababab"


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=60))
def test_each_keys_turns_come_in_their_order(keys: list[str]) -> None:
    queue: FairQueue[Turn] = FairQueue()
    turns = [Turn(key, tokens=number) for number, key in enumerate(keys)]
    for turn in turns:
        queue.push(turn)
    order = [queue.pop() for _ in turns]
    for key in set(keys):
        assert [turn.tokens for turn in order if turn.key == key] == [turn.tokens for turn in turns if turn.key == key]


@settings(max_examples=50)
@given(costs=st.lists(st.tuples(st.sampled_from("abc"), st.floats(1, 500)), min_size=30, max_size=120))
def test_keys_that_wait_get_the_same_share_to_within_a_turn(costs: list[tuple[str, float]]) -> None:
    queue: FairQueue[Turn] = FairQueue()
    for key, cost in costs:
        queue.push(Turn(key, cost=cost))
    most = max(cost for _, cost in costs)
    waiting = Counter(key for key, _ in costs)
    got: Counter[str] = Counter()
    while all(waiting.values()) and len(waiting) == 3:
        turn = queue.pop()
        waiting[turn.key] -= 1
        got[turn.key] += round(turn.cost * 1_000)
        assert max(got.values()) - min(got[key] for key in waiting) <= 3 * most * 1_000


def test_a_turn_of_enormous_cost_is_reached_without_walking_its_rounds() -> None:
    queue: FairQueue[Turn] = FairQueue()
    queue.push(Turn("b", cost=1e15))
    for _ in range(1_000):
        queue.push(Turn("a"))
    assert served(queue) == "a" * 1_000 + "b"


def test_whoever_leaves_leaves_nothing_behind() -> None:
    queue: FairQueue[Turn] = FairQueue()
    stays = Turn("stays")
    queue.push(stays)
    for number in range(100_000):
        turn = Turn(f"key-{number % 1_000}")
        queue.push(turn)
        queue.remove(turn)
        queue.remove(turn)
    assert queue.length == 1
    assert len(queue._flows) == 1
    assert len(queue._ring) < 100
    assert queue.pop() is stays


@given(st.lists(st.tuples(st.sampled_from(["push", "peek", "pop", "remove"]), st.sampled_from("abc")), max_size=80))
def test_it_holds_what_was_put_in_and_not_taken_out(steps: list[tuple[str, str]]) -> None:
    queue: FairQueue[Turn] = FairQueue()
    inside: list[Turn] = []
    for step, key in steps:
        if step == "push":
            inside.append(Turn(key, cost=1.0 + len(inside)))
            queue.push(inside[-1])
        elif step == "remove" and inside:
            queue.remove(inside.pop(len(inside) // 2))
        elif step == "pop" and inside:
            inside.remove(queue.pop())
        assert (queue.peek() in inside) if inside else queue.peek() is None
        assert queue.length == len(inside)


def test_it_is_full_for_a_key_before_it_is_full_for_all() -> None:
    queue: FairQueue[Turn] = FairQueue()
    for _ in range(QUEUE_OF_KEY_MOST):
        queue.push(Turn("flood"))
    assert queue.full("flood")
    assert not queue.full("other")
    for number in range(QUEUE_MOST - QUEUE_OF_KEY_MOST):
        queue.push(Turn(f"key-{number}"))
    assert queue.full("other")


def expected(queue: FairQueue[Turn], turn: Turn, rates: dict[str, float] | None = None) -> float:
    """When the turn will come where one call goes each second, the first at second 1."""
    return queue.expected_seconds(turn, 0.0, lambda calls, tokens: float(calls), rates or {})


def test_a_newcomer_foresees_its_place() -> None:
    for keys in ("", "a", "aaaa", "abc", "aabbcc", "aaaaabbbc"):
        for newcomer in "abd":
            queue = queue_of(*keys)
            foreseen = expected(queue, Turn(newcomer))
            queue.push(turn := Turn(newcomer))
            place = next(place for place in range(1, 20) if queue.pop() is turn)
            assert foreseen == place, (keys, newcomer)


def test_a_place_is_foreseen_while_a_round_is_under_way() -> None:
    for taken in range(8):
        for newcomer in "abcd":
            queue = queue_of(*"aaabbbccc")
            for _ in range(taken):
                queue.pop()
            foreseen = expected(queue, Turn(newcomer))
            queue.push(turn := Turn(newcomer))
            place = next(place for place in range(1, 20) if queue.pop() is turn)
            assert foreseen == place, (taken, newcomer)


def test_those_of_other_keys_who_will_come_are_reckoned_with() -> None:
    flooded = queue_of(*"a" * 10)
    assert expected(flooded, Turn("a")) == 11.0
    assert 20.0 <= expected(flooded, Turn("a"), {"b": 0.5}) <= 22.0
    assert expected(flooded, Turn("b"), {"a": 100.0}) == 2.0, "a newcomer of another key is not overtaken"


def test_rates_are_those_of_the_last_minute_or_two() -> None:
    arrivals = Arrivals()
    for second in range(600):
        arrivals.note("a", float(second))
        if second % 10 == 0:
            arrivals.note("b", float(second))
    rates = arrivals.per_second(600.0)
    assert 0.95 <= rates["a"] <= 1.05
    assert 0.09 <= rates["b"] <= 0.11
    assert arrivals.per_second(1_000.0) == {}
