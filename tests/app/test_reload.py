"""A reload: every setting is taken up by the next request, or the old configuration is kept and the log says why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import get_args, get_origin

import pytest
from pydantic import BaseModel

from oneflow_ai.app.reload import AT_A_RESTART, check_reload
from oneflow_ai.core.call import Task
from oneflow_ai.settings import Settings
from tests.app.reloading import (
    KEYED,
    PRICED,
    ROUTE,
    SIM,
    Bench,
    Probe,
    access_lines,
    account,
    answered,
    deadlines,
    dropped,
    follows,
    header,
    listing_asked,
    loaded,
    of_route,
    of_target,
    remembered,
    retry,
    seen,
    serving,
)
from tests.stores.exchanges import success

PAGE = Path(__file__).parents[2] / "docs/reference/configuration.md"
MODELS = ("GET", "/v1/models")
CHAT = ("POST", "/v1/chat/completions")
TARGET = 'targets = [{{ target = "sim/m", {} }}]\n'


def _budget(bench: Bench) -> tuple[str, str] | None:
    """The one budget in force, if there is one."""
    return next(((budget.scope, budget.period.value) for budget in bench.runtime.ledger.budgets), None)


budget_set = seen(_budget)

# For each setting that is taken up at once: a configuration with another value, what is then seen, and by what probe.
AT_ONCE: list[tuple[str, str, object, Probe]] = [
    ("server.auth", '[server]\nauth = "none"', 200, answered(*MODELS, authorization="")),
    ("server.hosts", '[server]\nhosts = ["gateway.lan"]', 200, answered(*MODELS, host="gateway.lan")),
    ("server.body_bytes_most", "[server]\nbody_bytes_most = 1024", 413, answered(*CHAT, {"pad": "x" * 2_000})),
    (
        "server.upload_bytes_most",
        "[server]\nupload_bytes_most = 1024",
        413,
        answered("POST", "/v1/audio/transcriptions", "x" * 2_000, content_type="multipart/form-data; boundary=b"),
    ),
    ("server.calls_most", "[server]\ncalls_most = 5", 503, answered(*CHAT, {}, calls_open=5)),
    *(
        (f"budgets.{period}_usd", f"[budgets]\n{period}_usd = 5", ("all", period), budget_set)
        for period in ("daily", "weekly", "monthly", "total")
    ),
    *(
        (f"providers.NAME.budget_{period}_usd", f"{KEYED}budget_{period}_usd = 5", ("provider:sim", period), budget_set)
        for period in ("daily", "weekly", "monthly", "total")
    ),
    ("server.log_level", '[server]\nlog_level = "debug"', "debug", seen(lambda bench: bench.looks[-1].level)),
    ("providers.NAME.kind", KEYED.replace("openai", "groq"), "groq", of_target(lambda target: target.kind)),
    (
        "providers.NAME.base_url",
        KEYED.replace(":9", ":10"),
        "http://127.0.0.1:10/v1",
        of_target(lambda target: target.base_url),
    ),
    ("providers.NAME.api_key", f'{SIM}api_key = "env:OTHER"', "Bearer sk-two", header("authorization")),
    (
        "providers.NAME.api_keys",
        f'{SIM}api_keys = ["env:KEY", "env:OTHER"]',
        "sim#2",
        seen(lambda bench: bench.target(1).credential.id),
    ),
    (
        "providers.NAME.requests_per_minute",
        f"{KEYED}requests_per_minute = 7",
        7,
        of_target(lambda target: target.limits.requests_per_minute),
    ),
    (
        "providers.NAME.tokens_per_minute",
        f"{KEYED}tokens_per_minute = 7",
        7,
        of_target(lambda target: target.limits.tokens_per_minute),
    ),
    (
        "providers.NAME.concurrency",
        f"{KEYED}concurrency = 7",
        7,
        of_target(lambda target: target.limits.concurrency),
    ),
    (
        "providers.NAME.timeout_seconds",
        f"{KEYED}timeout_seconds = 7",
        7,
        of_target(lambda target: target.timeouts.total_seconds),
    ),
    (
        "providers.NAME.connect_seconds",
        f"{KEYED}connect_seconds = 7",
        7,
        of_target(lambda target: target.timeouts.connect_seconds),
    ),
    (
        "providers.NAME.first_event_seconds",
        f"{KEYED}first_event_seconds = 7",
        7,
        of_target(lambda target: target.timeouts.first_event_seconds),
    ),
    (
        "providers.NAME.idle_seconds",
        f"{KEYED}idle_seconds = 7",
        7,
        of_target(lambda target: target.timeouts.idle_seconds),
    ),
    ("providers.NAME.headers", f'{KEYED}headers = {{ x-a = "b" }}', "b", header("x-a")),
    (
        "providers.NAME.proxy",
        f'{KEYED}proxy = "http://proxy.lan:1"',
        "http://proxy.lan:1",
        seen(lambda bench: bench.way().proxy),
    ),
    (
        "providers.NAME.ca_file",
        f'{KEYED}ca_file = "ca.pem"',
        "ca.pem",
        seen(lambda bench: Path(bench.way().ca_file or "").name),
    ),
    ("providers.NAME.private", f"{KEYED}private = true", True, seen(lambda bench: bench.way().private)),
    (
        "providers.NAME.models",
        f'{KEYED}models = ["m"]',
        {"m"},
        seen(lambda bench: bench.runtime.desk.snapshot.providers["sim"].models),
    ),
    (
        "providers.NAME.connections_most",
        f"{KEYED}connections_most = 7",
        7,
        seen(lambda bench: bench.way().connections_most),
    ),
    (
        "providers.NAME.api_version",
        f'{KEYED}api_version = "2"',
        "2",
        of_target(lambda target: target.options.get("api_version")),
    ),
    (
        "providers.NAME.region",
        f'{KEYED}region = "eu-west-1"',
        "eu-west-1",
        of_target(lambda target: target.options.get("region")),
    ),
    (
        "providers.NAME.voices",
        f'{KEYED}voices = {{ Narrator = "onyx" }}',
        "onyx",
        of_target(lambda target: target.voices.get("narrator")),
    ),
    (
        "providers.NAME.usd_per_million_credits",
        f"{KEYED}usd_per_million_credits = 120.5",
        "120.5",
        of_target(lambda target: target.options.get("usd_per_million_credits")),
    ),
    ("providers.NAME.organization", f'{KEYED}organization = "o"', "o", header("openai-organization")),
    ("providers.NAME.project", f'{KEYED}project = "p"', "p", header("openai-project")),
    (
        "routes.NAME.task",
        f'{KEYED}{PRICED}[routes.fast]\ntask = "image"\ntargets = ["sim/m"]',
        Task.IMAGE,
        of_route(lambda route: route.task),
    ),
    (
        "routes.NAME.targets",
        f'{ROUTE}targets = ["sim/n", "sim/m"]',
        2,
        of_route(lambda route: len(route.targets)),
    ),
    (
        "routes.NAME.targets.target",
        f'{ROUTE}targets = [{{ target = "sim/n" }}]',
        "sim/n",
        of_route(lambda route: route.targets[0].place),
    ),
    (
        "routes.NAME.targets.weight",
        ROUTE + TARGET.format("weight = 7"),
        7,
        of_route(lambda route: route.targets[0].weight),
    ),
    (
        "routes.NAME.targets.timeout_seconds",
        ROUTE + TARGET.format("timeout_seconds = 7"),
        7,
        of_route(lambda route: route.targets[0].timeouts.total_seconds),
    ),
    (
        "routes.NAME.targets.headers",
        ROUTE + TARGET.format('headers = { x-a = "b" }'),
        "b",
        of_route(lambda route: dict(route.targets[0].headers).get("x-a")),
    ),
    (
        "routes.NAME.targets.proxy",
        ROUTE + TARGET.format('proxy = "http://proxy.lan:1"'),
        "http://proxy.lan:1",
        seen(lambda bench: bench.way(bench.route().targets[0].way).proxy),
    ),
    (
        "routes.NAME.targets.ca_file",
        ROUTE + TARGET.format('ca_file = "ca.pem"'),
        "ca.pem",
        seen(lambda bench: Path(bench.way(bench.route().targets[0].way).ca_file or "").name),
    ),
    (
        "routes.NAME.strategy",
        f'{ROUTE}targets = ["sim/m"]\nstrategy = "cheapest"',
        "cheapest",
        of_route(lambda route: route.strategy),
    ),
    (
        "routes.NAME.simulate_last",
        f'{ROUTE}targets = ["sim/m"]\nsimulate_last = true',
        True,
        of_route(lambda route: route.targets[-1].simulated),
    ),
    (
        "routes.NAME.continue_cut",
        f'{ROUTE}targets = ["sim/m"]\ncontinue_cut = true',
        True,
        of_route(lambda route: route.targets[0].continue_cut),
    ),
    ("retry.attempts", "[retry]\nattempts = 7", 7, retry("attempts")),
    ("retry.unsafe", "[retry]\nunsafe = false", False, retry("unsafe")),
    ("retry.jitter", "[retry]\njitter = false", False, retry("jitter")),
    ("retry.deadline_seconds", "[retry]\ndeadline_seconds = 7", (7.0, 7.0), deadlines),
    ("limits.requests_per_minute", "[limits]\nrequests_per_minute = 7", [7], account("requests_per_minute")),
    ("limits.tokens_per_minute", "[limits]\ntokens_per_minute = 7", [7], account("tokens_per_minute")),
    ("limits.concurrency", "[limits]\nconcurrency = 7", [7], account("concurrency")),
    ("prices", KEYED + PRICED, True, of_target(lambda target: target.price is not None)),
    ("models.follow_successors", "[models]\nfollow_successors = true", True, follows),
    (
        "models.refresh_hours",
        f'[models]\nrefresh_hours = 1\n[providers.openai]\nbase_url = "http://127.0.0.1:9/v1"\n{KEYED}',
        True,
        listing_asked,
    ),
    (
        "history.prompts",
        "[history]\nprompts = true",
        True,
        seen(lambda bench: "canary-prompt" in str(bench.runtime.history.row(success()))),
    ),
    ("history.retention_days", "[history]\nretention_days = 5", 0, remembered),
    ("history.queue_most", "[history]\nqueue_most = 100", True, dropped),
    ("metrics.enabled", "[metrics]\nenabled = false", 404, answered("GET", "/metrics")),
    ("log.format", '[log]\nformat = "text"', True, seen(lambda bench: bench.looks[-1].terminal)),
    ("log.access", "[log]\naccess = true", 1, access_lines),
]


@pytest.mark.parametrize(("setting", "text", "after", "probe"), AT_ONCE, ids=[row[0] for row in AT_ONCE])
async def test_a_setting_is_taken_up_by_the_next_request(
    tmp_path: Path, setting: str, text: str, after: object, probe: Probe
) -> None:
    async with serving(tmp_path, KEYED) as bench:
        assert await probe(bench) != after
        assert await bench.reload(text if "[providers.sim]" in text else f"{KEYED}{text}"), bench.told
        assert await probe(bench) == after


# For each setting that is read once: other values than the defaults.
AT_A_RESTART_ONLY = {
    "server.host": "localhost",
    "server.port": 9_000,
    "server.workers": 2,
    "server.secret": "env:SECRET",
    "server.engine": "other",
    "server.head_seconds": 1.0,
    "server.body_idle_seconds": 1.0,
    "server.write_seconds": 1.0,
    "server.drain_seconds": 1.0,
    "database.url": "sqlite:///other.db",
    "state.url": "redis://localhost",
}


@pytest.mark.parametrize(("setting", "value"), AT_A_RESTART_ONLY.items())
def test_a_setting_that_is_read_once_refuses_the_reload(tmp_path: Path, setting: str, value: object) -> None:
    (tmp_path / "oneflow.toml").write_text("")
    before = loaded(tmp_path)
    section, _, key = setting.partition(".")
    table = getattr(before.settings, section).model_copy(update={key: value})
    after = replace(before, settings=before.settings.model_copy(update={section: table}))
    check_reload(before, before)
    with pytest.raises(ValueError, match=f"^{setting}: cannot change while the server runs; restart it$"):
        check_reload(before, after)


def _settings(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """Every setting's name as the documentation writes it."""
    for name, found in model.model_fields.items():
        inner, named = next(_tables(found.annotation), None), get_origin(found.annotation) is Mapping
        if inner is None or prefix.count("."):
            yield f"{prefix}{name}"
        if inner is not None:
            yield from _settings(inner, f"{prefix}{name}.{'NAME.' if named else ''}")


def _tables(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _tables(each)


def test_every_setting_is_taken_up_or_needs_a_restart() -> None:
    at_once = [setting for setting, *_ in AT_ONCE]
    assert sorted([*at_once, *AT_A_RESTART]) == sorted(_settings())
    assert set(AT_A_RESTART) == set(AT_A_RESTART_ONLY)


def test_what_needs_a_restart_is_documented() -> None:
    _, _, rest = PAGE.read_text().partition("\n## Reading it anew\n")
    section, _, _ = rest.partition("\n## ")
    assert [name for name in AT_A_RESTART if f"`{name}`" not in section] == []
