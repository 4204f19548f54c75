"""What a translation costs: CPU of the gateway for each pair of wires, as a ratio to the same wire on both sides.

Run as `python -m benchmarks.translation`. The gateway is `oneflow serve`, everything on, over real sockets; behind it
the simulator speaks each provider's wire from this process, whose CPU does not count. All pairs are measured in turn,
round by round, so that what else the machine does strikes them alike.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import orjson
import uvloop

from benchmarks.gateways import COMMAND, PROVIDER_KEY
from benchmarks.processes import Child, cpu_seconds, free_port, seconds_to_ready, tree
from benchmarks.report import as_text
from oneflow_ai.simulator import FAST, Pace, Simulator, SimulatorOptions

RATIO_MOST = 2.5
ROUNDS, CALLS, CONNECTIONS = 5, 400, 8
ANSWER_TOKENS = 50
_GAP_SECONDS = 0.010
_PACED = Pace(first_token_seconds=_GAP_SECONDS, tokens_per_second=1 / _GAP_SECONDS, jitter=0.0)
_PROMPT = ("Summarise the following report for a busy reader. " * 21)[:1_000]
_MESSAGES = [{"role": "user", "content": _PROMPT}]
_KINDS = ("openai", "anthropic", "gemini", "groq")
_TABLE = """
[providers.{name}]
kind = "{kind}"
base_url = "{url}"
api_key = "env:BENCHMARK_KEY"
requests_per_minute = 0
"""
# Each dialect: its address, and what a call of it says beside the model and whether it streams.
_CALLS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "chat": (
        "/v1/chat/completions",
        {"messages": _MESSAGES, "max_completion_tokens": 500, "stream_options": {"include_usage": True}},
    ),
    "messages": ("/v1/messages", {"messages": _MESSAGES, "max_tokens": 500}),
    "responses": ("/v1/responses", {"input": _PROMPT, "max_output_tokens": 500}),
    "generateContent": (
        "/v1beta/models/{model}:{method}",
        {"contents": [{"role": "user", "parts": [{"text": _PROMPT}]}], "generationConfig": {"maxOutputTokens": 500}},
    ),
}
# Each load: which simulator answers, and whether the answer is a stream.
LOADS: Mapping[str, tuple[str, bool]] = {
    "whole": ("fast", False),
    "paced stream": ("paced", True),
    "burst": ("fast", True),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """A client's dialect, and the kind and the model of the provider that answers."""

    dialect: str
    kind: str
    model: str
    words: str

    @property
    def same(self) -> bool:
        """Whether both sides speak one wire."""
        return self.words == _SAME


_SAME = "same wire"
PAIRS = (
    Pair("chat", "openai", "gpt-6-luna", _SAME),
    Pair("chat", "anthropic", "claude-haiku-5-5", "anthropic"),
    Pair("chat", "gemini", "gemini-3.8-flash", "gemini"),
    Pair("chat", "openai", "gpt-5.5-pro", "openai's responses"),
    Pair("messages", "anthropic", "claude-haiku-5-5", _SAME),
    Pair("messages", "openai", "gpt-6-luna", "openai's chat"),
    Pair("messages", "gemini", "gemini-3.8-flash", "gemini"),
    Pair("responses", "openai", "gpt-6-luna", _SAME),
    Pair("responses", "groq", "openai/gpt-oss-20b", "groq's chat"),
    Pair("responses", "anthropic", "claude-haiku-5-5", "anthropic"),
    Pair("responses", "gemini", "gemini-3.8-flash", "gemini"),
    Pair("generateContent", "gemini", "gemini-3.8-flash", _SAME),
    Pair("generateContent", "openai", "gpt-6-luna", "openai's chat"),
    Pair("generateContent", "anthropic", "claude-haiku-5-5", "anthropic"),
)


