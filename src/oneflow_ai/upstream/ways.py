"""A pool of connections for each way out, so that a provider that hangs holds up no other."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any, Protocol

from oneflow_ai.core.ports import HttpAnswer, HttpRequest, Mark
from oneflow_ai.upstream.aiohttp_pool import AiohttpUpstream
from oneflow_ai.upstream.pool import Pool
from oneflow_ai.upstream.resolve import Resolver
from oneflow_ai.upstream.system_names import SystemNames
from oneflow_ai.upstream.way import Way


class _Pool(Protocol):
    way: Way

    async def send(self, request: HttpRequest, until_seconds: float, mark: Mark | None = None) -> HttpAnswer: ...

    async def close(self) -> None: ...


class Ways:
    """Implements the `Upstream` port: each request goes out on its own way.

    `resolver` finds all their hosts; None: the machine's own.
    """

    def __init__(self, ways: Mapping[str, Way], resolver: Resolver | None = None) -> None:
        self._resolver = resolver or SystemNames()
        self._pools = {name: self._pool(way) for name, way in ways.items()}
        self._retired: dict[str, _Pool] = {}
        self._gone: list[_Pool] = []
        self._last_call_ends_seconds = 0.0
        self._retiring: set[asyncio.Task[None]] = set()

    def send(
        self, request: HttpRequest, until_seconds: float, mark: Mark | None = None
    ) -> Coroutine[Any, Any, HttpAnswer]:
        """Send a request on its own way; raises `Failure`."""
        # A call that began before a reload may still go the way that it took then.
        pool = self._pools.get(request.way) or self._retired[request.way]
        return pool.send(request, until_seconds, mark)

    async def close(self) -> None:
        """Close every connection."""
        for pool in (*self._pools.values(), *self._gone):
            await pool.close()

    async def replace(self, ways: Mapping[str, Way], longest_seconds: float) -> None:
        """Open the ways of a new configuration; those that changed or are gone close once their calls have ended.

        No call that began since the last time lasts longer than `longest_seconds` from now.
        """
        loop = asyncio.get_running_loop()
        # A call may outlast two reloads.
        self._last_call_ends_seconds = max(self._last_call_ends_seconds, loop.time() + longest_seconds)
        kept = {name: pool for name, pool in self._pools.items() if ways.get(name) == pool.way}
        gone = {name: pool for name, pool in self._pools.items() if name not in kept}
        # Of two that went by one name, a call still under way may be on either.
        self._retired.update(gone)
        self._gone += gone.values()
        self._pools = {name: kept.get(name) or self._pool(way) for name, way in ways.items()}
        for pool in gone.values():
            loop.call_at(self._last_call_ends_seconds, self._retire, pool)

    async def renew(self, name: str) -> None:
        """Close a way at once, with every call on it, and open it anew."""
        old = self._pools.get(name)
        if old is not None:
            self._pools[name] = self._pool(old.way)
            await old.close()

    def _retire(self, pool: _Pool) -> None:
        self._gone.remove(pool)
        self._retired = {name: other for name, other in self._retired.items() if other is not pool}
        task = asyncio.get_running_loop().create_task(pool.close())
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    def _pool(self, way: Way) -> _Pool:
        way = replace(way, resolver=self._resolver)
        # Our own pool knows no proxies; the general client does.
        return AiohttpUpstream(way) if way.proxy is not None else Pool(way)
