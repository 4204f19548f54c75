"""Verbs that ask a running server: over its own routes, with the right key, and with a line when it cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oneflow_ai.cli.asking import SIMULATED
from oneflow_ai.cli.remote import remote_of
from oneflow_ai.settings import load
from oneflow_ai.simulator import ThreadedSimulator
from tests.cli.place import Place, lines, serving

QUESTION = "What is a gateway?"
SHORT = ("--max-tokens", "3")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, str]]:
    """A running server in demo mode: its place, which holds its first key, and its address."""
    place = Place(tmp_path_factory.mktemp("gateway"))
    with serving(place) as announced:
        yield place, announced["url"]


@pytest.fixture
def there(gateway: tuple[Place, str], monkeypatch: pytest.MonkeyPatch) -> Place:
    """The server's place, as the current directory."""
    monkeypatch.chdir(gateway[0].directory)
    return gateway[0]


@pytest.fixture
def url(gateway: tuple[Place, str]) -> str:
    """The server's address."""
    return gateway[1]


def test_ask_gives_the_servers_answer(there: Place, url: str) -> None:
    told = there.json("ask", QUESTION, *SHORT, "--server", url)
    assert told["text"]
    assert (told["provider"], told["model"], told["attempts"]) == ("openai", "gpt-6-luna", 1)
    assert told["simulated"] is True
    assert told["output_tokens"] == 3
    assert told["cost_usd"] > 0
    assert told["finish_reason"] == "length"
    assert told["request_id"].startswith("req_")


def test_ask_streams_the_servers_answer(there: Place, url: str) -> None:
    whole = there.run("ask", QUESTION, *SHORT, "--server", url)
    streamed = there.run("ask", QUESTION, *SHORT, "--server", f"{url}/v1/", "--stream")
    assert streamed.stdout == whole.stdout
    for result in (whole, streamed):
        assert result.exit_code == 0
        assert lines(result.stderr)[-1] == SIMULATED


def test_the_variable_names_the_server_too(there: Place, url: str) -> None:
    assert there.json("ask", QUESTION, *SHORT, ONEFLOW_URL=url)["simulated"] is True


def test_providers_are_asked_of_the_server(there: Place, url: str) -> None:
    rows = {row["name"]: row for row in there.json("providers", "--server", url)}
    assert rows["openai"]["simulated"] is True
    assert "simulated" in there.run("providers", "--server", url).stdout
    statuses = there.json("providers", "status", "--server", url)
    assert statuses["openai"]["status"] == "available"
    best = there.run("providers", "best", "text", "--server", url)
    assert best.stdout.startswith("openai  (")
    assert there.json("providers", "best", "text", "--server", url)["best_provider"] == "openai"


def test_a_server_checks_its_providers_from_where_it_stands(there: Place, url: str) -> None:
    rows = {row["provider"]: row for row in there.json("providers", "check", "--server", url)}
    assert rows.keys() == {"openai", "anthropic", "stability", "elevenlabs"}
    assert all(row["ok"] and row["simulated"] for row in rows.values())
    assert all(rows[name]["models"] > 0 for name in ("openai", "anthropic", "elevenlabs"))
    assert (rows["stability"]["models"], rows["stability"]["account"]) == (None, "100 credits left")
    # Once a minute: that it is too soon for another is no fault of theirs.
    again = there.run("providers", "check", "--server", url)
    assert again.exit_code == 0
    assert {line.split()[0]: "not checked" in line for line in lines(again.stdout)} | {"key": True} == {
        "key": True,
        "openai": True,
        "anthropic": True,
        "stability": True,
        "elevenlabs": True,
    }
    for name, words in (("openai", "once a minute"), ("no/where", "nothing at this")):
        named = there.run("providers", "check", name, "--server", url)
        assert named.exit_code == 1
        (line,) = lines(named.stderr)
        assert words in line


def test_a_key_that_the_server_does_not_know_is_told(there: Place, url: str) -> None:
    for verb in (["ask", "hi"], ["providers", "status"]):
        result = there.run(*verb, "--server", url, ONEFLOW_API_KEY="of_wrong")
        assert result.exit_code == 1
        (line,) = lines(result.stderr)
        assert "does not know the key that was sent: set ONEFLOW_API_KEY" in line


def test_without_any_key_the_line_says_how_to_get_one(place: Place, url: str) -> None:
    result = place.run("ask", "hi", "--server", url)
    assert result.exit_code == 1
    assert "the server needs a key: set ONEFLOW_API_KEY; `oneflow tokens create NAME`" in result.stderr


def test_a_revoked_key_ends(there: Place, url: str, tmp_path: Path) -> None:
    """The local database is the server's own: what `tokens` does there holds within a second."""
    made = there.json("tokens", "create", "for a while")
    elsewhere = Place(tmp_path)
    for _ in range(200):
        first = elsewhere.run("ask", "hi", *SHORT, "--server", url, ONEFLOW_API_KEY=made["key"])
        if first.exit_code == 0:
            break
    assert first.exit_code == 0
    assert there.run("tokens", "revoke", made["id"]).exit_code == 0
    for _ in range(200):
        last = elsewhere.run("ask", "hi", *SHORT, "--server", url, ONEFLOW_API_KEY=made["key"])
        if last.exit_code == 1:
            break
    assert "does not know the key" in last.stderr


def test_the_servers_refusal_is_one_line(there: Place, url: str) -> None:
    result = there.run("ask", "hi", "-m", "nope", "--server", url)
    assert result.exit_code == 2
    (line,) = lines(result.stderr)
    assert line.endswith("(model_not_found)")


def test_no_server_is_told(place: Place) -> None:
    result = place.run("ask", "hi", "--server", "http://127.0.0.1:9")
    assert result.exit_code == 1
    assert lines(result.stderr) == ["oneflow: no server answers at http://127.0.0.1:9: start one with `oneflow serve`"]


def test_what_is_no_gateway_is_told(place: Place, provider: ThreadedSimulator) -> None:
    address = provider.base_url.removesuffix("/v1")
    result = place.run("providers", "--server", address)
    assert result.exit_code == 1
    assert len(lines(result.stderr)) == 1


def test_a_key_is_never_sent_to_another_machine_unasked(there: Place, url: str) -> None:
    """The first key opens this machine's gateway; a foreign server has no business with it."""
    loaded = load(None, there.environment, there.directory)
    near, far = remote_of(url, loaded), remote_of("https://gateway.example:8000", loaded)
    assert near is not None and near.key is not None
    assert far is not None and far.key is None
    assert near.key.reveal() not in repr(near)
