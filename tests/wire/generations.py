"""Gemini's dialect in tests: calls that its clients make."""

from dataclasses import replace
from typing import Any

import orjson

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.dialects.gemini import METHODS, parse
from oneflow_ai.dialects.table import spoken_at
from tests.wire.requests import envelope

HELLO = {"role": "user", "parts": [{"text": "Hello"}]}


def generation_call(
    method: str = "generateContent", /, *, model: Any = "text", query: Any = "alt=sse", **fields: Any
) -> Call:
    """The call that a client of this dialect makes: a good one but for these fields; `...` leaves one out."""
    embeds = METHODS[method] is Operation.EMBEDDING
    body = ({} if embeds else {"contents": [HELLO]}) | fields
    content = orjson.dumps({name: given for name, given in body.items() if given is not ...})
    return raw_call(content, method, model, query)


def raw_call(body: bytes, method: str = "generateContent", model: str = "text", query: str = "alt=sse") -> Call:
    """The call that a body asks for."""
    path = f"/v1beta/models/{model}:{method}".encode()
    spoken = spoken_at(path)
    assert spoken is not None
    return parse(body, replace(envelope(spoken[1]), path=path, query=query.encode()))
