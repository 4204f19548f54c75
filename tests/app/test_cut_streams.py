"""P6: a client cut from a stream pays for what the provider had told by then, and is told what was estimated."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.cutting import STREAMS, WAYS, Theatre, cuts_of, stream_of, theatre, told

RANDOM_CUTS = 3


async def settle_everywhere(stage: Theatre, wire: str, name: str, random_most: int, way: str) -> int:
    """Cut one stream everywhere, in this way; give how many cuts were settled: all of them."""
    file, body = stream_of(wire, name)
    places = cuts_of(file, body, random_most)
    for place in places:
        exchange = await stage.cut(wire, body[:place], way=way)
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


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("wire", "name"), STREAMS)
async def test_a_stream_that_is_cut_is_settled_wherever(tmp_path: Path, wire: str, name: str, way: str) -> None:
    async with theatre(tmp_path) as stage:
        assert await settle_everywhere(stage, wire, name, RANDOM_CUTS, way) > RANDOM_CUTS


async def hear_out(stage: Theatre, wire: str, name: str, random_most: int) -> int:
    """Close the client's half of one stream everywhere; give how often all of the answer came, and was settled."""
    file, body = stream_of(wire, name)
    places = [place for place in cuts_of(file, body, random_most) if place != len(body)]
    whole: set[bool] = set()
    for place in places:
        exchange, came = await stage.half_close(wire, body[:place], body[place:])
        usage, _ = told(exchange, body)
        where = f"{wire}/{name} at {place}"
        assert exchange.outcome == "ok", where
        assert usage is None or (exchange.usage, exchange.estimated) == (usage, False), where
        whole.add(came.endswith(b"0\r\n\r\n") or b"content-length" in came)
    assert whole == {True}
    await stage.gateway.quiet()
    return len(places)


@pytest.mark.parametrize(("wire", "name"), STREAMS)
async def test_who_closes_only_its_own_half_gets_the_whole_answer(tmp_path: Path, wire: str, name: str) -> None:
    async with theatre(tmp_path) as stage:
        assert await hear_out(stage, wire, name, RANDOM_CUTS) > RANDOM_CUTS


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("wire", "name"), [(wire, name) for wire, name in STREAMS if wire in ("gemini", "bedrock")])
async def test_a_stream_that_goes_on_is_settled_exactly_wherever(
    tmp_path: Path, wire: str, name: str, way: str
) -> None:
    async with theatre(tmp_path) as stage:
        file, body = stream_of(wire, name)
        for place in cuts_of(file, body, RANDOM_CUTS):
            if place == len(body):
                continue
            exchange = await stage.cut(wire, body[:place], body[place:], way)
            seen, _ = told(exchange, body)
            assert (exchange.usage, exchange.estimated) == (seen, False), f"{wire}/{name} at {place}"
        await stage.gateway.quiet()
