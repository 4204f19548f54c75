"""`oneflow doctor`: each thing that can be wrong is found, marked, and comes with how to mend it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from oneflow_ai.cli.configured import compiled
from oneflow_ai.cli.examination import route_findings
from oneflow_ai.core.target import ENDING_DAYS
from oneflow_ai.providers.table import TABLE
from oneflow_ai.settings import load
from oneflow_ai.simulator import ThreadedSimulator
from tests.cli.place import Place, lines, serving


def findings(place: Place, check: str, **variables: str) -> list[dict[str, Any]]:
    """What the doctor says of one thing."""
    told = json.loads(place.run("doctor", "--json", **variables).stdout)
    return [one for one in told["checks"] if one["check"] == check]


def test_a_healthy_place_is_well(place: Place, provider: ThreadedSimulator) -> None:
    place.simulated(provider.base_url, "[server]\nport = 0\n")
    assert place.run("tokens", "create", "ci").exit_code == 0
    assert place.run("ask", "Hi").exit_code == 0
    told = place.json("doctor")
    assert told["ok"] is True
    assert {one["level"] for one in told["checks"]} == {"ok"}
    assert next(one["text"] for one in told["checks"] if one["check"] == "database").endswith(" 1 calls")
    result = place.run("doctor")
    assert lines(result.stdout)[-1] == f"{len(told['checks'])} checks, all well"


def test_a_fresh_machine_has_only_to_be_given_a_key(place: Place) -> None:
    told = place.json("doctor", ONEFLOW_SERVER__PORT="0")
    assert told["ok"] is True
    (warning,) = [one for one in told["checks"] if one["level"] != "ok"]
    assert warning["check"] == "providers"
    assert "OPENAI_API_KEY" in warning["mend"]
    assert not place.home.exists()


def test_a_home_that_cannot_be_made_fails_with_the_remedy(place: Place) -> None:
    home = place.write("", "file") / "home"
    (found,) = findings(place, "home", ONEFLOW_HOME=str(home))
    assert (found["level"], found["text"]) == ("fail", f"{home} cannot be made in {home.parent}")
    for command in (("ask", "Hi"), ("serve", "--port", "0", "--demo"), ("tokens", "create", "ci")):
        result = place.run(*command, ONEFLOW_HOME=str(home))
        assert (result.exit_code, result.stdout) == (1, "")
        words = f"oneflow: the folder {home} cannot be made: Not a directory: set ONEFLOW_HOME to one that can"
        assert lines(result.stderr) == [words]


def test_a_mistake_in_the_configuration_fails(place: Place) -> None:
    place.write("[server]\nport = 70000\nhots = 1\n")
    result = place.run("doctor")
    assert result.exit_code == 1
    assert [line for line in lines(result.stdout) if line.startswith("fail")] != []
    assert [one["level"] for one in findings(place, "configuration")] == ["fail", "fail"]


def _open_home(place: Place) -> None:
    place.home.chmod(0o755)


def _lose_secret(place: Place) -> None:
    (place.home / "secret.key").unlink()


def _open_secret(place: Place) -> None:
    (place.home / "secret.key").chmod(0o644)


def _spoil_database(place: Place) -> None:
    for path in place.home.glob("oneflow.db*"):
        path.unlink()
    (place.home / "oneflow.db").write_text("no database")


def _open_first_key(place: Place) -> None:
    (place.home / "first-key").write_text("of_x")
    (place.home / "first-key").chmod(0o644)


def _open_provider_keys(place: Place) -> None:
    place.write('{"openai": "sk-x"}', ".api_keys.json").chmod(0o644)


def _seal_with_another_secret(place: Place) -> None:
    place.run("keys", "set", "openai", "--vault", "--no-check", text="k")
    (place.home / "secret.key").write_text("0" * 64)


ILLS: list[tuple[Callable[[Place], None], str, str, str]] = [
    (_open_home, "home", "warn", "chmod 700"),
    (_lose_secret, "secret", "fail", "restore it from a backup"),
    (_open_secret, "configuration", "fail", "chmod 600"),
    (_spoil_database, "database", "fail", "set it aside"),
    (_open_first_key, "key file", "fail", "chmod 600"),
    (_open_provider_keys, "configuration", "fail", "chmod 600"),
    (_seal_with_another_secret, "configuration", "fail", "was sealed with another server secret"),
]


@pytest.mark.parametrize(("spoil", "check", "level", "words"), ILLS, ids=[row[0].__name__ for row in ILLS])
def test_an_ill_is_found_with_its_cure(
    place: Place, spoil: Callable[[Place], None], check: str, level: str, words: str
) -> None:
    place.run("tokens", "create", "ci")
    spoil(place)
    (found,) = findings(place, check, ONEFLOW_SERVER__PORT="0")
    assert found["level"] == level
    assert words in f"{found['text']}: {found['mend']}"
    expected = 1 if level == "fail" else 0
    assert place.run("doctor", ONEFLOW_SERVER__PORT="0").exit_code == expected


def test_a_port_of_another_program_fails(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        (found,) = findings(place, "port", ONEFLOW_SERVER__PORT=port)
        assert (found["level"], found["mend"]) == ("fail", "stop what listens there, or set server.port")


def test_our_own_server_on_the_port_is_well(place: Place) -> None:
    with serving(place) as announced:
        port = announced["url"].rpartition(":")[2]
        assert findings(place, "port", ONEFLOW_SERVER__PORT=port) == []
        (found,) = findings(place, "server", ONEFLOW_SERVER__PORT=port)
        assert found["text"] == f"process {announced['pid']} serves this home at {announced['url']}"


def test_a_configured_provider_without_a_key_is_a_warning(place: Place) -> None:
    place.write('[providers.groq]\napi_key = "env:NOT_SET"\n')
    assert [one["level"] for one in findings(place, "configuration")] == ["ok", "warn"]
    (found,) = findings(place, "providers")
    assert found["text"] == "no provider has a key: calls are refused"


def test_a_model_in_a_route_without_a_price_is_a_warning(place: Place, provider: ThreadedSimulator) -> None:
    place.simulated(provider.base_url, '[routes.ours]\ntask = "text"\ntargets = ["sim/of-our-own"]\n')
    (found,) = findings(place, "route ours")
    assert (found["level"], found["text"]) == ("warn", "sim/of-our-own has no price, so calls to it are refused")
    assert found["mend"] == 'set it under [prices."sim/of-our-own"]; 0 means free'


def test_a_model_in_a_route_that_ends_soon_or_has_ended_is_a_warning(tmp_path: Path) -> None:
    config = tmp_path / "oneflow.toml"
    config.write_text('[routes.text]\ntargets = ["openai/gpt-4o-mini"]\n')
    found = compiled(load(config, {"OPENAI_API_KEY": "sk-x", "ONEFLOW_HOME": str(tmp_path)}, tmp_path, kinds=TABLE))
    facts = found.catalog.model("openai", "gpt-4o-mini")
    assert facts is not None and facts.shutdown is not None
    end = facts.shutdown
    texts = {}
    for days in (-ENDING_DAYS - 1, -ENDING_DAYS, 0):
        (texts[days],) = [one for one in route_findings(found, end + timedelta(days=days)) if one.check == "route text"]
    assert texts[-ENDING_DAYS - 1].level == "ok"
    assert texts[-ENDING_DAYS].text == f"openai/gpt-4o-mini ends on {end.isoformat()}"
    assert texts[0].text == "openai/gpt-4o-mini has ended"
    assert texts[0].mend == f"use openai/{facts.successor}"


def test_a_file_of_keys_that_nothing_needs_is_looked_at_all_the_same(place: Place) -> None:
    _open_provider_keys(place)
    names = ("OPENAI", "ANTHROPIC", "STABILITY", "ELEVENLABS")
    variables = {f"{name}_API_KEY": "k" for name in names}
    (found,) = findings(place, "key file", **variables)
    assert found["level"] == "fail"
    assert "chmod 600" in found["text"]


def _aged(place: Place, days: int) -> None:
    added = (datetime.now(UTC) - timedelta(days=days, hours=1)).isoformat()
    place.write(json.dumps({"openai": {"key": "k", "added": added}}), ".api_keys.json").chmod(0o600)


@pytest.mark.parametrize(
    ("days", "level", "words"), [(80, "ok", "80 days old, to be replaced before it is 90"), (90, "warn", "90 days old")]
)
def test_an_old_key_is_a_reminder_and_then_a_warning(place: Place, days: int, level: str, words: str) -> None:
    _aged(place, 79)
    assert findings(place, "key") == []
    _aged(place, days)
    (found,) = findings(place, "key")
    assert (found["level"], found["mend"]) == (level, "oneflow keys rotate openai")
    assert found["text"].endswith(words)


def test_keys_of_the_vault_are_counted_and_those_that_nothing_uses_are_told(place: Place) -> None:
    place.run("keys", "set", "openai", "--vault", "--no-check", text="k")
    assert [one["text"] for one in findings(place, "vault")] == ["1 key, each can be opened"]
    (found,) = findings(place, "key", OPENAI_API_KEY="other")
    assert (found["level"], found["text"]) == ("warn", "openai (vault): not used: OPENAI_API_KEY comes first")


def test_an_old_key_about_to_end_is_told(place: Place) -> None:
    for verb, key in (("set", "k1"), ("rotate", "k2")):
        place.run("keys", verb, "openai", "--no-check", text=key)
    (found,) = findings(place, "key")
    assert found["level"] == "ok"
    assert "openai#2" in found["text"] and "in use until " in found["text"]
