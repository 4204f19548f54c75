"""The library: the engine in the caller's process, to await and to call."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oneflow_ai import Answer, AsyncOneFlow, OneFlow, OneFlowError
from oneflow_ai.settings import Loaded, SettingsError
from oneflow_ai.simulator import FAST, Limits, SimulatorOptions, ThreadedSimulator, run_in_thread
from oneflow_ai.stores.history import Filters
from tests.library import library_settings, loaded


@pytest.fixture
def simulator() -> Iterator[ThreadedSimulator]:
    with run_in_thread(SimulatorOptions(pace=FAST, limits=Limits(concurrency=2))) as simulator:
        yield simulator


@pytest.fixture
def settings(simulator: ThreadedSimulator, tmp_path: Path) -> Loaded:
    configuration = '[routes.text]\ntargets = ["sim/gpt-6-luna"]\n[retry]\nattempts = 1\n'
    return library_settings(simulator, tmp_path, configuration, provider="concurrency = 2\n")


def test_an_answer_says_who_gave_it_and_what_it_cost(settings: Loaded) -> None:
    with OneFlow(settings=settings) as flow:
        answer = flow.text("Write a haiku about AI")
    assert "haiku about AI" in answer.text
    assert (answer.provider, answer.model, answer.attempts, answer.simulated) == ("sim", "gpt-6-luna", 1, False)
    assert answer.cost_usd == (answer.usage.input_tokens + 2 * answer.usage.output_tokens) / 1_000_000
    assert answer.seconds > 0
    assert answer.as_dict()["text"] == answer.text


def test_a_stream_gives_the_same_text_in_pieces(settings: Loaded) -> None:
    with OneFlow(settings=settings) as flow:
        pieces = list(flow.stream("Count to five"))
        assert len(pieces) > 5
        assert "".join(pieces) == flow.text("Count to five").text


def test_an_answer_tells_which_model_went_on_with_it(simulator: ThreadedSimulator, tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        "".join(
            f'[providers.{name}]\nkind = "{kind}"\nbase_url = "{simulator.base_url}"\napi_key = "env:SIM_KEY"\n'
            f'[prices."{name}/*"]\ninput_usd_per_million_tokens = 1\noutput_usd_per_million_tokens = 2\n'
            for name, kind in (("sim", "openai"), ("next", "anthropic"))
        )
        + '[routes.text]\ntargets = ["sim/sim-F13@event:5", "next/claude-haiku-4-5"]\ncontinue_cut = true\n',
    )
    pieces: list[str] = []
    with OneFlow(settings=settings) as flow:
        answer = flow.text("Count to five", on_piece=pieces.append)
        assert (answer.continued_by, answer.attempts, answer.estimated) == (("next/claude-haiku-4-5",), 2, True)
        whole = flow.text("Count to five", model="next/claude-haiku-4-5")
        assert answer.text == "".join(pieces) == whole.text
        assert whole.continued_by == ()
        assert "".join(flow.stream("Count to five")) == whole.text


def test_a_stream_that_is_left_ends_its_call(settings: Loaded, simulator: ThreadedSimulator) -> None:
    with OneFlow(settings=settings) as flow:
        stream = flow.stream("Count to five", model="sim/sim-F12")
        next(stream)
        stream.close()
        assert simulator.do(lambda running: running.record.counts.in_flight) in (0, 1)
        assert flow.text("And again").text


def test_messages_tools_and_options_are_those_of_a_chat(settings: Loaded) -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
    with OneFlow(settings=settings) as flow:
        messages = [{"role": "user", "content": "Look around"}]
        answer = flow.text(messages, tools=[tool], tool_choice="required", system="Be brief")
        assert [call.name for call in answer.tool_calls] == ["look"]
        assert answer.finish_reason == "tool_calls"
        assert flow.text("Hello", max_tokens=3).finish_reason == "length"


def test_of_several_answers_the_first_is_told(settings: Loaded) -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
    with OneFlow(settings=settings) as flow:
        options: Any = {"tools": [tool], "tool_choice": "required", "reasoning_effort": "none"}
        once = flow.text("Look", **options)
        for twice in (flow.text("Look", **options, n=2), flow.text("Look", on_piece=str, **options, n=2)):
            (call,), (found,) = once.tool_calls, twice.tool_calls
            assert (found.name, found.arguments) == (call.name, call.arguments)


@pytest.mark.parametrize(
    ("prompt", "options", "code", "attempts"),
    [
        ("", {}, "missing_required_parameter", 0),
        ("Hello", {"temperature": 9}, "invalid_value", 0),
        ("Hello", {"model": "nobody/has-this"}, "model_not_found", 0),
        ("Hello", {"model": "sim/sim-F23"}, "upstream_error", 1),
        ("Hello", {"model": "sim/sim-F9", "timeout_seconds": 0.3}, "upstream_timeout", 1),
    ],
)
def test_a_failure_tells_code_attempts_and_id(
    settings: Loaded, prompt: str, options: dict[str, Any], code: str, attempts: int
) -> None:
    with OneFlow(settings=settings) as flow:
        for call in (flow.text, lambda *args, **kwargs: list(flow.stream(*args, **kwargs))):
            with pytest.raises(OneFlowError) as caught:
                call(prompt, **options)
            assert (caught.value.code, caught.value.attempts) == (code, attempts)
            assert caught.value.request_id.startswith("req_")


async def test_it_may_be_called_inside_a_running_loop(settings: Loaded) -> None:
    with OneFlow(settings=settings) as flow:
        assert flow.text("Hello").text


async def test_the_async_face_gives_the_same(settings: Loaded) -> None:
    async with AsyncOneFlow(settings=settings) as flow:
        answer = await flow.text("Hello")
        assert isinstance(answer, Answer)
        assert "".join([piece async for piece in flow.stream("Hello")]) == answer.text


def test_objects_of_one_process_share_each_credential_s_limit(settings: Loaded, simulator: ThreadedSimulator) -> None:
    with OneFlow(settings=settings) as one, OneFlow(settings=settings) as other:
        threads = [threading.Thread(target=flow.text, args=("Hello",)) for flow in (one, other) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert simulator.do(lambda running: running.record.counts.refused_by_limit) == 0
    assert simulator.do(lambda running: running.record.counts.requests) == 16


def test_calls_in_process_are_kept_in_the_history(settings: Loaded) -> None:
    with OneFlow(settings=settings) as flow:
        flow.text("Hello")

    async def records() -> list[str]:
        async with AsyncOneFlow(settings=settings) as flow:
            runtime = await flow._ready()
            return [record.outcome for record in (await runtime.history.page(Filters())).records]

    assert asyncio.run(records()) == ["ok"]


def test_a_wrong_configuration_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "oneflow.toml"
    file.write_text("[serverr]\n")
    with pytest.raises(SettingsError, match="serverr"):
        OneFlow(file)


def test_the_thread_ends_with_the_last_object(settings: Loaded) -> None:
    with OneFlow(settings=settings):
        assert any(thread.name == "oneflow" for thread in threading.enumerate())
    assert not any(thread.name == "oneflow" for thread in threading.enumerate())
