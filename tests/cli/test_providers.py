"""`oneflow providers` without a server: set up how, what the history tells, and whether they answer."""

from __future__ import annotations

import json

from oneflow_ai.simulator import ThreadedSimulator
from tests.cli.place import Place, lines

TWO = (
    '[providers.dead]\nkind = "openai"\nbase_url = "http://127.0.0.1:9/v1"\napi_key = "env:SIM_KEY"\n'
    'requests_per_minute = 60\n[retry]\nattempts = 1\n[prices."dead/*"]\ninput_usd_per_million_tokens = 1\n'
)


def two_providers(place: Place, provider: ThreadedSimulator) -> None:
    """One that answers and one that nobody answers for, in one route."""
    place.simulated(provider.base_url, TWO)
    place.write((place.directory / "oneflow.toml").read_text().replace('luna"]', 'luna", "dead/gpt-6-luna"]'))


def test_each_provider_is_listed_with_its_state_and_limits(place: Place, provider: ThreadedSimulator) -> None:
    two_providers(place, provider)
    rows = {row["name"]: row for row in place.json("providers")}
    assert rows["sim"]["status"] == rows["dead"]["status"] == "available"
    assert rows["dead"]["limits"] == {"requests_per_minute": 60, "tokens_per_minute": 0, "concurrency": 0}
    assert (rows["openai"]["status"], rows["openai"]["configured"]) == ("unconfigured", False)
    shown = {line.split()[0]: line for line in lines(place.run("providers").stdout)}
    assert shown["sim"].endswith(f"{provider.base_url}  no limit")
    assert shown["dead"].endswith("http://127.0.0.1:9/v1      60 requests/min")


def test_no_key_is_ever_shown(place: Place, provider: ThreadedSimulator) -> None:
    two_providers(place, provider)
    for verb in (["providers"], ["providers", "check"], ["config", "show"], ["doctor"], ["providers", "status"]):
        for form in ([], ["--json"]):
            assert place.environment["SIM_KEY"] not in place.run(*verb, *form).output


def test_status_tells_what_the_history_holds(place: Place, provider: ThreadedSimulator) -> None:
    two_providers(place, provider)
    assert place.run("ask", "Hi").exit_code == 0
    assert place.run("ask", "Hi", "-m", "dead/gpt-6-luna").exit_code == 1
    told = place.json("providers", "status")
    sim, dead = told["sim"]["metrics"], told["dead"]["metrics"]
    assert (sim["total_requests"], sim["successful_requests"], sim["failed_requests"]) == (1, 1, 0)
    assert (sim["success_rate"], sim["last_error"]) == ("100.0%", None)
    assert (dead["total_requests"], dead["failed_requests"], dead["success_rate"]) == (1, 1, "0.0%")
    assert dead["last_error"].startswith("upstream_unreachable")
    assert told["openai"]["metrics"]["total_requests"] == 0
    shown = place.run("providers", "status")
    assert shown.stderr.startswith("from the history of calls")
    (row,) = [line.split() for line in lines(shown.stdout) if line.startswith("dead ")]
    assert row[:5] == ["dead", "available", "1", "1", "0.0%"]
    assert f"last error of dead: {dead['last_error']}" in lines(shown.stdout)


def test_status_before_any_call_makes_no_database(place: Place) -> None:
    assert place.json("providers", "status")["openai"]["metrics"]["success_rate"] == "100.0%"
    assert not place.home.exists()


def test_best_is_the_one_that_answers(place: Place, provider: ThreadedSimulator) -> None:
    place.simulated(provider.base_url, TWO)
    text = (place.directory / "oneflow.toml").read_text()
    place.write(text.replace('["sim/gpt-6-luna"]', '["dead/gpt-6-luna", "sim/gpt-6-luna"]'))
    before = place.json("providers", "best", "text")
    assert before["best_provider"] == "dead"
    assert place.run("ask", "Hi").exit_code == 0
    after = place.json("providers", "best", "text")
    assert after["best_provider"] == "sim"
    assert 0 < after["score"] <= 1
    assert place.run("providers", "best", "text").stdout == f"sim  ({after['why']})\n"


def test_no_provider_for_a_task_is_a_failure(place: Place, provider: ThreadedSimulator) -> None:
    place.simulated(provider.base_url)
    result = place.run("providers", "best", "image")
    assert result.exit_code == 1
    (line,) = lines(result.stderr)
    assert line.startswith("oneflow providers best: no provider for image: ")
    machine = place.run("providers", "best", "image", "--json")
    assert (machine.exit_code, json.loads(machine.stdout)["best_provider"], machine.stderr) == (1, None, "")


def test_check_asks_each_key_and_fails_with_one(place: Place, provider: ThreadedSimulator) -> None:
    two_providers(place, provider)
    result = place.run("providers", "check", "--json")
    rows = {row["provider"]: row for row in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert (rows["sim"]["ok"], rows["sim"]["status"]) == (True, 200)
    assert rows["sim"]["models"] > 0
    assert (rows["dead"]["ok"], rows["dead"]["code"]) == (False, "upstream_unreachable")
    assert place.run("providers", "check", "sim").exit_code == 0
    table = place.run("providers", "check").stdout
    assert "127.0.0.1 could not be reached" in table


def test_check_of_a_provider_without_a_key_says_so(place: Place, provider: ThreadedSimulator) -> None:
    place.simulated(provider.base_url)
    result = place.run("providers", "check", "openai", "--json")
    assert result.exit_code == 1
    (row,) = json.loads(result.stdout)
    assert row["code"] == "provider_not_configured"


def test_a_kind_without_a_free_call_is_not_checked_and_not_at_fault(place: Place) -> None:
    place.write('[providers.azure]\nbase_url = "http://127.0.0.1:9"\napi_key = "env:SIM_KEY"\n')
    result = place.run("providers", "check")
    assert result.exit_code == 0
    assert "not checked" in result.stdout


def test_check_without_any_key_says_what_to_do(place: Place) -> None:
    place.write("")
    result = place.run("providers", "check")
    assert result.exit_code == 1
    assert "no provider has a key; `oneflow doctor` tells how" in result.stderr