async def measure(rounds: int = ROUNDS, calls: int = CALLS) -> dict[str, dict[Pair, float]]:
    """CPU microseconds of a call by load and pair: the rounds' median; raises `RuntimeError` for a failed call."""
    found: dict[str, dict[Pair, list[float]]] = {load: {pair: [] for pair in PAIRS} for load in LOADS}
    with tempfile.TemporaryDirectory(prefix="oneflow-translation-") as folder:
        async with (
            Simulator(SimulatorOptions(pace=FAST, answer_tokens=ANSWER_TOKENS)) as fast,
            Simulator(SimulatorOptions(pace=_PACED, answer_tokens=ANSWER_TOKENS)) as paced,
        ):
            urls = {"fast": fast.base_url, "paced": paced.base_url}
            port, home = free_port(), Path(folder)
            with _gateway(home, port, urls) as child:
                await asyncio.to_thread(
                    seconds_to_ready, child, port, "/health/ready", (200,), asyncio.get_running_loop().time()
                )
                key = (home / "first-key").read_text().strip()
                headers = {"authorization": f"Bearer {key}", "anthropic-version": "2023-06-01"}
                async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as session:
                    for round_number in range(rounds + 1):
                        for load, pair in ((load, pair) for load in LOADS for pair in PAIRS):
                            # The first round only warms up.
                            few = CONNECTIONS if round_number == 0 else calls
                            cost = await _cost(session, child.pid, load, pair, few)
                            if round_number:
                                found[load][pair].append(cost)
    return {load: {pair: median(costs) for pair, costs in by_pair.items()} for load, by_pair in found.items()}


def rows(found: Mapping[str, Mapping[Pair, float]]) -> list[list[str]]:
    """The table: for each pair and load the ratio to its dialect's same wire, and there the CPU of a call."""
    table = [["client", "provider", *found]]
    for pair in PAIRS:
        cells = []
        for by_pair in found.values():
            base = next(by_pair[each] for each in PAIRS if each.same and each.dialect == pair.dialect)
            cells.append(f"{by_pair[pair]:.0f} µs" if pair.same else f"{by_pair[pair] / base:.2f} x")
        table.append([pair.dialect, pair.words, *cells])
    return table


def _gateway(home: Path, port: int, urls: Mapping[str, str]) -> Child:
    tables = "".join(
        _TABLE.format(name=f"{pace}-{kind}", kind=kind, url=url) for pace, url in urls.items() for kind in _KINDS
    )
    file = home / "oneflow.toml"
    file.write_text(f"[server]\nport = {port}\n[models]\nrefresh_hours = 0\n{tables}")
    command = [*COMMAND, "serve", "--config", str(file)]
    log = (home / "log").open("wb")
    return Child(command, log=log, environment={"ONEFLOW_HOME": str(home), "BENCHMARK_KEY": PROVIDER_KEY})


async def _cost(session: aiohttp.ClientSession, pid: int, load: str, pair: Pair, calls: int) -> float:
    pace, stream = LOADS[load]
    path, body = _asked(pair.dialect, f"{pace}-{pair.kind}/{pair.model}", stream)
    waiting = iter(range(calls))

    async def client() -> None:
        for _ in waiting:
            async with session.post(path, data=body, headers={"content-type": "application/json"}) as answer:
                pieces: list[bytes] = []
                try:
                    async for piece in answer.content.iter_any():
                        pieces.append(piece)
                except aiohttp.ClientPayloadError:
                    raise _failed(load, pair, answer.status, pieces) from None
                if answer.status != 200:
                    raise _failed(load, pair, answer.status, pieces)

    began = cpu_seconds(tree(pid))
    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    return (cpu_seconds(tree(pid)) - began) / calls * 1e6


def _asked(dialect: str, model: str, stream: bool) -> tuple[str, bytes]:
    """The address and the body of a call; the model and whether it streams stand in either."""
    path, fields = _CALLS[dialect]
    if "{model}" in path:
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return path.format(model=model, method=method), orjson.dumps(fields)
    asked = {"model": model, "stream": stream, **fields}
    if not stream:
        asked.pop("stream_options", None)
    return path, orjson.dumps(asked)


def _failed(load: str, pair: Pair, status: int, pieces: Sequence[bytes]) -> RuntimeError:
    return RuntimeError(f"{load}, {pair.dialect} to {pair.words}: {status} {b''.join(pieces)[-1500:]!r}")


def main() -> int:
    """Measure and print; the exit status is 1 where a ratio that is bounded is larger than its bound."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.translation", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="the median of so many counts")
    parser.add_argument("--calls", type=int, default=CALLS, help="calls of each pair in a round")
    asked = parser.parse_args()
    found = uvloop.run(measure(asked.rounds, asked.calls))
    table = rows(found)
    print(as_text(table))
    burst = list(LOADS).index("burst") + 2
    cells = [cell for row in table[1:] for place, cell in enumerate(row) if place >= 2 and place != burst]
    ratios = [float(cell.removesuffix(" x")) for cell in cells if cell.endswith(" x")]
    print(f"\nBounded by {RATIO_MOST} x, but for the burst: the largest is {max(ratios):.2f} x.")
    return int(max(ratios) > RATIO_MOST)


if __name__ == "__main__":
    sys.exit(main())
