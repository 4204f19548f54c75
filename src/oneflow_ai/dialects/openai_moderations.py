"""OpenAI's moderations: what a request may hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oneflow_ai.core.failure import INVALID_TYPE, INVALID_VALUE, TOO_MANY_ITEMS, Failure
from oneflow_ai.dialects import checks
from oneflow_ai.dialects.openai_messages import check_image

INPUTS_MOST = 2_048
_INPUT = "input is a text, a list of texts, or a list of text and image_url parts"


def _input(name: str, value: Any) -> None:
    if isinstance(value, str):
        return
    if not isinstance(value, list):
        raise Failure(INVALID_TYPE, _INPUT, param=name)
    if not value:
        raise Failure(INVALID_VALUE, f"{name} is empty", param=name)
    if len(value) > INPUTS_MOST:
        raise Failure(TOO_MANY_ITEMS, f"{name} holds at most {INPUTS_MOST}", param=name)
    for place, one in enumerate(value):
        if not isinstance(one, str):
            _part(f"{name}[{place}]", one)


def _part(name: str, part: Any) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "image_url":
        image = part.get("image_url")
        check_image(image.get("url") if isinstance(image, dict) else None, f"{name}.image_url")
    elif kind != "text" or not isinstance(part.get("text"), str):
        raise Failure(INVALID_TYPE, _INPUT, param=name)


CHECKS: Mapping[str, checks.Check] = {"input": _input}
