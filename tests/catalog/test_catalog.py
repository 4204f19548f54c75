"""The catalogue answers for every model it names: prices with their sources, usable defaults, ends with successors."""

import time
import tomllib
import tracemalloc
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import Any

import pytest

from oneflow_ai.catalog import Catalog, load_catalog
from oneflow_ai.catalog.compile import ROW_KEYS, supplement_price
from oneflow_ai.core.call import Task
from oneflow_ai.core.events import Usage
from oneflow_ai.policy.price import Bound, quote, used
from oneflow_ai.policy.tariff import KEYS
from oneflow_ai.providers.table import TABLE

TODAY = date(2026, 11, 24)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
FOLDER = files("oneflow_ai.catalog")
ROWS: list[dict[str, Any]] = tomllib.loads((FOLDER / "supplement.toml").read_text(encoding="utf-8"))["price"]
FACTS: dict[str, Any] = tomllib.loads((FOLDER / "models.toml").read_text(encoding="utf-8"))
DEFAULTS = [
    (provider, task, model)
    for provider, table in FACTS["defaults"].items()
    for task, model in table.items()
    if task != "voice"
]
HEIRS = [
    (provider, name, end["successor"])
    for provider, ends in FACTS["ends"].items()
    for name, end in ends.items()
    if "successor" in end
]
# Default models that may lack a price, with the reason: none.
UNPRICED_DEFAULTS: set[tuple[str, str]] = set()


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["models"][0])
def test_a_supplement_row_has_its_source_and_the_day_it_was_checked(row: dict[str, Any]) -> None:
    assert row["source"].strip()
    assert date(2026, 11, 1) <= row["checked"] <= TODAY
    assert row["models"]
    assert set(row) <= ROW_KEYS | set(KEYS)
    assert supplement_price(row).version


def test_no_model_has_two_supplement_rows() -> None:
    names = [(row["provider"], model) for row in ROWS for model in row["models"]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"usd_per_image": -1}, "usd_per_image"),
        ({"usd_per_imgae": 1}, "usd_per_imgae"),
        ({"above": {"tokens": 5, "output_usd_per_million_tokens": 1}}, "output"),
        ({"above": {"input_usd_per_million_tokens": 1}}, "tokens"),
    ],
)
def test_a_faulty_supplement_row_is_refused_by_its_models(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=rf"supplement.toml, \['m'\]: .*{message}"):
        supplement_price({"provider": "p", "models": ["m"], "input_usd_per_million_tokens": 1} | change)


def test_a_supplement_row_without_a_price_is_refused() -> None:
    with pytest.raises(ValueError, match="no price"):
        supplement_price({"provider": "p", "models": ["m"]})


def test_only_what_openai_itself_serves_is_among_its_models(catalog: Catalog) -> None:
    models = catalog.models("openai")
    aliases = {
        "ft:gpt-3.5-turbo-",
        "gpt-4o-mini-2024-07-18.ft-",
        "gpt-35-turbo",
        "gpt-5-1",
        "gpt-5-4-mini",
        "o3-mini-high",
    }
    assert not aliases.intersection(models)
    assert {"gpt-5-2025-08-07", "gpt-5.4-mini", "o3-mini"} <= set(models)
    assert catalog.price("openai", "ft:gpt-3.5-turbo-0125:mine::1") is not None


def test_only_what_anthropics_own_client_knows_is_among_its_models(catalog: Catalog) -> None:
    models = {model for model in catalog.models("anthropic") if not catalog.ended("anthropic", model, TODAY)}
    assert not {"claude-v1", "claude-opus-4", "claude-sonnet-4", "claude-opus-4-1"}.intersection(models)
    assert {
        "claude-haiku-5-5",
        "claude-sonnet-5-5",
        "claude-opus-5-5",
        "claude-fable-5-2",
        "claude-haiku-4-5",
    } <= models
    assert catalog.price("anthropic", "claude-opus-4-1-20250805") is not None


@pytest.mark.parametrize(("provider", "task", "model"), DEFAULTS)
def test_a_default_model_is_known_priced_alive_and_of_its_task(
    catalog: Catalog, provider: str, task: str, model: str
) -> None:
    assert catalog.default_model(provider, Task(task)) == model
    assert (catalog.price(provider, model) is not None) != ((provider, model) in UNPRICED_DEFAULTS)
    facts = catalog.model(provider, model)
    assert facts is not None
    assert not facts.ended(TODAY)
    assert Task(task) in facts.tasks
    assert model in catalog.models(provider)


