"""OpenAI's text dialect: requests of its clients parsed, answers and errors in its shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from oneflow_ai.core.call import Call, Operation, Task
from oneflow_ai.core.chain import name_model
from oneflow_ai.core.events import Delta, End, Event, Raw, Usage
from oneflow_ai.core.events import Encoder as AnyEncoder
from oneflow_ai.core.failure import (
    INVALID_TYPE,
    INVALID_VALUE,
    MISSING_REQUIRED_PARAMETER,
    TOO_MANY_ITEMS,
    Failure,
)
from oneflow_ai.core.listing import Shown
from oneflow_ai.core.media import NO_MEDIA, Media
from oneflow_ai.core.money import unit_usd_text, usd_float
from oneflow_ai.core.order import Order
from oneflow_ai.core.target import Target
from oneflow_ai.dialects import (
    checks,
    openai_embeddings,
    openai_images,
    openai_moderations,
    openai_speech,
    openai_transcripts,
)
from oneflow_ai.dialects.envelope import MODEL_CHARACTERS_MOST, USER_CHARACTERS_MOST, Envelope
from oneflow_ai.dialects.guard import read_object
from oneflow_ai.dialects.openai_conversation import holds_wrapped_seals
from oneflow_ai.dialects.openai_legacy import is_legacy
from oneflow_ai.dialects.openai_messages import check_messages
from oneflow_ai.dialects.openai_prompt import read
from oneflow_ai.dialects.openai_writer import DONE, ChunkWriter, WholeWriter, usage_object

DIALECT = "openai"
ID_HEADER = b"x-request-id"
FORWARDED: tuple[bytes, ...] = ()
TOOLS_MOST = 4_096

_BOOL = checks.of_type("true or false", bool)
_OBJECT = checks.of_type("an object", dict)
_LIST = checks.of_type("a list", list)
_TEXT = checks.of_type("a text", str)
_PENALTY = checks.number(-2, 2)
_TOKENS = checks.integer(1, checks.TOKENS_MOST)


def _tools(name: str, value: Any) -> None:
    _LIST(name, value)
    if len(value) > TOOLS_MOST:
        raise Failure(TOO_MANY_ITEMS, f"{name} holds at most {TOOLS_MOST}", param=name)
    for place, tool in enumerate(value):
        if type(tool) is not dict:
            raise Failure(INVALID_TYPE, "a tool is an object", param=f"{name}[{place}]")


def _metadata(name: str, value: Any) -> None:
    _OBJECT(name, value)
    for key in value:
        if key.startswith("user_api_key"):
            checks.forbidden(f"{name}.user_api_key", None)


def _stream_options(name: str, value: Any) -> None:
    _OBJECT(name, value)
    if value.get("include_usage") is not None:
        _BOOL(f"{name}.include_usage", value["include_usage"])


_ALWAYS: Mapping[str, checks.Check] = {
    "model": _TEXT,
    "user": _TEXT,
    "metadata": _metadata,
    **dict.fromkeys(checks.FORBIDDEN, checks.forbidden),
}
_SHARED: Mapping[str, checks.Check] = {
    **_ALWAYS,
    "temperature": checks.number(0, 2),
    "top_p": checks.number(0, 1),
    "n": checks.integer(1, 128),
    "max_tokens": _TOKENS,
    "max_completion_tokens": _TOKENS,
    "stream": _BOOL,
    "stream_options": _stream_options,
    "presence_penalty": _PENALTY,
    "frequency_penalty": _PENALTY,
    "seed": checks.integer(-(1 << 63), (1 << 63) - 1),
    "stop": checks.of_type("a text or a list of texts", str, list),
    "logit_bias": _OBJECT,
}
CHAT: Mapping[str, checks.Check] = {
    **_SHARED,
    "logprobs": _BOOL,
    "top_logprobs": checks.integer(0, 20),
    "tools": _tools,
    "functions": _tools,
    "tool_choice": checks.of_type("a text or an object", str, dict),
    "response_format": _OBJECT,
    "parallel_tool_calls": _BOOL,
    "reasoning_effort": _TEXT,
    "service_tier": _TEXT,
}
_COMPLETION: Mapping[str, checks.Check] = {
    **_SHARED,
    "prompt": checks.of_type("a text or a list", str, list),
    "best_of": checks.integer(0, 20),
    "echo": _BOOL,
    "logprobs": checks.integer(0, 5),
    "suffix": _TEXT,
}
_INPUT = "input"
# What may stand in each sort of request, and which of its fields it is about.
_TABLES: Mapping[Operation, tuple[Mapping[str, checks.Check], str]] = {
    Operation.CHAT: (CHAT, "messages"),
    Operation.COMPLETION: (_COMPLETION, "prompt"),
    Operation.EMBEDDING: ({**_ALWAYS, **openai_embeddings.CHECKS}, _INPUT),
    Operation.MODERATION: ({**_ALWAYS, **openai_moderations.CHECKS}, _INPUT),
    Operation.IMAGE: ({**_ALWAYS, **openai_images.CHECKS}, "prompt"),
    Operation.IMAGE_EDIT: ({**_ALWAYS, **openai_images.EDIT_CHECKS}, "prompt"),
    Operation.SPEECH: ({**_ALWAYS, **openai_speech.CHECKS}, _INPUT),
}
_NEVER_STREAMED = (Operation.EMBEDDING, Operation.MODERATION)
_ORDERS: Mapping[Operation, Callable[[Mapping[str, Any]], Order]] = {
    Operation.IMAGE: openai_images.order_of,
    Operation.IMAGE_EDIT: openai_images.edit_of,
    Operation.SPEECH: openai_speech.order_of,
}
# The route that serves a request which names no model, as OpenAI's own wire allows.
_UNNAMED: Mapping[Operation, str] = {
    Operation.MODERATION: "moderation",
    Operation.IMAGE: "image",
    Operation.IMAGE_EDIT: "image",
}
# Without these fields a request is answered once.
_SEVERAL = frozenset({"n", "best_of", "prompt"})
_CHAT, _COMPLETION_OPERATION, _SPEECH = Operation.CHAT, Operation.COMPLETION, Operation.SPEECH


def parse(body: bytes, envelope: Envelope) -> Call:
    """The call that a request body asks for; raises `Failure` for bad input, before anything is held or sent."""
    found, operation = read_object(body), envelope.operation
    chat = operation is _CHAT
    if found.get("model") is None:
        name_model(found, _UNNAMED.get(operation))
    media = check(found, operation)
    text = chat or operation is _COMPLETION_OPERATION
    stream = found.get("stream_format") == "sse" if operation is _SPEECH else found.get("stream") is True
    options = found.get("stream_options")
    wire = "" if chat and holds_wrapped_seals(found["messages"]) else DIALECT
    # What most calls come by: `envelope.call` would take two microseconds more.
    return Call(
        id=envelope.id,
        account=envelope.account,
        dialect=DIALECT,
        operation=operation,
        model=found["model"],
        body=found,
        stream=stream,
        include_usage=stream and isinstance(options, dict) and options.get("include_usage") is True,
        received=envelope.received,
        started_seconds=envelope.started_seconds,
        deadline_seconds=envelope.deadline_seconds,
        prompt_bytes=len(body) if media is NO_MEDIA else len(body) - media.carried_bytes,
        user=user_of(found) if "user" in found else "",
        tags=envelope.tags,
        client_id=envelope.client_id,
        wire=wire,
        output_most_tokens=(found.get("max_completion_tokens") or found.get("max_tokens")) if text else None,
        answers=1 if not text or _SEVERAL.isdisjoint(found) else answers_of(found),
        media=media,
        read=read if chat else None,
        order=None if text or operation not in _ORDERS else _ORDERS[operation](found),
        # What is written anew is asked for in the newer form, and answered so.
        translated=not wire and is_legacy(found),
    )


def check(body: Mapping[str, Any], operation: Operation) -> Media:
    """What a request carries beside its text; raises `Failure` for the first thing wrong with its fields."""
    table, subject = _TABLES[operation]
    for name in ("model", subject):
        if body.get(name) is None:
            raise Failure(MISSING_REQUIRED_PARAMETER, f"{name} is missing", param=name)
    checks.run(table, body)
    if operation in _NEVER_STREAMED and body.get("stream"):
        raise Failure(INVALID_VALUE, f"{operation.value}s are not streamed", param="stream")
    if not 0 < len(body["model"]) <= MODEL_CHARACTERS_MOST:
        raise Failure(INVALID_VALUE, f"model has 1 to {MODEL_CHARACTERS_MOST} characters", param="model")
    media = check_messages(body["messages"]) if subject == "messages" else NO_MEDIA
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        raise Failure(INVALID_VALUE, "give max_tokens or max_completion_tokens, not both", param="max_tokens")
    return media


def answers_of(body: Mapping[str, Any]) -> int:
    """How many answers a request makes a provider write: `n`, or `best_of`, for each of its prompts."""
    prompts = body.get("prompt")
    # A list of numbers is one prompt, in tokens.
    number = len(prompts) if type(prompts) is list and prompts and type(prompts[0]) is not int else 1
    return max(body.get("n") or 1, body.get("best_of") or 1) * number


def user_of(body: Mapping[str, Any]) -> str:
    """Whom a request says it is for, cut to what a record keeps; empty without one."""
    user = body.get("user")
    return user[:USER_CHARACTERS_MOST] if isinstance(user, str) else ""


class Encoder:
    """Writes one stream of text: the provider's own bytes where it speaks this wire, else chunks of our making."""

    __slots__ = ("_call", "_target", "_writer")

    def __init__(self, call: Call, target: Target) -> None:
        self._call = call
        self._target = target
        self._writer: ChunkWriter | None = None

    def feed(self, event: Event) -> bytes:
        """Pass the provider's bytes on, or write what another wire's answer brings."""
        if type(event) is Raw:
            return event.content
        return self._made().feed(event) if type(event) is Delta else b""

    def end(self, end: End, usage: Usage, cost_nanos: int) -> bytes:
        """The end of the stream."""
        if self._writer is None and end.chunk is not None:
            return stream_end(end, usage, cost_nanos, self._call.include_usage)
        return self._made().end(end, usage, cost_nanos)

    def failure(self, failure: Failure) -> bytes:
        """The event that ends a stream that broke: no `[DONE]` follows it."""
        return b"data: " + failure_body(failure) + b"\n\n"

    def _made(self) -> ChunkWriter:
        if self._writer is None:
            self._writer = ChunkWriter(self._call, self._target)
        return self._writer


