"""A process without a file left for another connection: nobody else is to blame for that."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from oneflow_ai.core import failure as kinds
from oneflow_ai.simulator import FAST, Simulator, SimulatorOptions
from oneflow_ai.upstream import Way
from oneflow_ai.upstream.dial import trust
from oneflow_ai.upstream.pool import Pool
from oneflow_ai.upstream.system_names import SystemNames
from tests.certificates import Authority
from tests.crowding import no_file_left
from tests.upstreams import KINDS, Kind, failure_of, request_to, soon, upstream_of, whole


class Names:
    """Gives this machine for every name, and notes who was doubted."""

    def __init__(self) -> None:
        self.doubted: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        return ("127.0.0.1",)

    def doubt(self, host: str, port: int) -> None:
        self.doubted.append(host)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
async def test_without_a_file_left_the_provider_is_not_to_blame(kind: Kind) -> None:
    names = Names()
    way = Way(resolver=names)
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind, way) as upstream:
        request = request_to(simulator.base_url.replace("127.0.0.1", "localhost"))
        with no_file_left():
            failure = await failure_of(lambda: upstream.send(request, soon()))
        assert (failure.kind, failure.kind.blame, failure.kind.ran) == (kinds.OVERLOADED, "nobody", False)
        assert names.doubted == []
        assert (await whole(upstream, request))[0] == 200


async def test_a_kept_connection_makes_room_for_the_next() -> None:
    async with (
        Simulator(SimulatorOptions(pace=FAST)) as simulator,
        Simulator(SimulatorOptions(pace=FAST)) as other,
        upstream_of(Pool) as upstream,
    ):
        assert isinstance(upstream, Pool)
        await whole(upstream, request_to(simulator.base_url))
        assert upstream.kept == 1
        with no_file_left():
            failure = await failure_of(lambda: upstream.send(request_to(other.base_url), soon()))
            assert failure.kind is kinds.OVERLOADED
            assert upstream.kept == 0
            # The loop closes it in its next round.
            await asyncio.sleep(0.05)
            assert (await whole(upstream, request_to(other.base_url)))[0] == 200


@pytest.mark.parametrize("own", [True, False], ids=["ca_file", "the system's"])
def test_certificates_that_cannot_be_opened_are_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    file = str(Authority(tmp_path).file)
    monkeypatch.setenv("SSL_CERT_FILE", file)
    way = Way(ca_file=file) if own else Way()
    with no_file_left(), pytest.raises(kinds.Failure) as caught:
        trust(way)
    assert caught.value.kind is kinds.OVERLOADED
    assert trust(way).cert_store_stats()["x509_ca"] == 1


async def test_a_look_up_without_a_file_left_is_nobody_s_fault() -> None:
    def look_up(host: str, port: int) -> NoReturn:
        raise OSError(errno.EMFILE, "too many open files")

    async with upstream_of(Pool, Way(resolver=SystemNames(look_up))) as upstream:
        failure = await failure_of(lambda: upstream.send(request_to("http://provider.test/v1"), soon()))
        assert failure.kind is kinds.OVERLOADED
