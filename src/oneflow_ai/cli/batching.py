"""Runs a batch: workers take the prompts that have no answer yet, a bar shows how far it is, a summary ends it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from oneflow_ai.answer import Answer, OneFlowError
from oneflow_ai.cli.asking import SIMULATED
from oneflow_ai.cli.batch_answers import Answers
from oneflow_ai.cli.batch_lines import MARK_CHARACTERS, Asked, Prompts
from oneflow_ai.cli.batch_progress import Progress, duration, money, progress
from oneflow_ai.cli.configured import load_settings
from oneflow_ai.cli.failures import INTERRUPTED, Refused
from oneflow_ai.cli.output import note, say, say_json
from oneflow_ai.cli.remote import remote_of
from oneflow_ai.cli.stopping import acting_on
from oneflow_ai.settings import Loaded

if TYPE_CHECKING:
    from oneflow_ai.cli.batch import BatchOptions

Ask = Callable[[Asked], Awaitable[Answer]]


def run_batch(file: Path, output: Path, options: BatchOptions) -> None:
    """Answer what has no answer yet, and say how it went; raises `Refused` where anything is left to do."""
    loaded = load_settings(options.config)
    with Prompts(file) as prompts, Answers(output, prompts, _settings(options)) as answers:
        if not len(prompts):
            raise Refused(f"oneflow batch: {file} has no prompts")
        kept = sum(one.ok for one in answers.done.values())
        waiting = [place for place, number in enumerate(prompts.numbers) if not _answered(answers, number)]
        run = Run(prompts, answers, options.stop_after)
        if waiting:
            if kept:
                note(f"{kept:,} of {len(prompts):,} prompts are answered in {output} already")
            asyncio.run(_run(run, waiting, loaded, options, kept))
        _summarise(run, kept, options)


def _settings(options: BatchOptions) -> str:
    """What lines without their own are asked with, as a mark."""
    written = json.dumps({"model": options.model, **options.chat()}, sort_keys=True)
    return hashlib.sha256(written.encode()).hexdigest()[:MARK_CHARACTERS]


def _answered(answers: Answers, number: int) -> bool:
    done = answers.done.get(number)
    return done is not None and done.ok


@dataclass(slots=True)
class Run:
    """What is going on: `stopped` says why no more prompts are taken, `failed_in_a_row` how bad it stands."""

    prompts: Prompts
    answers: Answers
    failures_most: int
    stopped: str | None = None
    interrupted: bool = False
    simulated: bool = False
    failed_in_a_row: int = 0
    seconds: float = 0.0
    asked: int = 0

    def interrupt(self) -> None:
        """Take no more prompts, and give up those under way."""
        self.interrupted = True

    async def work(self, places: Iterator[int], ask: Ask, shown: Progress) -> None:
        """Answer one prompt after the other until none is left or the run has stopped."""
        for place in places:
            if self.stopped is not None or self.interrupted:
                return
            asked = self.prompts[place]
            self.answers.start()
            row = await self._row(asked, ask)
            if row is None:
                return
            self.asked += 1
            try:
                self.answers.add(self.prompts.numbers[place], asked.mark, row)
            except OSError as error:
                # What cannot be kept is not to be paid for.
                self.stopped = f"{self.answers.path}: {error.strerror}"
                raise
            shown.advance(row["cost_usd"], failed=row["status"] != "success")

    async def _row(self, asked: Asked, ask: Ask) -> dict[str, Any] | None:
        try:
            answer = await ask(asked)
        except OneFlowError as error:
            self._note_failure(error.message)
            return _failed(asked, error)
        except Refused as refused:
            # No server is there: nothing that the prompt could be blamed for.
            self.stopped = self.stopped or refused.lines[0].removeprefix("oneflow: ")
            return None
        self.failed_in_a_row = 0
        self.simulated = self.simulated or answer.simulated
        return {"id": asked.id, "status": "success", **answer.as_dict(), "error": None}

    def _note_failure(self, words: str) -> None:
        self.failed_in_a_row += 1
        if self.failures_most and self.failed_in_a_row >= self.failures_most:
            self.stopped = self.stopped or f"{self.failed_in_a_row} calls in a row failed, the last: {words}"


def _failed(asked: Asked, error: OneFlowError) -> dict[str, Any]:
    return {
        "id": asked.id,
        "status": "error",
        "cost_usd": 0.0,
        "attempts": error.attempts,
        "request_id": error.request_id,
        "error": {"code": error.code, "message": error.message},
    }


async def _run(run: Run, waiting: list[int], loaded: Loaded, options: BatchOptions, kept: int) -> None:
    began = monotonic()
    places = iter(waiting)
    workers = min(options.concurrency, len(waiting))
    spent = sum(one.cost_usd for one in run.answers.done.values() if one.ok)
    with progress(len(run.prompts), kept, spent) as shown:
        async with _asking(loaded, options) as ask:
            tasks = [asyncio.ensure_future(run.work(places, ask, shown)) for _ in range(workers)]
            with acting_on((signal.SIGINT, signal.SIGTERM), lambda: _interrupt(run, tasks)):
                await asyncio.wait(tasks)
    run.seconds = monotonic() - began
    for task in tasks:
        if not task.cancelled():
            task.result()


def _interrupt(run: Run, tasks: Sequence[asyncio.Future[None]]) -> None:
    # Nothing dies in the midst of a line.
    run.interrupt()
    for task in tasks:
        task.cancel()


@asynccontextmanager
async def _asking(loaded: Loaded, options: BatchOptions) -> AsyncIterator[Ask]:
    """How a prompt is asked: in this process, or on the server that is named."""
    remote = remote_of(options.server, loaded)
    if remote is not None:

        async def ask_remote(asked: Asked) -> Answer:
            return await remote.ask(asked.prompt, asked.model or options.model, options.chat() | asked.options, None)

        yield ask_remote
        return
    # Loaded only now: the engine takes much longer to import than a request to a server.
    from oneflow_ai.client import AsyncOneFlow

    async with AsyncOneFlow(settings=loaded) as flow:

        async def ask_here(asked: Asked) -> Answer:
            wanted: dict[str, Any] = options.chat() | asked.options
            return await flow.text(asked.prompt, asked.model or options.model, **wanted)

        yield ask_here


def _summarise(run: Run, kept: int, options: BatchOptions) -> None:
    answers, prompts = run.answers, run.prompts
    ok = sum(one.ok for one in answers.done.values())
    failed = len(answers.done) - ok
    codes = Counter(row["error"]["code"] for row in answers.rows() if row["error"]) if failed else Counter()
    told = {
        "prompts": len(prompts),
        "answered": ok,
        "failed": failed,
        "left": len(prompts) - len(answers.done),
        "success_rate": ok / len(prompts),
        "cost_usd": round(sum(one.cost_usd for one in answers.done.values()), 9),
        "kept": kept,
        "cut": answers.cut,
        "seconds": round(run.seconds, 3),
        "calls_per_second": round(run.asked / run.seconds, 3) if run.seconds else None,
        "failures": dict(codes.most_common()),
        "output": str(answers.path),
    }
    whole = not told["left"] and not run.interrupted and run.stopped is None
    if whole:
        answers.order()
    if options.as_json:
        say_json(told)
    else:
        _say_summary(told)
    if run.simulated:
        note(SIMULATED)
    if not whole:
        again = "run the same command again to go on"
        why = f"stopped: {run.stopped}; {again}" if run.stopped is not None else again
        raise Refused(f"oneflow batch: {why}", status=INTERRUPTED if run.interrupted else 1)
    if failed:
        raise Refused(f"oneflow batch: {failed:,} prompts failed; run the same command again to ask them once more")


def _say_summary(told: dict[str, Any]) -> None:
    say(f"{told['answered']:,} of {told['prompts']:,} prompts answered ({100 * told['success_rate']:.1f}%)")
    for code, count in told["failures"].items():
        say(f"failed    {count:,} {code}")
    say(f"cost      {money(told['cost_usd'])}")
    rate = f", {told['calls_per_second']:,.1f} a second" if told["calls_per_second"] else ""
    say(f"time      {duration(told['seconds'])}{rate}")
    if told["cut"]:
        say(
            f"cut       {told['cut']:,} calls were under way when an earlier run ended; they may be billed all the same"
        )
    say(f"answers   {told['output']}")
