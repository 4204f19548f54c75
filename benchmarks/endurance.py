"""What OneFlow keeps when it should keep nothing: memory over many requests, connections after clients hung up."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import asdict

from benchmarks.hangups import EVENT_SECONDS_MOST, QUIET_SECONDS_MOST, HangUps, HungUp
from benchmarks.measure import Bench, Say, count_scale, short_cell
from benchmarks.processes import Child, get, memory, open_files
from benchmarks.report import Churn, Growth

GROWTH_FIRST_REQUESTS = 20_000
GROWTH_LAST_REQUESTS = 120_000
HANG_UPS = 100_000
CLIENTS = 64
CLEAN_CALLS = 1_000
SECONDS_MOST = 1_800.0
# Longer than a connection to the provider may be kept when idle.
STILL_SECONDS = 65.0
REST_SECONDS = 3.0
_HANG_UPS = (sys.executable, "-m", "benchmarks.hangups")
_POLL_SECONDS = 0.01
_SEED = 20_261_124
_IN_FLIGHT = re.compile(rb"^oneflow_in_flight (\S+)$", re.MULTILINE)


def growth(
    at: Bench,
    say: Say,
    *,
    first: int = GROWTH_FIRST_REQUESTS,
    last: int = GROWTH_LAST_REQUESTS,
    rest_seconds: float = REST_SECONDS,
) -> Growth:
    """Memory after `first` and after `last` requests, at 64 connections. Raises `RuntimeError`.

    It is read `rest_seconds` after each lot, when the recorder has written what waited.
    """
    with at.oneflow("growth").running() as running:
        errors = 0
        found = []
        for requests in (first, last - first):
            say(f"{requests:,} requests")
            errors += at.load(running, short_cell(CLIENTS), count_scale(requests)).errors
            time.sleep(rest_seconds)
            found.append(memory(running.child.pid))
        return Growth(first, last, found[0], found[1], errors)


def churn(at: Bench, say: Say, *, hang_ups: int = HANG_UPS, still_seconds: float = STILL_SECONDS) -> Churn:
    """What is left after so many clients hung up on their calls. Raises `RuntimeError`.

    Open files are counted once they have not become fewer for `still_seconds`: an idle connection is kept for a while.
    Afterwards that is before the calls that must be well, which leave such connections themselves.
    """
    with at.oneflow("churn").running() as running:
        at.load(running, short_cell(CLIENTS), count_scale(CLEAN_CALLS))
        files_before = _settled(lambda: open_files(running.child.pid), still_seconds)
        before = _counts(at)
        say(f"{hang_ups:,} clients hang up")
        asked = HangUps(running.port, running.headers, CLIENTS, hang_ups, SECONDS_MOST, at.provider_port, _SEED)
        with Child(_HANG_UPS, core=at.load_core) as child:
            told = child.ask(json.dumps(asdict(asked)), SECONDS_MOST + EVENT_SECONDS_MOST + 2 * QUIET_SECONDS_MOST)
        done = HungUp(**json.loads(told))
        after, in_flight = _counts(at), _in_flight(running.port)
        files_after = _settled(lambda: open_files(running.child.pid), still_seconds, enough=files_before)
        say(f"{CLEAN_CALLS:,} calls after it")
        clean = at.load(running, short_cell(CLIENTS), count_scale(CLEAN_CALLS))
        return Churn(
            hang_ups=done.hang_ups,
            unanswered=done.unanswered,
            reached=after["hung_up"] - before["hung_up"],
            busy=after["open"],
            in_flight=in_flight,
            quiet_seconds=done.quiet_seconds,
            files_before=files_before,
            files_after=files_after,
            asked=clean.asked,
            clean=clean.answered,
        )


def _counts(at: Bench) -> dict[str, int]:
    counts: dict[str, int] = json.loads(get(at.provider_port, "/counts")[1])
    return counts


def _in_flight(port: int) -> int | None:
    """The calls that OneFlow itself says it is serving; None where it does not say."""
    status, text = get(port, "/metrics")
    found = _IN_FLIGHT.search(text) if status == 200 else None
    return int(float(found[1])) if found else None


def _settled(read: Callable[[], int], still_seconds: float, enough: int = 0) -> int:
    """What a reading has fallen to, once it is `enough` or has not fallen for so long."""
    least = read()
    fell_seconds = time.monotonic()
    while least > enough and time.monotonic() - fell_seconds < still_seconds:
        time.sleep(_POLL_SECONDS)
        now = read()
        if now < least:
            least, fell_seconds = now, time.monotonic()
    return least
