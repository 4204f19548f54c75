"""`oneflow keys setup`: asks each provider's key without showing it, checks it and says what it found."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import stat
import subprocess
import sys
import time

import pytest

from oneflow_ai.simulator import ThreadedSimulator
from tests.canaries import planted
from tests.cli.place import SECONDS_MOST, Place, ended, lines
from tools.tracked import ROOT

KEY = planted("first")
NEW = planted("second")
KEYS_FILE = ".api_keys.json"
# The providers that everybody has, none of which a test may call.
NOBODY = "".join(
    f'[providers.{name}]\nbase_url = "http://127.0.0.1:9"\n' for name in ("anthropic", "stability", "elevenlabs")
)


def configure(place: Place, provider: ThreadedSimulator) -> None:
    place.write(f'[providers.openai]\nbase_url = "{provider.base_url}"\n{NOBODY}')


def test_a_key_is_checked_and_kept_and_an_empty_line_passes_a_provider_over(
    place: Place, provider: ThreadedSimulator
) -> None:
    configure(place, provider)
    result = place.run("keys", "setup", text=f"{KEY}\n\n\n\n")
    assert result.exit_code == 0, result.output
    (line,) = lines(result.stdout)
    assert line.startswith("  openai: works (")
    assert line.endswith(f" models); kept in {place.home / KEYS_FILE}")
    assert f"openai ({provider.base_url}): no key yet" in result.stderr
    assert "1 of 4 providers have a key" in result.stderr
    assert KEY not in result.output
    assert [entry["key"] for entry in json.loads((place.home / KEYS_FILE).read_text())["openai"]] == [KEY]


def test_a_refused_key_is_asked_for_again_and_not_kept(place: Place, provider: ThreadedSimulator) -> None:
    configure(place, provider)
    result = place.run("keys", "setup", text=f"bad-1\nsk-\u00e9\n{KEY}\n\n\n\n")
    assert result.exit_code == 0, result.output
    assert "openai refuses this key; it is not kept" in result.stderr
    assert "holds characters that no HTTP header can carry" in result.stderr
    assert [entry["key"] for entry in json.loads((place.home / KEYS_FILE).read_text())["openai"]] == [KEY]
    given_up = place.run("keys", "setup", text="bad-1\nbad-2\nbad-3\n\n\n\n")
    assert given_up.stderr.count("refuses this key") == 3
    assert (given_up.exit_code, given_up.stderr.splitlines()[-1]) == (
        1, "oneflow keys setup: no new key was kept for openai",
    )  # fmt: skip
    given_up = place.run("keys", "setup", text="bad-1\n\n\n\n\n")
    assert given_up.exit_code == 1
    assert f"openai ({provider.base_url}): has a key, from {place.home / KEYS_FILE}" in given_up.stderr


def test_a_key_that_is_there_already_is_used_for_a_day_more(place: Place, provider: ThreadedSimulator) -> None:
    configure(place, provider)
    for key in (KEY, NEW):
        assert place.run("keys", "setup", text=f"{key}\n").exit_code == 0
    first, second = place.json("keys", "list")
    assert (first["ends_at"], second["age"]) == (None, "ending")


def test_json_tells_what_was_kept(place: Place, provider: ThreadedSimulator) -> None:
    configure(place, provider)
    result = place.run("keys", "setup", "--json", "--vault", text=f"{KEY}\n")
    (told,) = json.loads(result.stdout)
    assert (told["provider"], told["place"], told["check"]) == ("openai", "vault", "works")
    assert KEY not in result.output


def test_what_is_left_at_a_provider_is_told_beside_its_models(place: Place, provider: ThreadedSimulator) -> None:
    names = ("openai", "anthropic", "stability", "elevenlabs")
    paths = {"openai": provider.base_url}
    place.write("".join(f'[providers.{name}]\nbase_url = "{paths.get(name, provider.origin)}"\n' for name in names))
    result = place.run("keys", "setup", text=f"{KEY}\n" * 4)
    assert result.exit_code == 0, result.output
    told = dict(zip(names, lines(result.stdout), strict=True))
    assert re.search(r"stability: works \([\d,.]+ credits left\); kept", told["stability"])
    assert re.search(r"elevenlabs: works \(\d+ models, [\d,]+ of [\d,]+ credits left until \S+\)", told["elevenlabs"])
    assert re.search(r"openai: works \(\d+ models\)", told["openai"])
    listed = place.run("keys", "setup", "--json", text=f"\n\n{NEW}\n{NEW}\n")
    stability, elevenlabs = json.loads(listed.stdout)
    assert (stability["models"], stability["account"].endswith("credits left")) == (None, True)
    assert (elevenlabs["models"] > 0, " credits left until " in elevenlabs["account"]) == (True, True)


def test_nothing_given_is_a_failure(place: Place) -> None:
    place.write(f'[providers.openai]\nbase_url = "http://127.0.0.1:9/v1"\n{NOBODY}')
    result = place.run("keys", "setup", text="")
    assert result.exit_code == 1
    assert lines(result.stderr)[-1] == "oneflow keys setup: no provider has a key yet"
    assert not (place.home / KEYS_FILE).exists()


PROGRAMS = {
    "oneflow": ["-m", "oneflow_ai", "keys", "setup"],
    "module": ["-m", "oneflow_ai.setup_keys"],
    "script": [str(ROOT / "setup_keys.py")],
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_is_typed_on_a_terminal_is_not_shown(place: Place, provider: ThreadedSimulator, program: str) -> None:
    configure(place, provider)
    ours, theirs = pty.openpty()
    command = [sys.executable, *PROGRAMS[program]]
    with ended(
        subprocess.Popen(
            command,
            cwd=place.directory,
            env=place.environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            text=True,
        )
    ) as process:
        os.close(theirs)
        shown = _until(ours, "key of openai (hidden): ")
        os.write(ours, f"{KEY}\n".encode())
        for name in ("anthropic", "stability", "elevenlabs"):
            shown += _until(ours, f"key of {name} (hidden): ")
            os.write(ours, b"\n")
        shown += _until(ours, "uses them")
        assert process.wait(SECONDS_MOST) == 0
    os.close(ours)
    assert KEY not in shown
    assert "openai: works (" in shown
    path = place.home / KEYS_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KEY in path.read_text()


def _until(terminal: int, words: str) -> str:
    """What the terminal shows up to these words."""
    shown, until = b"", time.monotonic() + SECONDS_MOST
    while words.encode() not in shown:
        assert time.monotonic() < until, shown
        if select.select([terminal], [], [], 0.1)[0]:
            shown += os.read(terminal, 4_096)
    return shown.decode(errors="replace")