@pytest.mark.parametrize("provider", [name for name, table in FACTS["defaults"].items() if "speech" in table])
def test_a_provider_that_speaks_has_a_default_voice(catalog: Catalog, provider: str) -> None:
    assert catalog.default_voice(provider)


@pytest.mark.parametrize(("provider", "name", "heir"), HEIRS)
def test_a_successor_is_priced_alive_and_does_the_same(catalog: Catalog, provider: str, name: str, heir: str) -> None:
    ended, successor = catalog.model(provider, name.rstrip("*")), catalog.model(provider, heir)
    assert ended is not None
    assert successor is not None
    assert not successor.ended(TODAY)
    assert successor.shutdown is None
    assert successor.tasks == ended.tasks
    assert catalog.price(provider, heir) is not None


def test_every_provider_named_in_the_facts_can_have_prices(catalog: Catalog) -> None:
    named = {row["provider"] for row in ROWS} | {
        name for table in FACTS.values() for name in table if table not in (FACTS["tasks"], FACTS["reasoning"])
    }
    known = set(TABLE) | {"anthropic", "stability", "elevenlabs", "gemini", "bedrock"}
    assert named <= known
    assert set(FACTS["snapshot"].values()) <= set(catalog.snapshot.providers)


@pytest.mark.parametrize(
    ("provider", "model", "usage", "nanos"),
    [
        ("openai", "gpt-6-luna", Usage(input_tokens=1000, output_tokens=100), 150_000),
        ("openai", "gpt-6-luna", Usage(input_tokens=272_001), 54_400_200),
        ("openai", "gpt-6-luna", Usage(input_tokens=1000, service_tier="flex"), 50_000),
        ("openai", "gpt-6.2-sol", Usage(input_tokens=272_001, output_tokens=1, service_tier="batch"), 544_009_500),
        ("openai", "gpt-6.2-sol", Usage(input_tokens=200_000, web_searches=1, service_tier="batch"), 210_000_000),
        (
            "openai",
            "gpt-6.2-sol",
            Usage(input_tokens=1000, cache_write_tokens=1000, cache_write_1h_tokens=1000),
            5_000_000,
        ),
        ("openai", "omni-moderation-latest", Usage(input_tokens=1000), 0),
        ("openai", "tts-1", Usage(characters=1000), 15_000_000),
        ("openai", "gpt-transcribe", Usage(audio_milliseconds=60_000), 4_500_000),
        ("anthropic", "claude-haiku-5-5", Usage(input_tokens=1000, cached_tokens=1000), 10_000),
        ("anthropic", "claude-mythos-5-1", Usage(output_tokens=1000, service_tier="batch"), 25_000_000),
        ("stability", "core", Usage(images=2), 60_000_000),
        ("elevenlabs", "eleven_flash_v2_5", Usage(characters=1000), 40_000_000),
        ("gemini", "gemini-3.8-flash", Usage(input_tokens=1000), 750_000),
        ("bedrock", "global.anthropic.claude-haiku-5-5", Usage(input_tokens=1000), 100_000),
        ("xai", "grok-4.7", Usage(input_tokens=1000), 2_000_000),
        ("azure", "gpt-4o", Usage(input_tokens=1000), 2_500_000),  # from OpenAI's rows: Azure has none of its own
        ("groq", "whisper-large-v3-turbo", Usage(audio_milliseconds=1), 111_112),  # ten seconds at least
    ],
)
def test_a_model_has_its_list_price(catalog: Catalog, provider: str, model: str, usage: Usage, nanos: int) -> None:
    price = catalog.price(provider, model)
    assert price is not None
    assert used(price, usage, NOON) == nanos


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "gpt-99"), ("ollama", "llama3"), ("vllm", "m"), ("stability", "stable-diffusion-xl-1024-v1-0")],
)
def test_what_no_source_prices_has_no_price(catalog: Catalog, provider: str, model: str) -> None:
    assert catalog.price(provider, model) is None


