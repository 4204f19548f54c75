"""The two ways of one measurement: TLS beside plain, streams through beside direct. Nothing here is timed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import secured, streams
from benchmarks.measure import bench
from benchmarks.questions import STAMP_DIGITS, Question, steering
from benchmarks.secured import Secured
from benchmarks.stream_clients import Delays
from benchmarks.streams import Streamed
from tests.benchmarks.bench_parts import FEW
from tests.certificates import Authority

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="the benchmark needs Linux")


def test_a_request_over_tls_is_measured_beside_one_without(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    authority.server()
    with bench(tmp_path, certificate=tmp_path / "server-1.pem") as at:
        (found,) = secured.measure(at, authority.file, ["c1"], replace(FEW, requests_most=20))
    assert (found.cell, found.plain_microseconds > 0, found.secured_microseconds > 0) == ("c1", True, True)


def test_more_is_told_as_a_share() -> None:
    assert Secured("c1", 200.0, 250.0).more == pytest.approx(0.25)


def test_every_token_of_many_streams_carries_its_time_through(tmp_path: Path) -> None:
    with bench(tmp_path) as at:
        found = streams.measure(at, 4, 3.0)
    for delays in (found.direct, found.through):
        assert (delays.streams, delays.broken) == (4, 0)
        assert 100 < delays.tokens < 4 * streams.TOKENS_PER_SECOND * 4
        assert 0 < delays.p50_milliseconds <= delays.p99_milliseconds <= delays.worst_milliseconds
    assert found.cores > 0


def test_each_number_has_its_verdict() -> None:
    quick, late = Delays(9, 900, 0, 0.1, 1.0, 2.0), Delays(9, 900, 1, 9.0, 22.0, 90.0)
    assert [holds for _, _, holds in Streamed(quick, quick, 0.01, 0.3).verdicts()] == [True] * 3
    assert [holds for _, _, holds in Streamed(quick, late, 0.26, 0.3).verdicts()] == [False] * 3


def test_a_stamp_is_asked_for_in_the_steered_part() -> None:
    found = steering(Question(1_000, stream=True, gap_milliseconds=50, stamped=True).body())
    assert (found.stamped, found.gap_seconds) == (True, 0.05)
    assert len(str(2**63)) < STAMP_DIGITS
