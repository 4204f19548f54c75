"""OpenAI's moderations: a text is flagged for the words in it, a picture never."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from oneflow_ai.simulator.answer import Answer
from oneflow_ai.simulator.fields import Path, listed, nullable, record, tagged, text, text_or
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.text import tokens
from oneflow_ai.simulator.wires.openai import MODELS
from oneflow_ai.simulator.wires.openai_manners import OpenAIManners, need_model
from oneflow_ai.simulator.wires.wire import Surroundings

MODEL_DEFAULT = "omni-moderation-latest"
_FLAGGED, _UNFLAGGED = 0.91, 0.0001
_PICTURES = ("sexual", "violence", "violence/graphic", "self-harm", "self-harm/intent", "self-harm/instructions")
# The categories of the specification, and words that stand for each here.
CATEGORIES: Mapping[str, str] = {
    "harassment": r"idiot|stupid",
    "harassment/threatening": r"threaten",
    "sexual": r"porn",
    "hate": r"hate",
    "hate/threatening": r"exterminate",
    "illicit": r"shoplift|heroin",
    "illicit/violent": r"bomb",
    "self-harm/intent": r"kill myself",
    "self-harm/instructions": r"how to cut myself",
    "self-harm": r"kill myself|cut myself",
    "sexual/minors": r"child porn",
    "violence": r"kill|murder|bomb",
    "violence/graphic": r"blood",
}
_WORDS = {name: re.compile(words, re.IGNORECASE) for name, words in CATEGORIES.items()}

_PART = tagged(
    "type",
    {
        "text": record({"type": text(), "text": text()}, required=("text",)),
        "image_url": record(
            {"type": text(), "image_url": record({"url": text(1)}, required=("url",))}, required=("image_url",)
        ),
    },
)


def _input(value: Any, path: Path) -> None:
    """Texts, or parts of one input."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        listed(_PART)(value, path)
    else:
        text_or(listed(text()))(value, path)


def flagged(words: str) -> bool:
    """Whether a text is flagged for anything."""
    return any(pattern.search(words) for pattern in _WORDS.values())


_CHECK = record({"model": nullable(text(1)), "input": _input}, required=("input",))


class ModerationsWire(OpenAIManners):
    """`/moderations`, on any base path."""

    __slots__ = ()

    def claims(self, request: Request) -> bool:
        """Whether a path ends in the route."""
        return request.path.endswith("/moderations")

    def answer(self, request: Request, around: Surroundings) -> Answer:
        """The answer to a request, errors in it included."""
        return self.checked(request, around, lambda document: _answer(document, around))

    def sample(self, model: str, stream: bool, around: Surroundings) -> Answer:
        """The answer to a question that nobody asked."""
        return _answer({"model": model, "input": "A question from somebody else"}, around)


def _answer(document: dict[str, Any], around: Surroundings) -> Answer:
    model = document.get("model") or MODEL_DEFAULT
    need_model({"model": model}, around, MODELS)
    _CHECK(document, ())
    given = document["input"]
    if isinstance(given, str):
        given = [given]
    if given and isinstance(given[0], dict):
        texts = [" ".join([part["text"] for part in given if part["type"] == "text"])]
        pictures = any(part["type"] == "image_url" for part in given)
    else:
        texts, pictures = given, False
    results = [_result(each, pictures) for each in texts]
    body = {"id": f"modr-{around.unique}", "model": model, "results": results}
    return Answer(body=orjson.dumps(body), input_tokens=sum(map(tokens, texts)))


def _result(words: str, pictures: bool) -> dict[str, Any]:
    found = {name: pattern.search(words) is not None for name, pattern in _WORDS.items()}
    seen = {name: ["text"] + (["image"] if pictures and name in _PICTURES else []) for name in CATEGORIES}
    return {
        "flagged": any(found.values()),
        "categories": found,
        "category_scores": {name: _FLAGGED if flagged else _UNFLAGGED for name, flagged in found.items()},
        "category_applied_input_types": seen,
    }
