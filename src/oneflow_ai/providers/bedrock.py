"""Amazon Bedrock's wire, Converse: requests built from the middle form and signed, or sent with a key of one piece."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import orjson

from oneflow_ai.core.abilities import DROPPED, REFUSED, SENT, Abilities, fit
from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.events import Decoder
from oneflow_ai.core.failure import (
    PROVIDER_NOT_CONFIGURED,
    TOO_DEEP,
    UNSUPPORTED_PARAMETER,
    Failure,
)
from oneflow_ai.core.ports import NO_HEADERS, HttpRequest, RateHints
from oneflow_ai.core.prompt import Format, Prompt
from oneflow_ai.core.region import is_region
from oneflow_ai.core.target import Target
from oneflow_ai.providers.base import not_done, refuse_begun, renamed
from oneflow_ai.providers.bedrock_failure import failure_of
from oneflow_ai.providers.bedrock_model import (
    WIRE,
    Family,
    family,
    is_claude,
    sampled,
    single_choice,
    tells_single,
    thinking,
    unsampled,
)
from oneflow_ai.providers.bedrock_prompt import conversation
from oneflow_ai.providers.bedrock_sign import Scope, Signer, key_mistake, key_pair
from oneflow_ai.providers.bedrock_stream import StreamDecoder, count_decoder, text_decoder
from oneflow_ai.providers.claude import SCHEMAS, check_stops, trim_begun, with_fit_marks
from oneflow_ai.providers.names import LETTERS_64, prompt_of
from oneflow_ai.providers.schema_fit import with_fit_schemas

DEFAULT_REGION = "us-east-1"
DEFAULT_URL = f"https://bedrock-runtime.{DEFAULT_REGION}.amazonaws.com"
_SERVICE = "bedrock"
_HOST_REGION = re.compile(r"bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.")
# Counts are made by the model itself, whatever region's profile an id begins with.
_PROFILE = re.compile(r"(?:us|us-gov|eu|apac|global|jp|au|in|ca|sa)\.(?=[a-z0-9-]+\.)")
_TIERS = {
    "priority": "priority",
    "flex": "flex",
    "reserved": "reserved",
    "default": "default",
    "standard_only": "default",
}
_STANDARD = "default"
_STOP_PATH = "/stop_sequence"
# `temperature` and `topP` (API_runtime_InferenceConfiguration.html, 2026-11-27).
_SAMPLED_MOST = 1.0

ABILITIES: Abilities = {
    "system prompt": SENT,
    # Converse takes bytes, or addresses in S3.
    "image by address": REFUSED,
    "image as base64": SENT,
    "document": SENT,
    "document by address": REFUSED,
    "audio": SENT,
    "image in a tool's result": SENT,
    "failed tool result": SENT,
    "speaker's name": DROPPED,
    "reasoning given back": SENT,
    "answer begun": REFUSED,
    "prompt cache marks": SENT,
    "prompt cache key": DROPPED,
    "citations": SENT,
    "tools": SENT,
    "strict tools": SENT,
    "tool choice none": SENT,
    "tool choice required": SENT,
    "tool choice by name": SENT,
    "parallel tools off": REFUSED,
    "JSON object": REFUSED,
    "JSON by schema": SENT,
    "reasoning effort": SENT,
    "reasoning budget": SENT,
    "reasoning shown": SENT,
    "max_tokens": SENT,
    "temperature": SENT,
    "top_p": SENT,
    "top_k": SENT,
    "stop": SENT,
    "seed": DROPPED,
    "n": REFUSED,
    "presence_penalty": REFUSED,
    "frequency_penalty": REFUSED,
    "logit_bias": REFUSED,
    "logprobs": REFUSED,
    "verbosity": DROPPED,
    "service_tier": SENT,
    "user": DROPPED,
    "metadata": DROPPED,
    "truncation": DROPPED,
}
_GOES_ON: Abilities = {"answer begun": SENT}
_SINGLE_CALLS: Abilities = {"parallel tools off": SENT}
_FREE_TOOLS: Abilities = {"tool choice required": REFUSED, "tool choice by name": REFUSED}


class BedrockAdapter:
    """Requests and answers of Converse. No client speaks it, so every answer is given in the middle form."""

    def request(self, call: Call, target: Target) -> HttpRequest:
        """The request for a chat or its count of tokens; raises `Failure` for what has no place in it."""
        if call.operation not in (Operation.CHAT, Operation.COUNT_TOKENS):
            raise not_done(call, target)
        row = family(target.model)
        prompt, names, cut = prompt_of(call, target, LETTERS_64, WIRE)
        dropped = fit(prompt, _abilities_of(row), WIRE)
        if is_claude(target.model):
            check_stops(prompt)
        prompt, loose = with_fit_schemas(prompt, SCHEMAS, WIRE)
        prompt, unmarked = with_fit_marks(prompt)
        try:
            body = conversation(prompt, row)
        except Failure as failure:
            raise renamed(failure, prompt) from None
        if not row.prefill:
            refuse_begun(prompt, body["messages"])
        if is_claude(target.model):
            trim_begun(body["messages"])
        further, undone = _further(prompt, row, target)
        told = map(prompt.param, (*loose, *unmarked, *undone))
        dropped = tuple(dict.fromkeys((*dropped, *_unmarked(prompt, row), *told, *cut)))
        if call.operation is Operation.COUNT_TOKENS:
            model = _PROFILE.sub("", target.model, 1) if _PROFILE.match(target.model) else target.model
            return _post(target, model, "count-tokens", {"input": {"converse": body}}, dropped, names)
        body |= further
        return _post(target, target.model, "converse-stream" if call.stream else "converse", body, dropped, names)

    def decoder(self, call: Call, target: Target, headers: Mapping[str, str] = NO_HEADERS) -> Decoder:
        """The middle form of an answer: deltas, or a count."""
        del headers
        if call.operation is Operation.COUNT_TOKENS:
            return count_decoder()
        return StreamDecoder(target.model) if call.stream else text_decoder()

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        """What an unsuccessful answer means."""
        return failure_of(status, headers, body)

    def models_request(self, target: Target) -> HttpRequest:
        """The request for the list of models, which is at another address of the same region."""
        url = _address(target).replace("://bedrock-runtime", "://bedrock", 1) + "/foundation-models"
        sign = _signer("GET", url, target, b"")
        return HttpRequest("GET", url, target.headers, b"", target.timeouts, target.way, (), sign)

    def hints(self, headers: Mapping[str, str]) -> RateHints | None:
        """Nothing: Bedrock's headers tell of no limits (recordings, 2026-11-23)."""
        del headers
        return None


