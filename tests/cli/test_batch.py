"""`oneflow batch`: every prompt answered once, whatever ends a run in between."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from oneflow_ai.cli.asking import SIMULATED
from oneflow_ai.cli.batch_answers import Answers
from oneflow_ai.cli.batch_lines import Prompts
from oneflow_ai.cli.batch_progress import Counted, duration, money
from oneflow_ai.simulator import FAST, Pace, Rule, Simulator, SimulatorOptions, ThreadedSimulator, run_in_thread
from tests.cli.killing import check, killed_batch
from tests.cli.place import Place, ended, lines, serving

PROMPTS = ['"Say one."', '{"id": "b", "prompt": "Say two.", "options": {"max_tokens": 3}}', "", '"Say three."']


@pytest.fixture
def fresh() -> Iterator[ThreadedSimulator]:
    """A provider that nobody has called, which keeps what it is sent."""
    with run_in_thread(SimulatorOptions(pace=FAST, seed=7, record_body_bytes=4_096)) as simulator:
        yield simulator


def sent(simulator: ThreadedSimulator) -> list[dict[str, Any]]:
    """The bodies that the provider got."""

    def bodies(one: Simulator) -> list[bytes]:
        return [attempt.body for attempt in one.record.attempts()]

    return [json.loads(body) for body in simulator.do(bodies)]


def words(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


def rows(place: Place, name: str = "out.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (place.directory / name).read_text().splitlines()]


def prompts(place: Place, *given: str) -> None:
    place.write("\n".join(given or PROMPTS), "in.jsonl")


def test_every_prompt_is_answered_in_the_order_of_the_file(place: Place, fresh: ThreadedSimulator) -> None:
    place.simulated(fresh.base_url)
    prompts(place)
    told = place.json("batch", "in.jsonl", "-o", "out.jsonl", "--system", "Be brief.")
    found = rows(place)
    assert [(row["line"], row["id"], row["status"]) for row in found] == [
        (1, None, "success"),
        (2, "b", "success"),
        (4, None, "success"),
    ]
    assert all(row["text"].startswith("This is a simulated answer") for row in found if row["line"] != 2)
    assert (told["prompts"], told["answered"], told["failed"], told["left"]) == (3, 3, 0, 0)
    assert told["cost_usd"] == pytest.approx(sum(row["cost_usd"] for row in found)) != 0
    limits = {words(body): body.get("max_tokens") for body in sent(fresh)}
    assert limits == {"Say one.": None, "Say two.": 3, "Say three.": None}
    assert all(body["messages"][0] == {"role": "system", "content": "Be brief."} for body in sent(fresh))
    assert sorted(path.name for path in place.directory.glob("out*")) == ["out.jsonl"]
    assert (place.directory / "out.jsonl").stat().st_mode & 0o777 == 0o600


def test_the_summary_is_for_people_and_says_what_was_simulated(place: Place) -> None:
    prompts(place, '{"prompt": "Hi", "options": {"max_tokens": 1}}')
    result = place.run("batch", "in.jsonl", "-o", "out.jsonl")
    assert result.exit_code == 0
    head, cost, seconds, file = lines(result.stdout)
    assert head == "1 of 1 prompts answered (100.0%)"
    assert cost.startswith("cost      $0.0")
    assert seconds.startswith("time ")
    assert file == "answers   out.jsonl"
    assert lines(result.stderr) == [SIMULATED]


def test_lines_of_the_batch_api_are_taken(place: Place, fresh: ThreadedSimulator) -> None:
    place.simulated(fresh.base_url)
    body = {"model": "sim/gpt-6-luna", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}
    line = {"custom_id": "a-1", "method": "POST", "url": "/v1/chat/completions", "body": body}
    prompts(place, json.dumps(line))
    place.json("batch", "in.jsonl", "-o", "out.jsonl", "--model", "nothing")
    (row,) = rows(place)
    assert (row["id"], row["status"], row["model"]) == ("a-1", "success", "gpt-6-luna")
    (arrived,) = sent(fresh)
    assert (words(arrived), arrived["max_tokens"]) == ("Hi", 5)


MISTAKES = [
    ("{", "is no JSON"),
    ("3", "is neither a text nor an object"),
    ("{}", "prompt is missing"),
    ('{"prompt": 3}', "prompt is a text or a list of messages"),
    ('{"promt": "x"}', "promt is not known here"),
    ('{"prompt": "x", "model": 3}', "model is a text"),
    ('{"prompt": "x", "options": []}', "options is an object"),
    ('{"prompt": "x", "options": {"stream": true}}', "options: stream is no option"),
    ('{"prompt": "x", "options": {"max_tokens": "q"}}', "max_tokens is an integer"),
    ('{"prompt": [{"role": "nobody"}]}', "a message's role is"),
    ('{"custom_id": "a", "url": "/v1/embeddings", "body": {}}', "url: /v1/chat/completions is served"),
    ('{"prompt": "x", "id": "same"}', "has the id of line 1"),
]


@pytest.mark.parametrize(("line", "told"), MISTAKES, ids=[row[1] for row in MISTAKES])
def test_a_wrong_line_is_told_before_anything_is_sent(
    place: Place, fresh: ThreadedSimulator, line: str, told: str
) -> None:
    place.simulated(fresh.base_url)
    prompts(place, '{"prompt": "x", "id": "same"}', line)
    result = place.run("batch", "in.jsonl", "-o", "out.jsonl")
    assert (result.exit_code, result.stdout) == (2, "")
    (mistake,) = lines(result.stderr)
    assert mistake.startswith(f"in.jsonl:2: {told}")
    assert sent(fresh) == []
    assert not (place.directory / "out.jsonl").exists()


def test_the_first_of_many_mistakes_are_told(place: Place) -> None:
    prompts(place, *["{"] * 50)
    result = place.run("batch", "in.jsonl", "-o", "out.jsonl")
    assert len(lines(result.stderr)) == 21
    assert lines(result.stderr)[-1] == "in.jsonl: and 30 more"


MISUSES = [
    (("in.jsonl",), "-o OUT.jsonl is missing"),
    (("no.jsonl", "-o", "out.jsonl"), "there is no file no.jsonl"),
    (("in.jsonl", "-o", "in.jsonl"), "-o is the file of the prompts"),
    (("in.jsonl", "-o", "no/out.jsonl"), "its folder must exist"),
]


@pytest.mark.parametrize(("arguments", "told"), MISUSES, ids=[row[1] for row in MISUSES])
def test_a_misuse_is_one_line(place: Place, arguments: tuple[str, ...], told: str) -> None:
    prompts(place)
    before = (place.directory / "in.jsonl").read_bytes()
    result = place.run("batch", *arguments)
    assert result.exit_code == 2
    (line,) = lines(result.stderr)
    assert told in line
    assert (place.directory / "in.jsonl").read_bytes() == before


def test_what_is_answered_is_not_asked_again(place: Place, fresh: ThreadedSimulator) -> None:
    place.simulated(fresh.base_url)
    prompts(place)
    place.json("batch", "in.jsonl", "-o", "out.jsonl")
    whole = (place.directory / "out.jsonl").read_bytes()
    assert place.json("batch", "in.jsonl", "-o", "out.jsonl")["kept"] == 3
    assert len(sent(fresh)) == 3
    # As a kill leaves it: an answer whole, one cut in its midst, one not begun.
    first, second, _ = whole.splitlines(keepends=True)
    (place.directory / "out.jsonl").write_bytes(first + second[:-20])
    (place.directory / "out.jsonl.started").write_bytes(b"..")
    told = place.json("batch", "in.jsonl", "-o", "out.jsonl")
    assert (told["kept"], told["answered"], told["cut"]) == (1, 3, 1)
    assert sorted(words(body) for body in sent(fresh)[3:]) == ["Say three.", "Say two."]
    assert [row["line"] for row in rows(place)] == [1, 2, 4]


@pytest.mark.parametrize(
    "content",
    ['{"line": 1}\n', "notes of mine\n", '{"line":1,"mark":"x","settings":"y","status":"success","cost_usd":0}\n'],
)
def test_a_file_that_holds_something_else_is_left_as_it_is(
    place: Place, fresh: ThreadedSimulator, content: str
) -> None:
    place.simulated(fresh.base_url)
    prompts(place)
    place.write(content, "out.jsonl")
    result = place.run("batch", "in.jsonl", "-o", "out.jsonl")
    assert result.exit_code == 2
    assert "name another" in result.stderr
    assert (place.directory / "out.jsonl").read_text() == content
    assert sent(fresh) == []


def test_answers_are_not_taken_for_those_of_other_options(place: Place, fresh: ThreadedSimulator) -> None:
    place.simulated(fresh.base_url)
    prompts(place)
    place.json("batch", "in.jsonl", "-o", "out.jsonl", "--max-tokens", "5")
    before = (place.directory / "out.jsonl").read_bytes()
    for options in (["--max-tokens", "6"], ["--max-tokens", "5", "--model", "sim/gpt-6-luna"], []):
        result = place.run("batch", "in.jsonl", "-o", "out.jsonl", *options)
        assert result.exit_code == 2
        assert "was answered with another --model" in result.stderr
    assert (place.directory / "out.jsonl").read_bytes() == before
    assert len(sent(fresh)) == 3


def test_failed_prompts_are_told_and_asked_once_more(place: Place, fresh: ThreadedSimulator) -> None:
    place.simulated(fresh.base_url)
    prompts(place, '"Hi"', '{"prompt": "Hi", "model": "nobody/nothing"}')
    result = place.run("batch", "in.jsonl", "-o", "out.jsonl")
    assert result.exit_code == 1
    assert lines(result.stdout)[:2] == ["1 of 2 prompts answered (50.0%)", "failed    1 model_not_found"]
    assert "run the same command again" in result.stderr
    good, bad = rows(place)
    assert (good["error"], bad["status"], bad["cost_usd"]) == (None, "error", 0.0)
    assert bad["error"]["code"] == "model_not_found"
    again = place.run("batch", "in.jsonl", "-o", "out.jsonl")
    assert again.exit_code == 1
    assert len(sent(fresh)) == 1
    assert len(rows(place)) == 2


def test_a_run_stops_when_nothing_succeeds_any_more(place: Place, fresh: ThreadedSimulator) -> None:
    place.simulated(fresh.base_url)
    fresh.do(lambda simulator: setattr(simulator, "rules", (Rule(fault="F30"),)))
    prompts(place, *(f'"Say {number}."' for number in range(50)))
    result = place.run("batch", "in.jsonl", "-o", "out.jsonl", "--concurrency", "1", "--stop-after", "3")
    assert result.exit_code == 1
    assert "stopped: 3 calls in a row failed, the last: " in result.stderr
    assert len(rows(place)) == 3
    fresh.do(lambda simulator: setattr(simulator, "rules", ()))
    assert place.json("batch", "in.jsonl", "-o", "out.jsonl")["answered"] == 50


def test_a_file_of_answers_has_one_writer(place: Place) -> None:
    with run_in_thread(SimulatorOptions(pace=Pace(first_token_seconds=30.0, whole_seconds_most=30.0))) as slow:
        place.simulated(slow.base_url)
        prompts(place)
        with ended(place.process("batch", "in.jsonl", "-o", "out.jsonl")) as process:
            _await(lambda: bool(slow.do(lambda one: one.record.attempts())))
            result = place.run("batch", "in.jsonl", "-o", "out.jsonl")
            assert (result.exit_code, lines(result.stderr)) == (
                1,
                ["oneflow batch: out.jsonl is in use: another batch writes to it"],
            )
            process.send_signal(signal.SIGINT)
            out, errors = process.communicate(timeout=20.0)
    assert process.returncode == 130
    assert lines(out)[0] == "0 of 3 prompts answered (0.0%)"
    assert "run the same command again to go on" in errors


def test_a_server_answers_too(place: Place, fresh: ThreadedSimulator) -> None:
    place.simulated(fresh.base_url)
    prompts(place, '{"prompt": [{"role": "user", "content": "Hi"}]}', '"Hello"')
    with serving(place) as announced:
        told = place.json("batch", "in.jsonl", "-o", "out.jsonl", "--server", announced["url"])
    assert told["answered"] == 2
    gone = place.run("batch", "in.jsonl", "-o", "other.jsonl", "--server", announced["url"])
    assert gone.exit_code == 1
    assert "no server answers" in gone.stderr
    assert rows(place, "other.jsonl") == []


def test_a_batch_that_is_killed_answers_every_prompt_once(place: Place) -> None:
    check(killed_batch(place, prompts=600, kills=4, seed=11), prompts=600)


def test_an_answer_that_the_disk_did_not_take_leaves_no_half_of_it(place: Place) -> None:
    prompts(place)
    full = [False]

    def write(file: int, content: memoryview) -> int:
        if full[0] and len(content) < 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(file, content[:-5] if full[0] else content)

    row = {"status": "success", "cost_usd": 0.5, "error": None}
    path = place.directory / "out.jsonl"
    with Prompts(place.directory / "in.jsonl") as asked, Answers(path, asked, "s", write) as answers:
        answers.add(1, asked[0].mark, row)
        full[0] = True
        with pytest.raises(OSError, match="No space"):
            answers.add(2, asked[1].mark, row)
        full[0] = False
        answers.add(4, asked[2].mark, row)
    with Prompts(place.directory / "in.jsonl") as asked, Answers(path, asked, "s") as answers:
        assert sorted(answers.done) == [1, 4]


def test_progress_tells_rate_cost_failures_and_what_is_left() -> None:
    seconds = [100.0]
    counted = Counted(1_000, 200, 1.5, lambda: seconds[0])
    assert counted.figures() == "0.0/s · $1.5000"
    for number in range(40):
        counted.count(0.01, failed=number == 0)
    seconds[0] = 104.0
    assert counted.figures() == "10.0/s · $1.9000 · 1 failed · 1:16 left"


def test_amounts_and_times_are_written_for_people() -> None:
    assert [money(usd) for usd in (0.0, 0.00004, 12.5, 1234.5)] == ["$0.0000", "$0.0000", "$12.5000", "$1,234.50"]
    assert [duration(seconds) for seconds in (0.04, 9.96, 59.4, 60, 3_725)] == [
        "0.0 s",
        "10.0 s",
        "59 s",
        "1:00",
        "1:02:05",
    ]


def _await(true: Any) -> None:
    ends = time.monotonic() + 20.0
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.01)
