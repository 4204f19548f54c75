"""Each request marked, each answer checked to be the answer to it: a test of the connections, against a simulator."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace

from oneflow_ai.core.failure import UPSTREAM_BAD_RESPONSE, Failure
from oneflow_ai.core.ports import HttpAnswer, HttpRequest, Mark
from oneflow_ai.upstream.resolve import Resolver
from oneflow_ai.upstream.way import Way
from oneflow_ai.upstream.ways import Ways

NONCE_HEADER = "x-request-nonce"
_NONCE_BYTES = 12


class NonceWays(Ways):
    """Ways out to a simulator, which sends each request's nonce back with its answer.

    An answer to another request (F46) closes every connection of its way and raises `Failure`; `alarm` is told which
    way. An answer without a nonce passes: refusals of broken requests have none.
    """

    def __init__(
        self, ways: Mapping[str, Way], alarm: Callable[[str], object], resolver: Resolver | None = None
    ) -> None:
        super().__init__(ways, resolver)
        self._alarm = alarm

    async def send(self, request: HttpRequest, until_seconds: float, mark: Mark | None = None) -> HttpAnswer:
        """Send a request and check whose answer came; raises `Failure`."""
        nonce = secrets.token_hex(_NONCE_BYTES)
        marked = replace(request, headers=(*request.headers, (NONCE_HEADER, nonce)))
        answer = await super().send(marked, until_seconds, mark)
        if answer.headers.get(NONCE_HEADER, nonce) == nonce:
            return answer
        answer.close()
        await self.renew(request.way)
        self._alarm(request.way)
        raise Failure(UPSTREAM_BAD_RESPONSE, "the provider answered another request than this one")