class WholeEncoder:
    """Writes one whole answer of text: the provider's own bytes where it speaks this wire, else of our making."""

    __slots__ = ("_call", "_raw", "_target", "_writer")

    def __init__(self, call: Call, target: Target) -> None:
        self._call = call
        self._target = target
        self._raw = False
        self._writer: WholeWriter | None = None

    def feed(self, event: Event) -> bytes:
        """Pass the provider's bytes on; keep what another wire's answer brings until the end."""
        if type(event) is Raw:
            self._raw = True
            return event.content
        return self._made().feed(event) if type(event) is Delta else b""

    def end(self, end: End, usage: Usage, cost_nanos: int) -> bytes:
        """The answer, unless its bytes were passed on."""
        return b"" if self._raw else self._made().end(end, usage, cost_nanos)

    def failure(self, failure: Failure) -> bytes:
        """Nothing: a whole answer is not begun before its end, so that a failure is never told within one."""
        del failure
        return b""

    def _made(self) -> WholeWriter:
        if self._writer is None:
            self._writer = WholeWriter(self._call, self._target)
        return self._writer


def encoder(call: Call, target: Target) -> AnyEncoder:
    """What writes one answer to this call."""
    operation = call.operation
    if operation is Operation.EMBEDDING:
        return openai_embeddings.Encoder(call, target)
    if operation.task is Task.IMAGE:
        return openai_images.Encoder(call)
    if operation is _SPEECH:
        return openai_speech.Encoder(call)
    if operation.task is Task.TRANSCRIPTION:
        return openai_transcripts.Encoder(call)
    return Encoder(call, target) if call.stream else WholeEncoder(call, target)


