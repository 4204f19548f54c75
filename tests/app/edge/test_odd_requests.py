"""Whatever is sent, the gateway answers or closes soon, serves what is well formed and nothing else, and goes on."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from oneflow_ai.simulator import FAST, SimulatorOptions
from tests.app.edge.front import Front, fronting
from tests.app.edge.odd import odd_request
from tests.app.edge.reading import CLOSING, MALFORMED, OPEN, Reading, read
from tests.app.edge.refusal import assert_serving
from tests.app.edge.wire import Answer, Wire, connected

NUMBER = 20_000
PROOFS = 4
PROOF_NUMBER = 250_000
TOGETHER = 32
HANG_SECONDS = 2.0
OUR_OWN_STATUSES = (501, 503, 505)
OPTIONS = SimulatorOptions(pace=FAST, record_requests_most=100)

RUNS = [
    (0, NUMBER),
    *[pytest.param(seed, PROOF_NUMBER, marks=pytest.mark.prove) for seed in range(1, PROOFS + 1)],
]


@pytest.fixture
def _collected() -> Iterator[None]:
    """As `oneflow serve` does: what was there before is not looked through again, which would hold up all for long."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("_collected")
@pytest.mark.parametrize(("seed", "number"), RUNS)
async def test_odd_requests_do_no_harm(tmp_path: Path, seed: int, number: int) -> None:
    """A failure tells the seed and the number: `odd_request(seed, number)` gives the bytes again."""
    async with fronting(tmp_path, options=OPTIONS) as front:
        numbers = iter(range(number))
        allowed = await asyncio.gather(*(_Client(front, seed, numbers).run() for _ in range(TOGETHER)))
        await front.empty()
        await front.settled()
        assert front.calls <= sum(allowed)
        assert front.log.errors == []
        await assert_serving(front)


class _Client:
    """One of those that send odd requests. It keeps its connection for as long as the gateway does."""

    def __init__(self, front: Front, seed: int, numbers: Iterator[int]) -> None:
        self._front = front
        self._seed = seed
        self._numbers = numbers
        self._stack = AsyncExitStack()
        self._wire: Wire | None = None

    async def run(self) -> int:
        """Send until there is nothing left to send; gives how many calls were well formed."""
        allowed = 0
        async with self._stack:
            for number in self._numbers:
                content = odd_request(self._seed, number)
                reading = read(content)
                try:
                    await self._send(content, reading)
                except AssertionError as error:
                    where = f"odd_request({self._seed}, {number}), read as {reading}"
                    raise AssertionError(f"{where}: {error}\n{content[:2_000]!r}") from None
                allowed += reading.calls
        return allowed

    async def _send(self, content: bytes, reading: Reading) -> None:
        if self._wire is None or self._wire.end is not None:
            await self._stack.aclose()
            self._wire = await self._stack.enter_async_context(connected(self._front.port))
        wire = self._wire
        wire.send(content)
        if reading.end != OPEN:
            wire.transport.write_eof()
        answers = await _answers(wire, reading)
        _check(answers, reading, ended=wire.end is not None)
        if any(answer.header("connection") == "close" for answer in answers):
            await wire.over(HANG_SECONDS)


async def _answers(wire: Wire, reading: Reading) -> list[Answer]:
    """The answers until each request that may be served has one, or the connection ends."""
    answers: list[Answer] = []
    while reading.end != OPEN or len(answers) < reading.requests:
        found = await wire.answer_or_end(HANG_SECONDS)
        if found is None:
            assert wire.end == "reset" or wire.raw == b"", f"cut inside an answer: {bytes(wire.raw)[:200]!r}"
            break
        answers.append(found)
    return answers


def _check(answers: list[Answer], reading: Reading, *, ended: bool) -> None:
    closing = any(answer.header("connection") == "close" for answer in answers)
    wrong = [answer for answer in answers if answer.status >= 500 and answer.status not in OUR_OWN_STATUSES]
    assert wrong == [], f"our own fault: {wrong}"
    served = sum(answer.header("x-oneflow-attempts") not in (None, "0") for answer in answers)
    assert served <= reading.calls, f"{served} calls were served: {answers}"
    if ended and not closing:
        assert len(answers) >= reading.requests, f"only {answers}"
    if reading.end in (MALFORMED, CLOSING):
        assert closing, f"no answer that closes: {answers}"
