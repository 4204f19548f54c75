"""The HTTP servers that the edge can be served by, by the name that `server.engine` gives them."""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol

from oneflow_ai.edge.served import ConnectionLimits, Served
from oneflow_ai.edge.server import Stages
from oneflow_ai.edge.server import serve as serve_uvicorn

_MISSING = "server.engine is granian, which is not installed: pip install 'oneflow-ai[granian]', or set it to uvicorn"


class Serve(Protocol):
    """Serves on a listening socket until SIGTERM, SIGINT or `until`."""

    async def __call__(
        self,
        served: Served,
        listener: socket.socket,
        *,
        limits: ConnectionLimits,
        drain_seconds: float,
        stages: Stages,
        until: asyncio.Event | None = None,
    ) -> None:
        """Serve."""


def engine(name: str) -> Serve:
    """The server of that name; raises `ValueError` when it is not installed."""
    if name == "uvicorn":
        return serve_uvicorn
    try:
        from oneflow_ai.edge.granian_server import serve as serve_granian  # noqa: PLC0415 - an optional dependency
    except ModuleNotFoundError:
        raise ValueError(_MISSING) from None
    return serve_granian
