"""Variables override the file, the file overrides the defaults, and each value knows where it came from."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.settings import (
    DEFAULT_KINDS,
    Mistake,
    ProviderSettings,
    RouteSettings,
    Settings,
    SettingsError,
    TargetSettings,
    load,
    show,
)
from tests.settings.place import KINDS, Place

FILE = """
[server]
port = 9000
log_level = "debug"

[providers.my-proxy]
kind = "openai"
concurrency = 3
"""

# A variable, what it says, the setting, its value then.
OVERRIDES = [
    ("ONEFLOW_SERVER__PORT", "9100", "server.port", 9100),
    ("oneflow_server__port", "9100", "server.port", 9100),
    ("ONEFLOW_SERVER__HOST", "localhost", "server.host", "localhost"),
    ("ONEFLOW_SERVER__HEAD_SECONDS", "2.5", "server.head_seconds", 2.5),
    ("ONEFLOW_SERVER__HEAD_SECONDS", "1_0", "server.head_seconds", 10.0),
    ("ONEFLOW_SERVER__HOSTS", '["a", "b"]', "server.hosts", ["a", "b"]),
    ("ONEFLOW_SERVER__HOSTS", "['a', 'b',]", "server.hosts", ["a", "b"]),
    ("ONEFLOW_RETRY__JITTER", "false", "retry.jitter", False),
    ("ONEFLOW_SERVER", '{"calls_most": 2}', "server.calls_most", 2),
    ("ONEFLOW_PROVIDERS__OPENAI__API_VERSION", "2024", "providers.openai.api_version", "2024"),
    ("ONEFLOW_PROVIDERS__OPENAI__CONCURRENCY", "7", "providers.openai.concurrency", 7),
    ("ONEFLOW_PROVIDERS__OPENAI__CONCURRENCY", "null", "providers.openai.concurrency", None),
    ("ONEFLOW_PROVIDERS__MY_PROXY__CONCURRENCY", "7", "providers.my-proxy.concurrency", 7),
    ("ONEFLOW_PROVIDERS__LOCAL", '{kind = "ollama"}', "providers.local.kind", "ollama"),
    ("ONEFLOW_PROVIDERS", '{"groq": {}}', "providers.groq.kind", "groq"),
    ("ONEFLOW_PROVIDERS__OPENAI__HEADERS", '{"x-a": "b"}', "providers.openai.headers", {"x-a": "***"}),
    ("ONEFLOW_ROUTES__TEXT__TARGETS", '["openai/a"]', "routes.text.targets", ["openai/a"]),
    ("ONEFLOW_PRICES", '{"openai/a": {"usd_per_image": 1}}', 'prices."openai/a"', {"usd_per_image": 1.0}),
]


@pytest.mark.parametrize(("variable", "text", "name", "value"), OVERRIDES)
def test_a_variable_overrides(place: Place, variable: str, text: str, name: str, value: Any) -> None:
    row = next(row for row in show(place.load(FILE, **{variable: text})) if row.name == name)
    assert row.value == value
    assert row.source == ("default" if name == "providers.groq.kind" else variable)


def test_a_variable_leaves_the_rest_of_its_table(place: Place) -> None:
    loaded = place.load(FILE, ONEFLOW_PROVIDERS__MY_PROXY='{"concurrency": 9}', ONEFLOW_SERVER__PORT="9100")
    assert loaded.settings.providers["my-proxy"] == ProviderSettings(kind="openai", concurrency=9)
    assert {name: source for name, source in loaded.sources.items() if source != "default"} == {
        "server.port": "ONEFLOW_SERVER__PORT",
        "server.log_level": "oneflow.toml:4",
        "providers.my-proxy.kind": "oneflow.toml:7",
        "providers.my-proxy.concurrency": "ONEFLOW_PROVIDERS__MY_PROXY",
    }


def test_the_deeper_variable_wins(place: Place) -> None:
    loaded = place.load(None, ONEFLOW_SERVER__PORT="1", ONEFLOW_SERVER='{"port": 2, "calls_most": 3}')
    assert (loaded.settings.server.port, loaded.settings.server.calls_most) == (1, 3)


# A variable, what it says, the name and the beginning of the message of its mistake.
MISTAKES = [
    ("ONEFLOW_SERVR__PORT", "1", "servr.port", "unknown section; did you mean ONEFLOW_SERVER__PORT?"),
    ("ONEFLOW_SERVER__PROT", "1", "server.prot", "unknown key; did you mean ONEFLOW_SERVER__PORT?"),
    ("ONEFLOW_SERVER__PORT", "eighty", "server.port", "must be a whole number"),
    ("ONEFLOW_SERVER__PORT", "1\nx = 2", "server.port", "must be a whole number"),
    ("ONEFLOW_SERVER__HOSTS", "a", "server.hosts", "must be a list"),
    ("ONEFLOW_SERVER__", "1", 'server.""', "has an empty name"),
    ("ONEFLOW_SERVER", "8000", "server", "must be a table, as JSON"),
    ("ONEFLOW_SERVER", '{"prot": 1}', "server.prot", "unknown key; did you mean port?"),
    ("ONEFLOW_PROVIDERS", '{"x": 1}', "providers.x", "must be a table"),
    (
        "ONEFLOW_PROVIDERS__OPENAI__HEADERS__X_A",
        "b",
        "providers.openai.headers.x_a",
        "is inside a value: set the whole of it, as JSON or TOML, in ONEFLOW_PROVIDERS__OPENAI__HEADERS",
    ),
    (
        "ONEFLOW_PROVIDERS__OPENAI__API_KYE",
        "x",
        "providers.openai.api_kye",
        "unknown key; did you mean ONEFLOW_PROVIDERS__",
    ),
]


@pytest.mark.parametrize(("variable", "text", "name", "message"), MISTAKES)
def test_a_wrong_variable_is_told(place: Place, variable: str, text: str, name: str, message: str) -> None:
    (mistake,) = place.mistakes(None, **{variable: text})
    assert (mistake.where, mistake.name) == (variable, name)
    assert mistake.message.startswith(message)


def test_one_setting_in_upper_and_lower_case_is_told(place: Place) -> None:
    (mistake,) = place.mistakes(None, ONEFLOW_SERVER__PORT="1", oneflow_server__port="2")
    assert mistake == Mistake("oneflow_server__port", "server.port", "is set twice, in upper and in lower case")


def test_a_variable_does_not_hide_that_its_table_is_none(place: Place) -> None:
    (mistake,) = place.mistakes("server = 1", ONEFLOW_SERVER__PORT="1")
    assert mistake == Mistake("oneflow.toml:1", "server", "must be a table")


UNREAD = [
    ("ONEFLOW_SERVER_PORT", "1", "is not read; did you mean ONEFLOW_SERVER__PORT?"),
    ("ONEFLOW_PORT", "1", "is not read; did you mean ONEFLOW_SERVER__PORT?"),
    ("ONEFLOW_PORT", "tcp://10.0.0.1:8000", None),
    ("ONEFLOW_SERVICE_HOST", "10.0.0.1", None),
    ("ONEFLOW_DEBUG_MODE", "1", None),
    ("ONEFLOW_API_KEY", "of_x", None),
    ("ONEFLOW_TEST_REQUIRE", "a__b", None),
    ("ONEFLOW_TEST__X", "1", None),
    ("MY_ONEFLOW_SERVER__PORT", "1", None),
]


@pytest.mark.parametrize(("variable", "text", "message"), UNREAD)
def test_other_variables_are_left_alone(place: Place, variable: str, text: str, message: str | None) -> None:
    loaded = place.load(None, **{variable: text})
    assert set(loaded.sources.values()) == {"default"}
    assert [each.message for each in loaded.warnings] == ([message] if message else [])


SECONDS = st.floats(0.001, 86_400) | st.integers(1, 86_400)
COUNTS = st.integers(0, 1_000_000_000)
# A provider's name alone names no model.
WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789.:/", min_size=1, max_size=20).filter(
    lambda word: word not in DEFAULT_KINDS
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "server.port": st.integers(0, 65535),
    "server.hosts": st.lists(st.from_regex(r"[a-z]{1,9}(\.[a-z]{1,9}){0,2}", fullmatch=True), max_size=5),
    "server.log_level": st.sampled_from(["debug", "info", "warning", "error"]),
    "server.write_seconds": SECONDS,
    "providers.openai.requests_per_minute": st.none() | COUNTS,
    "providers.openai.models": st.none() | st.lists(WORDS, max_size=5),
    "providers.openai.project": WORDS,
    "providers.openai.api_keys": st.lists(st.from_regex(r"env:[A-Z_]{1,9}", fullmatch=True), max_size=3),
    "routes.text.targets": st.lists(
        st.fixed_dictionaries({"target": WORDS, "weight": st.integers(2, 1000)}, optional={"timeout_seconds": SECONDS}),
        max_size=3,
    ),
    "retry.unsafe": st.booleans(),
    "limits.tokens_per_minute": COUNTS,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("place")


@given(st.sampled_from(sorted(VALUES)).flatmap(lambda name: st.tuples(st.just(name), VALUES[name])))
def test_what_a_variable_says_is_what_is_shown(folder: Path, case: tuple[str, Any]) -> None:
    """Any value goes into a variable, through the settings and out by `show` unchanged, and its source is told."""
    name, value = case
    variable = f"ONEFLOW_{name.upper().replace('.', '__')}"
    text = value if isinstance(value, str) else json.dumps(value)
    loaded = load(None, {"ONEFLOW_HOME": "home", variable: text}, folder, kinds=KINDS)
    row = next(row for row in show(loaded) if row.name == name)
    assert (row.value, row.source) == (value, variable)


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["env:A", "file:a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
FIELDS = {
    section: type(table).model_fields
    for section, table in Settings()
    if section not in ("providers", "routes", "prices")
}
TABLES = st.one_of(
    *(
        st.tuples(st.just(section), st.dictionaries(st.sampled_from([*fields, "zz"]), JUNK, max_size=4))
        for section, fields in FIELDS.items()
    ),
    *(
        st.tuples(
            st.just(section),
            st.dictionaries(
                st.sampled_from(["text", "openai", "x y", ""]),
                JUNK | st.dictionaries(st.sampled_from([*model.model_fields, "target"]), JUNK, max_size=5),
                max_size=2,
            ),
        )
        for section, model in (("providers", ProviderSettings), ("routes", RouteSettings), ("prices", TargetSettings))
    ),
    st.tuples(st.sampled_from(["server", "providers", "zz"]), JUNK),
)


@given(st.lists(TABLES, max_size=3))
def test_whatever_is_written_is_loaded_or_refused_with_its_place(folder: Path, tables: list[tuple[str, Any]]) -> None:
    """Nothing but `SettingsError` comes out, and each mistake names the variable that it stands in."""
    variables = {f"ONEFLOW_{section.upper()}": json.dumps(table) for section, table in tables}
    places = None
    try:
        load(None, {"ONEFLOW_HOME": "home", **variables}, folder, kinds=KINDS)
    except SettingsError as error:
        places = {each.where for each in error.mistakes}
    assert places is None or (places and places <= set(variables))


PLACES = ["named.toml", "asked.toml", "oneflow.toml", "home/oneflow.toml"]


@pytest.mark.parametrize("present", range(len(PLACES) + 1))
def test_the_first_file_of_the_order_is_read(place: Place, present: int) -> None:
    """With the first places missing the next is read; the option and the variable are left out with their files."""
    for number, name in enumerate(PLACES[present:], start=present + 1):
        place.write(f"[server]\nport = {number}\n", name)
    variables = {"ONEFLOW_HOME": "home"} | ({"ONEFLOW_CONFIG": "asked.toml"} if present < 2 else {})
    loaded = load(Path("named.toml") if present < 1 else None, variables, place.directory)
    found = [*PLACES, None][present]
    assert loaded.file == (place.directory / found if found else None)
    assert loaded.settings.server.port == (present + 1 if found else 8000)


def test_the_process_environment_and_directory_are_the_defaults(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write("[server]\ncalls_most = 2")
    monkeypatch.chdir(place.directory)
    monkeypatch.setenv("ONEFLOW_HOME", "home")
    monkeypatch.setenv("ONEFLOW_SERVER__PORT", "1")
    loaded = load()
    assert (loaded.settings.server.port, loaded.settings.server.calls_most, loaded.home) == (1, 2, place.home)
