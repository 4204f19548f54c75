"""OpenAI's embeddings: vectors as numbers or as base64, by the same text always the same."""

from __future__ import annotations

import base64
import struct
from typing import Any

import orjson

from oneflow_ai.simulator.answer import Answer
from oneflow_ai.simulator.fields import Check, Path, Wrong, integer, listed, nullable, one_of, record, text
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.text import tokens
from oneflow_ai.simulator.vectors import DIMENSIONS_MOST, vector
from oneflow_ai.simulator.wires.openai import MODELS
from oneflow_ai.simulator.wires.openai_manners import OpenAIManners, need_model
from oneflow_ai.simulator.wires.openai_shapes import BadRequest
from oneflow_ai.simulator.wires.wire import Surroundings

INPUTS_MOST = 2_048
INPUT_TOKENS_MOST = 8_192
TOKENS_MOST = 300_000
_DIMENSIONS = {"text-embedding-3-large": DIMENSIONS_MOST}
_DIMENSIONS_OTHERS = 1_536
_FIXED = "text-embedding-ada"


def _input(value: Any, path: Path) -> None:
    """A text, texts, tokens, or lists of tokens, none of them empty."""
    kinds: tuple[Check, ...] = (text(1), listed(text(1), 1, INPUTS_MOST), listed(integer(0), 1, INPUTS_MOST))
    for kind in (*kinds, listed(listed(integer(0), 1), 1, INPUTS_MOST)):
        try:
            kind(value, path)
        except Wrong:
            continue
        return
    words = "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference."
    raise BadRequest(words, "", None)


_CHECK = record(
    {
        "model": text(1),
        "input": _input,
        "encoding_format": nullable(one_of("float", "base64")),
        "dimensions": nullable(integer(1)),
        "user": nullable(text()),
    },
    required=("input",),
)


class EmbeddingsWire(OpenAIManners):
    """`/embeddings`, on any base path."""

    __slots__ = ()

    def claims(self, request: Request) -> bool:
        """Whether a path ends in the route."""
        return request.path.endswith("/embeddings")

    def answer(self, request: Request, around: Surroundings) -> Answer:
        """The answer to a request, errors in it included."""
        return self.checked(request, around, lambda document: _answer(document, around))

    def sample(self, model: str, stream: bool, around: Surroundings) -> Answer:
        """The answer to a question that nobody asked."""
        return _answer({"model": model, "input": "A question from somebody else"}, around)

    def odd(self, kind: str, model: str, stream: bool, around: Surroundings, count: int) -> Answer | None:
        """Embeddings out of order, with a gap, or none at all."""
        places = {"interleaved": (1, 0), "gaps": (0, 2, 5), "nochoices": ()}.get(kind)
        if places is None:
            return None
        shown = [_listed(each, vector(f"text {each}", _DIMENSIONS_OTHERS), "float") for each in places]
        return _embedded(model, shown, 3)


def _answer(document: dict[str, Any], around: Surroundings) -> Answer:
    need_model(document, around, MODELS)
    _CHECK(document, ())
    model, texts = document["model"], _texts(document["input"])
    counts = [tokens(each) for each in texts]
    if max(counts) > INPUT_TOKENS_MOST:
        raise BadRequest(
            f"This model's maximum context length is {INPUT_TOKENS_MOST} tokens, however you requested {max(counts)} "
            "tokens. Please reduce your prompt; or completion length.",
            "context_length_exceeded",
            None,
        )
    if sum(counts) > TOKENS_MOST:
        words = f"Requested {sum(counts)} tokens, max {TOKENS_MOST} tokens per request"
        raise BadRequest(words, "max_tokens_per_request", None)
    form = document.get("encoding_format") or "float"
    size = _size(model, document.get("dimensions"))
    return _embedded(model, [_listed(at, vector(each, size), form) for at, each in enumerate(texts)], sum(counts))


def _embedded(model: str, shown: list[dict[str, Any]], spent: int) -> Answer:
    usage = {"prompt_tokens": spent, "total_tokens": spent}
    body = {"object": "list", "data": shown, "model": model, "usage": usage}
    return Answer(body=orjson.dumps(body), input_tokens=spent)


def _listed(index: int, values: list[float], form: str) -> dict[str, Any]:
    written: Any = values
    if form == "base64":
        written = base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode("ascii")
    return {"object": "embedding", "index": index, "embedding": written}


def _texts(given: Any) -> list[str]:
    if isinstance(given, str):
        return [given]
    if isinstance(given[0], int):
        given = [given]
    return [each if isinstance(each, str) else " ".join(map(str, each)) for each in given]


def _size(model: str, wanted: int | None) -> int:
    most = _DIMENSIONS.get(model, _DIMENSIONS_OTHERS)
    if wanted is None:
        return most
    if model.startswith(_FIXED):
        raise BadRequest("This model does not support specifying dimensions.", "", None)
    if wanted > most:
        words = f"Invalid value for 'dimensions' = {wanted}. Must be less than or equal to {most}."
        raise BadRequest(words, "invalid_value", "dimensions")
    return wanted