@pytest.mark.parametrize(
    ("provider", "model", "successor", "before", "after"),
    [
        ("openai", "dall-e-3", "gpt-image-2.6-flare", date(2026, 5, 11), date(2026, 5, 12)),
        ("openai", "gpt-5-mini-2025-08-07", "gpt-6.1-terra", TODAY, date(2026, 12, 11)),
        ("anthropic", "claude-3-haiku-20240307", "claude-haiku-5-5", date(2026, 4, 19), TODAY),
        ("anthropic", "claude-opus-4-1-20250805", "claude-opus-5-5", date(2026, 8, 4), date(2026, 8, 5)),
        ("openai", "tts-1", None, date(2027, 1, 5), date(2027, 1, 6)),
    ],
)
def test_a_model_ends_on_its_day(
    catalog: Catalog, provider: str, model: str, successor: str | None, before: date, after: date
) -> None:
    facts = catalog.model(provider, model)
    assert facts is not None
    assert (facts.ended(before), facts.ended(after), facts.successor) == (False, True, successor)


def test_a_model_gone_since_an_unknown_day_has_ended(catalog: Catalog) -> None:
    facts = catalog.model("stability", "stable-diffusion-xl-1024-v1-0")
    assert facts is not None
    assert facts.ended(date(2020, 1, 1))


@pytest.mark.parametrize(
    ("provider", "model", "window", "output"),
    [
        ("openai", "gpt-6-luna", 1_050_000, 128_000),
        ("openai", "gpt-6.2-astra", 1_050_000, 128_000),
        ("openai", "gpt-4o-2024-05-13", 128_000, 4_096),
        ("anthropic", "claude-haiku-5-5", 1_000_000, 128_000),
        ("anthropic", "claude-haiku-4-5-20251001", 200_000, 64_000),
        ("openai", "gpt-image-2.6-flare", None, 23_719),
    ],
)
def test_a_model_has_its_limits(
    catalog: Catalog, provider: str, model: str, window: int | None, output: int | None
) -> None:
    facts = catalog.model(provider, model)
    assert facts is not None
    assert (facts.context_window_tokens, facts.output_most_tokens) == (window, output)


@pytest.mark.parametrize(
    ("model", "tasks"),
    [
        ("gpt-6-luna", (Task.TEXT,)),
        ("gpt-image-2.6-flare", (Task.IMAGE,)),
        ("gpt-4o-mini-tts", (Task.SPEECH,)),
        ("gpt-4o-transcribe", (Task.TRANSCRIPTION,)),
        ("text-embedding-3-small", (Task.EMBEDDING,)),
        ("omni-moderation-latest", (Task.MODERATION,)),
        ("gpt-realtime-2", ()),
    ],
)
def test_a_model_is_for_its_task(catalog: Catalog, model: str, tasks: tuple[Task, ...]) -> None:
    facts = catalog.model("openai", model)
    assert facts is not None
    assert facts.tasks == tasks


def test_the_list_of_models_holds_what_a_provider_serves_itself(catalog: Catalog) -> None:
    models = catalog.models("openai")
    assert {"gpt-6-luna", "gpt-6.2-sol", "gpt-4o-2024-11-20", "dall-e-3"} <= set(models)
    assert "gpt-oss-120b" not in models
    assert list(models) == sorted(set(models))
    assert catalog.models("nobody") == ()


def test_what_is_gone_and_had_a_price_for_each_size_and_quality_has_none(catalog: Catalog) -> None:
    assert (catalog.price("openai", "dall-e-3"), catalog.price("openai", "dall-e-2")) == (None, None)


def test_a_model_nobody_knows_has_no_facts(catalog: Catalog) -> None:
    assert catalog.model("openai", "gpt-99") is None
    assert catalog.default_model("openai", Task.TEXT) == "gpt-6-luna"
    assert catalog.default_model("anthropic", Task.IMAGE) is None
    assert catalog.default_voice("anthropic") is None


def test_reading_the_catalogue_is_light() -> None:
    def cpu_seconds() -> float:
        begun = time.process_time()
        load_catalog()
        return time.process_time() - begun

    assert min(cpu_seconds() for _ in range(5)) < 0.030
    tracemalloc.start()
    kept = load_catalog()
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept.source.version
    assert most_bytes < 8_000_000


def test_every_default_can_be_quoted(catalog: Catalog) -> None:
    bound = Bound(input_tokens=1000, output_tokens=1000, images=1, characters=100, audio_milliseconds=1000)
    for provider, task, model in DEFAULTS:
        price = catalog.price(provider, model)
        assert price is not None
        assert (quote(price, bound, NOON) > 0) is (task != "moderation"), (provider, model)
