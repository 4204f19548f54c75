"""A batch whose process is killed again and again, and what it comes to in the end."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from random import Random

from oneflow_ai.core.money import nanos_from_usd
from oneflow_ai.simulator import Pace, Simulator, SimulatorOptions, run_in_thread
from tests.cli.place import Place, ended

PROVIDER_SECONDS = 0.02
PACE = Pace(
    first_token_seconds=PROVIDER_SECONDS, tokens_per_second=0.0, whole_seconds_most=PROVIDER_SECONDS, jitter=0.0
)
CONCURRENCY = 32
SECONDS_MOST = 600.0
PRICES = '[prices."sim/*"]\ninput_usd_per_million_tokens = 1\noutput_usd_per_million_tokens = 2\n'


@dataclass(frozen=True, slots=True)
class Outcome:
    """The lines answered and their cost, the calls that reached the provider, what the ledger has, and the kills."""

    lines: list[int]
    told_nanos: int
    calls: int
    spent_nanos: int
    held_nanos: int
    kills: int
    cut: int


def killed_batch(place: Place, prompts: int, kills: int, seed: int) -> Outcome:
    """Run a batch of so many prompts, kill it so many times in the midst of it, and let it end."""
    chance = Random(seed)
    place.write("".join(f'"Say number {number}."\n' for number in range(prompts)), "prompts.jsonl")
    with run_in_thread(SimulatorOptions(pace=PACE, seed=seed, record_requests_most=2 * prompts + 1_000)) as provider:
        place.simulated(provider.base_url, PRICES)
        place.run("wallet", "add", "1000")
        done = 0
        for _ in range(kills):
            before = _answered(place)
            with _batch(place) as process:
                # Anywhere in what is left, but for so much that every kill meets a run at work.
                until = before + 1 + chance.randrange(max(1, (prompts - before) // (kills + 1 - done)))
                _await_answers(place, until)
                process.send_signal(signal.SIGKILL)
                process.wait()
            done += 1
        with _batch(place) as process:
            told, errors = process.communicate(timeout=SECONDS_MOST)
            assert process.returncode == 0, errors
        rows = [json.loads(line) for line in (place.directory / "answers.jsonl").read_text().splitlines()]
        wallet = place.json("wallet")
        return Outcome(
            lines=[row["line"] for row in rows if row["status"] == "success" and row["text"]],
            told_nanos=sum(nanos_from_usd(row["cost_usd"]) for row in rows),
            calls=provider.do(_calls),
            spent_nanos=nanos_from_usd(wallet["spent_usd"]),
            held_nanos=nanos_from_usd(wallet["held_usd"]),
            kills=done,
            cut=json.loads(told)["cut"],
        )


def _batch(place: Place) -> AbstractContextManager[subprocess.Popen[str]]:
    return ended(
        place.process(
            "batch", "prompts.jsonl", "-o", "answers.jsonl", "--json", "-m", "sim/gpt-6-luna",
            "--concurrency", str(CONCURRENCY),
        )
    )  # fmt: skip


def _answered(place: Place) -> int:
    try:
        return (place.directory / "answers.jsonl").read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def _await_answers(place: Place, least: int) -> None:
    ends = time.monotonic() + SECONDS_MOST
    while _answered(place) < least:
        assert time.monotonic() < ends, "the batch does not go on"
        time.sleep(0.005)


def _calls(simulator: Simulator) -> int:
    return len(simulator.record.attempts("gpt-6-luna"))


def check(outcome: Outcome, prompts: int) -> None:
    """Every prompt answered once, in order; no call beyond those that a kill cut; every one of them accounted for."""
    assert outcome.lines == list(range(1, prompts + 1))
    assert prompts <= outcome.calls <= prompts + outcome.kills * CONCURRENCY
    assert outcome.calls - prompts <= outcome.cut <= outcome.kills * CONCURRENCY
    assert outcome.held_nanos == 0
    assert outcome.told_nanos <= outcome.spent_nanos
