"""Stability's first edition, as far as it tells errors: nothing is served at its addresses."""

from __future__ import annotations

import orjson

from oneflow_ai.core.failure import Failure
from oneflow_ai.dialects.stability import ID_HEADER, error_name
from oneflow_ai.dialects.stability_forms import DIALECT

__all__ = ["DIALECT", "ID_HEADER", "failure_body"]


def failure_body(failure: Failure, request_id: str = "") -> bytes:
    """The body of an error answer: one message, where the second edition has a list (specification of v1)."""
    told = {"id": request_id, "name": error_name(failure), "message": failure.words, "code": failure.code}
    return orjson.dumps(told)
