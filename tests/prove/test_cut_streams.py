"""P6 in full: run by `make prove`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.cutting import STREAMS, theatre
from tests.app.test_cut_streams import settle_everywhere

pytestmark = pytest.mark.prove

RANDOM_CUTS = 50


@pytest.mark.parametrize(("wire", "name"), STREAMS)
async def test_a_stream_that_is_cut_at_fifty_random_bytes_is_settled_each_time(
    tmp_path: Path, wire: str, name: str
) -> None:
    async with theatre(tmp_path) as stage:
        assert await settle_everywhere(stage, wire, name, RANDOM_CUTS) > RANDOM_CUTS
