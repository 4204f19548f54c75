"""Embeddings and moderations of OpenAI's wire: as bytes, as vectors, and what is wrong with them."""

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.events import End, Event, Raw, Usage, Vector
from oneflow_ai.core.failure import UPSTREAM_BAD_RESPONSE
from oneflow_ai.providers.openai_vectors import embedding_decoder, moderation_decoder
from tests.needs import require

GOOD = {
    "object": "list",
    "data": [{"object": "embedding", "index": 1, "embedding": [0.5, 1]}, {"embedding": [-2.0]}],
    "model": "m-1",
    "usage": {"prompt_tokens": 7, "total_tokens": 7},
}


def decode(body: bytes, *, raw: bool = False, cut: int = 0) -> list[Event]:
    decoder = embedding_decoder(raw=raw)
    return [*decoder.feed(body[:cut]), *decoder.feed(body[cut:]), *decoder.close()]


def encoded(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def test_an_answer_of_the_same_wire_is_its_bytes() -> None:
    body = encoded(own={"a": 1})
    for cut in range(0, len(body), 7):
        assert decode(body, raw=True, cut=cut) == [Raw(body, 1), Usage(7), End(model="m-1")]


def test_vectors() -> None:
    assert decode(encoded()) == [Vector(1, (0.5, 1.0)), Vector(1, (-2.0,)), Usage(7), End(model="m-1")]


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=6))
def test_base64_holds_32_bit_numbers_the_least_byte_first(values: list[float]) -> None:
    text = base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
    assert decode(encoded(data=[{"index": 3, "embedding": text}]))[0] == Vector(3, tuple(values))


@pytest.mark.parametrize("usage", [None, {}, 7, {"prompt_tokens": "7"}, {"prompt_tokens": -1}])
def test_usage_that_is_no_evidence_is_none(usage: Any) -> None:
    assert not any(isinstance(event, Usage) for event in decode(encoded(usage=usage)))


def test_usage_with_what_there_never_is() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 0, "total_tokens": 7}
    assert decode(encoded(usage=usage))[2] == Usage(7)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"data":{}}',
        b'{"error":{"message":"no"}}',
        b'{"error":{"message":"no"},"data":[]}',
        b'{"detail":"no"}',
        b'{"data":[',
    ],
)
@pytest.mark.parametrize("raw", [True, False])
def test_what_is_no_answer_is_a_failure(body: bytes, raw: bool) -> None:
    (end,) = decode(body, raw=raw)
    assert isinstance(end, End) and end.failure is not None and end.failure.kind is UPSTREAM_BAD_RESPONSE


@pytest.mark.parametrize(
    "item",
    [
        None,
        7,
        [],
        {},
        {"embedding": None},
        {"embedding": ["x"]},
        {"embedding": [None]},
        {"embedding": "AA=A"},
        {"embedding": "AAA="},
        {"embedding": "ü"},
        {"embedding": [True]},
    ],
)
def test_an_odd_vector_is_a_failure(item: Any) -> None:
    (end,) = decode(encoded(data=[item]))
    assert isinstance(end, End) and end.failure is not None


def test_numbers_that_are_none_are_mended_in_the_bytes_that_pass() -> None:
    body = b'{"data":[{"embedding":[NaN,1]}],"usage":{"prompt_tokens":1,"total_tokens":1}}'
    raw, usage, _ = decode(body, raw=True)
    assert isinstance(raw, Raw)
    assert (json.loads(raw.content)["data"], usage) == ([{"embedding": [None, 1]}], Usage(1))


@pytest.mark.parametrize("name", ["embeddings-ada-002", "embeddings-base64-2"])
def test_recorded_embeddings(name: str) -> None:
    recorded = json.loads((require("shared") / "recordings" / "openai" / f"{name}.json").read_text("utf-8"))
    body = recorded["response"]["body"].encode()
    told = json.loads(body)
    vector, usage, end = decode(body)
    assert isinstance(vector, Vector) and len(vector.values) == 1536
    assert sum(value * value for value in vector.values) == pytest.approx(1, abs=1e-3)
    assert (usage, end) == (Usage(told["usage"]["prompt_tokens"]), End(model=told["model"]))
    assert decode(body, raw=True)[0] == Raw(body, 1)


@pytest.mark.parametrize("name", ["moderations-text", "moderations-image"])
def test_recorded_moderations(name: str) -> None:
    recorded = json.loads((require("shared") / "recordings" / "openai" / f"{name}.json").read_text("utf-8"))
    body = recorded["response"]["body"].encode()
    decoder, told = moderation_decoder(), json.loads(body)
    assert decoder.feed(body) == []
    assert decoder.close() == [Raw(body, 1), Usage(), End(model=told["model"], answer_id=told["id"])]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"results":{}}', b'{"error":{"message":"no"}}'])
def test_what_is_no_moderation_is_a_failure(body: bytes) -> None:
    decoder = moderation_decoder()
    decoder.feed(body)
    (end,) = decoder.close()
    assert isinstance(end, End) and end.failure is not None
