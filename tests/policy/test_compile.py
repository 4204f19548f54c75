"""Rows become a checked snapshot: credentials, headers, prices and routes as configured, the catalogue filling in."""

from dataclasses import replace
from datetime import UTC, date, datetime
from time import process_time

import pytest

from oneflow_ai.core.call import Account, Task
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.listing import Listed
from oneflow_ai.core.price import Price, flat_price, free
from oneflow_ai.core.target import Ended, RetryPolicy, Timeouts
from oneflow_ai.policy.compile import TARGETS_MOST, compile_snapshot
from oneflow_ai.policy.route import model_targets
from oneflow_ai.policy.rows import ProviderRow, RouteTarget, Rows
from oneflow_ai.providers.table import TABLE
from tests.policy.compiled import DAY_BEFORE_THE_END, DAY_OF_THE_END, TODAY, catalog, compiled, route, routed, row, the

COMPILE_SECONDS_MOST = 0.100


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="provider mine: there is no kind opnai; known are anthropic, azure, .*, vllm"):
        compiled(row("mine", "opnai"))


def test_an_unknown_strategy_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="route text: there is no strategy chaos; known are best, cheapest, fastest"):
        compiled(row("openai"), routes=[replace(route(), strategy="chaos")])


def test_a_target_is_made_of_its_row() -> None:
    found = the(compiled(row("mine", "openai", base_url="https://mine.example", way="a way")), "mine/gpt-6-luna")
    assert (found.place, found.provider, found.kind, found.model) == (
        "mine/gpt-6-luna",
        "mine",
        "openai",
        "gpt-6-luna",
    )
    assert (found.base_url, found.way, found.simulated, found.weight) == ("https://mine.example", "a way", False, 1)
    assert found.adapter is TABLE["openai"].adapter


@pytest.mark.parametrize(
    ("kind", "name", "value"), [("openai", "authorization", "Bearer key"), ("azure", "api-key", "key")]
)
def test_the_key_goes_where_the_provider_wants_it(kind: str, name: str, value: str) -> None:
    headers = dict(the(compiled(row("mine", kind)), "mine/m").headers)
    assert headers == {
        "content-type": "application/json",
        "accept-encoding": "identity",
        "user-agent": "oneflow",
        name: value,
    }


def test_a_header_is_sent_once_the_last_one_set_counting() -> None:
    provider = row("openai", headers=(("X-Team", "blue"), ("User-Agent", "ours")))
    wanted = RouteTarget("openai/m", headers=(("x-team", "red"), ("x-more", "1")))
    snapshot = compiled(provider, routes=[route(wanted)])
    [found] = snapshot.routes["text"].targets
    names = [name for name, _ in found.headers]
    assert len(names) == len(set(names))
    assert dict(found.headers).items() >= {"x-team": "red", "x-more": "1", "user-agent": "ours"}.items()
    assert dict(the(snapshot, "openai/m").headers)["x-team"] == "blue"


@pytest.mark.parametrize(
    ("keys", "ids"), [("", ["groq"]), ("one", ["groq"]), ("one two three", ["groq#1", "groq#2", "groq#3"])]
)
def test_credentials_are_named_after_the_provider(keys: str, ids: list[str]) -> None:
    provider = compiled(row("groq", keys=keys)).providers["groq"]
    assert [target.credential.id for target in provider.targets("m")] == ids
    sent = [dict(target.headers).get("authorization", "") for target in provider.targets("m")]
    assert sent == ([f"Bearer {key}" for key in keys.split()] or [""])


@pytest.mark.parametrize(
    ("provider", "configured"),
    [
        (row("openai"), True),
        (row("openai", keys=""), False),
        (row("ollama", keys=""), True),  # needs no key
        (row("openai", keys="", simulated=True), True),
    ],
)
def test_a_provider_is_configured_by_its_key_unless_it_needs_none(provider: ProviderRow, configured: bool) -> None:
    assert compiled(provider).providers[provider.name].configured is configured


def test_own_options_come_before_those_of_the_kind() -> None:
    snapshot = compiled(row("azure"), row("other", "azure", options={"api_version": "2026-01-01"}))
    assert the(snapshot, "azure/m").options == {"api_version": "2024-10-21"}
    assert the(snapshot, "other/m").options == {"api_version": "2026-01-01"}


