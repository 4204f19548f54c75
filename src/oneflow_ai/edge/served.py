"""What the connections of clients are given: whom they bring requests to, and who keeps count of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from oneflow_ai.core.failure import Failure
from oneflow_ai.edge.asgi import Headers
from oneflow_ai.edge.head import RequestHead
from oneflow_ai.edge.reply import Request


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Time limits of a client's connection, in seconds: for the head, between a body's bytes, for a stalled reader.

    A whole body has `body_seconds_least` and more for each byte of its length; between two requests there may be
    `keep_alive_seconds`. `open_most` may be open at once.
    """

    head_seconds: float = 10.0
    body_idle_seconds: float = 10.0
    write_seconds: float = 30.0
    body_seconds_least: float = 60.0
    keep_alive_seconds: float = 75.0
    open_most: int = 65_536


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