def stream_end(end: End, usage: Usage, cost_nanos: int, include_usage: bool) -> bytes:
    """The last bytes of a stream: the usage chunk with `usage.cost` where the client asked for it, and `[DONE]`."""
    if not include_usage or end.chunk is None:
        return DONE
    chunk = {**end.chunk, "choices": [], "usage": {**_usage_object(end, usage), "cost": usd_float(cost_nanos)}}
    chunk.setdefault("object", "chat.completion.chunk")
    return b"data: " + orjson.dumps(chunk) + b"\n\n" + DONE


def failure_body(failure: Failure, request_id: str = "") -> bytes:
    """The body of an error answer; this wire tells the id in a header only."""
    del request_id
    error = {"message": failure.message, "type": failure.kind.type, "param": failure.param, "code": failure.code}
    return orjson.dumps({"error": error})


def models_body(written: Mapping[str, bytes]) -> bytes:
    """The list of models, each as `model_body` wrote it, by its id."""
    return b'{"object":"list","data":[' + b",".join(written.values()) + b"]}"


def model_body(model: Shown, created: int) -> bytes:
    """One model; beside OpenAI's own fields those of OpenRouter's list, prices being dollars for one token."""
    pricing = None
    if model.input_nanos is not None and model.output_nanos is not None:
        pricing = {"prompt": unit_usd_text(model.input_nanos), "completion": unit_usd_text(model.output_nanos)}
    return orjson.dumps(
        {
            "id": model.id,
            "object": "model",
            "created": created,
            "owned_by": model.owner,
            "shutdown_date": model.ends,
            "capabilities": model.capabilities,
            "context_length": model.context_window_tokens,
            "max_completion_tokens": model.output_most_tokens,
            "pricing": pricing,
        }
    )


def _usage_object(end: End, usage: Usage) -> dict[str, Any]:
    given = end.chunk.get("usage") if end.chunk else None
    if isinstance(given, dict) and usage.source == "provider":
        return given
    return usage_object(usage)