def test_the_catalogue_tells_the_limits_of_a_model() -> None:
    found = the(compiled(row("openai")), "openai/gpt-6-luna")
    assert found.output_most_tokens == 128_000
    assert found.context_window_tokens is not None


PRICES = {name: flat_price({"input": number}) for number, name in enumerate(["openai/*", "openai/gpt-6-luna", "*"], 1)}


@pytest.mark.parametrize(
    ("name", "names", "price"),
    [
        ("openai/gpt-6-luna", ["openai/*", "openai/gpt-6-luna"], PRICES["openai/gpt-6-luna"]),
        ("openai/gpt-6.1-sol", ["openai/*", "openai/gpt-6-luna"], PRICES["openai/*"]),
        ("openai/my-own", ["openai/*", "*"], PRICES["openai/*"]),
        ("openai/my-own", ["*"], PRICES["*"]),
        ("openai/my-own", [], None),
        ("openai/my-own", ["openai/gpt-6-luna"], None),
    ],
)
def test_the_operators_price_comes_first_and_a_model_may_have_none(
    name: str, names: list[str], price: Price | None
) -> None:
    assert the(compiled(row("openai"), prices={name: PRICES[name] for name in names}), name).price == price


def test_else_the_price_is_the_catalogues_by_the_kind_of_provider() -> None:
    snapshot = compiled(row("openai"), row("mine", "openai"), row("open", "openai", price=free()))
    assert the(snapshot, "mine/gpt-6-luna").price == catalog().price("openai", "gpt-6-luna")
    assert the(snapshot, "open/gpt-6-luna").price == free()
    priced = the(compiled(row("mine", "openai"), prices={"mine/*": PRICES["*"]}), "mine/gpt-6-luna")
    assert priced.price == PRICES["*"]


def test_targets_are_remembered_and_the_least_used_forgotten() -> None:
    provider = compiled(row("vllm")).providers["vllm"]
    kept, lost = provider.targets("kept"), provider.targets("lost")
    for number in range(TARGETS_MOST - 1):
        provider.targets(f"model {number}")
        assert provider.targets("kept") is kept
    assert provider.targets("lost") is not lost


def test_models_are_those_served_today_and_successors_are_still_found() -> None:
    before = compiled(row("openai"), on=DAY_BEFORE_THE_END)
    after = compiled(row("openai"), on=DAY_OF_THE_END)
    gone = before.providers["openai"].models - after.providers["openai"].models
    assert "gpt-5" in gone and "gpt-6-luna" in after.providers["openai"].models
    assert the(before, "gpt-5").place == the(before, "openai/gpt-5").place == "openai/gpt-5"
    assert before.providers["openai"].ended("gpt-5") is None
    assert after.providers["openai"].ended("gpt-5") == Ended(DAY_OF_THE_END, "gpt-6.1-sol")
    for name in ("gpt-5", "openai/gpt-5"):
        with pytest.raises(Failure, match="use openai/gpt-6.1-sol"):
            model_targets(after, name)
        assert the(replace(after, follow_successors=True), name).place == "openai/gpt-6.1-sol"


def test_no_model_served_has_ended_and_a_successor_is_served() -> None:
    provider = compiled(row("openai"), on=date(2027, 3, 1)).providers["openai"]
    for model in catalog().models("openai"):
        ended = provider.ended(model)
        assert (ended is None) is (model in provider.models)
        assert ended is None or ended.successor is None or ended.successor in provider.models


@pytest.mark.parametrize("simulated", [False, True])
def test_what_is_listed_can_be_called_today(simulated: bool) -> None:
    provider = compiled(row("openai", simulated=simulated), on=DAY_OF_THE_END).providers["openai"]
    assert "gpt-6-luna" in provider.listed
    assert {"text-embedding-3-small", "omni-moderation-latest"} <= provider.listed
    assert not provider.listed & {"gpt-5", "gpt-4", "gpt-realtime", "text-embedding-ada", "moderation"}
    assert {"gpt-5", "gpt-4", "ada"} <= provider.retired
    assert not provider.listed & provider.retired
    before = compiled(row("openai", simulated=simulated), on=DAY_BEFORE_THE_END).providers["openai"]
    assert "gpt-5" in before.listed - before.retired