def _abilities_of(row: Family) -> Abilities:
    """What a model of this family can be asked for."""
    found = {**ABILITIES, **(_GOES_ON if row.prefill else {}), **(_SINGLE_CALLS if row.single_calls else {})}
    return found if row.forced_tools else {**found, **_FREE_TOOLS}


def region_of(target: Target) -> str:
    """The region: as the operator says, else as the address does. Raises `Failure` where the operator names none."""
    if region := target.options.get("region"):
        if not is_region(region):
            raise Failure(PROVIDER_NOT_CONFIGURED, "the provider's region is none: us-east-1 is one")
        return region
    found = _HOST_REGION.match(urlsplit(target.base_url).hostname or "")
    return found[1] if found is not None else DEFAULT_REGION


def _address(target: Target) -> str:
    """The operator's address, or the one of the region that the operator names."""
    if target.base_url != DEFAULT_URL:
        return target.base_url
    return DEFAULT_URL.replace(DEFAULT_REGION, region_of(target))


def _post(
    target: Target,
    model: str,
    action: str,
    body: dict[str, Any],
    dropped: tuple[str, ...],
    names: tuple[tuple[str, str], ...],
) -> HttpRequest:
    url = f"{_address(target)}/model/{quote(model, safe='')}/{action}"
    try:
        content = orjson.dumps(body)
    except orjson.JSONEncodeError:
        # Arguments of a call are JSON within JSON: each may be as deep as a request may be, not both together.
        raise Failure(TOO_DEEP, "the arguments of a tool's call are nested too deep", param="messages") from None
    sign = _signer("POST", url, target, content)
    return HttpRequest("POST", url, target.headers, content, target.timeouts, target.way, dropped, sign, names=names)


