"""Every way a call can fail, as a table: what the client is told, whether to try again, and who is to blame."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Cause = Literal["client", "policy", "gateway", "upstream"]
Blame = Literal["nobody", "target", "credential"]


@dataclass(frozen=True, slots=True, eq=False)  # a row is one of a kind: a refusal asks often which one it has
class Kind:
    """One row: a way to fail.

    `code`, `status` and `type` are what the client is told in OpenAI's words; other dialects translate them.
    `cause` says whose failure it is, `same` whether the same target may be tried again, `other` whether another may,
    `hurry` whether another is tried before waiting for the same, `blame` what the health book holds against whom,
    `ran` whether the provider may have run (and billed) the request.
    """

    code: str
    status: int
    type: str
    cause: Cause
    same: bool = False
    other: bool = False
    hurry: bool = False
    blame: Blame = "nobody"
    ran: bool = False

    @property
    def own_words(self) -> bool:
        """Whether its message may be kept and shown: the gateway's own words, or a provider's about itself.

        A client's mistake, and a provider's refusal of a request, may be told in words that quote the prompt.
        """
        return self.cause in ("policy", "gateway") or (self.cause == "upstream" and self.status >= 500)


_KINDS: dict[str, Kind] = {}


def _row(kind: Kind) -> Kind:
    if kind.code in _KINDS:
        raise ValueError(f"two rows for {kind.code}")
    _KINDS[kind.code] = kind
    return kind


def _client(code: str, status: int = 400, type: str = "invalid_request_error", *, other: bool = False) -> Kind:
    return _row(Kind(code, status, type, "client", other=other))


def _policy(code: str, status: int, type: str, *, other: bool = False) -> Kind:
    return _row(Kind(code, status, type, "policy", other=other))


def _gateway(code: str, status: int, *, other: bool = False) -> Kind:
    return _row(Kind(code, status, "server_error", "gateway", other=other))


def _upstream(
    code: str,
    status: int,
    type: str = "server_error",
    *,
    hurry: bool = False,
    blame: Blame = "target",
    ran: bool = False,
) -> Kind:
    """It may pass: the same target may be tried again."""
    return _row(Kind(code, status, type, "upstream", same=True, other=True, hurry=hurry, blame=blame, ran=ran))


def _lasting(
    code: str,
    status: int,
    type: str = "server_error",
    *,
    other: bool = True,
    blame: Blame = "nobody",
    ran: bool = False,
) -> Kind:
    """It will be the same at the same target."""
    return _row(Kind(code, status, type, "upstream", other=other, blame=blame, ran=ran))


# The client's mistakes: found before anything is held or sent.
MISSING_API_KEY = _client("missing_api_key", 401, "authentication_error")
INVALID_API_KEY = _client("invalid_api_key", 401, "authentication_error")
AMBIGUOUS_CREDENTIALS = _client("ambiguous_credentials")
INSUFFICIENT_PERMISSIONS = _client("insufficient_permissions", 403, "permission_error")
FORBIDDEN_ORIGIN = _client("forbidden_origin", 403, "permission_error")
INVALID_HOST = _client("invalid_host")
MALFORMED_REQUEST = _client("malformed_request")
UNKNOWN_URL = _client("unknown_url", 404)
NOT_FOUND = _client("not_found", 404)
METHOD_NOT_ALLOWED = _client("method_not_allowed", 405)
REQUEST_TIMEOUT = _client("request_timeout", 408)
REQUEST_TOO_LARGE = _client("request_too_large", 413)
URI_TOO_LONG = _client("uri_too_long", 414)
UNSUPPORTED_MEDIA_TYPE = _client("unsupported_media_type", 415)
UNSUPPORTED_ENCODING = _client("unsupported_encoding", 415)
EXPECTATION_FAILED = _client("expectation_failed", 417)
HEADERS_TOO_LARGE = _client("headers_too_large", 431)
METHOD_NOT_IMPLEMENTED = _client("method_not_implemented", 501)
HTTP_VERSION_NOT_SUPPORTED = _client("http_version_not_supported", 505)
INVALID_JSON = _client("invalid_json")
INVALID_TYPE = _client("invalid_type")
INVALID_VALUE = _client("invalid_value")
INVALID_NUMBER = _client("invalid_number")
INVALID_UNICODE = _client("invalid_unicode")
INVALID_ENCODING = _client("invalid_encoding")
INVALID_MESSAGES = _client("invalid_messages")
INVALID_IMAGE_URL = _client("invalid_image_url")
DUPLICATE_KEY = _client("duplicate_key")
TOO_DEEP = _client("too_deep")
TOO_MANY_ITEMS = _client("too_many_items")
MISSING_REQUIRED_PARAMETER = _client("missing_required_parameter")
FORBIDDEN_PARAMETER = _client("forbidden_parameter")
# Another target may be able to do what one is not.
UNSUPPORTED_PARAMETER = _client("unsupported_parameter", other=True)
UNSUPPORTED_OPERATION = _client("unsupported_operation", other=True)
AMBIGUOUS_MODEL = _client("ambiguous_model")
MODEL_NOT_FOUND = _client("model_not_found", 404)
MODEL_RETIRED = _client("model_retired", 404)
CLIENT_CLOSED = _client("client_closed", 499)

# What the operator's rules refuse.
MODEL_NOT_PRICED = _policy("model_not_priced", 400, "invalid_request_error", other=True)
MODEL_NOT_ALLOWED = _policy("model_not_allowed", 403, "permission_error")
RATE_LIMIT_EXCEEDED = _policy("rate_limit_exceeded", 429, "rate_limit_error")
CONCURRENCY_LIMIT_EXCEEDED = _policy("concurrency_limit_exceeded", 429, "rate_limit_error")
INSUFFICIENT_QUOTA = _policy("insufficient_quota", 429, "insufficient_quota", other=True)
QUEUE_TIMEOUT = _policy("queue_timeout", 429, "rate_limit_error", other=True)
PROVIDER_NOT_CONFIGURED = _policy("provider_not_configured", 503, "server_error", other=True)

# The gateway's own state.
OVERLOADED = _gateway("overloaded", 503, other=True)
DRAINING = _gateway("draining", 503)
STORAGE_UNAVAILABLE = _gateway("storage_unavailable", 503)
INTERNAL_ERROR = _gateway("internal_error", 500)
DEADLINE_EXCEEDED = _gateway("deadline_exceeded", 504)

# What the provider, or the way to it, did.
UPSTREAM_UNREACHABLE = _upstream("upstream_unreachable", 502, hurry=True)
UPSTREAM_BLOCKED = _lasting("upstream_blocked", 502, other=False)
UPSTREAM_TLS_ERROR = _lasting("upstream_tls_error", 502, blame="target")
UPSTREAM_CLOSED = _upstream("upstream_closed", 502, ran=True)
UPSTREAM_TIMEOUT = _upstream("upstream_timeout", 504, ran=True)
UPSTREAM_ERROR = _upstream("upstream_error", 502)
UPSTREAM_OVERLOADED = _upstream("upstream_overloaded", 503)
UPSTREAM_BAD_RESPONSE = _upstream("upstream_bad_response", 502, ran=True)
UPSTREAM_TOO_LARGE = _lasting("upstream_too_large", 502, other=False, blame="target", ran=True)
UPSTREAM_REDIRECT_REFUSED = _lasting("upstream_redirect_refused", 502, blame="target")
UPSTREAM_RATE_LIMITED = _upstream("upstream_rate_limited", 429, "rate_limit_error", hurry=True, blame="nobody")
UPSTREAM_REQUEST_TOO_LARGE = _lasting("upstream_request_too_large", 429, "rate_limit_error")
UPSTREAM_CONTENT_ERROR = _lasting("upstream_content_error", 500, other=False)
PROVIDER_AUTH_FAILED = _lasting("provider_auth_failed", 502, blame="credential")
PROVIDER_QUOTA_EXHAUSTED = _lasting("provider_quota_exhausted", 503, blame="credential")
UPSTREAM_REJECTED = _lasting("upstream_rejected", 400, "invalid_request_error", other=False)
UPSTREAM_MODEL_NOT_FOUND = _lasting("upstream_model_not_found", 404, "invalid_request_error")
CONTEXT_LENGTH_EXCEEDED = _lasting("context_length_exceeded", 400, "invalid_request_error")

# Streams that broke after the answer had begun: told inside the stream.
UPSTREAM_STREAM_INTERRUPTED = _upstream("upstream_stream_interrupted", 502, ran=True)
UPSTREAM_IDLE_TIMEOUT = _upstream("upstream_idle_timeout", 504, ran=True)

KINDS = MappingProxyType(_KINDS)


def in_own_words(code: str) -> bool:
    """Whether the message of a failure with this code may be kept and shown; not that of a provider's own code."""
    kind = KINDS.get(code)
    return kind is not None and kind.own_words


class Failure(Exception):
    """A call's failure: its row, and what is particular to this one.

    `message` is for the client and holds no secret. `status` and `code` override the row's where a provider's own words
    are passed on; a code that would make them pass for the gateway's own is not. `retry_after_seconds` is when another
    try may succeed. `should_retry` is the provider's own word.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        param: str | None = None,
        status: int | None = None,
        code: str | None = None,
        retry_after_seconds: float | None = None,
        should_retry: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.param = param
        self.status = status if status is not None else kind.status
        self.code = code if code is not None and (kind.own_words or not in_own_words(code)) else kind.code
        self.retry_after_seconds = retry_after_seconds
        self.should_retry = should_retry

    @property
    def words(self) -> str:
        """The message for a wire that has no field for the parameter: it begins with that, once."""
        if not self.param or self.message.startswith(f"{self.param}:"):
            return self.message
        return f"{self.param}: {self.message.removeprefix(f'{self.param} ')}"

    def __repr__(self) -> str:
        return f"Failure({self.code}, {self.status}, {self.message!r})"
