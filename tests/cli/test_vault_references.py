"""`api_key = "vault:NAME"` by the real commands: kept, checked, served, replaced, and told when it leads nowhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from oneflow_ai.simulator import ThreadedSimulator
from tests.canaries import planted
from tests.cli.place import Place, lines, serving

KEY = planted("first")
NEW = planted("second")


def configure(place: Place, provider: ThreadedSimulator, reference: str = "vault:work") -> None:
    place.write(
        "[models]\nrefresh_hours = 0\n"
        f'[providers.own]\nkind = "openai"\nbase_url = "{provider.base_url}"\napi_key = "{reference}"\n'
        '[routes.text]\ntargets = ["own/gpt-6-luna"]\n'
    )


def keep(place: Place, key: str = KEY, *, verb: str = "set", name: str = "work") -> str:
    result = place.run("keys", verb, name, "--vault", text=f"{key}\n")
    assert result.exit_code == 0, result.output
    return result.output


def test_a_key_is_kept_by_the_name_that_the_configuration_asks_for(place: Place, provider: ThreadedSimulator) -> None:
    configure(place, provider)
    said = keep(place)
    assert said.startswith("work: works (") and said.endswith("; kept in vault\n")
    assert place.run("config", "check").exit_code == 0
    assert place.run("ask", "Hi").exit_code == 0
    ((row,),) = (place.json("keys", "list"),)
    assert (row["provider"], row["credential"], row["place"], row["state"]) == ("own", "own", "vault:work", "in use")
    removed = place.run("keys", "remove", "work")
    assert (removed.exit_code, removed.stdout) == (0, "work: 1 key removed from vault\n")
    assert "the configuration still asks for vault:work" in removed.stderr
    assert place.json("keys", "list") == []


def test_a_provider_may_ask_for_the_key_of_its_own_name(place: Place, provider: ThreadedSimulator) -> None:
    configure(place, provider, "vault:own")
    assert "note:" not in keep(place, name="own")
    ((row,),) = (place.json("keys", "list"),)
    assert (row["provider"], row["credential"], row["sort"], row["state"]) == ("own", "own", "vault", "in use")
    assert "the old one is used until" in keep(place, NEW, verb="rotate", name="own")
    assert [row["credential"] for row in place.json("keys", "list")] == ["own#1", "own#2"]


@pytest.mark.parametrize("command", [("config", "check"), ("serve", "--port", "0"), ("doctor",), ("ask", "Hi")])
def test_a_name_that_the_vault_lacks_is_told_with_its_cure(
    place: Place, provider: ThreadedSimulator, command: tuple[str, ...]
) -> None:
    configure(place, provider)
    for kept in (False, True):
        if kept:
            keep(place, name="own")
        result = place.run(*command)
        assert result.exit_code == (1 if command == ("doctor",) else 2)
        words = "vault:work: the vault has no key of that name: `oneflow keys set work --vault` keeps one"
        assert f"oneflow.toml:6: providers.own.api_key: {words}" in " ".join(result.output.split())


@pytest.mark.parametrize("command", [("config", "check"), ("serve", "--port", "0"), ("doctor",), ("ask", "Hi")])
def test_without_the_servers_secret_the_vault_is_told_to_be_closed(
    place: Place, provider: ThreadedSimulator, command: tuple[str, ...]
) -> None:
    configure(place, provider)
    keep(place)
    (place.home / "secret.key").unlink()
    result = place.run(*command)
    assert result.exit_code == (1 if command == ("doctor",) else 2)
    assert "secret.key is missing" in result.output
    assert "no key of that name" not in result.output


def test_a_database_that_cannot_be_read_is_told_and_not_a_missing_name(
    place: Place, provider: ThreadedSimulator
) -> None:
    configure(place, provider)
    place.home.mkdir(mode=0o700)
    (place.home / "oneflow.db").write_bytes(b"no database at all" * 100)
    (line,) = lines(place.run("config", "check").stderr)
    assert line.startswith("the vault: ") and "oneflow.db" in line
    assert "no key of that name" not in line


def test_a_key_for_another_address_is_sent_nowhere(place: Place, provider: ThreadedSimulator) -> None:
    configure(place, provider)
    keep(place)
    place.write(place.directory.joinpath("oneflow.toml").read_text().replace(provider.base_url, "http://127.0.0.1:9"))
    result = place.run("config", "check")
    (line,) = lines(result.stderr)
    assert f"the vault's key of that name is for {provider.origin} alone" in line
    place.run("keys", "set", "work", "--vault", "--no-check", text=NEW)
    assert place.run("config", "check").exit_code == 0


def test_a_name_that_nobody_asks_for_is_none(place: Place) -> None:
    result = place.run("keys", "set", "work", "--vault", text=KEY)
    assert result.exit_code == 2
    assert "or a setting that asks for vault:NAME" in result.stderr


def test_a_running_server_takes_up_a_replaced_key(place: Place, provider: ThreadedSimulator) -> None:
    configure(place, provider)
    place.run("keys", "set", "work", "--vault", "--no-check", text="bad-1")
    with serving(place) as announced:

        def answers() -> bool:
            return place.run("ask", "Hi", "--server", announced["url"]).exit_code == 0

        assert not answers()
        keep(place)
        assert _soon(answers)
        assert place.run("config", "reload").exit_code == 0
        assert answers()
        place.run("keys", "remove", "work")
        assert _soon(lambda: not answers())


def _soon(look: Callable[[], Any], tries: int = 60) -> bool:
    for _ in range(tries):
        if look():
            return True
        time.sleep(0.1)
    return False
