"""`oneflow models`: those that can be called, with what they take, cost, and when they end."""

from __future__ import annotations

import pytest

from oneflow_ai.cli.models import dollars, tokens
from tests.cli.place import Place, lines

KEYED = {"OPENAI_API_KEY": "sk-of-nobody"}
# Models that the operator lists are shown whatever the day is.
LISTED = '[providers.own]\nkind = "openai"\nbase_url = "http://127.0.0.1:9/v1"\napi_key = "env:SIM_KEY"\nmodels = '


def test_a_model_is_told_with_its_price_and_its_end(place: Place) -> None:
    place.write(f'{LISTED}["gpt-4o-mini"]\n')
    (mini,) = place.json("models")
    assert (mini["id"], mini["provider"], mini["model"]) == ("own/gpt-4o-mini", "own", "gpt-4o-mini")
    assert mini["capabilities"] == ["text", "prompt_cache"]
    assert mini["context_window_tokens"] == 128_000
    assert (mini["input_usd_per_million_tokens"], mini["output_usd_per_million_tokens"]) == ("0.15", "0.6")
    assert mini["shutdown"] == "2027-01-14"


def test_models_that_have_ended_and_models_of_other_tasks_are_left_out(place: Place) -> None:
    rows = {row["model"] for row in place.json("models", **KEYED)}
    assert rows
    assert {"text-embedding-3-small", "omni-moderation-latest"} <= rows
    assert not rows & {"gpt-realtime", "o3-mini"}


def test_demo_mode_lists_what_can_be_called_today(place: Place) -> None:
    rows = {row["model"]: row for row in place.json("models", "--provider", "openai")}
    assert "gpt-6-luna" in rows
    assert not [name for name in rows if "ft" in name.replace("-", ".").split(".") or name.endswith("-")]
    assert not rows.keys() & {
        "ada",
        "ft:gpt-3.5-turbo-",
        "gpt-4",
        "gpt-35-turbo",
        "text-davinci-003",
        "o1-mini",
        "davinci-002",
    }
    assert rows == {row["model"]: row for row in place.json("models", **KEYED)}
    assert not any(row["retired"] for row in rows.values())


@pytest.mark.parametrize("world", [{}, KEYED], ids=["demo", "keyed"])
def test_all_shows_those_that_have_ended_with_their_day(place: Place, world: dict[str, str]) -> None:
    some, every = (place.json("models", *more, **world) for more in ((), ("--all",)))
    ended = [row for row in every if row["retired"]]
    assert [row for row in every if not row["retired"]] == some
    assert {"ada": "2024-01-04", "gpt-4": "2026-10-23"}.items() <= {
        row["model"]: row["shutdown"] for row in ended
    }.items()
    shown = lines(place.run("models", "--all", **world).stdout)
    assert [line.split()[-1] for line in shown if line.startswith("openai/ada ")] == ["2024-01-04"]
    assert "ended; --all shows" in place.run("models", "text-davinci", **world).stderr


def test_a_text_leaves_the_ids_that_hold_it(place: Place) -> None:
    every, some = place.json("models", **KEYED), place.json("models", "LUNA", **KEYED)
    assert some == [row for row in every if "luna" in row["id"]] != []
    none = place.run("models", "no-such-model", **KEYED)
    assert none.exit_code == 0
    assert lines(none.stderr) == ["no model has 'no-such-model' in its id: leave the text out to see them all"]


def test_a_provider_is_listed_with_a_key_or_without(place: Place) -> None:
    place.write("[providers.groq]\n")
    assert place.json("models") == []
    assert "no provider has a key: `oneflow doctor` tells how" in place.run("models").stderr
    rows = place.json("models", "--provider", "groq")
    assert {row["provider"] for row in rows} == {"groq"}


def test_the_table_shows_what_json_tells(place: Place) -> None:
    head, *rows = lines(place.run("models", **KEYED).stdout)
    assert head.split() == ["model", "does", "context", "$/M", "in", "$/M", "out", "ends"]
    assert [row.split()[0] for row in rows] == [row["id"] for row in place.json("models", **KEYED)]
    place.write(f'{LISTED}["gpt-4o-mini"]\n')
    assert lines(place.run("models").stdout)[1].split() == [
        "own/gpt-4o-mini",
        "text,",
        "prompt_cache",
        "128k",
        "0.15",
        "0.60",
        "2027-01-14",
    ]


def test_a_model_without_a_price_and_a_dearer_one_are_marked(place: Place) -> None:
    place.write(
        '[providers.own]\nkind = "vllm"\nbase_url = "http://127.0.0.1:9/v1"\nmodels = ["free", "priced"]\n'
        '[prices."own/priced"]\ninput_usd_per_million_tokens = 0.0375\noutput_usd_per_million_tokens = 2\n'
    )
    rows = [line.split() for line in lines(place.run("models", "--provider", "own").stdout)]
    assert rows[1:] == [["own/free", "text", "no", "price", "no", "price"], ["own/priced", "text", "0.0375", "2.00"]]
    dearer = [row for row in place.json("models", "--provider", "openai") if row["dearer_when_long"]]
    shown = place.run("models", dearer[0]["model"], "--provider", "openai").stdout
    assert f"{dollars(dearer[0]['input_usd_per_million_tokens'])}+" in shown


@pytest.mark.parametrize(
    ("number", "text"),
    [(500, "0.5k"), (8_192, "8.19k"), (128_000, "128k"), (999_499, "999k"), (1_000_000, "1M"), (1_047_576, "1.05M")],
)
def test_tokens_have_three_digits(number: int, text: str) -> None:
    assert tokens(number) == text


@pytest.mark.parametrize(("exact", "text"), [("0", "0.00"), ("2", "2.00"), ("0.6", "0.60"), ("0.0375", "0.0375")])
def test_dollars_have_two_decimals_or_more(exact: str, text: str) -> None:
    assert dollars(exact) == text
