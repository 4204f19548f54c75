"""A provider's name turned into addresses, within a time limit, none of which it may not lead to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from oneflow_ai.core.failure import UPSTREAM_BLOCKED, UPSTREAM_UNREACHABLE, Failure
from oneflow_ai.upstream.alarm import in_time
from oneflow_ai.upstream.crowded import crowded
from oneflow_ai.upstream.reach import is_literal, refused


class Resolver(Protocol):
    """Finds the addresses of hosts."""

    async def __call__(self, host: str, port: int, /) -> Sequence[str]:
        """The addresses of a host for a port, in the order to try them; raises `OSError` or `UnicodeError`."""

    def doubt(self, host: str, port: int, /) -> None:
        """No address that it gave accepts a connection: what it keeps of them is not to be given again unasked."""


ADDRESSES_MOST = 8


async def addresses_of(resolver: Resolver, host: str, port: int, private: bool | None, seconds: float) -> Sequence[str]:
    """The addresses to try, at most `ADDRESSES_MOST`; raises `Failure`.

    One address that the host may not lead to spoils them all: who mixes them in hopes for a second look-up.
    """
    found = (host,) if is_literal(host) else await _looked_up(resolver, host, port, seconds)
    for address in found:
        if (why := refused(host, address, private)) is not None:
            raise Failure(UPSTREAM_BLOCKED, why)
    return found[:ADDRESSES_MOST]


async def _looked_up(resolver: Resolver, host: str, port: int, seconds: float) -> Sequence[str]:
    try:
        async with in_time(asyncio.get_running_loop().time() + seconds):
            found = await resolver(host, port)
    except TimeoutError:
        raise Failure(UPSTREAM_UNREACHABLE, f"the name {host} was not resolved in time") from None
    except (OSError, UnicodeError) as error:
        if (lack := crowded(error)) is not None:
            raise lack from None
        raise Failure(UPSTREAM_UNREACHABLE, f"the name {host} could not be resolved") from None
    if not found:
        raise Failure(UPSTREAM_UNREACHABLE, f"the name {host} has no address")
    return found
