"""From settings to rows: each way out trusts what it is told to, and goes through the proxy that was meant."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from oneflow_ai.app.rows import Simulated, compile_settings
from oneflow_ai.catalog import load_catalog
from oneflow_ai.providers.table import TABLE
from oneflow_ai.settings import load
from oneflow_ai.upstream import Way

PROVIDER = """
[providers.sim]
kind = "openai"
base_url = "http://127.0.0.1:9/v1"
api_key = "env:KEY"
connections_most = 7
"""
PROXY = "http://proxy.lan:3128"


@pytest.fixture
def ways(tmp_path: Path) -> dict[str, Way]:
    """The ways of a provider and of three targets that differ from it."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "ca.pem").write_text("")
    (home / "other.pem").write_text("")
    text = f"""{PROVIDER}proxy = "env:PROXY"
ca_file = "ca.pem"
[routes.fast]
task = "text"
targets = [
  {{ target = "sim/m", ca_file = "other.pem" }},
  {{ target = "sim/m", proxy = "http://other.lan:1" }},
  {{ target = "sim/m", proxy = "http://other.lan:1", ca_file = "other.pem" }},
]
"""
    (tmp_path / "oneflow.toml").write_text(text)
    environment = {"ONEFLOW_HOME": str(home), "KEY": "sk-one", "PROXY": PROXY}
    loaded = load(None, environment, tmp_path, kinds=TABLE)
    plant = compile_settings(loaded, load_catalog(), {}, simulated=None, version="1", on=date(2026, 11, 24))
    targets = plant.snapshot.routes["fast"].targets
    return {"provider": plant.ways["sim"]} | {str(n): plant.ways[each.way] for n, each in enumerate(targets, 1)}


def test_a_proxy_is_what_its_reference_leads_to_and_certificates_lie_under_the_home(
    ways: dict[str, Way], tmp_path: Path
) -> None:
    assert ways["provider"] == Way(str(tmp_path / "home/ca.pem"), PROXY, 7)


def test_a_target_has_its_providers_way_but_for_what_it_sets_itself(ways: dict[str, Way], tmp_path: Path) -> None:
    own, other = str(tmp_path / "home/ca.pem"), str(tmp_path / "home/other.pem")
    assert ways["1"] == Way(other, PROXY, 7)
    assert ways["2"] == Way(own, "http://other.lan:1", 7)
    assert ways["3"] == Way(other, "http://other.lan:1", 7)


def test_in_demo_mode_each_kind_of_provider_is_played_on_its_own_path(tmp_path: Path) -> None:
    """The simulator knows a wire by its path, so nothing else has to say which wire a kind speaks."""
    tables = [
        f'[providers.{kind}]\nbase_url = "{row.base_url or "http://127.0.0.1:9/own"}"\n' for kind, row in TABLE.items()
    ]
    (tmp_path / "oneflow.toml").write_text("".join(tables))
    loaded = load(None, {"ONEFLOW_HOME": str(tmp_path)}, tmp_path, kinds=TABLE)
    played = Simulated("http://127.0.0.1:5/v1", everywhere=True)
    plant = compile_settings(loaded, load_catalog(), {}, simulated=played, version="1", on=date(2026, 11, 24))
    for kind, row in TABLE.items():
        (target,) = plant.snapshot.providers[kind].targets("some-model")
        path = urlsplit(row.base_url).path if row.base_url else "/v1"
        assert target.base_url == f"http://127.0.0.1:5{path}"
        assert target.simulated


@pytest.mark.parametrize("targets", ["", 'targets = ["openai/gpt-6-luna"]\n'])
@pytest.mark.parametrize("everywhere", [False, True])
def test_the_simulator_comes_after_a_routes_targets_and_never_in_their_place(
    tmp_path: Path, targets: str, everywhere: bool
) -> None:
    (tmp_path / "oneflow.toml").write_text(f"[routes.text]\nsimulate_last = true\n{targets}")
    loaded = load(None, {"ONEFLOW_HOME": str(tmp_path), "OPENAI_API_KEY": "sk-one"}, tmp_path, kinds=TABLE)
    played = Simulated("http://127.0.0.1:5/v1", everywhere=everywhere)
    plant = compile_settings(loaded, load_catalog(), {}, simulated=played, version="1", on=date(2026, 11, 24))
    places = [target.place for target in plant.snapshot.routes["text"].targets]
    assert (places[0], places[-1]) == ("openai/gpt-6-luna", "simulator/text")
    assert "simulator" in plant.ways
