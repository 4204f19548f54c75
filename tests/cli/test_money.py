"""`oneflow budget` and `oneflow wallet`: what is set is shown, kept, and refused where it makes no sense."""

from __future__ import annotations

import pytest

from oneflow_ai.simulator import ThreadedSimulator
from tests.cli.place import Place, lines


def test_a_budget_is_set_shown_and_taken_away(place: Place) -> None:
    assert place.json("budget") == []
    assert place.json("budget", "set", "all", "daily", "2.50") == {"scope": "all", "period": "daily", "limit_usd": 2.5}
    (row,) = place.json("budget")
    assert (row["scope"], row["period"], row["limit_usd"], row["left_usd"]) == ("all", "daily", 2.5, 2.5)
    assert row["ends_at"].endswith("T00:00:00Z")
    assert "$2.5" in place.run("budget").stdout
    assert place.json("budget", "remove", "all", "daily")["limit_usd"] is None
    again = place.run("budget", "remove", "all", "daily")
    assert (again.exit_code, len(lines(again.stderr))) == (1, 1)
    assert lines(place.run("budget").stderr) == ["nothing is limited: `oneflow budget set all daily 10` sets a budget"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("budget", "set", "all", "hourly", "1"), "a period is daily, weekly, monthly, total"),
        (("budget", "set", "us", "daily", "1"), "the scope of a budget is all, provider:NAME or key:ID"),
        (("budget", "set", "all", "daily", "much"), "is not an amount of dollars"),
        (("budget", "set", "all", "daily", "0.0000000001"), "at most 9 decimals"),
        (("wallet", "add", "0"), "give an amount above 0"),
    ],
)
def test_misuse_is_told_in_a_line(place: Place, arguments: tuple[str, ...], words: str) -> None:
    result = place.run(*arguments)
    assert result.exit_code == 2
    (line,) = lines(result.stderr)
    assert words in line


def test_a_budget_of_the_configuration_is_shown_and_not_changed(place: Place) -> None:
    place.write("[budgets]\nweekly_usd = 5\n[providers.openai]\nbudget_total_usd = 1.5\n")
    rows = {(row["scope"], row["period"]): row["limit_usd"] for row in place.json("budget")}
    assert rows == {("all", "weekly"): 5.0, ("provider:openai", "total"): 1.5}
    refused = place.run("budget", "set", "all", "weekly", "9")
    assert refused.exit_code == 2
    assert "is set in the configuration: change it there" in refused.stderr


def test_credit_is_added_once_for_each_id(place: Place) -> None:
    assert place.json("wallet")["prepaid"] is False
    for _ in range(2):
        assert place.json("wallet", "add", "25", "--id", "invoice-1")["balance_usd"] == 25.0
    assert lines(place.run("wallet").stdout) == ["$25 left of $25; spent $0"]
    unknown = place.run("wallet", "add", "25", "--key", "key_none")
    assert (unknown.exit_code, "no key of this id" in unknown.stderr) == (1, True)
    key_id = place.json("tokens", "create", "ci")["id"]
    assert place.json("wallet", "add", "1", "--key", key_id)["credited_usd"] == 1.0


def test_asking_in_process_draws_on_the_budget(place: Place, provider: ThreadedSimulator) -> None:
    place.simulated(provider.base_url)
    place.run("budget", "set", "all", "daily", "5")
    assert place.run("ask", "Say hello.").exit_code == 0
    (row,) = place.json("budget")
    assert row["spent_usd"] > 0
    assert row["held_usd"] == 0
    place.run("budget", "set", "all", "daily", "0.000000001")
    refused = place.run("ask", "Say hello.")
    assert refused.exit_code == 1
    assert "the budget all daily has $0 of $0.000000001 left" in refused.stderr
