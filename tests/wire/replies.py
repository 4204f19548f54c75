"""The wire of OpenAI's Responses in tests: its answers decoded as wanted, calls and requests made."""

from collections.abc import Sequence
from typing import Any

import orjson

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.dialects.responses import parse
from oneflow_ai.providers.openai_responses_stream import decoder_of
from tests.wire.decoding import gathered
from tests.wire.requests import MODEL, envelope, target_of

KIND = "openai"
USER = {"role": "user", "content": "Hello"}


def decoded(
    chunks: Sequence[bytes], *, stream: bool, raw: bool, operation: Operation = Operation.CHAT
) -> dict[str, Any]:
    """What the decoder of this wire makes of these chunks."""
    decoder = decoder_of(operation, stream=stream, raw=raw)
    return gathered(decoder, chunks, "stop_sequence", "answer_id", "chunk")


def response_call(operation: Operation = Operation.CHAT, /, **fields: Any) -> Call:
    """The call that a client of this dialect makes: a good one but for these fields; `...` leaves one out."""
    return parse(response_body(**fields), envelope(operation))


def response_body(**fields: Any) -> bytes:
    """A good request but for these fields; `...` leaves one out."""
    body = {"model": "text", "input": [USER]}
    return orjson.dumps({name: given for name, given in (body | fields).items() if given is not ...})


def requested(call: Call, model: str = MODEL, kind: str = KIND) -> HttpRequest:
    """The request that reaches a provider for a call."""
    target = target_of(kind, model=model)
    return target.adapter.request(call, target)


def sent(call: Call, model: str = MODEL, kind: str = KIND) -> dict[str, Any]:
    """The body that reaches a provider for a call."""
    found: dict[str, Any] = orjson.loads(requested(call, model, kind).body)
    return found
