"""`oneflow ask`: the answer and nothing else on standard output, whoever gave it."""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing

import pytest

from oneflow_ai.cli.asking import SIMULATED
from oneflow_ai.simulator import Simulator, SimulatorOptions, ThreadedSimulator, run_in_thread
from tests.cli.place import SECONDS_MOST, Place, ended, lines

BEGINNING = 'This is a simulated answer to "What is a gateway?"'
QUESTION = "What is a gateway?"


def test_the_answer_is_all_of_standard_output(place: Place, provider: ThreadedSimulator) -> None:
    place.simulated(provider.base_url)
    result = place.run("ask", QUESTION)
    assert result.exit_code == 0
    assert result.stdout.startswith(BEGINNING)
    assert result.stdout.endswith(".\n")
    assert result.stderr == ""


def test_a_stream_is_the_same_text(place: Place, provider: ThreadedSimulator) -> None:
    place.simulated(provider.base_url)
    assert place.run("ask", QUESTION, "--stream").stdout == place.run("ask", QUESTION).stdout


def test_an_answer_of_the_built_in_simulator_says_so(place: Place) -> None:
    for option in ("--stream", "--json", None):
        result = place.run("ask", QUESTION, "--max-tokens", "1", *([option] if option else []))
        assert result.exit_code == 0
        assert lines(result.stderr)[-1] == SIMULATED
        if option == "--json":
            assert json.loads(result.stdout)["simulated"] is True


def test_json_tells_who_answered_and_what_it_cost(place: Place, provider: ThreadedSimulator) -> None:
    place.simulated(provider.base_url)
    told = place.json("ask", QUESTION)
    assert told["text"].startswith(BEGINNING)
    assert (told["provider"], told["model"], told["attempts"], told["simulated"]) == ("sim", "gpt-6-luna", 1, False)
    assert told["cost_usd"] > 0
    assert told["output_tokens"] > told["input_tokens"] > 0


def test_the_options_of_a_chat_reach_the_provider(place: Place) -> None:
    with run_in_thread(SimulatorOptions(record_body_bytes=4_096)) as simulator:
        place.simulated(simulator.base_url)
        place.run("ask", "Hi", "--system", "Be brief.", "--temperature", "0.5", "--max-tokens", "2")
        (body,) = simulator.do(_bodies)
    sent = json.loads(body)
    assert sent["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    assert (sent["temperature"], sent["max_tokens"]) == (0.5, 2)


def _bodies(simulator: Simulator) -> list[bytes]:
    return [attempt.body for attempt in simulator.record.attempts("gpt-6-luna")]


def test_a_prompt_of_a_dash_is_read_from_standard_input(place: Place, provider: ThreadedSimulator) -> None:
    place.simulated(provider.base_url)
    assert place.run("ask", "-", text=f"{QUESTION}\n").stdout.startswith(BEGINNING)
    empty = place.run("ask", "-", text="\n")
    assert empty.exit_code == 2
    assert "the prompt is empty" in empty.stderr


def test_the_answer_goes_into_a_file(place: Place, provider: ThreadedSimulator) -> None:
    place.simulated(provider.base_url)
    result = place.run("ask", QUESTION, "-o", "answer.txt")
    assert result.stdout == ""
    assert lines(result.stderr) == ["written to answer.txt"]
    assert (place.directory / "answer.txt").read_text() == place.run("ask", QUESTION).stdout


FAILURES = [
    ("nope", "no route, and no configured provider, has this model", 2),
    ("sim/a-model-of-ours", 'has no price; set [prices."sim/a-model-of-ours"]', 1),
    ("openai/gpt-6-luna", "provider openai has no credential", 1),
    ("sim/sim-F25", "(", 1),
]


@pytest.mark.parametrize(("model", "words", "status"), FAILURES, ids=[row[0] for row in FAILURES])
def test_a_failure_is_one_line_and_status_1_or_2_where_nothing_was_sent_for_what_was_written(
    place: Place, provider: ThreadedSimulator, model: str, words: str, status: int
) -> None:
    place.simulated(provider.base_url)
    for more in ([], ["--stream"], ["--json"]):
        result = place.run("ask", "hi", "-m", model, *more)
        assert result.exit_code == status
        assert result.stdout == ""
        (line,) = lines(result.stderr)
        assert words in line


@pytest.mark.parametrize("option", [("--temperature", "9"), ("--max-tokens", "0"), ("--max-tokens", "many")])
def test_a_wrong_option_is_misuse_and_nothing_is_sent(
    place: Place, provider: ThreadedSimulator, option: tuple[str, str]
) -> None:
    place.simulated(provider.base_url)
    before = provider.do(lambda running: running.record.counts.requests)
    result = place.run("ask", "hi", *option)
    assert result.exit_code == 2
    assert len(lines(result.stderr)) == 1
    assert provider.do(lambda running: running.record.counts.requests) == before


def test_an_answer_that_breaks_off_ends_its_line_and_fails(place: Place, provider: ThreadedSimulator) -> None:
    prices = '[prices."sim/*"]\ninput_usd_per_million_tokens = 1\noutput_usd_per_million_tokens = 1\n'
    place.simulated(provider.base_url, prices)
    result = place.run("ask", QUESTION, "--stream", "-m", "sim/sim-F13@event:3")
    assert result.exit_code == 1
    assert result.stdout.endswith("\n")
    assert len(lines(result.stdout)) == 1
    (line,) = lines(result.stderr)
    assert "(upstream_stream_interrupted)" in line


def test_calls_of_the_command_line_are_in_the_history(place: Place, provider: ThreadedSimulator) -> None:
    place.simulated(provider.base_url)
    place.run("ask", QUESTION)
    assert place.json("providers", "status")["sim"]["metrics"]["successful_requests"] == 1


@pytest.mark.parametrize(("told", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_who_stops_an_answer_finds_it_in_the_history(place: Place, told: signal.Signals, status: int) -> None:
    with run_in_thread(SimulatorOptions()) as simulator:
        place.simulated(simulator.base_url)
        with ended(place.process("ask", "Tell me much", "--stream")) as process:
            assert process.stdout is not None
            assert process.stdout.read(4) == "This"
            process.send_signal(told)
            out, errors = process.communicate(timeout=SECONDS_MOST)
            assert (process.returncode, errors) == (status, "")
            assert out.endswith("\n")
    with closing(sqlite3.connect(place.home / "oneflow.db")) as database:
        assert database.execute("SELECT outcome FROM requests").fetchall() == [("client_closed",)]


def test_a_model_that_has_ended_is_told_with_its_day_and_not_asked(place: Place) -> None:
    with run_in_thread(SimulatorOptions()) as simulator:
        place.simulated(
            simulator.base_url, f'[providers.openai]\nbase_url = "{simulator.base_url}"\napi_key = "env:SIM_KEY"\n'
        )
        result = place.run("ask", "Hi", "-m", "openai/computer-use-preview")
        assert (result.exit_code, result.stdout) == (2, "")
        (line,) = lines(result.stderr)
        assert "openai/computer-use-preview is retired since 2026-07-23; choose another model" in line
        assert simulator.do(lambda inside: inside.record.counts.by_model["computer-use-preview"]) == 0
