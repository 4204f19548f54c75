"""Asks the models that `oneflow compare` names, in turns, and puts what they gave beside each other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from oneflow_ai.answer import Answer, OneFlowError
from oneflow_ai.cli.asking import SIMULATED
from oneflow_ai.cli.configured import load_settings
from oneflow_ai.cli.failures import Refused
from oneflow_ai.cli.output import Column, note, say_json, say_table
from oneflow_ai.cli.remote import Remote, remote_of
from oneflow_ai.cli.sample import Sample, sample, success_interval
from oneflow_ai.cli.stopping import run
from oneflow_ai.settings import Loaded

if TYPE_CHECKING:
    from oneflow_ai.cli.compare import CompareOptions

Ask = Callable[[str], Awaitable[Answer]]


@dataclass(slots=True)
class Compared:
    """What one model gave: its answers, and its failures."""

    model: str
    answers: list[Answer] = field(default_factory=list)
    failures: list[OneFlowError] = field(default_factory=list)

    @property
    def tries(self) -> int:
        """How often it was asked."""
        return len(self.answers) + len(self.failures)

    def of(self, figure: Callable[[Answer], float]) -> Sample | None:
        """A figure of its answers; None where it gave none."""
        return sample([figure(answer) for answer in self.answers]) if self.answers else None


def run_compare(prompt: str, models: list[str], options: CompareOptions) -> None:
    """Ask, and print; raises `Refused` where a model never answered."""
    loaded = load_settings(options.config)
    found = run(_asked(loaded, remote_of(options.server, loaded), prompt, models, options))
    if options.as_json:
        say_json({"prompt": prompt, "repeat": options.repeat, "models": [_as_json(one) for one in found]})
    else:
        say_table([Column(""), *(Column(one.model, fold=True) for one in found)], _rows(found))
    if any(answer.simulated for one in found for answer in one.answers):
        note(SIMULATED)
    if silent := [one for one in found if not one.answers]:
        raise Refused(
            *(f"oneflow compare: {one.model}: {one.failures[0].message} ({one.failures[0].code})" for one in silent)
        )


async def _asked(
    loaded: Loaded, remote: Remote | None, prompt: str, models: list[str], options: CompareOptions
) -> list[Compared]:
    if remote is not None:
        return await _turns(
            lambda model: remote.ask(prompt, model, options.chat(), None), map(Compared, models), options.repeat
        )
    # Loaded only now: the engine takes much longer to import than a request to a server.
    from oneflow_ai.client import AsyncOneFlow

    async with AsyncOneFlow(settings=loaded) as flow:
        chat: dict[str, Any] = options.chat()
        return await _turns(lambda model: flow.text(prompt, model, **chat), map(Compared, models), options.repeat)


async def _turns(ask: Ask, models: Iterable[Compared], repeat: int) -> list[Compared]:
    """Ask all of them at the same time, again and again: whatever disturbs one turn disturbs it for all."""
    compared = list(models)
    for _ in range(repeat):
        await asyncio.gather(*(_one(ask, one) for one in compared))
    return compared


async def _one(ask: Ask, compared: Compared) -> None:
    try:
        compared.answers.append(await ask(compared.model))
    except OneFlowError as error:
        compared.failures.append(error)


_FIGURES: dict[str, Callable[[Answer], float]] = {
    "seconds": lambda answer: answer.seconds,
    "input_tokens": lambda answer: answer.usage.input_tokens,
    "output_tokens": lambda answer: answer.usage.output_tokens,
    "cost_usd": lambda answer: answer.cost_usd,
}
_SHOWN = {"seconds": "{:.2f} s", "input_tokens": "{:,.0f}", "output_tokens": "{:,.0f}", "cost_usd": "${:.6f}"}
_TITLES = {"seconds": "time", "input_tokens": "tokens in", "output_tokens": "tokens out", "cost_usd": "cost"}


def _rows(found: list[Compared]) -> list[list[str]]:
    rows = [["answer", *(_answer(one) for one in found)]]
    if any(one.answers and f"{one.answers[0].provider}/{one.answers[0].model}" != one.model for one in found):
        rows.append(["answered by", *(_by(one) for one in found)])
    for name, figure in _FIGURES.items():
        rows.append([_TITLES[name], *(_interval(one.of(figure), _SHOWN[name]) for one in found)])
    if any(one.tries > 1 or one.failures for one in found):
        rows.append(["successes", *(_successes(one) for one in found)])
    return rows


def _answer(one: Compared) -> str:
    return one.answers[0].text.strip() if one.answers else f"failed: {one.failures[0].message}"


def _by(one: Compared) -> str:
    return ", ".join(dict.fromkeys(f"{answer.provider}/{answer.model}" for answer in one.answers)) or "-"


def _interval(found: Sample | None, form: str) -> str:
    if found is None:
        return "-"
    middle = form.format(found.mean)
    return middle if found.margin is None else f"{middle} ± {form.format(found.margin).removeprefix('$')}"


def _successes(one: Compared) -> str:
    low, high = success_interval(len(one.answers), one.tries)
    return f"{len(one.answers)} of {one.tries} ({100 * low:.0f} to {100 * high:.0f}%)"


def _as_json(one: Compared) -> dict[str, Any]:
    figures = {name: one.of(figure) for name, figure in _FIGURES.items()}
    return {
        "model": one.model,
        "successes": len(one.answers),
        "tries": one.tries,
        "success_interval": list(success_interval(len(one.answers), one.tries)),
        **{
            name: None if found is None else {"mean": found.mean, "margin": found.margin}
            for name, found in figures.items()
        },
        "answers": [answer.as_dict() for answer in one.answers],
        "failures": [{"code": error.code, "message": error.message} for error in one.failures],
    }