def test_the_operators_own_list_is_shown_but_for_what_is_known_to_do_something_else() -> None:
    models = frozenset({"gpt-4", "own", "my-speaker", "text-embedding-3-small", "gpt-realtime"})
    provider = compiled(row("mine", "openai", models=models)).providers["mine"]
    assert provider.listed == {"gpt-4", "own", "my-speaker", "text-embedding-3-small"}
    assert not provider.retired


def test_what_is_simulated_or_listed_by_the_operator_never_ends() -> None:
    snapshot = compiled(row("openai", simulated=True), row("mine", "openai", models=frozenset({"gpt-4", "own"})))
    assert the(snapshot, "openai/gpt-4").simulated
    assert "gpt-4" in snapshot.providers["openai"].models
    assert snapshot.providers["mine"].models == {"gpt-4", "own"}
    assert the(snapshot, "mine/gpt-4").model == "gpt-4"
    assert the(snapshot, "own").place == "mine/own"


def test_a_route_keeps_its_order_and_leaves_out_what_has_no_credential() -> None:
    providers = row("openai", keys="one two"), row("groq"), row("mistral", keys="")
    snapshot = compiled(*providers, routes=[route("groq/a mistral/b openai/c mistral-small-latest")])
    assert routed(snapshot) == ["groq/a", "openai/c", "openai/c"]


def test_a_route_may_name_a_bare_model() -> None:
    assert routed(compiled(row("openai"), routes=[route("gpt-6-luna")])) == ["openai/gpt-6-luna"]


@pytest.mark.parametrize("name", ["nowhere", "nowhere/m", "openai/", "shared"])
def test_a_target_that_leads_nowhere_is_refused_with_its_route(name: str) -> None:
    listed = frozenset({"shared"})
    with pytest.raises(ValueError, match=f"route text: target {name}: "):
        compiled(row("openai", models=listed), row("groq", models=listed), routes=[route(name)])


@pytest.mark.parametrize("name", ["openai/gpt-5", "gpt-5"])
def test_a_model_that_ends_does_not_break_its_route(name: str) -> None:
    assert routed(compiled(row("openai"), routes=[route(name)], on=DAY_OF_THE_END)) == ["openai/gpt-5"]
    followed = compiled(row("openai"), routes=[route(name)], on=DAY_OF_THE_END, follow_successors=True)
    assert routed(followed) == ["openai/gpt-6.1-sol"]


def test_a_target_of_a_route_has_its_own_weight_times_headers_and_way() -> None:
    wanted = RouteTarget("openai/m", 7, timeout_seconds=9.0, headers=(("x-a", "1"),), way="by proxy")
    snapshot = compiled(row("openai"), routes=[route(wanted), route("openai/m", name="plain")])
    [found], [plain] = snapshot.routes["text"].targets, snapshot.routes["plain"].targets
    assert (found.weight, found.timeouts.total_seconds, found.way) == (7, 9.0, "by proxy")
    assert found.timeouts == replace(plain.timeouts, total_seconds=9.0)
    assert replace(found, weight=1, timeouts=plain.timeouts, headers=plain.headers, way=plain.way) == plain


# the kinds that the catalogue names, whatever adapters there are: only their tasks matter here.
FOUR = dict.fromkeys(("openai", "anthropic", "stability", "elevenlabs"), TABLE["openai"])


@pytest.mark.parametrize(
    ("task", "names"),
    [
        (Task.TEXT, ["openai", "anthropic"]),
        (Task.IMAGE, ["stability", "openai"]),
        (Task.SPEECH, ["elevenlabs", "openai"]),
        (Task.EMBEDDING, ["openai"]),
    ],
)
def test_without_targets_a_route_is_the_default_chain_of_its_task(task: Task, names: list[str]) -> None:
    snapshot = compiled(*map(row, FOUR), row("mine", "openai"), sorts=FOUR, routes=[route(task=task)])
    assert [target.provider for target in snapshot.routes["text"].targets] == names
    assert routed(snapshot) == [f"{name}/{catalog().default_model(name, task)}" for name in names]


