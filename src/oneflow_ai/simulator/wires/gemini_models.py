"""The models and the embeddings of Gemini's wire."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import orjson

from oneflow_ai.simulator.answer import Answer
from oneflow_ai.simulator.text import tokens
from oneflow_ai.simulator.vectors import DIMENSIONS_MOST, vector
from oneflow_ai.simulator.wires.gemini_answer import JSON_TYPE
from oneflow_ai.simulator.wires.gemini_reading import Refused, text_of
from oneflow_ai.simulator.wires.wire import Surroundings

# Ids of the vendor's list of models as resellers' price lists repeat it, 2026-11-23.
MODELS = (
    *("gemini-3.8-flash", "gemini-3.1-pro-preview", "gemini-3-flash-preview", "gemini-2.5-pro", "gemini-2.5-flash"),
    *("gemini-2.5-flash-lite", "gemini-embedding-2", "gemini-embedding-001"),
)
PAGE_DEFAULT, PAGE_MOST = 50, 1_000
_OLDER_DIMENSIONS = 768


def listing(query: str, around: Surroundings) -> Answer:
    """A page of the models; raises `Refused` for a page that there is not."""
    asked = {name: values[-1] for name, values in parse_qs(query).items()}
    size, token = asked.get("pageSize", str(PAGE_DEFAULT)), asked.get("pageToken", "0")
    if not size.isdigit() or not token.isdigit():
        raise Refused("Invalid page size or page token.")
    names, start = around.models or MODELS, int(token)
    page = names[start : start + min(int(size) or PAGE_DEFAULT, PAGE_MOST)]
    body: dict[str, Any] = {"models": [model(name) for name in page]}
    if start + len(page) < len(names):
        body["nextPageToken"] = str(start + len(page))
    return answer(body)


def model(name: str) -> dict[str, Any]:
    """One model as the list shows it."""
    embeds = "embedding" in name
    methods = ["embedContent", "countTokens"] if embeds else ["generateContent", "countTokens", "createCachedContent"]
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name.replace("-", " ").title(),
        "description": "Simulated.",
        "inputTokenLimit": 2_048 if embeds else 1_048_576,
        "outputTokenLimit": 1 if embeds else 65_536,
        "supportedGenerationMethods": methods,
        **({} if embeds else {"temperature": 1, "topP": 0.95, "topK": 64, "maxTemperature": 2, "thinking": True}),
    }


def embedded(document: dict[str, Any], name: str) -> Answer:
    """The embedding of one content."""
    used = tokens(text_of(document["content"]))
    told = {"promptTokenCount": used, "promptTokenDetails": [{"modality": "TEXT", "tokenCount": used}]}
    return answer({"embedding": _embedding(document, name), "usageMetadata": told}, used)


def batch_embedded(document: dict[str, Any], name: str) -> Answer:
    """The embeddings of several contents; each names the model again."""
    for place, each in enumerate(document["requests"]):
        if each.get("model") != f"models/{name}":
            raise Refused(
                f"* BatchEmbedContentsRequest.requests[{place}].model: unexpected model name format, or another model "
                "than the batch's"
            )
    used = sum([tokens(text_of(each["content"])) for each in document["requests"]])
    return answer({"embeddings": [_embedding(each, name) for each in document["requests"]]}, used)


def _embedding(document: dict[str, Any], name: str) -> dict[str, Any]:
    words = text_of(document["content"])
    if not words:
        raise Refused("* EmbedContentRequest.content: contents is not specified\n")
    usual = DIMENSIONS_MOST if name.startswith("gemini-") else _OLDER_DIMENSIONS
    config = document.get("embedContentConfig") or {}
    wanted = document.get("outputDimensionality") or config.get("outputDimensionality") or usual
    return {"values": vector(words, int(wanted))}


def answer(body: dict[str, Any], used: int = 0) -> Answer:
    """A whole answer of this wire."""
    return Answer(body=orjson.dumps(body), media_type=JSON_TYPE, input_tokens=used)
