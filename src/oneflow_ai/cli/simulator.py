"""`oneflow simulator`: the providers, simulated on their own wire, with their faults."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oneflow_ai.cli.failures import Refused, misuse
from oneflow_ai.cli.output import say
from oneflow_ai.cli.stopping import acting_on

if TYPE_CHECKING:
    from oneflow_ai.simulator import SimulatorOptions

PORT = 8010
COUNT_MOST = 1_000_000_000


@dataclass(frozen=True, slots=True)
class SimulatorChoices:
    """What `simulator` takes."""

    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="Port; 0: any free one.")] = PORT
    control_port: Annotated[
        int | None, typer.Option(min=0, max=65535, metavar="PORT", help="Port to steer it by; left out: none.")
    ] = None
    rpm: Annotated[
        int,
        typer.Option("--rpm", min=0, max=COUNT_MOST, metavar="N", help="Requests a minute for each key; 0: no limit."),
    ] = 0
    concurrency: Annotated[
        int, typer.Option(min=0, max=COUNT_MOST, metavar="N", help="Requests at a time for each key; 0: no limit.")
    ] = 0
    burst: Annotated[
        int,
        typer.Option(
            min=0,
            max=COUNT_MOST,
            metavar="N",
            help="Requests in 10 s for each key, else refused for 60 s; 0: no limit.",
        ),
    ] = 0
    fast: Annotated[bool, typer.Option("--fast", help="Answer without any delay.")] = False
    seed: Annotated[int | None, typer.Option(metavar="N", help="Chance that can be repeated.")] = None
    script: Annotated[Path | None, typer.Option(metavar="FILE", help="Faults by rule, in TOML or JSON.")] = None
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="FAULT=SHARE", help='A fault and how often, as "F23=0.3"; may be repeated.'),
    ] = None
    as_json: Annotated[bool, typer.Option("--json", help="Print each address as a line of JSON.")] = False


def simulator(choices: SimulatorChoices) -> None:
    """Run the simulated providers until Ctrl-C or SIGTERM.

    They take any key and any model. `--fault "F23=0.3"` lets the fault F23 strike 30 % of the requests.
    """
    options = _options(choices)
    announce = _say_json if choices.as_json else say
    try:
        asyncio.run(_run(options, choices, announce))
    except OSError as error:
        words = f"cannot listen on {choices.host}:{choices.port}: {error.strerror or error}"
        if choices.control_port is not None:
            words = (
                f"cannot listen on {choices.host}:{choices.port} or :{choices.control_port}: {error.strerror or error}"
            )
        raise Refused(f"oneflow simulator: {words}; choose another with --port") from None


async def _run(options: SimulatorOptions, choices: SimulatorChoices, announce: Callable[[str], None]) -> None:
    from oneflow_ai.simulator import run

    stop = asyncio.Event()
    with acting_on((signal.SIGTERM,), stop.set):
        await run(options, choices.host, choices.port, choices.control_port, announce, stop)


def _options(choices: SimulatorChoices) -> SimulatorOptions:
    from oneflow_ai.simulator import FAST, Limits, Pace, ScriptError, SimulatorOptions, load_script

    try:
        rules = load_script(choices.script) if choices.script is not None else ()
    except ScriptError as error:
        raise misuse(f"oneflow simulator: {error}") from None
    return SimulatorOptions(
        pace=FAST if choices.fast else Pace(),
        limits=Limits(requests_per_minute=choices.rpm, concurrency=choices.concurrency, burst_requests=choices.burst),
        rules=rules,
        fault_probability=_shares(choices.fault or ()),
        seed=choices.seed,
    )


def _shares(asked: Iterable[str]) -> dict[str, float]:
    """The share of requests that each fault strikes; raises `Refused`."""
    from oneflow_ai.simulator.faults.fault import FaultError
    from oneflow_ai.simulator.faults.table import read

    shares: dict[str, float] = {}
    for text in asked:
        fault, _, written = text.rpartition("=")
        try:
            share = float(written)
        except ValueError:
            share = -1.0
        if not fault or not 0 <= share <= 1:
            raise misuse(f'oneflow simulator: --fault {text!r} is no fault and a share from 0 to 1, as "F23=0.3"')
        try:
            read(fault)
        except FaultError as error:
            raise misuse(f"oneflow simulator: {error}") from None
        shares[fault] = share
    return shares


def _say_json(line: str) -> None:
    name, _, url = line.partition(": ")
    say(json.dumps({"name": name, "url": url}))
