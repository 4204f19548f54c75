"""Google's Gemini wire: requests and answers, each operation at its own address under the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson

from oneflow_ai.core.abilities import DROPPED, REFUSED, SENT, Abilities, fit
from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.events import Decoder
from oneflow_ai.core.failure import TOO_DEEP, UNSUPPORTED_PARAMETER, Failure
from oneflow_ai.core.ports import NO_HEADERS, HttpRequest, RateHints
from oneflow_ai.core.target import Target
from oneflow_ai.providers.base import not_done, renamed
from oneflow_ai.providers.gemini_answer import Answer
from oneflow_ai.providers.gemini_config import generation, generation_config, service_tier
from oneflow_ai.providers.gemini_failure import failure_of
from oneflow_ai.providers.gemini_own import check_priced, event_bytes_most, own_fields
from oneflow_ai.providers.gemini_prompt import NAMES, conversation
from oneflow_ai.providers.gemini_seal import WIRE
from oneflow_ai.providers.gemini_stream import StreamDecoder, count_decoder, text_decoder, vector_decoder
from oneflow_ai.providers.names import prompt_of

# The most inputs of one batch of embeddings (ai.google.dev/api/embeddings, 2026-11-26).
INPUTS_MOST = 100
# What a vector is for, as this wire's own clients say it.
_PURPOSE = ("taskType", "title")

ABILITIES: Abilities = {
    "system prompt": SENT,
    "image by address": SENT,
    "image as base64": SENT,
    "document": SENT,
    "document by address": SENT,
    "audio": SENT,
    "image in a tool's result": SENT,
    "failed tool result": SENT,
    "speaker's name": DROPPED,
    "reasoning given back": SENT,
    # A new answer follows it.
    "answer begun": DROPPED,
    # Gemini caches what repeats unasked; its explicit cache is a resource of its own.
    "prompt cache marks": DROPPED,
    "prompt cache key": DROPPED,
    "citations": DROPPED,
    "tools": SENT,
    "strict tools": SENT,
    "tool choice none": SENT,
    "tool choice required": SENT,
    "tool choice by name": SENT,
    "parallel tools off": REFUSED,
    "JSON object": SENT,
    "JSON by schema": SENT,
    "reasoning effort": SENT,
    "reasoning budget": SENT,
    "reasoning shown": SENT,
    "max_tokens": SENT,
    "temperature": SENT,
    "top_p": SENT,
    "top_k": SENT,
    "stop": SENT,
    "seed": SENT,
    "n": SENT,
    "presence_penalty": SENT,
    "frequency_penalty": SENT,
    "logit_bias": REFUSED,
    "logprobs": SENT,
    "verbosity": DROPPED,
    "service_tier": SENT,
    "user": DROPPED,
    "metadata": DROPPED,
    "truncation": DROPPED,
}


class GeminiAdapter:
    """Requests and answers on Gemini's wire."""

    def request(self, call: Call, target: Target) -> HttpRequest:
        """The call's own body where it is of this wire, else one made from its middle form; raises `Failure`."""
        if call.operation is Operation.EMBEDDING:
            return _post(target, "batchEmbedContents", _embeddings(call, target), ())
        if call.operation not in (Operation.CHAT, Operation.COUNT_TOKENS):
            raise not_done(call, target)
        method = "streamGenerateContent?alt=sse" if call.stream else "generateContent"
        counts = call.operation is Operation.COUNT_TOKENS
        if call.wire == WIRE:
            own = own_fields(call, target)
            if counts:
                return _post(target, "countTokens", _counted(own, target), ())
            check_priced(own, target)
            return _post(target, method, own, ())
        prompt, names, cut = prompt_of(call, target, NAMES, WIRE)
        dropped = fit(prompt, ABILITIES, WIRE)
        config, further = generation_config(prompt, target.model)
        dropped = tuple(dict.fromkeys((*dropped, *further, *cut)))
        try:
            said = conversation(prompt, target.model)
        except Failure as failure:
            raise renamed(failure, prompt) from None
        if counts:
            return _post(target, "countTokens", _counted(said, target), dropped, names)
        body = {**said, **({"generationConfig": config} if config else {}), **service_tier(prompt, target.price)}
        return _post(target, method, body, dropped, names)

    def decoder(self, call: Call, target: Target, headers: Mapping[str, str] = NO_HEADERS) -> Decoder:
        """Raw bytes for a client of the same wire, the middle form for any other, and for vectors."""
        del headers
        if call.operation is Operation.EMBEDDING:
            return vector_decoder(len(_inputs(call)))
        raw = call.dialect == WIRE and not call.translated
        if call.operation is Operation.COUNT_TOKENS:
            return count_decoder(raw=raw)
        answer = Answer(call.id, by_query=generation(target.model) >= (3, 0), raw=raw)
        return StreamDecoder(answer, event_bytes_most(call, target)) if call.stream else text_decoder(answer)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        """What an unsuccessful answer means."""
        return failure_of(status, headers, body)

    def models_request(self, target: Target) -> HttpRequest:
        """The request for the list of models, all of it on one page."""
        url = f"{target.base_url}/models?pageSize=1000"
        return HttpRequest("GET", url, target.headers, b"", target.timeouts, target.way)

    def hints(self, headers: Mapping[str, str]) -> RateHints | None:
        """Nothing: Gemini tells its limits only as it refuses (providers' headers as recorded, 2026-11-23)."""
        del headers
        return None


def _counted(fields: dict[str, Any], target: Target) -> dict[str, Any]:
    return {"generateContentRequest": {"model": f"models/{target.model}", **fields}}


def _post(
    target: Target,
    method: str,
    body: dict[str, Any],
    dropped: tuple[str, ...],
    names: tuple[tuple[str, str], ...] = (),
) -> HttpRequest:
    url = f"{target.base_url}/models/{quote(target.model, safe='')}:{method}"
    try:
        content = orjson.dumps(body)
    except orjson.JSONEncodeError:
        # Arguments of a call are JSON within JSON: each may be as deep as a request may be, not both together.
        raise Failure(TOO_DEEP, "the arguments of a tool's call are nested too deep", param="messages") from None
    return HttpRequest("POST", url, target.headers, content, target.timeouts, target.way, dropped, names=names)


def _inputs(call: Call) -> list[Any]:
    given = call.body.get("input")
    return given if isinstance(given, list) else [given]


def _embeddings(call: Call, target: Target) -> dict[str, Any]:
    """One request for each text, in one batch, from the body of OpenAI's shape."""
    inputs = _inputs(call)
    if len(inputs) > INPUTS_MOST:
        raise Failure(UNSUPPORTED_PARAMETER, f"the target takes at most {INPUTS_MOST} inputs at once", param="input")
    if not all(isinstance(text, str) for text in inputs):
        raise Failure(UNSUPPORTED_PARAMETER, "the target embeds texts, not tokens", param="input")
    shared: dict[str, Any] = {"model": f"models/{target.model}"}
    if call.dialect == WIRE:
        shared |= {name: call.body[name] for name in _PURPOSE if name in call.body}
    if call.body.get("dimensions") is not None:
        shared["outputDimensionality"] = call.body["dimensions"]
    return {"requests": [{**shared, "content": {"parts": [{"text": text}]}} for text in inputs]}
