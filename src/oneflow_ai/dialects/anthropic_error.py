"""Failures in Anthropic's shape: a type by the status, and the gateway's own code among the details."""

from __future__ import annotations

import orjson

from oneflow_ai.core.failure import Failure

# https://platform.claude.com/docs/en/api/errors, 2026-11-26.
_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def failure_body(failure: Failure, request_id: str = "") -> bytes:
    """The body of an error answer, and the data of the event that ends a stream that broke."""
    status = failure.status
    kind = _TYPES.get(status) or ("api_error" if status >= 500 else "invalid_request_error")
    error = {
        "type": kind,
        "message": failure.words,
        "details": {"error_code": failure.code},
    }
    return orjson.dumps({"type": "error", "error": error, "request_id": request_id or None})
