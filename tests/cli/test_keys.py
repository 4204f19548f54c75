"""`oneflow keys`: providers' keys are kept, listed, replaced and removed, and never shown."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from oneflow_ai.cli.failures import guarded
from oneflow_ai.simulator import ThreadedSimulator
from tests.canaries import planted
from tests.cli.place import Place, lines, serving

KEY = planted("first")
NEW = planted("second")
KEYS_FILE = ".api_keys.json"


def kept(place: Place, text: str = KEY, *arguments: str, verb: str = "set", name: str = "openai") -> str:
    """Runs `keys set`, which must succeed; gives all that it printed."""
    result = place.run("keys", verb, name, "--no-check", *arguments, text=text + "\n")
    assert result.exit_code == 0, result.output
    return result.output


def in_file(place: Place, name: str = "openai") -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads((place.home / KEYS_FILE).read_text())[name]
    return found


def states(place: Place, **variables: str) -> list[tuple[str | None, str]]:
    return [(row["credential"], row["state"]) for row in place.json("keys", "list", **variables)]


def test_a_key_is_kept_in_a_private_file_in_the_home(place: Place) -> None:
    said = kept(place)
    path = place.home / KEYS_FILE
    assert lines(said) == [f"openai: not checked; kept in {path}"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.home.stat().st_mode) == 0o700
    assert [entry["key"] for entry in in_file(place)] == [KEY]


def test_a_key_in_the_vault_lies_sealed_and_is_used(place: Place) -> None:
    assert lines(kept(place, KEY, "--vault")) == ["openai: not checked; kept in vault"]
    assert not (place.home / KEYS_FILE).exists()
    assert KEY.encode() not in b"".join(path.read_bytes() for path in place.home.iterdir())
    assert states(place) == [("openai", "in use")]
    (row,) = [row for row in place.json("providers") if row["name"] == "openai"]
    assert row["configured"] is True


def test_a_key_is_checked_before_it_is_kept(place: Place, provider: ThreadedSimulator) -> None:
    place.write(f'[providers.own]\nkind = "openai"\nbase_url = "{provider.base_url}"\n')
    good = place.run("keys", "set", "own", "--json", text=KEY)
    told = json.loads(good.stdout)
    assert (told["check"], told["message"]) == ("works", None)
    assert told["models"] > 0
    bad = place.run("keys", "set", "own", text="bad-key-0815")
    assert bad.exit_code == 1
    assert lines(bad.stderr) == [
        "oneflow keys: own refuses this key, so it is not kept; --no-check keeps it all the same"
    ]
    assert [entry["key"] for entry in in_file(place, "own")] == [KEY]


def test_a_key_that_cannot_be_checked_is_kept_and_told(place: Place) -> None:
    place.write('[providers.own]\nkind = "openai"\nbase_url = "http://127.0.0.1:9/v1"\n')
    result = place.run("keys", "set", "own", text=KEY)
    assert result.exit_code == 0
    assert "own: could not be checked (" in result.stdout
    assert [entry["key"] for entry in in_file(place, "own")] == [KEY]


@pytest.mark.parametrize("key", ["sk-one sk-two", "sk-\x1bone", "sk-one\ttwo", "sk-\x7fone", "sk-\u00a0one"])
def test_a_key_with_a_space_or_a_control_character_inside_is_refused(place: Place, key: str) -> None:
    for arguments in (("set", "openai"), ("set", "openai", "--vault")):
        result = place.run("keys", *arguments, "--no-check", text=f"{key}\n")
        assert result.exit_code == 2, result.output
        assert "has a space inside" in result.stderr or "holds characters" in result.stderr
        assert "sk-" not in result.output
    assert states(place) == []


def test_spaces_around_a_key_are_left_out(place: Place) -> None:
    kept(place, f" \t{KEY}  \r")
    assert [entry["key"] for entry in in_file(place)] == [KEY]


def test_a_second_key_is_added_or_takes_the_place_of_the_first(place: Place) -> None:
    kept(place, "k1")
    kept(place, "k2", "--add")
    assert states(place) == [("openai#1", "in use"), ("openai#2", "in use")]
    kept(place, "k3")
    assert [entry["key"] for entry in in_file(place)] == ["k3"]


@pytest.mark.parametrize("vault", [(), ("--vault",)])
def test_a_rotated_key_is_used_for_a_day_more(place: Place, vault: tuple[str, ...]) -> None:
    kept(place, KEY, *vault)
    said = kept(place, NEW, verb="rotate")
    assert "; the old one is used until " in said
    (first, second) = place.json("keys", "list")
    assert (first["credential"], first["ends_at"]) == ("openai#1", None)
    end = datetime.fromisoformat(second["ends_at"])
    assert timedelta(hours=23, minutes=59) < end - datetime.now(UTC) <= timedelta(hours=24)
    assert second["state"].startswith("in use until ")
    assert first["sort"] == second["sort"] == ("vault" if vault else "file")


def test_one_of_several_keys_is_rotated_or_removed_alone(place: Place) -> None:
    for key in ("k1", "k2"):
        kept(place, key, "--add")
    kept(place, "k3", verb="rotate", name="openai#1")
    assert [entry["key"] for entry in in_file(place)] == ["k2", "k3", "k1"]
    for number in ("0", "4", "one", "-1"):
        assert place.run("keys", "remove", f"openai#{number}").exit_code != 0
    result = place.run("keys", "remove", "openai#2")
    assert result.stdout == f"openai: 1 key removed from {place.home / KEYS_FILE}\n"
    assert [entry["key"] for entry in in_file(place)] == ["k2", "k1"]
    assert place.json("keys", "remove", "openai")["removed"] == 2
    assert states(place) == []


def test_a_key_whose_time_is_over_leaves_the_file_with_the_next_change(place: Place) -> None:
    place.home.mkdir(mode=0o700)
    path = place.home / KEYS_FILE
    path.write_text('{"openai": [{"key": "k1", "ends": "2026-01-01T00:00:00Z"}, "k2"]}')
    path.chmod(0o600)
    assert states(place) == [(None, "not used: its time is over"), ("openai", "in use")]
    kept(place, "k3", "--add")
    assert [entry["key"] for entry in in_file(place)] == ["k2", "k3"]


def test_keys_of_the_vault_are_removed_even_when_nothing_opens_them(place: Place) -> None:
    kept(place, KEY, "--vault")
    (place.home / "secret.key").write_text("0" * 64)
    listed = place.run("keys", "list")
    assert "was sealed with another server secret (of openai)" in listed.stderr
    assert place.run("providers").exit_code == 2
    assert place.run("keys", "rotate", "openai", "--vault", "--no-check", text=NEW).exit_code == 1
    assert place.run("keys", "remove", "openai", "--vault").exit_code == 0
    assert place.run("keys", "remove", "openai", "--vault").exit_code == 1
    assert place.run("providers").exit_code == 0


def test_a_lost_secret_is_not_made_anew_while_the_vault_holds_a_key(place: Place) -> None:
    kept(place, KEY, "--vault")
    (place.home / "secret.key").unlink()
    for arguments in (("providers",), ("ask", "Hi"), ("tokens", "create", "ci")):
        result = place.run(*arguments)
        assert result.exit_code != 0
        assert "secret.key is missing" in result.stderr
    assert not (place.home / "secret.key").exists()


@pytest.mark.parametrize("arguments", [(), ("--vault",)])
def test_what_comes_first_is_told(place: Place, arguments: tuple[str, ...]) -> None:
    result = place.run("keys", "set", "openai", "--no-check", *arguments, text=KEY, OPENAI_API_KEY=NEW)
    assert "note: OPENAI_API_KEY comes first, so this key is not used for openai" in result.stderr
    assert states(place, OPENAI_API_KEY=NEW) == [
        ("openai", "in use"),
        (None, "not used: OPENAI_API_KEY comes first"),
    ]


def test_a_key_that_is_elsewhere_is_rotated_there(place: Place) -> None:
    result = place.run("keys", "rotate", "openai", text=NEW, OPENAI_API_KEY=KEY)
    assert result.exit_code == 1
    assert "the key of openai comes from OPENAI_API_KEY: change it there" in result.stderr
    nothing = place.run("keys", "rotate", "openai", text=NEW)
    assert "has no key to replace: `oneflow keys set openai`" in nothing.stderr


def test_a_place_that_still_has_a_key_after_a_removal_is_told(place: Place) -> None:
    kept(place, KEY, "--vault")
    kept(place, NEW)
    result = place.run("keys", "remove", "openai", OPENAI_API_KEY="")
    assert "note: " not in result.stderr
    kept(place, KEY)
    kept(place, NEW, "--vault")
    result = place.run("keys", "remove", "openai")
    assert f"removed from {place.home / KEYS_FILE}" in result.stdout
    assert "note: vault has a key of openai too, which stays in use" in result.stderr


def test_a_file_in_the_working_directory_is_changed_where_it_is(place: Place) -> None:
    path = place.write('{"openai": "k1", "groq": "g"}', KEYS_FILE)
    path.chmod(0o600)
    kept(place, "k2", verb="rotate")
    found = json.loads(path.read_text())
    assert [entry["key"] for entry in found["openai"]] == ["k2", "k1"]
    assert [entry["key"] for entry in found["groq"]] == ["g"]
    assert not (place.home / KEYS_FILE).exists()


@pytest.mark.parametrize("verb", ["set", "rotate", "remove", "list", "setup"])
def test_a_file_that_others_can_read_is_refused_with_its_cure(place: Place, verb: str) -> None:
    path = place.write(f'{{"openai": "{KEY}"}}', KEYS_FILE)
    path.chmod(0o640)
    name = ["openai"] if verb in ("set", "rotate", "remove") else []
    result = place.run("keys", verb, *name, text=NEW)
    assert result.exit_code == 2
    assert f"can be read by others (mode 0640): chmod 600 {path}" in result.stderr
    assert KEY not in result.output
    assert json.loads(path.read_text()) == {"openai": KEY}


def test_a_key_of_the_vault_for_another_address_is_told(place: Place) -> None:
    place.write('[providers.own]\nkind = "openai"\nbase_url = "https://one.example/v1"\n')
    kept(place, KEY, "--vault", name="own")
    place.write('[providers.own]\nkind = "openai"\nbase_url = "https://two.example/v1"\n')
    assert states(place) == [(None, "not used: it is for https://one.example alone")]
    place.write("")
    assert states(place) == [(None, "not used: no provider of this name is configured")]


@pytest.mark.parametrize(("days", "words"), [(79, "in use"), (80, "80 days old"), (90, "90 days old")])
def test_an_old_key_is_told_by_its_age(place: Place, days: int, words: str) -> None:
    place.home.mkdir(mode=0o700)
    path = place.home / KEYS_FILE
    added = (datetime.now(UTC) - timedelta(days=days, hours=1)).isoformat()
    path.write_text(json.dumps({"openai": {"key": KEY, "added": added}}))
    path.chmod(0o600)
    ((_, state),) = states(place)
    assert words in state
    assert ("oneflow keys rotate" in state) is (days >= 80)


def test_looking_makes_nothing(place: Place) -> None:
    assert place.json("keys", "list") == []
    assert "`oneflow keys setup` asks for them" in place.run("keys", "list").stderr
    assert not place.home.exists()


def test_a_running_server_takes_up_a_key_of_the_vault_and_lets_it_go(place: Place, provider: ThreadedSimulator) -> None:
    """Without a restart and within a second or two; no key stands in what the server tells."""
    place.write(
        '[server]\nlog_level = "debug"\n[models]\nrefresh_hours = 0\n'
        f'[providers.own]\nkind = "openai"\nbase_url = "{provider.base_url}"\n'
    )
    with serving(place) as announced:

        def configured() -> bool:
            rows: list[dict[str, Any]] = place.json("providers", "--server", announced["url"])
            return bool(next(row for row in rows if row["name"] == "own")["configured"])

        assert not configured()
        for change, expected in ((("set", "own", "--vault"), True), (("remove", "own", "--vault"), False)):
            assert place.run("keys", *change, text=KEY).exit_code == 0
            assert _soon(configured, expected)


def _soon(look: Callable[[], bool], expected: bool, tries: int = 100) -> bool:
    for _ in range(tries):
        if look() is expected:
            return True
        time.sleep(0.1)
    return False


# What people do with keys that they had better not: each command line holds one, or feeds one.
LEAKS = [
    (("keys", "set", "openai", KEY), None),
    (("keys", "set", KEY), "x\n"),
    (("keys", "set", "openai", f"--key={KEY}"), None),
    (("keys", "set", "openai", "--key", KEY), None),
    (("keys", "set", "openai", "--no-check", "--json"), KEY),
    (("keys", "set", "openai", "--no-check"), f"{KEY}\0"),
    (("keys", "set", "openai", "--no-check"), f"{KEY}\u00e9"),
    (("keys", "set", "openai", "--no-check"), KEY + "x" * 5_000),
    (("keys", "setup"), KEY + "x" * 10_000),
    (("keys", "set", "bedrock", "--no-check"), f"AKIAEXAMPLE1: {KEY}"),
    (("keys", "rotate", "openai", KEY), None),
    (("keys", "rotate", f"openai#{KEY}"), "x"),
    (("keys", "remove", "openai", KEY), None),
    (("keys", "remove", f"openai#{KEY}"), None),
    (("keys", "remove", KEY), None),
    (("keys", KEY), None),
    (("keys", f"--{KEY}"), None),
    (("keys", "setup", KEY), None),
    (("keys", "setup", "--config", "--vault"), KEY),
    (("keys", "list", KEY), None),
    (("keys", "list", "--json"), None),
    (("keys", "list"), None),
    (("config", "show"), None),
    (("config", "show", "--json"), None),
    (("providers", "--json"), None),
    (("doctor", "--json"), None),
    (("ask", "Hi"), None),
]


@pytest.mark.parametrize(("arguments", "text"), LEAKS, ids=[" ".join(row[0][:3]) for row in LEAKS])
@pytest.mark.parametrize("level", ["info", "debug"])
def test_no_command_repeats_a_key(place: Place, arguments: tuple[str, ...], text: str | None, level: str) -> None:
    """Threat 13: not as it was typed, not as it was kept, in no form of output, at no level of the log."""
    place.write(
        '[providers.openai]\nbase_url = "http://127.0.0.1:9/v1"\n[retry]\nattempts = 1\n'
        '[providers.bedrock]\nregion = "eu-central-1"\n[models]\nrefresh_hours = 0\n'
    )
    kept(place, NEW)
    kept(place, NEW, "--vault")
    result = place.run(*arguments, text=text, ONEFLOW_SERVER__LOG_LEVEL=level, ONEFLOW_SERVER__PORT="0")
    assert KEY not in result.output
    assert NEW not in result.output


def test_the_traceback_of_a_fault_hides_what_looks_like_a_key(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    like_a_key = "sk-0f5a-of-a-provider"

    def fail() -> None:
        raise RuntimeError(f"the request had the key {like_a_key}")

    for level in ("info", "debug"):
        monkeypatch.setenv("ONEFLOW_SERVER__LOG_LEVEL", level)
        assert guarded(fail) == 1
        told = capsys.readouterr().err
        assert like_a_key not in told
        assert "RuntimeError: the request had the key ***" in told
    assert Path(__file__).name in told
    assert not place.home.exists()
