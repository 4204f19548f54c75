"""The outermost edge of the control plane: an id and the security headers on every answer, and faults told once."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from oneflow_ai.control.errors import failure_answer, internal_error
from oneflow_ai.control.ports import Running

# Pages load nothing from elsewhere, run no inline script, are framed by nobody, and are kept nowhere.
_POLICY = (
    b"default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    b"require-trusted-types-for 'script'"
)
SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


class Guard:
    """Serves requests through an application; what it raises becomes a 500 without details and one line in the log."""

    def __init__(self, application: ASGIApp, running: Running) -> None:
        self._application = application
        self._running = running

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        request_id = self._running.new_id("req")
        scope.setdefault("state", {})["request_id"] = request_id
        begun = False

        async def told(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode()), *SECURITY_HEADERS]
            await send(message)

        try:
            await self._application(scope, receive, told)
        except Exception as error:  # noqa: BLE001 - the request's outermost edge: a bug of ours ends one request
            self._running.log.error(
                "a control request failed by a fault of the gateway", error=error, request=request_id
            )
            if not begun:
                await failure_answer(internal_error())(scope, receive, told)
