"""The addresses of the data plane: which there are, and what is told of one that is none."""

from __future__ import annotations

from oneflow_ai.core.failure import METHOD_NOT_ALLOWED, UNKNOWN_URL, Failure
from oneflow_ai.dialects.elevenlabs_lookups import LOOKUPS
from oneflow_ai.dialects.table import NAMED_PATHS, PATHS, spoken_at

BASE = b"/v1"
DATA_PLANE = (b"/v1/", b"/v2/", b"/v2beta/", b"/v1beta/")
_READING = (b"GET", b"HEAD")
PROBES = (b"/health/live", b"/health/ready")
# Every address that runs a model: the control plane has one too.
CALLS = frozenset((*PATHS, *LOOKUPS, b"/api/request"))
ROUTES = (
    *(("POST", path.decode()) for path in PATHS),
    *(("POST", path) for path in NAMED_PATHS),
    *(("GET", path.decode()) for path in LOOKUPS),
    ("GET", "/v1/voices/{id}"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/{id}"),
    ("GET", "/v1beta/models"),
    ("GET", "/v1beta/models/{id}"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
)


def nowhere(path: bytes) -> Failure:
    """What is told of an address that is none; the mistake that clients make most often is named."""
    words = "there is nothing at this address"
    if spoken_at(BASE + path) is not None:
        words += "; /v1 is missing: let the base URL end in it"
    elif path.startswith(BASE + b"/") and spoken_at(path[len(BASE) :]) is not None:
        words += "; it begins with /v1 once too often: take one out of the base URL"
    return Failure(UNKNOWN_URL, words)


def check_read(method: bytes) -> None:
    """Raises `Failure` for a method that an address which is only read does not take."""
    if method not in _READING:
        raise Failure(METHOD_NOT_ALLOWED, "this address takes GET")
