"""`OneFlowAI`: a balance and budgets of its own, kept by the ledger, and never exceeded."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oneflow_ai import OneFlowAI
from oneflow_ai.core.money import NANOS_PER_USD
from oneflow_ai.manager.account import Charged
from oneflow_ai.simulator import ThreadedSimulator


@pytest.fixture
def program(world: ThreadedSimulator) -> Iterator[OneFlowAI]:
    with OneFlowAI(initial_balance=1, use_real_api=True) as program:
        yield program


def nanos(dollars: float) -> int:
    return round(dollars * NANOS_PER_USD)


@pytest.mark.parametrize(("name", "provider"), [("gpt", "openai"), ("claude", "anthropic")])
def test_a_short_name_asks_its_provider_first_and_the_balance_pays(
    program: OneFlowAI, name: str, provider: str
) -> None:
    result = program.process_request(name, "Hello there", max_tokens=20)
    assert set(result) == set(Charged.__annotations__)
    assert (result["status"], result["provider_name"]) == ("success", provider)
    assert result["cost"] > 0
    assert nanos(result["balance"]) == nanos(1) - nanos(result["cost"])
    assert json.dumps(result)


def test_any_model_id_is_asked_for_what_it_is_for(program: OneFlowAI) -> None:
    text = program.process_request("claude-sonnet-5-5", "Hello", max_tokens=5)
    assert (text["provider_name"], text["model"], text["data"]) == ("anthropic", "claude-sonnet-5-5", None)
    picture = program.process_request("gpt-image-2.6-flare", "A cat")
    assert (picture["status"], picture["media_type"]) == ("success", "image/png")
    sound = program.process_request("tts-1", "Hello")
    assert (sound["status"], sound["media_type"]) == ("success", "audio/mpeg")
    spent = sum(nanos(one["cost"]) for one in (text, picture, sound))
    assert nanos(sound["balance"]) == nanos(1) - spent
    assert program.process_request("nobody-has-this", "Hello")["status"] == "error"


@pytest.mark.parametrize("name", ["image", "dalle"])
def test_pictures_fall_back_to_who_can_make_them(program: OneFlowAI, name: str) -> None:
    result = program.process_request(name, "A cat")
    assert (result["status"], result["media_type"]) == ("success", "image/png")


def test_an_empty_balance_pays_for_nothing(world: ThreadedSimulator) -> None:
    before = world.do(lambda running: running.record.counts.requests)
    with OneFlowAI(initial_balance=0, use_real_api=True) as program:
        result = program.process_request("gpt", "Hello", max_tokens=5)
        assert (result["status"], result["cost"], result["balance"]) == ("error", 0.0, 0.0)
        assert result["error"] is not None
        assert result["error"].startswith("insufficient_quota: the balance has $0 of $0 left")
    assert world.do(lambda running: running.record.counts.requests) == before


def test_the_balance_is_never_exceeded_however_many_ask_at_once(world: ThreadedSimulator) -> None:
    with OneFlowAI(initial_balance="0.0005", use_real_api=True) as program:
        results: list[Charged] = []

        def ask() -> None:
            for _ in range(5):
                results.append(program.process_request("gpt", "Tell me of the sea", max_tokens=200))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        spent = sum(nanos(result["cost"]) for result in results)
        assert 0 < spent <= nanos(0.0005)
        assert {result["status"] for result in results} == {"success", "error"}
        status = program.get_status()
        assert nanos(status["spent"]) == spent
        assert nanos(status["balance"]) == nanos(0.0005) - spent


@pytest.mark.parametrize("model", [None, 5, [], b"gpt", "", "\ud800", Path("gpt")], ids=repr)
def test_an_odd_model_is_a_result_with_the_balance(program: OneFlowAI, model: Any) -> None:
    result = program.process_request(model, "Hello")
    assert set(result) == set(Charged.__annotations__)
    assert (result["status"], result["balance"], result["attempted_providers"]) == ("error", 1.0, [])


def test_after_its_end_a_call_is_refused_and_the_balance_is_still_told(world: ThreadedSimulator) -> None:
    with OneFlowAI(1, use_real_api=True) as other, OneFlowAI(1, use_real_api=True) as program:
        program.setup_budget(daily=1)
        spent = program.process_request("gpt", "Hello", max_tokens=5)
        status = program.get_status()
        program.close()
        result = program.process_request("gpt", "Hello", max_tokens=5)
        assert (result["status"], result["balance"]) == ("error", spent["balance"])
        assert result["error"] is not None and result["error"].startswith("draining: this object was closed")
        assert program.get_status() == status
        with pytest.raises(RuntimeError, match="was closed"):
            program.setup_budget(weekly=1)
        assert other.process_request("gpt", "Hello", max_tokens=5)["status"] == "success"


def test_two_programs_have_two_balances(world: ThreadedSimulator) -> None:
    with OneFlowAI(1, use_real_api=True) as one, OneFlowAI(1, use_real_api=True) as other:
        one.process_request("gpt", "Hello", max_tokens=5)
        assert one.get_status()["balance"] < 1.0
        assert other.get_status()["balance"] == 1.0
    with OneFlowAI(1, use_real_api=True) as again:
        assert again.get_status()["balance"] == 1.0


def test_a_budget_refuses_what_does_not_fit_and_names_itself(program: OneFlowAI) -> None:
    program.setup_budget(daily=0.00001, weekly=5, monthly=20)
    result = program.process_request("gpt", "Hello", max_tokens=200)
    assert result["status"] == "error"
    assert result["error"] is not None
    assert result["error"].startswith("insufficient_quota: the daily budget has $0.00001 of $0.00001 left")
    status = program.get_status()
    assert set(status["budgets"]) == {"daily", "weekly", "monthly"}
    assert status["budgets"]["daily"] == {"limit": 0.00001, "spent": 0.0, "remaining": 0.00001}
    program.setup_budget(daily=1)
    answered = program.process_request("gpt", "Hello", max_tokens=200)
    assert answered["status"] == "success"
    budgets = program.get_status()["budgets"]
    assert [nanos(budgets[name]["spent"]) for name in budgets] == [nanos(answered["cost"])] * 3


def test_a_spent_provider_budget_sends_calls_on_to_the_next(program: OneFlowAI) -> None:
    program.setup_provider_budget("gpt", 0)
    result = program.process_request("gpt", "Hello", max_tokens=5)
    assert (result["status"], result["provider_name"]) == ("success", "anthropic")
    assert program.get_status()["provider_budgets"] == {"openai": {"limit": 0.0, "spent": 0.0, "remaining": 0.0}}
    openai = program.manager.get_provider_status("openai")["metrics"]
    assert (openai["total_requests"], openai["failed_requests"]) == (0, 0)


def test_others_are_not_limited_by_a_programs_budgets(world: ThreadedSimulator) -> None:
    with OneFlowAI(1, use_real_api=True) as one, OneFlowAI(1, use_real_api=True) as other:
        one.setup_budget(daily=0)
        one.setup_provider_budget("openai", 0)
        assert one.process_request("gpt", "Hello")["status"] == "error"
        assert other.process_request("gpt", "Hello", max_tokens=5)["provider_name"] == "openai"


def test_a_simulated_program_pays_the_list_price(nowhere: Path) -> None:
    with OneFlowAI() as program:
        result = program.process_request("gpt", "Hello", max_tokens=5)
        assert (result["status"], result["simulated"]) == ("success", True)
        assert result["balance"] == pytest.approx(100 - result["cost"])
        assert program.get_status()["simulated"] is True


@pytest.mark.parametrize("amount", [-1, float("nan"), "much", None, True, 1e300])
def test_what_is_no_amount_is_refused(program: OneFlowAI, amount: Any) -> None:
    with pytest.raises(ValueError, match="initial_balance"):
        OneFlowAI(initial_balance=amount)
    with pytest.raises(ValueError, match="limit"):
        program.setup_provider_budget("gpt", amount)
    if amount is not None:
        with pytest.raises(ValueError, match="daily"):
            program.setup_budget(daily=amount)
    with pytest.raises(ValueError, match="known are"):
        program.setup_provider_budget("nobody", 1)
    assert program.get_status()["budgets"] == {}
