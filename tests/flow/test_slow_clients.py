"""A client takes its own time, not the provider's: what it takes moves no limit but by just that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import pytest

from oneflow_ai.core.call import Account, Call
from oneflow_ai.core.events import Decoder, End, Event, Raw
from oneflow_ai.core.failure import UPSTREAM_STREAM_INTERRUPTED, Failure
from oneflow_ai.core.ports import NO_HEADERS, Adapter
from oneflow_ai.core.price import free
from oneflow_ai.core.target import Target, Timeouts
from oneflow_ai.testing import ListeningClient, Scripted, SeededChance, VirtualClock, run_virtual
from tests.flow.test_engine import Office, Plain
from tests.policy.places import target
from tests.ports.calls import call

PINGS = 100


class Pinging(Plain):
    """An adapter that passes on all that comes: pieces of content, and pings."""

    def decoder(self, call: Call, target: Target, headers: Mapping[str, str] = NO_HEADERS) -> Decoder:
        return _PingingDecoder()


class _PingingDecoder:
    def feed(self, chunk: bytes) -> list[Event]:
        return [Raw(chunk, int(chunk != b"ping"))]

    def close(self) -> list[Event]:
        return [End("error", failure=Failure(UPSTREAM_STREAM_INTERRUPTED, "it was cut"))]


def served(steps: tuple[bytes | float, ...], timeouts: Timeouts, client_seconds: float) -> tuple[str, float]:
    """The outcome of a stream, and how long it took, with a client that takes its time over each event."""
    found: list[tuple[str, float]] = []

    async def run(clock: VirtualClock, chance: SeededChance) -> None:
        place = replace(target(), adapter=cast(Adapter, Pinging()), price=free(), timeouts=timeouts)
        office = Office(clock, Scripted(steps=steps), place)
        client = ListeningClient(wait_seconds=client_seconds, clock=clock)
        await office.engine.serve(replace(call(Account("key")), stream=True), client)
        found.append((office.records[0].outcome, clock.monotonic()))

    run_virtual(run)
    return found[0]


@pytest.mark.parametrize("client_seconds", [0.0, 0.001, 1.0])
def test_pings_keep_no_silent_stream_alive_however_slowly_they_are_read(client_seconds: float) -> None:
    steps = (b"content", *((5.0, b"ping") * PINGS))
    outcome, seconds = served(steps, Timeouts(idle_seconds=30.0), client_seconds)
    assert outcome == "upstream_idle_timeout"
    assert seconds <= 30.0 + 8 * client_seconds
