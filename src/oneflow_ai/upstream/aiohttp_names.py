"""A name's addresses as aiohttp asks for them, from the resolver and the guard that every way has."""

from __future__ import annotations

import socket
from collections.abc import Callable

from aiohttp.abc import AbstractResolver, ResolveResult

from oneflow_ai.upstream.resolve import Resolver, addresses_of


class GuardedNames(AbstractResolver):
    """Resolves by a resolver of ours, within what `seconds` gives; raises `Failure` for what it may not give."""

    def __init__(self, resolver: Resolver, private: bool | None, seconds: Callable[[], float]) -> None:
        self._resolver = resolver
        self._private = private
        self._seconds = seconds

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host, of either family."""
        found = await addresses_of(self._resolver, host, port, self._private, self._seconds())
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Nothing is held."""
