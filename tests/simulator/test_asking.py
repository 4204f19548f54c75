"""How a fault is asked for: by model name, header, rule, script and probability, and how often it strikes."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from oneflow_ai.simulator import FAST, FaultError, Rule, ScriptError, Simulator, SimulatorOptions, load_script
from oneflow_ai.simulator.casting import fault_in_name
from oneflow_ai.simulator.faults.table import read
from tests.simulator.raw import CHAT, STREAM, once


async def _statuses(simulator: Simulator, count: int, **document: Any) -> list[int]:
    return [(await once(simulator, {**CHAT, **document})).status for _ in range(count)]


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        ("sim-F17@event:3", "F17@event:3"),
        ("openai/sim-F23;status=529", "F23;status=529"),
        ("sim-gpt", ""),
        ("my-sim-F17", ""),
        ("gpt-6-luna", ""),
    ],
)
def test_a_models_name_asks_for_a_fault_with_or_without_a_provider_before_it(model: str, fault: str) -> None:
    assert fault_in_name(model) == fault


@pytest.mark.parametrize(
    ("asked", "parameters"),
    [
        ("F13@event:3", {"at": "event:3"}),
        ("F13;at=event:3", {"at": "event:3"}),
        ("F13@byte:100;times=2", {"at": "byte:100", "times": "2"}),
        ("F23", {"status": "500", "body": "json", "times": "0"}),
        ("F47;kind=flap;period=2.5", {"kind": "flap", "period": "2.5"}),
    ],
)
def test_what_is_not_asked_for_has_its_default(asked: str, parameters: dict[str, str]) -> None:
    fault, _ = read(asked)
    assert {name: fault.parameters[name] for name in parameters} == parameters


@pytest.mark.parametrize(
    "asked",
    [
        "F99",
        "F0",
        "G1",
        "",
        "F23;status=200",
        "F23;bees=3",
        "F23;status",
        "F13@somewhere",
        "F19;after=-1",
        "F9;times=many",
        "F1",
        "F3",
    ],
)
async def test_a_fault_that_is_none_is_told(simulator: Simulator, asked: str) -> None:
    with pytest.raises(FaultError):
        read(asked)
    if asked:
        seen = await once(simulator, CHAT, headers={"x-fault": asked})
        assert (seen.status, seen.json["error"]["code"]) == (400, "unknown_fault")


async def test_the_header_asks_directly(simulator: Simulator) -> None:
    assert (await once(simulator, CHAT, headers={"x-fault": "F23;status=529"})).status == 529
    assert simulator.record.attempts()[-1].fault == "F23;status=529"


async def test_times_strikes_the_first_attempts_of_each_model_name_and_credential(simulator: Simulator) -> None:
    assert await _statuses(simulator, 4, model="sim-F23;times=2") == [500, 500, 200, 200]
    assert await _statuses(simulator, 1, model="sim-F23;times=2;status=502") == [502]
    assert (await once(simulator, {**CHAT, "model": "sim-F23;times=2"}, key="other")).status == 500


async def test_times_counts_strikes_not_requests(simulator: Simulator) -> None:
    """F47 strikes in its first seconds; a fault that did not strike is not used up."""
    assert await _statuses(simulator, 2, model="sim-F47;start=9;times=1") == [200, 200]


async def test_probability_is_drawn_for_each_request() -> None:
    async with await Simulator(SimulatorOptions(pace=FAST), chance=Random(5)).start() as simulator:
        statuses = await _statuses(simulator, 60, model="sim-F23;probability=0.3")
    assert 8 <= statuses.count(500) <= 28


async def test_a_share_of_all_requests_may_fail_by_option() -> None:
    options = SimulatorOptions(pace=FAST, fault_probability={"F23": 0.5, "F27": 1.0}, seed=3)
    async with await Simulator(options).start() as simulator:
        statuses = await _statuses(simulator, 40)
        assert simulator.record.counts.by_fault["F27"] == statuses.count(200)
    assert 8 <= statuses.count(500) <= 32


@pytest.mark.parametrize(
    ("rule", "statuses"),
    [
        (Rule(fault="F23"), [500, 500, 500]),
        (Rule(fault="F23", model="gpt-*"), [500, 500, 500]),
        (Rule(fault="F23", model="claude-*"), [200, 200, 200]),
        (Rule(fault="F23", path="/v1/models*"), [200, 200, 200]),
        (Rule(fault="F23", attempts=(2, 2)), [200, 500, 200]),
        (Rule(fault="F23", probability=0.0), [200, 200, 200]),
        (Rule(fault="F23", from_seconds=1_000.0), [200, 200, 200]),
        (Rule(fault="F23", to_seconds=0.0), [200, 200, 200]),
    ],
)
async def test_a_rule_strikes_what_it_meets(simulator: Simulator, rule: Rule, statuses: list[int]) -> None:
    simulator.rules = (rule,)
    assert await _statuses(simulator, 3) == statuses


async def test_the_first_rule_that_strikes_wins_and_a_name_comes_before_rules(simulator: Simulator) -> None:
    simulator.rules = (Rule(fault="F27", model="a"), Rule(fault="F23"), Rule(fault="F24"))
    assert await _statuses(simulator, 1, model="b") == [500]
    assert await _statuses(simulator, 1, model="sim-F25;status=422") == [422]


async def test_attempts_are_counted_by_nonce_where_there_is_one(simulator: Simulator) -> None:
    for nonce in ("one", "one", "two"):
        seen = await once(simulator, CHAT, headers={"x-request-nonce": nonce})
        assert seen.headers["x-request-nonce"] == nonce
    assert [each.attempt for each in simulator.record.attempts()] == [1, 2, 1]


SCRIPT = {"rule": [{"fault": "F23;times=1", "model": "gpt-*"}, {"fault": "F13@event:0", "attempts": [2, 2]}]}
TOML = '[[rule]]\nfault = "F23;times=1"\nmodel = "gpt-*"\n[[rule]]\nfault = "F13@event:0"\nattempts = [2, 2]\n'


@pytest.mark.parametrize(("name", "text"), [("s.json", json.dumps(SCRIPT)), ("s.toml", TOML)])
async def test_a_script_is_a_list_of_rules(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    options = SimulatorOptions(pace=FAST, rules=load_script(file))
    async with await Simulator(options).start() as simulator:
        seen = [await once(simulator, STREAM) for _ in range(3)]
    assert [each.status for each in seen] == [500, 200, 200]
    assert [each.end for each in seen] == ["eof", "reset", "eof"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "Expecting"),
        ('{"rule":[{"fault":"F99"}]}', "rule[0]"),
        ('{"rule":[{"fault":"F23","probability":2}]}', "probability"),
        ('{"rule":[{"fault":"F23","modell":"x"}]}', "modell"),
        ('{"rules":[]}', "rules"),
        ('{"rule":[{}]}', "fault"),
    ],
)
def test_a_wrong_script_says_where(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "wrong.json"
    file.write_text(text)
    with pytest.raises(ScriptError) as error:
        load_script(file)
    assert told in str(error.value)
    assert "wrong.json" in str(error.value)


def test_a_missing_script_is_told(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"none\.toml"):
        load_script(tmp_path / "none.toml")