def _signer(method: str, url: str, target: Target, content: bytes) -> Signer | None:
    """What signs a request, where the key is one that requests are signed with; any other is in the headers already."""
    secret = target.credential.secret
    if secret is not None and (mistake := key_mistake(secret.reveal())):
        raise Failure(PROVIDER_NOT_CONFIGURED, f"the provider's key {mistake}")
    keys = key_pair(secret.reveal()) if secret is not None else None
    if keys is None:
        return None
    return Signer(method, url, target.headers, content, keys, Scope(region_of(target), _SERVICE))


def _further(prompt: Prompt, row: Family, target: Target) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields beside the conversation, and our names of what the model does not take."""
    thought = thinking(prompt, row, target.output_most_tokens)
    taken = sampled(prompt, row, thought.thinks)
    fields = dict(thought.fields)
    inference: dict[str, Any] = {"maxTokens": prompt.max_tokens} if prompt.max_tokens is not None else {}
    for ours, theirs in (("temperature", "temperature"), ("top_p", "topP")):
        if ours in taken:
            inference[theirs] = min(getattr(prompt, ours), _SAMPLED_MOST)
    if prompt.stop:
        inference["stopSequences"] = list(prompt.stop)
    if "top_k" in taken:
        fields |= _nested(row.top_k, prompt.top_k)
    hot = ("temperature",) if "temperature" in taken and (prompt.temperature or 0) > _SAMPLED_MOST else ()
    body: dict[str, Any] = {"inferenceConfig": inference} if inference else {}
    if tells_single(prompt, row):
        fields |= single_choice(prompt)
    if fields:
        body["additionalModelRequestFields"] = fields
    if prompt.stop and row.stop_told:
        body["additionalModelResponseFieldPaths"] = [_STOP_PATH]
    if prompt.format is not None and prompt.format.schema is not None:
        body["outputConfig"] = {"textFormat": _format(prompt.format)}
    return body | _tier(prompt, target), (*thought.dropped, *unsampled(prompt, taken), *hot)


def _nested(path: tuple[str, ...], found: Any) -> dict[str, Any]:
    for name in reversed(path):
        found = {name: found}
    return dict(found)


def _format(form: Format) -> dict[str, Any]:
    named = {"name": form.name, "description": form.description}
    schema = {"schema": orjson.dumps(form.schema).decode(), **{name: text for name, text in named.items() if text}}
    return {"type": "json_schema", "structure": {"jsonSchema": schema}}


def _tier(prompt: Prompt, target: Target) -> dict[str, Any]:
    if prompt.service_tier in ("", "auto"):
        return {}
    tier = _TIERS.get(prompt.service_tier)
    if tier != _STANDARD and (target.price is None or tier not in dict(target.price.tiers)):
        words = f"the target has no priced service tier {prompt.service_tier[:32]}"
        raise Failure(UNSUPPORTED_PARAMETER, words, param=prompt.param("service_tier"))
    return {"serviceTier": {"type": tier}}


def _unmarked(prompt: Prompt, row: Family) -> tuple[str, ...]:
    """The client's name of cache marks, where the model knows none."""
    marked = any(getattr(part, "cache", "") for message in prompt.messages for part in message.parts)
    marked = marked or any(tool.cache for tool in prompt.tools)
    return (prompt.param("cache_control"),) if marked and not row.cache else ()
