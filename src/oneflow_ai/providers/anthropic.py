"""Anthropic's wire: requests built for what each model can be asked, answers decoded, failures read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.events import Decoder
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.ports import NO_HEADERS, HttpRequest, RateHints
from oneflow_ai.core.prompt import Prompt
from oneflow_ai.core.target import Target
from oneflow_ai.providers.anthropic_failure import failure_of
from oneflow_ai.providers.anthropic_limits import hints_of
from oneflow_ai.providers.anthropic_prompt import ABILITIES, NAMES, WIRE, Asked, body_of
from oneflow_ai.providers.anthropic_stream import decoder_of
from oneflow_ai.providers.base import not_done, own_body
from oneflow_ai.providers.claude import Traits, traits_of
from oneflow_ai.providers.names import prompt_of

__all__ = ["ABILITIES", "CURRENT_VERSION", "OLDER_VERSION", "WIRE", "AnthropicAdapter", "version_of"]

PATHS: Mapping[Operation, str] = {
    Operation.CHAT: "/v1/messages",
    Operation.COUNT_TOKENS: "/v1/messages/count_tokens",
}
MODELS_PATH = "/v1/models?limit=1000"
CURRENT_VERSION = "2026-10-21"
OLDER_VERSION = "2023-06-01"
_VERSION, _BETA = "anthropic-version", "anthropic-beta"
_SAMPLING = ("temperature", "top_p", "top_k")
# What a count of tokens is asked with; the rest of a message's fields is refused there.
_COUNTED = ("model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control")


def version_of(body: Mapping[str, Any], asked: str = "", *, current: bool = True) -> str:
    """The version of the API that a body is sent by: the client's own word, else the newest that takes the body.

    The newer one refuses sampling parameters, documents in an assistant's turn and citations in a user's
    (https://platform.claude.com/docs/en/api/migration-2026-10-21, 2026-11-26). Not `current`: a server that may know
    the older one only.
    """
    if asked:
        return asked
    if not current or any(body.get(name) is not None for name in _SAMPLING):
        return OLDER_VERSION
    messages = body.get("messages")
    turns = [turn for turn in messages if isinstance(turn, dict)] if isinstance(messages, list) else []
    return OLDER_VERSION if any(map(_is_older, turns)) else CURRENT_VERSION


def _is_older(turn: Mapping[str, Any]) -> bool:
    content = turn.get("content")
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    if turn.get("role") == "assistant":
        return any(block.get("type") == "document" for block in blocks)
    return any(_cites(block) for block in blocks)


def _cites(block: Mapping[str, Any]) -> bool:
    if block.get("type") == "search_result":
        within = block.get("content")
        return any(_cites(part) for part in within if isinstance(part, dict)) if isinstance(within, list) else False
    return block.get("type") == "text" and bool(block.get("citations"))


class AnthropicAdapter:
    """Requests and answers on Anthropic's wire."""

    def request(self, call: Call, target: Target) -> HttpRequest:
        """The call's own body where it is of this wire, else one made from its middle form; raises `Failure`."""
        path = PATHS.get(call.operation)
        if path is None:
            raise not_done(call, target)
        traits = traits_of(target.model)
        dropped: tuple[str, ...] = ()
        names: tuple[tuple[str, str], ...] = ()
        body: dict[str, Any]
        if call.wire == WIRE:
            body = own_body(call, target)
        else:
            prompt, names, cut = prompt_of(call, target, NAMES, WIRE)
            body, dropped = _from_prompt(call, prompt, target, traits)
            dropped = tuple(dict.fromkeys((*dropped, *cut)))
        return HttpRequest(
            method="POST",
            url=_url(target, path),
            headers=_headers(target.headers, call.headers, body, current=traits.current),
            body=orjson.dumps(body),
            timeouts=target.timeouts,
            way=target.way,
            dropped=dropped,
            names=names,
        )

    def models_request(self, target: Target) -> HttpRequest:
        """The request for the list of the models that the credential may use."""
        headers = tuple((name, value) for name, value in target.headers if name != "content-type")
        headers = _headers(headers, (), {}, current=True)
        return HttpRequest("GET", _url(target, MODELS_PATH), headers, b"", target.timeouts, target.way)

    def decoder(self, call: Call, target: Target, headers: Mapping[str, str] = NO_HEADERS) -> Decoder:
        """Raw bytes for a client of the same wire, the middle form for any other."""
        del target, headers
        raw = call.dialect == WIRE and not call.translated
        return decoder_of(call.operation, stream=call.stream, raw=raw)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        """What an unsuccessful answer means."""
        return failure_of(status, headers, body)

    def hints(self, headers: Mapping[str, str]) -> RateHints | None:
        """The `anthropic-ratelimit-*` headers."""
        return hints_of(headers)


def _from_prompt(call: Call, prompt: Prompt, target: Target, traits: Traits) -> tuple[dict[str, Any], tuple[str, ...]]:
    seals = frozenset({WIRE, ""} if call.dialect == WIRE else {WIRE})
    body, dropped = body_of(prompt, Asked(traits, target.output_most_tokens, seals))
    body = {"model": target.model, **body}
    if call.operation is Operation.COUNT_TOKENS:
        return {name: value for name, value in body.items() if name in _COUNTED}, dropped
    if call.stream:
        body["stream"] = True
    return body, dropped


def _url(target: Target, path: str) -> str:
    """The address, whether or not the provider's own has the version in it."""
    return target.base_url.removesuffix("/v1") + path


def _headers(
    own: Iterable[tuple[str, str]], asked: Iterable[tuple[str, str]], body: Mapping[str, Any], *, current: bool
) -> tuple[tuple[str, str], ...]:
    """The target's headers, the version, and what the operator and the client try out, together.

    A version that the operator sets stands before the client's.
    """
    found, wanted = dict(own), dict(asked)
    version = found.pop(_VERSION, None) or version_of(body, wanted.get(_VERSION, ""), current=current)
    betas = [word for word in (found.pop(_BETA, ""), wanted.get(_BETA, "")) if word]
    found[_VERSION] = version
    if betas:
        found[_BETA] = ",".join(betas)
    return tuple(found.items())
