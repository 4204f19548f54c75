"""OpenAI's embeddings: what a request may hold, and vectors of other wires in its shape."""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import orjson

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import End, Event, Raw, Usage, Vector
from oneflow_ai.core.failure import INVALID_TYPE, INVALID_VALUE, TOO_MANY_ITEMS, Failure
from oneflow_ai.core.target import Target
from oneflow_ai.dialects import checks

# What one request takes at OpenAI (its specification, CreateEmbeddingRequest, 2026-11-23).
INPUTS_MOST = 2_048
DIMENSIONS_MOST = 1 << 16
FORMATS = ("float", "base64")
_INPUT = "input is a text, a list of texts, a list of tokens or a list of lists of tokens"


def _input(name: str, value: Any) -> None:
    if isinstance(value, str):
        _text(name, value)
    elif not isinstance(value, list):
        raise Failure(INVALID_TYPE, _INPUT, param=name)
    elif not value:
        raise Failure(INVALID_VALUE, f"{name} is empty", param=name)
    elif type(value[0]) is int:
        _tokens(name, value)
    else:
        _inputs(name, value)


def _inputs(name: str, value: list[Any]) -> None:
    if len(value) > INPUTS_MOST:
        raise Failure(TOO_MANY_ITEMS, f"{name} holds at most {INPUTS_MOST}", param=name)
    for place, one in enumerate(value):
        if type(one) is not type(value[0]):
            raise Failure(INVALID_TYPE, _INPUT, param=f"{name}[{place}]")
        if isinstance(one, str):
            _text(f"{name}[{place}]", one)
        elif isinstance(one, list):
            _tokens(f"{name}[{place}]", one)
        else:
            raise Failure(INVALID_TYPE, _INPUT, param=f"{name}[{place}]")


def _text(name: str, value: str) -> None:
    if not value:
        raise Failure(INVALID_VALUE, f"{name} is an empty text", param=name)


def _tokens(name: str, value: list[Any]) -> None:
    if not value or not all(type(token) is int and token >= 0 for token in value):
        raise Failure(INVALID_TYPE, f"{name} is a list of token numbers, and not empty", param=name)


def _format(name: str, value: Any) -> None:
    if value not in FORMATS:
        raise Failure(INVALID_VALUE, f"{name} is float or base64", param=name)


CHECKS: Mapping[str, checks.Check] = {
    "input": _input,
    "dimensions": checks.integer(1, DIMENSIONS_MOST),
    "encoding_format": _format,
}


class Encoder:
    """Writes the vectors of one answer: the provider's own bytes where it speaks this wire."""

    __slots__ = ("_call", "_raw", "_target", "_vectors")

    def __init__(self, call: Call, target: Target) -> None:
        self._call = call
        self._target = target
        self._raw = False
        self._vectors: list[Vector] = []

    def feed(self, event: Event) -> bytes:
        """Pass the provider's bytes on; keep vectors until the end."""
        if type(event) is Raw:
            self._raw = True
            return event.content
        if type(event) is Vector:
            self._vectors.append(event)
        return b""

    def end(self, end: End, usage: Usage, cost_nanos: int) -> bytes:
        """All vectors in the order of their inputs, as numbers or as base64; what it cost is told in a header."""
        del cost_nanos
        if self._raw:
            return b""
        write = _packed if self._call.body.get("encoding_format") == "base64" else _listed
        data = [
            {"object": "embedding", "index": vector.index, "embedding": write(vector.values)}
            for vector in sorted(self._vectors, key=lambda vector: vector.index)
        ]
        told = {"prompt_tokens": usage.input_tokens, "total_tokens": usage.input_tokens + usage.output_tokens}
        return orjson.dumps({"object": "list", "data": data, "model": end.model or self._target.model, "usage": told})

    def failure(self, failure: Failure) -> bytes:
        """Nothing: these answers are whole, so that a failure is never told within one."""
        del failure
        return b""


def _listed(values: tuple[float, ...]) -> list[float]:
    return list(values)


def _packed(values: tuple[float, ...]) -> str:
    """Numbers of 32 bits, the least significant byte first, in base64: as OpenAI's own clients ask for them."""
    return b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
