"""A model's name leads to its targets by the documented rules, and each strategy orders them as it says."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from random import Random
from typing import Any

import pytest

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.call import Account, Call, Operation, Task
from oneflow_ai.core.chain import CHAIN_MODELS_MOST
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.price import flat_price
from oneflow_ai.core.target import Ended, RetryPolicy, Route, Snapshot, Target
from oneflow_ai.policy.route import STRATEGIES, Router, model_targets
from oneflow_ai.policy.score import ScoreBook
from tests.policy.places import target, targets


@dataclass(slots=True)
class Shop:
    """A provider of these models; `replaced` maps those it no longer serves to what replaces them, or to nothing."""

    name: str
    models: frozenset[str]
    replaced: dict[str, str]
    configured: bool = True
    kind: str = "openai"

    @property
    def listed(self) -> frozenset[str]:
        return self.models

    @property
    def retired(self) -> frozenset[str]:
        return frozenset(self.replaced)

    def targets(self, model: str) -> tuple[Target, ...]:
        return (replace(target(self.name), place=f"{self.name}/{model}", model=model),)

    def capabilities(self, model: str) -> tuple[str, ...]:
        return ("text",)

    def does(self, model: str, task: Task) -> bool:
        return True

    def ended(self, model: str) -> Ended | None:
        return Ended(date(2026, 7, 23), self.replaced[model] or None) if model in self.replaced else None

    def default_model(self, task: Task) -> str | None:
        return None


def shop(name: str, models: str, *, configured: bool = True, **retired: str) -> Shop:
    return Shop(name, frozenset(models.split()), retired, configured)


SHOPS = [
    shop("acme", "m1 shared", old="m1", older="m1", dead=""),
    shop("bolt", "m2 shared acme/m1", older="m2", mute=""),
    shop("void", "m3 m1", configured=False, gone="m3"),
]


def snapshot(*routes: Route, follow: bool = False) -> Snapshot:
    return Snapshot(
        version="1",
        routes={route.name: route for route in routes},
        providers={one.name: one for one in SHOPS},
        keys={},
        retry=RetryPolicy(),
        follow_successors=follow,
    )


def call(model: str, **body: Any) -> Call:
    return Call(
        id="call",
        account=Account("key"),
        dialect="openai",
        operation=Operation.CHAT,
        model=model,
        body=body,
        stream=False,
        include_usage=False,
        received=datetime(2026, 1, 1, tzinfo=UTC),
        started_seconds=0.0,
        deadline_seconds=600.0,
        prompt_bytes=1,
    )


def router(scores: ScoreBook | None = None, seed: int = 0) -> Router:
    return Router(scores or ScoreBook(), Random(seed))


def led(snapshot: Snapshot, model: str, **body: Any) -> list[str]:
    """The places that a call is led to, or what it is told instead."""
    try:
        return [found.place for found in router().targets(snapshot, call(model, **body))]
    except Failure as failure:
        return [failure.kind.code]


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("text", ["a/m", "b/m"]),
        ("acme/m1", ["acme/m1"]),
        ("acme/unlisted", ["acme/unlisted"]),
        ("bolt/acme/m1", ["bolt/acme/m1"]),  # the rest is the model's id, its slashes too
        ("bolt//x", ["bolt//x"]),
        ("m1", ["acme/m1"]),  # only one configured provider has it
        ("m2", ["bolt/m2"]),
        ("shared", ["ambiguous_model"]),
        ("m3", ["provider_not_configured"]),
        ("void/m3", ["provider_not_configured"]),
        ("void/anything", ["provider_not_configured"]),
        ("nowhere", ["model_not_found"]),
        ("nowhere/m1", ["model_not_found"]),
        ("acme", ["model_not_found"]),
        ("acme/", ["model_not_found"]),
        ("/m1", ["model_not_found"]),
        ("", ["model_not_found"]),
        ("M1", ["model_not_found"]),
        ("empty", ["provider_not_configured"]),
        ("acme/old", ["model_retired"]),
        ("old", ["model_retired"]),
        ("older", ["ambiguous_model"]),
        ("acme/dead", ["model_retired"]),
        ("mute", ["model_retired"]),
        ("gone", ["provider_not_configured"]),
    ],
)
def test_a_name_leads_to(name: str, places: list[str]) -> None:
    text = Route("text", Task.TEXT, tuple(targets("a b")))
    assert led(snapshot(text, Route("empty", Task.TEXT, ())), name) == places


def test_a_routes_name_comes_before_every_model() -> None:
    routes = [Route(name, Task.TEXT, tuple(targets("a"))) for name in ("m1", "acme/m1")]
    assert led(snapshot(*routes), "m1") == ["a/m"]
    assert led(snapshot(*routes), "acme/m1") == ["a/m"]


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("acme/old", 404, "^acme/old is retired since 2026-07-23; use acme/m1$"),
        ("old", 404, "^acme/old is retired since 2026-07-23; use acme/m1$"),
        ("acme/dead", 404, "^acme/dead is retired since 2026-07-23; choose another model$"),
        ("shared", 400, "acme/shared, bolt/shared"),
        ("older", 400, "acme/m1, bolt/m2"),
        ("void/m3", 503, "provider void has no credential"),
        ("m3", 503, "the model is at void, which has no credential"),
        ("nowhere", 404, "GET /v1/models"),
    ],
)
def test_an_error_says_what_to_do(name: str, status: int, words: str) -> None:
    with pytest.raises(Failure, match=words) as caught:
        model_targets(snapshot(), name)
    assert (caught.value.status, caught.value.param) == (status, "model")


@pytest.mark.parametrize("name", ["<b>nowhere</b>", "acme<b>/m1", "nowhere/" + "x" * 300, "zzz\n\x00"])
def test_an_error_never_repeats_a_name_that_is_not_known(name: str) -> None:
    with pytest.raises(Failure) as caught:
        model_targets(snapshot(), name)
    assert all(part not in caught.value.message for part in (name, "<b>", "zzz", "xxx"))


def test_successors_are_followed_where_that_is_asked_for() -> None:
    assert led(snapshot(follow=True), "acme/old") == ["acme/m1"]
    assert led(snapshot(follow=True), "old") == ["acme/m1"]
    assert led(snapshot(follow=True), "older") == ["ambiguous_model"]
    assert led(snapshot(follow=True), "mute") == led(snapshot(follow=True), "bolt/mute") == ["model_retired"]


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({"models": ["m2", "text"]}, ["acme/m1", "bolt/m2", "a/m", "b/m"]),
        ({"fallbacks": ["m2"]}, ["acme/m1", "bolt/m2"]),
        ({"models": ["m2"], "fallbacks": ["acme/x"]}, ["acme/m1", "bolt/m2", "acme/x"]),
        ({"models": ["acme/m1", "m1", "m2", "bolt/m2"]}, ["acme/m1", "bolt/m2"]),  # each once
        ({"models": []}, ["acme/m1"]),
        ({"models": None}, ["acme/m1"]),
        ({"models": ["void/m3", "m2"]}, ["acme/m1", "bolt/m2"]),  # unconfigured: passed over
        ({"models": ["nowhere"]}, ["model_not_found"]),
        ({"models": "m2"}, ["invalid_type"]),
        ({"fallbacks": [1]}, ["invalid_type"]),
        ({"models": ["m2"] * CHAIN_MODELS_MOST}, ["acme/m1", "bolt/m2"]),
        ({"models": ["m2"] * (CHAIN_MODELS_MOST + 1)}, ["invalid_value"]),
    ],
)
def test_a_body_may_name_its_own_chain(body: dict[str, Any], places: list[str]) -> None:
    text = Route("text", Task.TEXT, tuple(targets("a b")))
    assert led(snapshot(text), "m1", **body) == places


@pytest.mark.parametrize(
    ("model", "fields", "param"),
    [
        ("nowhere", {}, "model"),
        ("nowhere", {"models": ["m2"]}, "model"),
        ("nowhere", {"models": ["nowhere", "m2"]}, "models[0]"),  # what a body without a model asks for
        ("m1", {"models": ["m2", "nowhere"]}, "models[1]"),
        ("m1", {"fallbacks": ["nowhere"]}, "fallbacks[0]"),
    ],
)
def test_a_name_that_is_none_is_told_by_its_place(model: str, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Failure) as caught:
        router().targets(snapshot(), call(model, **fields))
    assert (caught.value.kind, caught.value.param) == (kinds.MODEL_NOT_FOUND, param)


@pytest.mark.parametrize(
    ("fields", "places"),
    [
        ({"models": ["large"]}, "models[0]"),
        ({"models": ["other", "large"]}, "models[1]"),
        ({"fallbacks": ["simulated"]}, "fallbacks[0]"),
        ({"models": ["other", "unknown"]}, ["a/m", "b/m", "c/m"]),
    ],
)
def test_a_chain_of_embeddings_does_not_mix_models(fields: dict[str, Any], places: list[str] | str) -> None:
    chain = {
        "small": replace(target("a"), vectors="small"),
        "other": replace(target("b"), vectors="small"),
        "unknown": target("c"),
        "large": replace(target("d"), vectors="large"),
        "simulated": replace(target("e"), simulated=True),
    }
    found = snapshot(*(Route(name, Task.EMBEDDING, (one,)) for name, one in chain.items()))
    asked = replace(call("small", **fields), operation=Operation.EMBEDDING)
    if isinstance(places, list):
        assert [one.place for one in router().targets(found, asked)] == places
    else:
        with pytest.raises(Failure, match="vectors of different models do not compare") as caught:
            router().targets(found, asked)
        assert (caught.value.kind, caught.value.param) == (kinds.INVALID_VALUE, places)


def test_a_chain_without_any_credential_says_so() -> None:
    assert led(snapshot(), "void/m3", models=["void/x"]) == ["provider_not_configured"]
    assert led(snapshot(), "void/m3", fallbacks=["m1"]) == ["acme/m1"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"models": ["m1", "nowhere"]}, "models[1]"),
        ({"fallbacks": ["shared"]}, "fallbacks[0]"),
        ({"fallbacks": 3}, "fallbacks"),
        ({"models": ["m"] * 17}, "models"),
    ],
)
def test_an_error_in_a_chain_names_its_place(body: dict[str, Any], param: str) -> None:
    with pytest.raises(Failure) as caught:
        router().targets(snapshot(), call("m1", **body))
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("models", "name", "body", "param"),
    [
        ((), "acme/m1", {}, None),
        (("fast",), "fast", {}, None),
        (("acme/*",), "acme/m1", {}, None),
        (("m*",), "m2", {}, None),
        (("*",), "fast", {"models": ["m2"]}, None),
        (("fast", "bolt/m2"), "fast", {"models": ["bolt/m2"], "fallbacks": ["fast"]}, None),
        (("fast",), "acme/m1", {}, "model"),
        (("acme/m1",), "m1", {}, "model"),
        (("acme/m1",), "fast", {}, "model"),
        (("acme/m",), "acme/m1", {}, "model"),
        (("fast",), "Fast", {}, "model"),
        (("fast",), "no-such-model", {}, "model"),
        (("fast",), "fast", {"models": ["fast", "bolt/m2"]}, "models[1]"),
        (("fast",), "fast", {"fallbacks": ["m2"]}, "fallbacks[0]"),
        (("fast",), "void/m3", {"models": ["fast"]}, "model"),
    ],
)
def test_a_key_asks_only_for_the_models_that_it_may_use(
    models: tuple[str, ...], name: str, body: dict[str, Any], param: str | None
) -> None:
    asked = replace(call(name, **body), account=Account("key", models=models))
    shown = snapshot(Route("fast", Task.TEXT, (target("acme"),)))
    if param is None:
        assert router().targets(shown, asked)
        return
    with pytest.raises(Failure) as refused:
        router().targets(shown, asked)
    assert (refused.value.kind, refused.value.status, refused.value.param) == (kinds.MODEL_NOT_ALLOWED, 403, param)


def test_two_credentials_of_one_place_are_both_kept_in_a_chain() -> None:
    route = Route("text", Task.TEXT, tuple(targets("a a#2 b")))
    found = router().targets(snapshot(route), call("text", models=["text"]))
    assert [one.credential.id for one in found] == ["a", "a#2", "b"]


def ordered(strategy: str, chain: list[Target], scores: ScoreBook | None = None, seed: int = 0) -> list[str]:
    route = Route("text", Task.TEXT, tuple(chain), strategy)
    return [found.way for found in router(scores, seed).targets(snapshot(route), call("text"))]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_gives_every_target_once(strategy: str) -> None:
    names = "a a#2 b c c#2 d"
    assert sorted(ordered(strategy, targets(names))) == sorted(names.split())


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_simulator_is_the_last_of_real_targets_whatever_the_strategy(strategy: str) -> None:
    chain = [replace(one, simulated=one.way == "c") for one in targets("a b c")]
    scores = ScoreBook()
    scores.add("c/m", True, 0.01, 0.0)
    for name in ("a/m", "b/m"):
        scores.add(name, False, 9.0, 0.0)
    for seed in range(8):
        made = Router(scores, Random(seed))
        found = made.targets(snapshot(Route("text", Task.TEXT, tuple(chain), strategy)), call("text"))
        assert [one.simulated for one in found] == [False, False, True]


def test_weights_are_shares_of_first_places_however_many_credentials() -> None:
    chain = [target("a", weight=1), target("a#2", weight=1), target("b", weight=3)]
    made = router(seed=3)
    route = Route("text", Task.TEXT, tuple(chain), "weighted")
    firsts: Counter[str] = Counter()
    for _ in range(8_000):
        found = made.targets(snapshot(route), call("text"))
        firsts[found[0].place] += 1
        assert [one.way for one in found if one.place == "a/m"] == ["a", "a#2"]
    assert firsts["b/m"] / 8_000 == pytest.approx(0.75, abs=0.02)


def test_the_second_place_is_drawn_by_weight_among_the_rest() -> None:
    chain = [target("a", weight=1000), target("b", weight=1), target("c", weight=4)]
    seconds = Counter(ordered("weighted", chain, seed=seed)[1] for seed in range(3_000))
    assert seconds["c"] / 3_000 == pytest.approx(0.8, abs=0.03)


def test_cheapest_asks_the_cheapest_first_and_the_unpriced_last() -> None:
    chain = [
        target("dear"),
        replace(target("mean"), price=flat_price({"input": 100, "output": 100})),
        replace(target("dear#2"), price=flat_price({"input": 200, "output": 50})),
        replace(target("cheap"), price=flat_price({"input": 10, "output": 300})),
    ]
    assert ordered("cheapest", chain) == ["cheap", "mean", "dear#2", "dear"]


def test_cheapest_counts_three_parts_of_prompt_to_one_of_answer() -> None:
    chain = [
        replace(target("a"), price=flat_price({"input": 10, "output": 70})),
        replace(target("b"), price=flat_price({"input": 20, "output": 39})),
    ]
    assert ordered("cheapest", chain) == ["b", "a"]


def test_fastest_tries_the_untried_first_then_by_mean_time_and_what_only_failed_last() -> None:
    scores = ScoreBook()
    for place, seconds, succeeded in (("a/m", 3.0, True), ("b/m", 1.0, True), ("c/m", 0.1, False)):
        scores.add(place, succeeded, seconds, 0.0)
    assert ordered("fastest", targets("a b c d"), scores) == ["d", "b", "a", "c"]


def test_best_is_by_success_and_speed_and_keeps_the_order_of_equals() -> None:
    scores = ScoreBook()
    for place, seconds, successes in (("a/m", 1.0, 5), ("b/m", 1.0, 10), ("c/m", 2.0, 10)):
        for number in range(10):
            scores.add(place, number < successes, seconds, 0.0)
    assert ordered("best", targets("a b c"), scores) == ["b", "c", "a"]
    assert ordered("best", targets("c a b")) == ["c", "a", "b"]


def test_a_bare_name_costs_one_look_up_a_provider() -> None:
    class Counted(frozenset[str]):
        """A set that counts how often it is asked."""

        asked = 0

        def __contains__(self, name: object) -> bool:
            Counted.asked += 1
            return super().__contains__(name)

    shops = [Shop(f"shop{n}", Counted(f"model-{n}-{m}" for m in range(1_000)), {}) for n in range(12)]
    many = replace(snapshot(), providers={one.name: one for one in shops})
    assert [one.place for one in model_targets(many, "model-7-500")] == ["shop7/model-7-500"]
    assert Counted.asked == 12


def test_every_failure_of_routing_is_the_clients_or_the_operators() -> None:
    found = {led(snapshot(), name)[0] for name in ("nowhere", "shared", "void/x", "acme/old")}
    assert {kinds.KINDS[code].cause for code in found} == {"client", "policy"}
