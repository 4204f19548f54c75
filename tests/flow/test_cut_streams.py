"""Streams that are cut: the client pays for what the provider had told by then, and for what it was given after it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import orjson
import pytest

from oneflow_ai.core.events import Usage
from oneflow_ai.core.price import UNITS, flat_price
from oneflow_ai.core.record import Exchange
from oneflow_ai.testing import ListeningClient, Scripted, SeededChance, VirtualClock, run_virtual
from tests.flow.test_engine import Office
from tests.wire.messages import message_call
from tests.wire.requests import target_of

PLACE = replace(target_of("anthropic", model="claude-haiku-5-5"), price=flat_price(dict.fromkeys(UNITS, 1_000)))
PIECES = 5


def event(**fields: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (str(fields["type"]).encode(), orjson.dumps(fields))


START = event(
    type="message_start",
    message={"id": "msg_1", "role": "assistant", "content": [], "usage": {"input_tokens": 321, "output_tokens": 1}},
)
BLOCK = event(type="content_block_start", index=0, content_block={"type": "text", "text": ""})
PIECE = event(type="content_block_delta", index=0, delta={"type": "text_delta", "text": "on and on "})


def cut(answer: Scripted, leaves_after_seconds: float | None) -> Exchange:
    """The record of a stream that is answered so, and that its client leaves, or stays with until it breaks."""
    records: list[Exchange] = []

    async def run(clock: VirtualClock, chance: SeededChance) -> None:
        office = Office(clock, answer, PLACE)
        asked = asyncio.ensure_future(office.engine.serve(message_call(stream=True), ListeningClient()))
        if leaves_after_seconds is not None:
            await asyncio.sleep(leaves_after_seconds)
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
        else:
            await asked
        records.extend(office.records)

    run_virtual(run)
    (record,) = records
    return record


@pytest.mark.parametrize("pieces", range(PIECES))
def test_a_client_that_leaves_pays_the_providers_count_and_a_token_for_each_piece(pieces: int) -> None:
    record = cut(Scripted(steps=(START, BLOCK, *[PIECE] * pieces, 30.0)), 1.0)
    assert record.outcome == "client_closed"
    assert record.usage == Usage(321, max(pieces, 1), source="provider_partial")
    assert record.estimated
    assert record.cost_nanos > 0


@pytest.mark.parametrize("pieces", range(1, PIECES))
def test_a_stream_that_breaks_costs_the_same(pieces: int) -> None:
    record = cut(Scripted(steps=(START, BLOCK, *[PIECE] * pieces)), None)
    assert record.outcome == "upstream_stream_interrupted"
    assert record.usage == Usage(321, pieces, source="provider_partial")


def test_without_a_word_of_the_provider_it_is_estimated() -> None:
    record = cut(Scripted(steps=(BLOCK, PIECE, PIECE, 30.0)), 1.0)
    assert record.usage is not None
    assert (record.usage.source, record.usage.output_tokens) == ("estimated", 2)
