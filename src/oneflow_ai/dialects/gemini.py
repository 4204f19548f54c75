"""Gemini's dialect: requests of its clients parsed, errors and lists of models in its shape."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

import orjson

from oneflow_ai.core.call import Call, Operation, Task
from oneflow_ai.core.events import Encoder
from oneflow_ai.core.failure import INVALID_VALUE, MISSING_REQUIRED_PARAMETER, UNSUPPORTED_PARAMETER, Failure
from oneflow_ai.core.listing import Shown
from oneflow_ai.core.target import Target
from oneflow_ai.dialects import gemini_embeddings
from oneflow_ai.dialects.envelope import MODEL_CHARACTERS_MOST, Envelope
from oneflow_ai.dialects.gemini_encoder import CountEncoder, StreamEncoder, VectorEncoder, WholeEncoder
from oneflow_ai.dialects.gemini_error import failure_body
from oneflow_ai.dialects.gemini_fields import Found
from oneflow_ai.dialects.gemini_read import read
from oneflow_ai.dialects.gemini_request import COUNT, REQUEST, makes_media, runs_tools
from oneflow_ai.dialects.gemini_seal import without_foreign
from oneflow_ai.dialects.guard import read_object

__all__ = [
    "DIALECT",
    "FORWARDED",
    "ID_HEADER",
    "METHODS",
    "MODELS_PATHS",
    "encoder",
    "failure_body",
    "model_body",
    "models_body",
    "operation_at",
    "parse",
]

DIALECT = "gemini"
ID_HEADER = b"x-request-id"
FORWARDED: tuple[bytes, ...] = ()
# Both versions that this wire's clients name: google-genai 3.6.1 the first, those before it the second.
MODELS_PATHS = (b"/v1/models", b"/v1beta/models")
_STREAMED, _ALONE = "streamGenerateContent", "embedContent"
# What can be asked of a model, by the word after its name.
METHODS: Mapping[str, Operation] = {
    "generateContent": Operation.CHAT,
    _STREAMED: Operation.CHAT,
    "countTokens": Operation.COUNT_TOKENS,
    _ALONE: Operation.EMBEDDING,
    "batchEmbedContents": Operation.EMBEDDING,
}
# A model's name may hold slashes and colons.
_ADDRESS = re.compile(rb"/v1(?:beta)?/models/(.+):(%b)" % b"|".join(method.encode() for method in METHODS))
# What stands beside a request that is to be counted.
_OUTSIDE = ("model", "models", "fallbacks")
# What each kind of model can be asked, as the list of models tells it.
_ASKED: Mapping[str, tuple[str, ...]] = {
    Task.TEXT.value: ("generateContent", "countTokens"),
    Task.EMBEDDING.value: (_ALONE,),
}


def operation_at(path: bytes) -> Operation | None:
    """What is asked of a model at an address; None for one that is not of this wire."""
    found = _ADDRESS.fullmatch(path)
    return None if found is None else METHODS[found[2].decode()]


def parse(body: bytes, envelope: Envelope) -> Call:
    """The call that a request body asks for; raises `Failure` for bad input, before anything is held or sent."""
    address = _ADDRESS.fullmatch(envelope.path)
    assert address is not None, "only addresses of models come here"
    model, method = _model(address[1]), address[2].decode()
    if method == _STREAMED:
        _check_events(envelope.query)
    given = read_object(body)
    if envelope.operation is Operation.EMBEDDING:
        return _embedding(given, envelope, (model, method), len(body))
    found = Found()
    fields = _counted(given, found) if envelope.operation is Operation.COUNT_TOKENS else REQUEST(given, "", found)
    _check_model(fields, model)
    config = fields.get("generationConfig") or {}
    # What the provider adds to the prompt is as large as a file that stands elsewhere: nobody knows.
    found.media.files += bool(fields.get("cachedContent")) or runs_tools(fields)
    # Whether pictures and sound keep to the limit is not known.
    bounded = envelope.operation is Operation.CHAT and not makes_media(config)
    contents, further = fields["contents"], tuple(found.further)
    return envelope.call(
        dialect=DIALECT,
        operation=envelope.operation,
        model=model,
        body={**fields, "contents": without_foreign(contents)} if found.foreign else fields,
        stream=method == _STREAMED,
        include_usage=True,
        prompt_bytes=len(body) - found.media.carried_bytes,
        wire=DIALECT,
        output_most_tokens=config.get("maxOutputTokens") if bounded else None,
        answers=config.get("candidateCount") or 1,
        media=found.media,
        # Another wire's seal, which this wire's providers are not sent, is of use to that wire's.
        read=lambda body: read({**body, "contents": contents}, further),
    )


def encoder(call: Call, target: Target) -> Encoder:
    """What writes one answer to this call."""
    if call.operation is Operation.COUNT_TOKENS:
        return CountEncoder()
    if call.operation is Operation.EMBEDDING:
        return VectorEncoder(alone=call.path == _ALONE)
    return StreamEncoder(call, target) if call.stream else WholeEncoder(call, target)


def models_body(written: Mapping[str, bytes]) -> bytes:
    """The list of models on one page, each as `model_body` wrote it, by its id."""
    return b'{"models":[' + b",".join(written.values()) + b"]}"


def model_body(model: Shown, created: int) -> bytes:
    """One model of texts or embeddings, with what is known of it. Empty for any other model."""
    del created
    methods = [method for task, methods in _ASKED.items() if task in model.capabilities for method in methods]
    if not methods:
        return b""
    told: dict[str, Any] = {
        "name": f"models/{model.id}",
        "version": "001",
        "displayName": model.id,
        "description": f"{model.id} of {model.owner}",
        "supportedGenerationMethods": methods,
    }
    if model.context_window_tokens is not None:
        told["inputTokenLimit"] = model.context_window_tokens
    if model.output_most_tokens is not None:
        told["outputTokenLimit"] = model.output_most_tokens
    if "reasoning" in model.capabilities:
        told["thinking"] = True
    return orjson.dumps(told)


def _model(part: bytes) -> str:
    """The model in an address: a route, `provider/model` or a bare name, percent-encoded or not."""
    model = unquote(part.decode("ascii", "replace"), errors="replace")
    if not 0 < len(model) <= MODEL_CHARACTERS_MOST or not model.isprintable():
        raise Failure(INVALID_VALUE, f"a model has 1 to {MODEL_CHARACTERS_MOST} characters", param="model")
    return model


def _check_events(query: bytes) -> None:
    """A stream is of events: the other form, one growing list, no client of this wire needs any more."""
    if parse_qs(query.decode("ascii", "replace")).get("alt") != ["sse"]:
        raise Failure(UNSUPPORTED_PARAMETER, "a stream is asked for with alt=sse", param="alt")


def _check_model(fields: Mapping[str, Any], model: str) -> None:
    """A body may name its model again, but no other."""
    if fields.get("model") not in (None, model, f"models/{model}"):
        raise Failure(INVALID_VALUE, "the body names another model than the address", param="model")


def _counted(given: dict[str, Any], found: Found) -> dict[str, Any]:
    """What is to be counted: contents, or all of a request."""
    fields: dict[str, Any] = COUNT(given, "", found)
    within = fields.get("generateContentRequest")
    if within is None and "contents" not in fields:
        raise Failure(MISSING_REQUIRED_PARAMETER, "the field is required", param="contents")
    if within is not None and "contents" in fields:
        raise Failure(INVALID_VALUE, "contents or generateContentRequest, not both", param="generateContentRequest")
    return fields if within is None else {**within, **{name: fields[name] for name in _OUTSIDE if name in fields}}


def _embedding(given: dict[str, Any], envelope: Envelope, address: tuple[str, str], size_bytes: int) -> Call:
    (model, method), found = address, Found()
    alone = method == _ALONE
    fields = (gemini_embeddings.ALONE if alone else gemini_embeddings.BATCH)(given, "", found)
    gemini_embeddings.unknown_in(found)
    for request in (fields, *fields.get("requests", ())):
        _check_model(request, model)
    body = gemini_embeddings.body_of(fields, alone=alone)
    bare = not any(name in body for name in gemini_embeddings.PURPOSE)
    return envelope.call(
        dialect=DIALECT,
        operation=envelope.operation,
        model=model,
        body=body,
        stream=False,
        include_usage=True,
        prompt_bytes=size_bytes,
        # Texts alone are a body that OpenAI's wire takes.
        wire="openai" if bare else "",
        read=None if bare else gemini_embeddings.refuse,
        path=method,
    )
