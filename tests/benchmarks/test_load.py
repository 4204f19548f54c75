"""The generator counts what it asks, and the double what reaches it. Nothing here is timed."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from benchmarks.cells import CELLS
from benchmarks.gateways import Running
from benchmarks.hangups import MANNERS, HangUps, HungUp
from benchmarks.load import Order, order_of, order_text
from benchmarks.measure import Bench, short_cell
from benchmarks.processes import Child, free_port, get
from benchmarks.questions import Question, steering
from tests.benchmarks.bench_parts import FEW, double

_PYTHON = (sys.executable, "-m")
pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="the benchmark needs Linux")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, Running]]:
    with double(tmp_path_factory.mktemp("double")) as found:
        yield found


@pytest.mark.parametrize("name", CELLS)
def test_every_request_of_a_cell_reaches_the_double_once_and_is_answered(
    place: tuple[Bench, Running], name: str
) -> None:
    at, running = place
    result = at.load(running, CELLS[name], FEW)
    assert (result.errors, result.first_error) == (0, "")
    assert result.asked == result.answered == result.reached == FEW.requests_most
    assert result.requests == result.asked
    assert min(result.provider_cpu_seconds, result.own_cpu_seconds, result.seconds) > 0
    assert 0 < result.first_p50_milliseconds <= result.p50_milliseconds <= result.p99_milliseconds


def test_a_run_by_time_ends_and_adds_up(place: tuple[Bench, Running]) -> None:
    at, running = place
    result = at.load(running, short_cell(4), replace(FEW, warm_seconds=0.05, seconds=0.2, requests_most=10**9))
    assert result.errors == 0
    assert 0 < result.requests < result.asked == result.answered == result.reached


@pytest.mark.parametrize("port", ["nobody", "double"])
def test_what_is_no_right_answer_is_an_error(place: tuple[Bench, Running], port: str) -> None:
    at, running = place
    if port == "nobody":
        result = at.load(replace(running, port=free_port()), short_cell(2), FEW)
    else:
        # Chunked bodies are what the double does not take.
        result = at.load(replace(running, headers={"content-length": "none"}), short_cell(2), FEW)
    assert result.errors > 0
    assert result.answered == 0
    assert result.first_error


def test_clients_hang_up_and_leave_nothing_open(place: tuple[Bench, Running]) -> None:
    at, running = place
    count = 10 * len(MANNERS)
    asked = HangUps(running.port, {}, 10, count, 20.0, at.provider_port, seed=1)
    with Child((*_PYTHON, "benchmarks.hangups")) as child:
        told = HungUp(**json.loads(child.ask(json.dumps(asdict(asked)), 30.0)))
    counts = json.loads(get(at.provider_port, "/counts")[1])
    assert (told.hang_ups, told.unanswered, counts["open"]) == (count, 0, 0)
    assert counts["hung_up"] >= count // len(MANNERS)


@pytest.mark.parametrize(
    "question",
    [Question(100), Question(500, stream=True, gap_milliseconds=10), Question(100_000, wait_milliseconds=2_000)],
)
def test_the_double_reads_what_the_question_wants(question: Question) -> None:
    read = steering(question.body())
    assert (read.stream, read.usage) == (question.stream, question.stream)
    assert read.gap_seconds == question.gap_milliseconds / 1000
    assert read.wait_seconds == question.wait_milliseconds / 1000
    assert question.prompt_bytes <= len(question.body()) < question.prompt_bytes + 300


def test_an_order_is_read_as_it_was_written() -> None:
    order = Order(1, {"a": "b"}, Question(5, stream=True), 2, 0.5, 1.0, 7, (3, 4), 5, 6)
    assert order_of(order_text(order)) == order
