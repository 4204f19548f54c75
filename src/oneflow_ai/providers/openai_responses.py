"""Servers of OpenAI's chat wire that have Responses too: for its clients, counts, and models that know no other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import orjson

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.events import Decoder
from oneflow_ai.core.ports import NO_HEADERS, HttpRequest
from oneflow_ai.core.prompt import Prompt
from oneflow_ai.core.target import Target
from oneflow_ai.providers.base import own_body
from oneflow_ai.providers.names import LETTERS_64, prompt_of
from oneflow_ai.providers.openai import DIALECT as CHAT_WIRE
from oneflow_ai.providers.openai import OWN_DIALECTS, OpenAIAdapter
from oneflow_ai.providers.openai_idiom import Idiom
from oneflow_ai.providers.openai_names import client_name
from oneflow_ai.providers.openai_own import without_seals
from oneflow_ai.providers.openai_reasoners import asked_of
from oneflow_ai.providers.openai_responses_items import WIRE
from oneflow_ai.providers.openai_responses_prompt import body_of
from oneflow_ai.providers.openai_responses_stream import decoder_of
from oneflow_ai.providers.sse import EVENT_BYTES_MOST

PATHS: Mapping[Operation, str] = {
    Operation.CHAT: "/responses",
    Operation.COUNT_TOKENS: "/responses/input_tokens",
}
# What a count of tokens is asked with (OpenAI's specification, TokenCountsBody, 2026-11-23).
_COUNTED = ("model", "input", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "text", "truncation")
MODELS_REMEMBERED = 1_024
_OWN_SEALS = frozenset({WIRE})
_CHAT, _COUNT_TOKENS = Operation.CHAT, Operation.COUNT_TOKENS
# An event tells what the request said (instructions, tools); an escape of six bytes there may be two of the request.
_ESCAPED_TIMES = 3
# What a tool of the provider's own brings (a picture that was drawn, what a search found) comes in one event.
FOUND_BYTES_MOST = 32 << 20
_OWN_TOOLS = ("function", "custom")


class ResponsesAdapter(OpenAIAdapter):
    """Requests and answers of such a server; whatever is not for its Responses is for its chat.

    `only` tells by their names the models that its chat does not have. Functions are for Responses too, whoever asks,
    where a model calls none in a chat as it is asked. `counts` says that the server counts tokens. Where `ending` is
    given, it speaks Responses at addresses that end so.
    """

    def __init__(
        self,
        *,
        deployments: bool = False,
        idiom: Idiom | None = None,
        only: re.Pattern[str] | None = None,
        counts: bool = False,
        ending: str = "",
    ) -> None:
        super().__init__(deployments=deployments, idiom=idiom)
        # Asked twice for every chat: once a model is enough.
        self._is_only = lru_cache(MODELS_REMEMBERED)(lambda model: only is not None and only.match(model) is not None)
        self._row = lru_cache(MODELS_REMEMBERED)(self.idiom.reasoner)
        self._counts = counts
        self._ending = ending

    def request(self, call: Call, target: Target) -> HttpRequest:
        """The call's own body where it is of this wire, else one made from its middle form; raises `Failure`."""
        if not self._responds(call, target):
            return self._chat(call, target)
        dropped: tuple[str, ...] = ()
        names: tuple[tuple[str, str], ...] = ()
        body: dict[str, Any]
        if call.wire == WIRE:
            body = own_body(call, target)
        else:
            prompt, names, cut = prompt_of(call, target, LETTERS_64, WIRE)
            body, dropped = self._asked(call, prompt, target)
            dropped = tuple(dict.fromkeys((*dropped, *cut)))
        url = target.base_url + PATHS[call.operation]
        further: Any = {"named": None if call.wire == WIRE else client_name, "names": names}
        content = orjson.dumps(body)
        return HttpRequest("POST", url, target.headers, content, target.timeouts, target.way, dropped, **further)

    def decoder(self, call: Call, target: Target, headers: Mapping[str, str] = NO_HEADERS) -> Decoder:
        """Raw bytes for a client of the same wire, the middle form for any other."""
        if not self._responds(call, target):
            return super().decoder(call, target, headers)
        most = _event_bytes_most(call) if call.stream else EVENT_BYTES_MOST
        raw = call.dialect == WIRE and not call.translated
        return decoder_of(call.operation, stream=call.stream, raw=raw, event_bytes_most=most)

    def _responds(self, call: Call, target: Target) -> bool:
        """Whether a call is for the server's Responses."""
        operation = call.operation
        if operation is _CHAT:
            asked = call.dialect == WIRE or self._is_only(target.model)
            body = call.body
            if not asked and ("tools" in body or "functions" in body):
                asked = self._calls(call, target.model)
        else:
            asked = self._counts and operation is _COUNT_TOKENS
        return asked and target.base_url.endswith(self._ending)

    def _calls(self, call: Call, model: str) -> bool:
        """Whether a model is asked to call functions, as it does in no chat while it is asked so."""
        body = call.body
        tools = body.get("tools")
        if not tools and not body.get("functions"):
            return False
        row = self._row(model)
        if row is None or row.calls == "always":
            return False
        if CHAT_WIRE not in (call.wire, call.dialect):
            # Each dialect has words of its own for how much is thought.
            prompt = call.prompt()
            return bool(prompt.tools) and (row.calls == "never" or row.reasons(asked_of(row, prompt).effort))
        if any(tool.get("type") != "function" for tool in tools or ()):
            # Whatever else there is, or is wrong, is for the provider to say.
            return False
        return row.calls == "never" or row.reasons(body.get("reasoning_effort") or "")

    def _chat(self, call: Call, target: Target) -> HttpRequest:
        """The request for the server's chat.

        A client's own chat whose history has thoughts that another wire sealed goes out as it is but for them: no chat
        of these servers takes them back, and what is written anew has no place for what we do not know.
        """
        if call.wire or call.translated or call.operation is not _CHAT or call.dialect not in OWN_DIALECTS:
            return super().request(call, target)
        messages = call.body.get("messages") or []
        kept = list(map(without_seals, messages))
        if kept == messages:
            return super().request(call, target)
        request = super().request(replace(call, wire=CHAT_WIRE, body={**call.body, "messages": kept}), target)
        return replace(request, dropped=(*request.dropped, "messages"))

    def _asked(self, call: Call, prompt: Prompt, target: Target) -> tuple[dict[str, Any], tuple[str, ...]]:
        body, dropped = body_of(prompt, self.idiom, target.model, _OWN_SEALS)
        body = {"model": target.model, **body}
        if call.operation is Operation.COUNT_TOKENS:
            return {name: value for name, value in body.items() if name in _COUNTED}, dropped
        if call.stream:
            body["stream"] = True
        return body, dropped


def _event_bytes_most(call: Call) -> int:
    """How large the first event of a stream may be; each later one may be larger by all that came before it."""
    most = EVENT_BYTES_MOST + _ESCAPED_TIMES * call.prompt_bytes
    if call.wire == WIRE and (call.body.get("prompt") or _finds(call.body.get("tools") or ())):
        most += FOUND_BYTES_MOST
    return most


def _finds(tools: Any) -> bool:
    """Whether the provider itself is to run one of these."""
    return any(tool.get("type") not in _OWN_TOOLS for tool in tools)
