"""`oneflow compare`: one prompt, several models, side by side."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.cli.sample import sample, success_interval
from oneflow_ai.simulator import ThreadedSimulator
from tests.cli.place import Place, lines, serving

MODELS = "sim/gpt-6-luna,sim/gpt-6-terra"


@pytest.fixture
def priced(place: Place, provider: ThreadedSimulator) -> Place:
    """A place with a provider whose models all have a price."""
    place.simulated(
        provider.base_url, '[prices."sim/*"]\ninput_usd_per_million_tokens = 1\noutput_usd_per_million_tokens = 2\n'
    )
    return place


def test_two_models_stand_side_by_side(priced: Place) -> None:
    result = priced.run("compare", "Hi", "-m", MODELS)
    assert result.exit_code == 0
    head, *rows = lines(result.stdout)
    assert head.split() == MODELS.split(",")
    assert [row.split("  ")[0] for row in rows] == ["answer", "time", "tokens in", "tokens out", "cost"]
    assert rows[0].count('This is a simulated answer to "Hi"') == 2


def test_repeats_come_with_intervals(priced: Place) -> None:
    told = priced.json("compare", "Hi", "-m", MODELS, "--repeat", "4")
    assert (told["repeat"], [one["model"] for one in told["models"]]) == (4, MODELS.split(","))
    for one in told["models"]:
        seconds = [answer["seconds"] for answer in one["answers"]]
        assert (one["successes"], one["tries"], len(seconds)) == (4, 4, 4)
        assert one["seconds"]["mean"] == pytest.approx(sum(seconds) / 4, abs=0.001)
        assert one["seconds"]["margin"] > 0
        assert one["cost_usd"]["mean"] > 0
    text = lines(priced.run("compare", "Hi", "-m", MODELS, "--repeat", "2").stdout)
    assert text[-1].split("  ")[0] == "successes"
    assert text[-1].count("2 of 2 (34 to 100%)") == 2
    assert text[2].count(" ± ") == 2


def test_who_answered_is_told_where_a_route_was_asked(priced: Place) -> None:
    text = lines(priced.run("compare", "Hi", "-m", "text,sim/gpt-6-terra").stdout)
    assert text[2].split() == ["answered", "by", "sim/gpt-6-luna", "sim/gpt-6-terra"]


def test_a_model_that_fails_leaves_the_others_and_status_1(priced: Place) -> None:
    result = priced.run("compare", "Hi", "-m", "sim/gpt-6-luna,nobody")
    assert result.exit_code == 1
    assert "failed: no route" in result.stdout
    assert 'This is a simulated answer to "Hi"' in result.stdout
    (line,) = lines(result.stderr)
    assert line.startswith("oneflow compare: nobody: ")


def test_a_server_is_compared_too(priced: Place) -> None:
    with serving(priced) as announced:
        told = priced.json("compare", "Hi", "-m", MODELS, "--server", announced["url"])
    assert [one["successes"] for one in told["models"]] == [1, 1]


@pytest.mark.parametrize("models", ["", "one", "one,one", "a,b,c,d,e,f,g,h,i"])
def test_two_to_eight_different_models_are_asked_for(place: Place, models: str) -> None:
    result = place.run("compare", "Hi", "-m", models)
    assert result.exit_code == 2
    assert "two to 8 different models" in result.stderr


def test_an_empty_prompt_is_refused(place: Place) -> None:
    result = place.run("compare", "-", "-m", "a,b", text="\n")
    assert (result.exit_code, lines(result.stderr)) == (2, ["oneflow compare: the prompt is empty"])


def test_one_value_has_a_mean_and_no_interval() -> None:
    assert (sample([2.0]).mean, sample([2.0]).margin) == (2.0, None)
    with pytest.raises(ValueError, match="nothing"):
        sample([])


@pytest.mark.parametrize("degrees", [*range(1, 31), 40, 60, 100])
def test_the_interval_holds_95_percent_of_students_t(degrees: int) -> None:
    values = [0.0, *[1.0] * degrees]
    found = sample(values)
    assert found.margin is not None
    spread = math.sqrt(sum((value - found.mean) ** 2 for value in values) / degrees)
    quantile = found.margin * math.sqrt(degrees + 1) / spread
    assert _within(quantile, degrees) == pytest.approx(0.95, abs=0.0003)


def _within(quantile: float, degrees: int, steps: int = 20_000) -> float:
    """The share of Student's t between both signs of a quantile, by Simpson's rule."""
    scale = math.exp(math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)) / math.sqrt(degrees * math.pi)

    def density(at: float) -> float:
        return scale * math.pow(1 + at * at / degrees, -(degrees + 1) / 2)

    width = quantile / steps
    inner = sum((4 if step % 2 else 2) * density(step * width) for step in range(1, steps))
    return 2 * (density(0.0) + inner + density(quantile)) * width / 3


@given(st.integers(1, 500), st.data())
def test_an_interval_of_successes_lies_around_the_share_and_within_bounds(tries: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, tries))
    low, high = success_interval(successes, tries)
    assert 0.0 <= low <= successes / tries + 1e-12
    assert successes / tries - 1e-12 <= high <= 1.0
    assert high - low < 1.0