@pytest.mark.parametrize(
    ("providers", "task", "places"),
    [
        ([row("openai", keys=""), row("groq")], Task.TEXT, ["groq/openai/gpt-oss-20b"]),
        ([row("openai", models=frozenset({"x"}))], Task.TEXT, []),
        ([row("vllm")], Task.TEXT, []),
        ([row("openai")], Task.TRANSCRIPTION, ["openai/gpt-transcribe"]),
    ],
)
def test_the_default_chain_leaves_out_what_is_not_configured_or_not_listed(
    providers: list[ProviderRow], task: Task, places: list[str]
) -> None:
    assert routed(compiled(*providers, routes=[route(task=task)])) == places


def test_the_default_chain_of_embeddings_stays_with_one_model() -> None:
    """Gemini's vectors do not compare with OpenAI's; those of another provider that has the same model do."""
    assert routed(compiled(row("openai"), row("gemini"), row("mistral"), routes=[route(task=Task.EMBEDDING)])) == [
        "openai/text-embedding-3-small"
    ]
    assert routed(compiled(row("gemini"), row("openai"), routes=[route(task=Task.EMBEDDING)])) == [
        "gemini/gemini-embedding-2"
    ]
    defaults = {**catalog().facts.defaults, "openrouter": {"text": "m", "embedding": "openai/text-embedding-3-small"}}
    facts = replace(catalog().facts, defaults=defaults)
    providers = [row("openai", keys="one two"), row("openrouter")]
    rows = Rows(providers, [route(task=Task.EMBEDDING)], {}, RetryPolicy(), {}, False, "1", TODAY)
    assert routed(compile_snapshot(rows, TABLE, replace(catalog(), facts=facts))) == [
        "openai/text-embedding-3-small",
        "openai/text-embedding-3-small",
        "openrouter/openai/text-embedding-3-small",
    ]


def simulated() -> ProviderRow:
    return row("simulator", "openai", simulated=True, price=free(), models=frozenset())


@pytest.mark.parametrize(
    "wanted",
    [
        "openai/text-embedding-3-small openai/text-embedding-3-large",
        "openai/text-embedding-3-small gemini/gemini-embedding-2",
        "openai/text-embedding-3-small simulator/embedding",
    ],
)
def test_a_route_of_embeddings_that_mixes_models_is_refused(wanted: str) -> None:
    providers = [row("openai"), row("gemini"), simulated()]
    with pytest.raises(ValueError, match="route text: vectors of different models do not compare: name one model"):
        compiled(*providers, routes=[route(wanted, Task.EMBEDDING)])
    assert len(routed(compiled(*providers, routes=[route(wanted, Task.TEXT)]))) == 2


@pytest.mark.parametrize(
    "wanted",
    [
        "openai/text-embedding-3-small other/text-embedding-3-small",
        "openai/text-embedding-3-small openrouter/openai/text-embedding-3-small",
        "openai/text-embedding-3-small azure/our-deployment",  # nobody knows what that is
    ],
)
def test_a_route_of_embeddings_may_lead_to_several_providers_of_one_model(wanted: str) -> None:
    providers = [row("openai"), row("other", "openai"), row("openrouter"), row("azure")]
    assert routed(compiled(*providers, routes=[route(wanted, Task.EMBEDDING)])) == wanted.split()


def test_a_default_model_that_has_ended_gives_way_to_its_successor() -> None:
    defaults = {**catalog().facts.defaults, "openai": {"text": "gpt-5"}}
    facts = replace(catalog().facts, defaults=defaults)
    rows = Rows([row("openai")], [route()], {}, RetryPolicy(), {}, False, "1", DAY_OF_THE_END)
    assert routed(compile_snapshot(rows, TABLE, replace(catalog(), facts=facts))) == ["openai/gpt-6.1-sol"]


