"""Gemini's embeddings: what a request may hold, as a request of the shape that every provider of them takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from oneflow_ai.core.failure import INVALID_VALUE, MISSING_REQUIRED_PARAMETER, UNSUPPORTED_PARAMETER, Failure
from oneflow_ai.core.prompt import Prompt
from oneflow_ai.dialects import checks
from oneflow_ai.dialects.gemini_contents import TEXT, TEXTS
from oneflow_ai.dialects.gemini_fields import Found, anything, checked, integer, listed, record
from oneflow_ai.dialects.openai_embeddings import DIMENSIONS_MOST, INPUTS_MOST

# What a vector is for, which only this wire's providers are told.
PURPOSE = ("taskType", "title")
_ONE: Mapping[str, Any] = {
    "model": TEXT,
    "content": TEXTS,
    "taskType": TEXT,
    "title": TEXT,
    "outputDimensionality": integer(1, DIMENSIONS_MOST),
}
_FORBIDDEN = dict.fromkeys(checks.FORBIDDEN, checked(checks.forbidden))
_OWN = {"models": anything, "fallbacks": anything, **_FORBIDDEN}
ALONE = record({**_ONE, **_OWN}, "content")
BATCH = record({"model": TEXT, "requests": listed(record(_ONE, "content"), INPUTS_MOST), **_OWN}, "requests")


def body_of(read: Mapping[str, Any], *, alone: bool) -> dict[str, Any]:
    """The body in the shape of OpenAI's, with what a vector is for beside it; raises `Failure` for a mixed batch."""
    requests: list[Mapping[str, Any]] = [read] if alone else read["requests"]
    if not requests:
        raise Failure(MISSING_REQUIRED_PARAMETER, "at least one request is required", param="requests")
    first = requests[0]
    shared = {name: first[name] for name in ("outputDimensionality", *PURPOSE) if name in first}
    inputs = []
    for place, one in enumerate(requests):
        at = "" if alone else f"requests[{place}]."
        for name in ("outputDimensionality", *PURPOSE):
            if one.get(name) != shared.get(name):
                raise Failure(INVALID_VALUE, f"{name} is the same in all requests", param=f"{at}{name}")
        text = "".join(part["text"] for part in one["content"]["parts"])
        if not text:
            raise Failure(INVALID_VALUE, "a content has a text", param=f"{at}content")
        inputs.append(text)
    dimensions = shared.pop("outputDimensionality", None)
    own = {name: read[name] for name in ("models", "fallbacks") if name in read}
    return {"input": inputs, **({} if dimensions is None else {"dimensions": dimensions}), **shared, **own}


def refuse(body: Mapping[str, Any]) -> Prompt:
    """What a provider of another wire finds in a body with more than texts: nothing that it could answer."""
    _refuse(next(name for name in PURPOSE if name in body))


def _refuse(name: str) -> NoReturn:
    raise Failure(UNSUPPORTED_PARAMETER, "the target's wire has no place for what a vector is for", param=name)


def unknown_in(found: Found) -> None:
    """Raise `Failure` for a field that has no meaning here."""
    if found.further:
        raise Failure(UNSUPPORTED_PARAMETER, "this field is not known here", param=found.further[0])
