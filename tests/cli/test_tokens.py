"""`oneflow tokens`: a key is shown once, known by its beginning, and ends when it is told to."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing

import pytest

from oneflow_ai.stores.key_format import looks_valid
from tests.cli.place import Place, lines


def test_a_key_is_printed_alone_and_only_once(place: Place) -> None:
    made = place.run("tokens", "create", "build server")
    assert made.exit_code == 0
    (key,) = lines(made.stdout)
    assert looks_valid(key)
    (remark,) = lines(made.stderr)
    assert remark.endswith("is made: keep the key now, it is not shown again")
    for form in ([], ["--json"]):
        listed = place.run("tokens", "list", *form)
        assert key[:7] in listed.stdout
        assert key not in listed.output


def test_json_tells_the_key_and_its_limits(place: Place) -> None:
    limits = ("--requests-per-minute", "60", "--tokens-per-minute", "900", "--concurrency", "4", "--days", "30")
    made = place.json("tokens", "create", "ci", *limits)
    assert looks_valid(made.pop("key"))
    assert (made["name"], made["state"]) == ("ci", "usable")
    assert (made["requests_per_minute"], made["tokens_per_minute"], made["concurrency"]) == (60, 900, 4)
    assert made["expires_at"] > made["created_at"]
    assert place.json("tokens", "list") == [made]
    (row,) = lines(place.run("tokens", "list").stdout)[1:]
    assert "60 requests/min, 900 tokens/min, 4 at once" in row
    assert f"until {made['expires_at'][:10]}" in row


def test_a_key_can_be_for_some_models_only(place: Place) -> None:
    made = place.json("tokens", "create", "ci", "--models", " text, openai/*,text")
    assert made["models"] == ["text", "openai/*"]
    (row,) = lines(place.run("tokens", "list").stdout)[1:]
    assert "only text openai/*" in row
    assert place.json("tokens", "create", "all")["models"] == []


@pytest.mark.parametrize(
    ("models", "words"), [("", "names no model"), (" , ", "names no model"), ("*a", "with * at the end only")]
)
def test_models_that_were_not_meant_make_no_key(place: Place, models: str, words: str) -> None:
    result = place.run("tokens", "create", "ci", "--models", models)
    assert result.exit_code == 2
    (line,) = lines(result.stderr)
    assert line.startswith("oneflow tokens create: ")
    assert words in line
    assert place.json("tokens", "list") == []


def test_a_revoked_key_stays_in_the_list_as_that(place: Place) -> None:
    made = place.json("tokens", "create", "ci")
    for _ in range(2):
        assert place.run("tokens", "revoke", made["id"]).stdout == f"{made['id']} (ci) is revoked\n"
    (row,) = place.json("tokens", "list")
    assert (row["state"], row["revoked_at"] is not None) == ("revoked", True)


def test_an_unknown_key_is_a_failure(place: Place) -> None:
    for _ in range(2):
        result = place.run("tokens", "revoke", "key_nobody")
        assert result.exit_code == 1
        assert lines(result.stderr) == [
            "oneflow tokens revoke: there is no key of this id; `oneflow tokens list` shows them"
        ]
        place.run("tokens", "create", "other")


def test_looking_makes_no_database(place: Place) -> None:
    assert place.json("tokens", "list") == []
    assert "no key has been made" in place.run("tokens", "list").stderr
    assert not place.home.exists()


def test_the_files_of_the_first_key_are_private(place: Place) -> None:
    place.run("tokens", "create", "ci")
    assert stat.S_IMODE(place.home.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in place.home.iterdir()}
    assert modes.keys() >= {"oneflow.db", "secret.key"}
    assert set(modes.values()) == {0o600}


def test_a_secret_in_a_variable_is_used_as_it_is(place: Place) -> None:
    """Keys made under it are known by it again, and no file is made in its name."""
    place.write('[server]\nsecret = "env:GATEWAY_SECRET"\n')
    place.run("tokens", "create", "ci", GATEWAY_SECRET="a" * 64)
    assert not (place.home / "GATEWAY_SECRET").exists()
    assert not (place.home / "secret.key").exists()
    assert len(place.json("tokens", "list", GATEWAY_SECRET="a" * 64)) == 1


def test_a_lost_secret_is_told(place: Place) -> None:
    place.run("tokens", "create", "ci")
    (place.home / "secret.key").unlink()
    result = place.run("tokens", "create", "other")
    assert result.exit_code == 1
    (line,) = lines(result.stderr)
    assert "secret.key is missing" in line
    assert "restore it from a backup" in line


def test_a_key_that_cannot_be_read_is_told_and_hides_no_other(place: Place) -> None:
    good, bad = place.json("tokens", "create", "good"), place.json("tokens", "create", "bad")
    with closing(sqlite3.connect(place.home / "oneflow.db")) as database:
        database.execute("UPDATE api_keys SET models = '{not json' WHERE id = ?", (bad["id"],))
        database.commit()
    for form in ([], ["--json"]):
        listed = place.run("tokens", "list", *form)
        assert listed.exit_code == 0
        assert good["id"] in listed.stdout and bad["id"] not in listed.stdout
        assert f"1 of the keys cannot be read and open nothing: {bad['id']}" in listed.stderr
    assert place.run("tokens", "revoke", bad["id"]).exit_code == 0
