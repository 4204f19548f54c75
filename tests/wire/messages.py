"""Anthropic's wire in tests: its answers decoded as wanted, calls and requests made."""

from collections.abc import Sequence
from typing import Any

import orjson

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.core.prompt import Prompt
from oneflow_ai.dialects.anthropic import parse
from oneflow_ai.providers.anthropic_stream import decoder_of
from tests.wire.decoding import gathered
from tests.wire.requests import envelope, target_of

MODEL = "claude-haiku-5-5"
KIND = "anthropic"
USER = {"role": "user", "content": "Hello"}


def decoded(
    chunks: Sequence[bytes], *, stream: bool, raw: bool, operation: Operation = Operation.CHAT
) -> dict[str, Any]:
    """What the decoder of this wire makes of these chunks."""
    decoder = decoder_of(operation, stream=stream, raw=raw)
    return gathered(decoder, chunks, "stop_sequence", "answer_id", "chunk")


def message_call(operation: Operation = Operation.CHAT, /, **fields: Any) -> Call:
    """The call that a client of this dialect makes: a good one but for these fields; `...` leaves one out."""
    return parse(message(operation, **fields), envelope(operation))


def message(operation: Operation = Operation.CHAT, /, **fields: Any) -> bytes:
    """A good request but for these fields; `...` leaves one out."""
    body = {"model": "text", "messages": [USER]} | ({"max_tokens": 64} if operation is Operation.CHAT else {})
    return orjson.dumps({name: given for name, given in (body | fields).items() if given is not ...})


def foreign(prompt: Prompt, operation: Operation = Operation.CHAT, *, stream: bool = False, dialect: str = "") -> Call:
    """A call of a client that speaks another wire and asks this."""
    call = message_call(operation)
    return Call(
        id=call.id,
        account=call.account,
        dialect=dialect or "responses",
        operation=operation,
        model=call.model,
        body={},
        stream=stream,
        include_usage=False,
        received=call.received,
        started_seconds=call.started_seconds,
        deadline_seconds=call.deadline_seconds,
        prompt_bytes=10,
        read=lambda _body: prompt,
    )


def requested(call: Call, model: str = MODEL) -> HttpRequest:
    """The request that reaches Anthropic for a call."""
    target = target_of(KIND, model=model)
    return target.adapter.request(call, target)


def sent(call: Call, model: str = MODEL) -> dict[str, Any]:
    """The body that reaches Anthropic for a call."""
    found: dict[str, Any] = orjson.loads(requested(call, model).body)
    return found
