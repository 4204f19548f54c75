"""The open-loop generator sends as many calls as are due and tells each answer apart. Nothing here is timed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from benchmarks.overload import Arrivals, Arrived, Overloaded, Probed, Times, built
from benchmarks.questions import Question, request
from tests.benchmarks.bench_parts import double
from tests.needs import require

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="the benchmark needs Linux")
REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: %d\r\ncontent-length: 4\r\n%b\r\nfull"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require("cc")
    return built(tmp_path_factory.mktemp("built"))


def test_calls_come_at_their_rate_and_each_is_answered(program: Path, tmp_path: Path) -> None:
    with double(tmp_path) as (_, running):
        found = Arrivals(program, None, running, Question(1_000)).at(500.0, 0.1, 1.0)
    assert 350 < found.sent < 650
    assert found.good.count == found.sent
    assert found.missed == found.broken == found.other == found.unanswered == found.refused.count == 0
    assert 0 < found.good.p50_milliseconds <= found.good.p99_milliseconds <= found.good.worst_milliseconds


async def test_refusals_are_told_apart_with_the_waits_that_they_tell(program: Path) -> None:
    """Every second answer closes its connection, and comes in two pieces."""
    answers = 0

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answers
        while head := await reader.readuntil(b"\r\n\r\n"):
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))
            answers += 1
            last = answers % 2 == 0
            whole = REFUSAL % (1 + answers % 4, b"connection: close\r\n" if last else b"")
            writer.write(whole[:30])
            await asyncio.sleep(0)
            writer.write(whole[30:])
            if last:
                writer.close()
                return

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        words = [str(port), "400", "0", "0.5", "100", "1"]
        process = await asyncio.create_subprocess_exec(
            program, *words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate(request(port, {}, Question(1_000)))
    found = Arrived.read(output.decode())
    assert found.sent == found.refused.count == answers > 100
    assert (found.retry_after_least_seconds, found.retry_after_most_seconds) == (1, 4)
    assert 0 < found.last_refusal_seconds < 5
    assert found.good.count == found.broken == 0


def test_a_program_that_does_not_compile_is_no_result(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del program
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="needs a C compiler"):
        built(tmp_path)


def _arrived(good: Times, refused: Times, **fields: float) -> Arrived:
    numbers: dict[str, float] = {"good_per_second": 100.0, "last_refusal_seconds": -1.0} | fields
    return Arrived(
        good=good,
        refused=refused,
        late=good,
        sent=300,
        missed=0,
        broken=int(numbers.get("broken", 0)),
        other=0,
        unanswered=0,
        good_per_second=numbers["good_per_second"],
        retry_after_least_seconds=1.0,
        retry_after_most_seconds=5.0,
        last_refusal_seconds=numbers["last_refusal_seconds"],
        own_cpu_seconds=0.1,
    )


def test_each_number_has_its_verdict() -> None:
    usual, loaded, refused = Times(100, 21, 25, 30), Times(100, 22, 29, 40), Times(200, 1, 9, 12)
    normal = _arrived(usual, Times(0, 0, 0, 0))
    well = Overloaded(100.0, 20, normal, _arrived(loaded, refused), normal, Probed(9, 0, 1.0))
    assert [holds for _, _, holds in well.verdicts()] == [True] * 7
    badly = Overloaded(
        200.0,
        20,
        normal,
        _arrived(Times(100, 40, 60, 70), Times(200, 5, 11, 12), broken=1),
        _arrived(usual, refused, last_refusal_seconds=6.0),
        Probed(9, 1, 1.0),
    )
    assert [words for words, _, holds in badly.verdicts() if holds] == ["Retry-After"]
