"""Failures of the control plane as answers: one JSON shape for all, which never repeats what a client sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure, Kind
from oneflow_ai.dialects.openai import failure_body

_JSON = "application/json"
_CLOSING = (kinds.REQUEST_TIMEOUT, kinds.REQUEST_TOO_LARGE)


def failure_answer(failure: Failure, headers: Mapping[str, str] | None = None) -> Response:
    """The answer that tells a failure; a client's own retries are stopped where they cannot help."""
    out = dict(headers or {})
    if failure.retry_after_seconds is not None:
        seconds = max(failure.retry_after_seconds, 0.0)
        out["retry-after"] = str(int(-(-seconds // 1)))
        out["retry-after-ms"] = str(int(-(-seconds * 1000 // 1)))
    if failure.status == 401:
        out["www-authenticate"] = "Bearer"
    hopeless = failure.should_retry is False or failure.kind is kinds.INSUFFICIENT_QUOTA
    if hopeless or failure.kind.cause == "upstream":
        out["x-should-retry"] = "false"
    if failure.kind in _CLOSING:
        out["connection"] = "close"
    return Response(failure_body(failure), failure.status, out, _JSON)


def internal_error() -> Failure:
    """What a client is told of a fault of ours: nothing."""
    return Failure(kinds.INTERNAL_ERROR, "the gateway failed; the fault is in its log")


def add_handlers(application: FastAPI) -> None:
    """Have every failure of the application answered in the one shape."""
    application.add_exception_handler(Failure, _failed)
    application.add_exception_handler(RequestValidationError, _invalid)
    application.add_exception_handler(HTTPException, _refused)
    application.add_exception_handler(Exception, _fault)


async def _failed(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Failure)
    return failure_answer(error)


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return failure_answer(validation_failure(error.errors()))


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = ", ".join(methods_here(request))
        failure = Failure(kinds.METHOD_NOT_ALLOWED, f"this address takes {allowed}")
        return failure_answer(failure, {"allow": allowed})
    if error.status_code == 404:
        return failure_answer(Failure(kinds.UNKNOWN_URL, "there is nothing at this address"))
    return failure_answer(Failure(kinds.MALFORMED_REQUEST, "the request cannot be read"))


async def _fault(_request: Request, _error: Exception) -> Response:
    return failure_answer(internal_error())


def methods_here(request: Request) -> Sequence[str]:
    """Every method that the request's address takes, in order (RFC 9110, section 10.2.1)."""
    found: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods
    return sorted(found)


def validation_failure(mistakes: Sequence[Mapping[str, Any]]) -> Failure:
    """The first of pydantic's mistakes as a failure that names the parameter."""
    mistake = mistakes[0]
    kind, param = str(mistake["type"]), _param(mistake["loc"])
    if kind == "missing":
        words = f"{param} is missing" if param else "the body is missing; send a JSON object"
        return Failure(kinds.MISSING_REQUIRED_PARAMETER, words, param=param)
    if kind == "extra_forbidden":
        return Failure(kinds.UNSUPPORTED_PARAMETER, "there is no parameter of this name here", param=param)
    words = str(mistake["msg"]).removeprefix("Value error, ")
    return Failure(_kind(kind), f"{param or 'the request'}: {words[:1].lower()}{words[1:]}", param=param)


def _kind(mistake: str) -> Kind:
    return kinds.INVALID_TYPE if mistake.endswith(("_type", "_parsing")) else kinds.INVALID_VALUE


def _param(place: Iterable[Any]) -> str | None:
    """The name of the parameter: what stands first behind `body`, `query` or `path`, if it looks like a name."""
    names = [part for part in place if isinstance(part, str)][1:2]
    name = names[0] if names else ""
    return name if name.isascii() and name.replace("_", "a").isalnum() and len(name) <= 64 else None
