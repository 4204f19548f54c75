"""One endpoint of the control plane: who asks is settled, then its body is read within bounds, then it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from oneflow_ai.control.access import access_of, let_in
from oneflow_ai.control.ports import ports_of
from oneflow_ai.core.failure import (
    CLIENT_CLOSED,
    REQUEST_TIMEOUT,
    REQUEST_TOO_LARGE,
    UNSUPPORTED_ENCODING,
    UNSUPPORTED_MEDIA_TYPE,
    Failure,
)
from oneflow_ai.dialects.guard import read_object

BODY_BYTES_MOST = 1 << 20

_Handle = Callable[[Request], Coroutine[Any, Any, Response]]


class Endpoint(APIRoute):
    """A route that will not be made unless its handler declares a role, and that asks for it by itself."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self.access = access_of(endpoint)
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> _Handle:
        """The handler behind the door."""
        answer = super().get_route_handler()

        async def handle(request: Request) -> Response:
            ports = ports_of(request)
            request.state.caller = let_in(self.access, request, ports)
            if self.body_field is not None:
                request = await _read(request, ports.body_seconds)
            return await answer(request)

        return handle


class _ReadRequest(Request):
    """A request whose body has been read and found sound."""

    def __init__(self, request: Request, body: bytes, found: dict[str, Any]) -> None:
        super().__init__(request.scope, request.receive)
        self._whole = body
        self._found = found

    async def body(self) -> bytes:
        """The bytes."""
        return self._whole

    async def json(self) -> Any:
        """The object."""
        return self._found


async def _read(request: Request, within_seconds: float) -> Request:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Failure(UNSUPPORTED_MEDIA_TYPE, "send the body as application/json")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Failure(UNSUPPORTED_ENCODING, "send the body without a Content-Encoding")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > BODY_BYTES_MOST:
        raise _too_large()
    try:
        async with asyncio.timeout(within_seconds):
            body = await _bytes(request)
    except TimeoutError:
        raise Failure(REQUEST_TIMEOUT, f"the body did not arrive within {within_seconds:g} s") from None
    except ClientDisconnect:
        raise Failure(CLIENT_CLOSED, "the client is gone") from None
    return _ReadRequest(request, body, read_object(body))


async def _bytes(request: Request) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        pieces.append(piece)
        size += len(piece)
        if size > BODY_BYTES_MOST:
            raise _too_large()
    return b"".join(pieces)


def _too_large() -> Failure:
    return Failure(REQUEST_TOO_LARGE, f"the body is larger than {BODY_BYTES_MOST} bytes")