def test_the_rest_of_the_rows_is_handed_through() -> None:
    keys, retry = {b"hash": Account("key")}, RetryPolicy(attempts=2)
    snapshot = compiled(row("openai"), keys=keys, retry=retry, version="7", follow_successors=True)
    assert (snapshot.version, snapshot.keys, snapshot.retry, snapshot.follow_successors) == ("7", keys, retry, True)


def test_a_snapshot_of_every_kind_is_made_in_a_moment() -> None:
    routes = [route(task=task, name=task.value) for task in Task]
    compiled(*map(row, TABLE), routes=routes)
    seconds = []
    for _ in range(5):
        begin = process_time()
        compiled(*map(row, TABLE), routes=routes)
        seconds.append(process_time() - begin)
    assert min(seconds) < COMPILE_SECONDS_MOST


@pytest.mark.parametrize(
    ("model", "seconds"),
    [("o3", 120.0), ("gpt-6-luna", 120.0), ("openai/gpt-oss-20b", 120.0), ("gpt-4o-mini", 60.0), ("llama-4", 60.0)],
)
def test_a_model_that_reasons_has_longer_until_its_first_word(model: str, seconds: float) -> None:
    mine = row("mine", "openai", base_url="https://mine.example", models=frozenset({model}))
    assert the(compiled(mine), f"mine/{model}").timeouts.first_event_seconds == seconds


def test_the_operator_s_own_limit_holds_for_every_model() -> None:
    own = row("mine", "openai", timeouts=Timeouts(first_event_seconds=7.0), reasoning_seconds=7.0)
    assert the(compiled(own), "mine/gpt-6-luna").timeouts.first_event_seconds == 7.0


# ---- voices, and what credits cost


def test_an_operators_voices_stand_beside_the_kinds_own_whatever_their_case() -> None:
    target = the(compiled(row("elevenlabs", voices={"Narrator": "id-1", "ALLOY": "id-2"})), "elevenlabs/eleven_v3")
    assert [target.voices.get(name) for name in ("narrator", "alloy", "george")] == [
        "id-1", "id-2", "JBFqnCBsd6RMkjVDRZzb",
    ]  # fmt: skip
    assert the(compiled(row("openai")), "openai/tts-1").voices["jbfqncbsd6rmkjvdrzzb"] == "fable"


def test_the_price_of_a_credit_moves_that_of_characters_and_nothing_else() -> None:
    def price(model: str, *, rate: str | None = None, prices: dict[str, Price] | None = None) -> tuple[int, int]:
        options = {} if rate is None else {"usd_per_million_credits": rate}
        found = the(compiled(row("elevenlabs", options=options), prices=prices or {}), f"elevenlabs/{model}")
        assert found.price is not None
        rates = found.price.bands(datetime(2026, 11, 27, tzinfo=UTC), None)[0].rates
        return rates.characters, rates.audio_hours

    usd = 1_000_000_000
    assert price("eleven_v3") == price("eleven_v3", rate="80") == (80 * usd, 0)
    assert price("eleven_v3", rate="120") == (120 * usd, 0)
    assert price("eleven_flash_v2_5", rate="120") == (60 * usd, 0)
    assert price("eleven_v3", rate="0.0") == (0, 0)
    assert price("scribe_v2", rate="120") == price("scribe_v2")
    own = {"elevenlabs/eleven_v3": flat_price({"characters": 7})}
    assert price("eleven_v3", rate="120", prices=own) == (7, 0)


def test_where_the_operator_prices_a_model_its_credits_are_not_looked_at() -> None:
    own = {"elevenlabs/eleven_v3": flat_price({"characters": 7})}
    snapshot = compiled(row("elevenlabs"), prices=own)
    assert "usd_per_million_credits" not in the(snapshot, "elevenlabs/eleven_v3").options
    assert the(snapshot, "elevenlabs/eleven_v4").options["usd_per_million_credits"] == "80"


def test_models_that_a_providers_own_list_leaves_out_are_shown_all_the_same() -> None:
    offered = {name: Listed(name) for name in ("eleven_v4", "eleven_v5")}
    listed = compiled(row("elevenlabs", offered=offered)).providers["elevenlabs"].listed
    assert listed == {"eleven_v4", "eleven_v5", "scribe_v1", "scribe_v1_experimental", "scribe_v2"}
