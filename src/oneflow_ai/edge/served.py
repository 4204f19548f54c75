"""What the connections of clients are given: whom they bring requests to, and who keeps count of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from oneflow_ai.core.failure import Failure
from oneflow_ai.edge.asgi import Headers
from oneflow_ai.edge.head import RequestHead
from oneflow_ai.edge.reply import Request


class Served(Protocol):
    """What connections bring requests to. `at_hand` were let in and are not done with; whoever brings them counts."""

    at_hand: int

    async def answer(self, request: Request) -> None:
        """Serve one request."""

    def busy(self, path: bytes) -> Failure | None:
        """Why a request with this path is not even read; None to let it in."""

    def ready_refusal(self, failure: Failure, head: RequestHead, date: Headers) -> bytes | None:
        """The whole answer to a request that `busy` refuses, made ahead; None where it must be made for itself.

        `date` is the headers that every answer has.
        """

    def refusal(self, failure: Failure, headers: Mapping[bytes, bytes], path: bytes) -> tuple[int, Headers, bytes]:
        """The answer to what came, with these headers, and is no request: status, headers, body."""

    def failed(self, error: Exception) -> None:
        """Take note of a fault of our own."""


class State(Protocol):
    """What uvicorn keeps of its connections: those that are open, their tasks, the headers that every answer has."""

    connections: set[Any]
    tasks: set[asyncio.Task[None]]
    default_headers: Headers
