"""Failures in Gemini's shape: the status's own word; code, field and wait among the details."""

from __future__ import annotations

from typing import Any

import orjson

from oneflow_ai.core.failure import Failure

# google.rpc.Code by status: cloud.google.com/apis/design/errors, 2026-11-26.
_WORDS = {
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    529: "UNAVAILABLE",
}
_TYPE = "type.googleapis.com/google.rpc."
DOMAIN = "oneflow"
"""Whose codes are told in `ErrorInfo`."""


def failure_body(failure: Failure, request_id: str = "") -> bytes:
    """The body of an error answer, and the data of the event that ends a stream that broke."""
    status = failure.status
    word = _WORDS.get(status) or ("INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
    message = f"{failure.param}: {failure.message}" if failure.param else failure.message
    error = {"code": status, "message": message, "status": word, "details": _details(failure, request_id)}
    return orjson.dumps({"error": error})


def _details(failure: Failure, request_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"@type": _TYPE + "ErrorInfo", "reason": failure.code, "domain": DOMAIN}]
    if failure.param:
        violations = [{"field": failure.param, "description": failure.message}]
        found.append({"@type": _TYPE + "BadRequest", "fieldViolations": violations})
    if failure.retry_after_seconds is not None:
        delay = f"{max(failure.retry_after_seconds, 0.0):.3f}s"
        found.append({"@type": _TYPE + "RetryInfo", "retryDelay": delay})
    if request_id:
        found.append({"@type": _TYPE + "RequestInfo", "requestId": request_id})
    return found
