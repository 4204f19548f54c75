"""Anthropic's wire in tests: its answers decoded as wanted, calls and requests made."""

from collections.abc import Sequence
from typing import Any

import orjson

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.events import Delta, End, Event, Raw, Usage
from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.core.prompt import Prompt
from oneflow_ai.dialects.anthropic import parse
from oneflow_ai.providers.anthropic_stream import decoder_of
from tests.wire.decoding import shown_failure
from tests.wire.requests import envelope, target_of

MODEL = "claude-haiku-5-5"
KIND = "anthropic"
USER = {"role": "user", "content": "Hello"}


def decoded(
    chunks: Sequence[bytes], *, stream: bool, raw: bool, operation: Operation = Operation.CHAT
) -> dict[str, Any]:
    """What a decoder makes of these chunks; it asserts that the sequence ends once, with its end."""
    decoder = decoder_of(operation, stream=stream, raw=raw)
    events: list[Event] = []
    for chunk in chunks:
        events += decoder.feed(chunk)
    events += decoder.close()
    parts = [event for event in events if isinstance(event, Raw)]
    usages = [event for event in events if isinstance(event, Usage)]
    ends = [event for event in events if isinstance(event, End)]
    assert ends == events[-1:]
    assert len(usages) <= 1
    return {
        "raw": b"".join(part.content for part in parts),
        "content_events": sum(part.content_events for part in parts),
        "deltas": [event for event in events if isinstance(event, Delta)],
        "usage": usages[0] if usages else None,
        "end": shown_end(ends[0]),
    }


def shown_end(end: End) -> dict[str, Any]:
    """An end as plain values."""
    return {
        "reason": end.reason,
        "stop_sequence": end.stop_sequence,
        "model": end.model,
        "answer_id": end.answer_id,
        "closing": end.chunk,
        "failure": None if end.failure is None else shown_failure(end.failure),
    }


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
