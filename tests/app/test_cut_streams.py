"""P6: a client cut from a stream pays for what the provider had told by then, and is told what was estimated."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.cutting import STREAMS, Theatre, cuts_of, stream_of, theatre, told

RANDOM_CUTS = 3


async def settle_everywhere(stage: Theatre, wire: str, name: str, random_most: int) -> int:
    """Cut one stream everywhere; give how many cuts were settled: all of them."""
    file, body = stream_of(wire, name)
    places = cuts_of(file, body, random_most)
    for place in places:
        exchange = await stage.cut(wire, body[:place])
        usage, where = exchange.usage, f"{wire}/{name} at {place}"
        assert exchange.outcome in ("client_closed", "ok"), where
        assert usage is not None and exchange.served is not None, where
        assert exchange.cost_nanos > 0, where
        seen, _ = told(exchange, body[:place])
        assert exchange.estimated is (seen is None or seen.source != "provider"), where
        if seen is None:
            assert usage.source == "estimated", where
        else:
            assert (usage.input_tokens, usage.cached_tokens) == (seen.input_tokens, seen.cached_tokens), where
            assert usage.source == seen.source, where
            assert usage.output_tokens >= seen.output_tokens, where
            if seen.source == "provider":
                assert usage == seen, where
    await stage.gateway.quiet()
    return len(places)


@pytest.mark.parametrize(("wire", "name"), STREAMS)
async def test_a_stream_that_is_cut_is_settled_wherever(tmp_path: Path, wire: str, name: str) -> None:
    async with theatre(tmp_path) as stage:
        assert await settle_everywhere(stage, wire, name, RANDOM_CUTS) > RANDOM_CUTS


@pytest.mark.parametrize(("wire", "name"), [(wire, name) for wire, name in STREAMS if wire in ("gemini", "bedrock")])
async def test_a_stream_that_goes_on_is_settled_exactly_wherever(tmp_path: Path, wire: str, name: str) -> None:
    async with theatre(tmp_path) as stage:
        file, body = stream_of(wire, name)
        for place in cuts_of(file, body, RANDOM_CUTS):
            if place == len(body):
                continue
            exchange = await stage.cut(wire, body[:place], body[place:])
            seen, _ = told(exchange, body)
            assert (exchange.usage, exchange.estimated) == (seen, False), f"{wire}/{name} at {place}"
        await stage.gateway.quiet()
