"""The chain of models that a request names itself, in `models` or `fallbacks`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oneflow_ai.core.failure import INVALID_TYPE, INVALID_VALUE, Failure

CHAIN_FIELDS = ("models", "fallbacks")
"""Fields of the gateway's own, never sent on."""
CHAIN_MODELS_MOST = 16


def chain_names(body: Mapping[str, Any], field: str) -> list[str]:
    """The names in one of the fields; raises `Failure` for what is no list of names."""
    names = body.get(field)
    if names is None:
        return []
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise Failure(INVALID_TYPE, f"{field} is a list of model names", param=field)
    if len(names) > CHAIN_MODELS_MOST:
        raise Failure(INVALID_VALUE, f"{field} holds at most {CHAIN_MODELS_MOST} names", param=field)
    return names


def first_of_chain(body: Mapping[str, Any]) -> str | None:
    """The model that its chain begins with; None for a request without a chain. Raises `Failure` as `chain_names`."""
    for field in CHAIN_FIELDS:
        for name in chain_names(body, field):
            return name
    return None


def name_model(body: dict[str, Any], usual: str | None = None, *, field: str = "model") -> None:
    """Name the model of a request that names none: the first of its chain, else the usual one, where there is one."""
    if body.get(field) is None:
        model = first_of_chain(body) or usual
        if model is not None:
            body[field] = model
