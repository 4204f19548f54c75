"""Stability's dialect: orders of pictures that come as forms, pictures and errors in its shapes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import orjson

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import Blob, End, Event, Raw, Usage
from oneflow_ai.core.failure import UNSUPPORTED_MEDIA_TYPE, Failure
from oneflow_ai.core.target import Target
from oneflow_ai.dialects.envelope import Envelope
from oneflow_ai.dialects.stability_forms import DIALECT, FORWARDED, wants_json

__all__ = [
    "DIALECT",
    "FORWARDED",
    "ID_HEADER",
    "Encoder",
    "encoder",
    "error_name",
    "failure_body",
    "parse",
]

# Stability's answers name no request; its errors do, in their body.
ID_HEADER = b"x-request-id"
_SUCCESS = "SUCCESS"
_UNKNOWN = "application/octet-stream"
# What Stability calls an error of a status (its API reference, 2026-11-23); of the gateway's own codes, those that its
# clients must tell from others of the same status.
_NAMES: Mapping[int, str] = {
    400: "bad_request",
    401: "unauthorized",
    403: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    415: "bad_request",
    429: "rate_limit_exceeded",
    500: "internal_error",
    502: "internal_error",
    503: "service_unavailable",
    504: "internal_error",
}
_NAMES_OF_CODES: Mapping[str, str] = {
    "insufficient_quota": "payment_required",
    "content_moderation": "content_moderation",
    "moderation_blocked": "content_moderation",
    "invalid_language": "invalid_language",
    "public_figure": "public_figure",
}


def parse(body: bytes, envelope: Envelope) -> Call:
    """Raises `Failure`: what this wire asks for comes as a form (see `stability_forms`)."""
    del body, envelope
    raise Failure(UNSUPPORTED_MEDIA_TYPE, "send the body as multipart/form-data")


class Encoder:
    """Writes one picture: as it is, or within JSON. `headers` tell of the one that is written as it is."""

    __slots__ = ("_as_json", "_picture", "_raw", "headers", "media_type")

    def __init__(self, call: Call) -> None:
        self._as_json = wants_json(call)
        self._picture: Blob | None = None
        self._raw = False
        self.headers: tuple[tuple[str, str], ...] = ()
        self.media_type = _UNKNOWN

    def feed(self, event: Event) -> bytes:
        """Pass the provider's own JSON on; keep the picture until the end, when all is known of it."""
        if type(event) is Raw:
            self._raw = True
            return event.content
        if type(event) is Blob and self._picture is None:
            self._picture = event
        return b""

    def end(self, end: End, usage: Usage, cost_nanos: int) -> bytes:
        """The picture."""
        del usage, cost_nanos
        told = end.chunk or {}
        if self._raw:
            self.media_type = _json_with(told.get("media_type", _UNKNOWN))
            return b""
        picture, seed = self._picture, told.get("seed")
        assert picture is not None
        if self._as_json:
            self.media_type = _json_with(picture.media_type)
            body: dict[str, Any] = {"image": b64encode(picture.content).decode(), "finish_reason": _SUCCESS}
            return orjson.dumps(body if seed is None else {**body, "seed": seed})
        self.media_type = picture.media_type
        seeds = () if seed is None else (("seed", str(seed)),)
        self.headers = (("finish-reason", _SUCCESS), *seeds)
        return picture.content

    def failure(self, failure: Failure) -> bytes:
        """Nothing: a whole answer is not begun before its end, so that a failure is never told within one."""
        del failure
        return b""


def encoder(call: Call, target: Target) -> Encoder:
    """What writes the picture of this call."""
    del target
    return Encoder(call)


def failure_body(failure: Failure, request_id: str = "") -> bytes:
    """The body of an error answer: a name of this wire where it has one, and the gateway's own code beside it."""
    told = {"id": request_id, "name": error_name(failure), "errors": [failure.words], "code": failure.code}
    return orjson.dumps(told)


def error_name(failure: Failure) -> str:
    """What this vendor's wires call such an error."""
    return _NAMES_OF_CODES.get(failure.code) or _NAMES.get(failure.status, failure.code)


def _json_with(media_type: str) -> str:
    return f"application/json; type={media_type}"
