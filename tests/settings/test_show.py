"""What is shown of a configuration, and the schema that editors check it by."""

import json
import tomllib
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from oneflow_ai.settings import Row, Settings, json_schema, show
from tests.settings.place import Place

TEXT = """
[providers.groq]
api_key = "env:GROQ_API_KEY"
headers = { "x-a" = "b", "x-token" = "env:T" }
[routes.fast]
task = "text"
targets = ["openai/a", { target = "groq/b", weight = 3, headers = { "x-c" = "d" } }]
"""


def test_every_setting_is_shown_with_its_source(place: Place) -> None:
    loaded = place.load(TEXT, T="t", ONEFLOW_RETRY__JITTER="false")
    rows = show(loaded)
    assert [row.name for row in rows] == list(loaded.sources)
    assert json.loads(json.dumps([row.value for row in rows])) == [row.value for row in rows]
    for row in (
        Row("server.port", 8000, "default"),
        Row("providers.groq.kind", "groq", "default"),
        Row("providers.groq.api_key", "env:GROQ_API_KEY", "oneflow.toml:3"),
        Row("providers.groq.headers", {"x-a": "***", "x-token": "env:T"}, "oneflow.toml:4"),
        Row("providers.anthropic.base_url", "https://api.anthropic.com", "default"),
        Row("routes.text.targets", [], "default"),
        Row(
            "routes.fast.targets",
            ["openai/a", {"target": "groq/b", "weight": 3, "headers": {"x-c": "***"}}],
            "oneflow.toml:7",
        ),
        Row("retry.jitter", False, "ONEFLOW_RETRY__JITTER"),
    ):
        assert row in rows


def test_defaults_are_a_configuration(place: Place) -> None:
    loaded = place.load()
    assert loaded.settings == Settings()
    assert loaded.file is None
    assert set(loaded.sources.values()) == {"default"}
    assert loaded.warnings == ()


def test_the_schema_is_one_and_tells_what_each_setting_means() -> None:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    for name, table in schema["$defs"].items():
        assert table.get("description"), name
        for key, setting in table.get("properties", {}).items():
            assert setting.get("description"), f"{name}.{key}"


SCHEMA_CASES = [
    (TEXT, True),
    ('[routes.text]\ntargets = ["openai/a"]', True),
    ("[server]\nport = 65536", False),
    ("[server]\nprot = 1", False),
    ("[server]\nworkers = 1", True),
    ("[server]\nworkers = 2", False),
    ("[sever]", False),
    ('[providers.groq]\napi_key = "gsk_1"', False),
    ('[routes.text]\nstrategy = "split"', False),
    ("[routes.text]\ntargets = [3]", False),
]


@pytest.mark.parametrize(("text", "right"), SCHEMA_CASES)
def test_the_schema_says_what_loading_says(place: Place, text: str, right: bool) -> None:
    tree: Any = tomllib.loads(text)
    assert Draft202012Validator(json_schema()).is_valid(tree) is right
    assert (place.mistakes(text, T="t") == []) is right


def test_settings_cannot_be_changed(place: Place) -> None:
    with pytest.raises(ValueError, match="frozen"):
        setattr(place.load().settings.server, "port", 1)  # noqa: B010  the plain form is refused by the type checker
