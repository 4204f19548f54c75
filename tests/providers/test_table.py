"""The table of providers holds what it must: addresses, one key each, and only what was found to be so."""

from urllib.parse import urlsplit

import pytest

from oneflow_ai.core.call import Task
from oneflow_ai.providers.openai import OpenAIAdapter
from oneflow_ai.providers.table import TABLE, Row

COMPATIBLE = {"openai", "groq", "mistral", "deepseek", "xai", "openrouter", "together", "ollama", "vllm", "azure"}


def test_the_providers_of_openais_wire_are_there() -> None:
    assert set(TABLE) >= COMPATIBLE


@pytest.mark.parametrize("kind", TABLE)
def test_an_address_is_complete_and_private_only_on_loopback(kind: str) -> None:
    address = TABLE[kind].base_url
    if address is None:
        return
    parts = urlsplit(address)
    assert not address.endswith("/")
    assert parts.scheme == ("http" if parts.hostname == "127.0.0.1" else "https")
    assert (parts.query, parts.fragment, parts.username) == ("", "", None)


def test_an_address_must_be_given_only_where_there_is_none() -> None:
    assert {kind for kind, row in TABLE.items() if row.base_url is None} == {"vllm", "azure"}


def test_each_key_has_its_own_variable_and_a_header_that_carries_it() -> None:
    variables = [row.environment for row in TABLE.values()]
    assert len(set(variables)) == len(variables)
    for row in TABLE.values():
        assert row.environment is not None and row.environment.isupper()
        assert row.environment.endswith("_API_KEY") or row.environment == "AWS_BEARER_TOKEN_BEDROCK"
        assert (row.key_header, row.key_prefix) in {
            ("authorization", "Bearer "),
            ("api-key", ""),
            ("x-api-key", ""),
            ("x-goog-api-key", ""),
            ("xi-api-key", ""),
        }


def test_a_key_is_sent_but_for_those_that_are_signed_with() -> None:
    for kind, row in TABLE.items():
        assert not row.signs("sk-one-piece")
        assert row.signs("AKID:secret") == (kind == "bedrock")


def test_only_local_servers_run_without_a_key() -> None:
    assert {kind for kind, row in TABLE.items() if not row.key_required} == {"ollama", "vllm"}


def test_starting_limits_are_the_contracts() -> None:
    limits = {kind: row.requests_per_minute for kind, row in TABLE.items() if row.requests_per_minute}
    assert limits == {"openai": 60, "anthropic": 50, "stability": 150, "elevenlabs": 120}


def test_who_is_not_known_to_stop_for_a_client_that_hangs_up_is_taken_to_go_on() -> None:
    stops = {kind for kind, row in TABLE.items() if row.on_cancel == "stops"}
    assert stops == {"openai", "anthropic", "deepseek", "xai", "together", "azure", "ollama", "vllm"}
    assert Row(TABLE["openai"].adapter, None).on_cancel == "goes_on"


def test_each_serves_text_but_those_that_make_pictures_or_speak() -> None:
    tasks = {kind: row.tasks for kind, row in TABLE.items() if Task.TEXT not in row.tasks}
    assert tasks == {"stability": {Task.IMAGE}, "elevenlabs": {Task.SPEECH, Task.TRANSCRIPTION}}
    for kind, row in TABLE.items():
        assert isinstance(row.adapter, OpenAIAdapter) == (kind in COMPATIBLE)


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TABLE["other"] = TABLE["openai"]  # type: ignore[index] # that it is refused is the test
    for row in TABLE.values():
        with pytest.raises(TypeError):
            row.options["api_version"] = "x"  # type: ignore[index] # that it is refused is the test
