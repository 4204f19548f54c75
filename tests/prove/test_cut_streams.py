"""P6 in full: run by `make prove`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.cutting import STREAMS, WAYS, theatre
from tests.app.test_cut_streams import hear_out, settle_everywhere

pytestmark = pytest.mark.prove

RANDOM_CUTS = 50


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("wire", "name"), STREAMS)
async def test_a_stream_that_is_cut_at_fifty_random_bytes_is_settled_each_time(
    tmp_path: Path, wire: str, name: str, way: str
) -> None:
    async with theatre(tmp_path) as stage:
        assert await settle_everywhere(stage, wire, name, RANDOM_CUTS, way) > RANDOM_CUTS


@pytest.mark.parametrize(("wire", "name"), STREAMS)
async def test_who_closes_its_own_half_at_fifty_random_bytes_gets_the_whole_answer(
    tmp_path: Path, wire: str, name: str
) -> None:
    async with theatre(tmp_path) as stage:
        assert await hear_out(stage, wire, name, RANDOM_CUTS) > RANDOM_CUTS
