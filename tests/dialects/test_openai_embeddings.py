"""OpenAI's embeddings and moderations: what is let in, and vectors of other wires in its shape."""

import base64
import json
import struct
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.events import End, Raw, Usage, Vector
from oneflow_ai.core.failure import UPSTREAM_CLOSED, Failure
from oneflow_ai.dialects.openai import encoder
from oneflow_ai.dialects.openai_embeddings import INPUTS_MOST
from tests.wire.requests import MODEL, call_of, target_of

FLOATS = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=8)


USED, ENDED = Usage(7), End()
ROUTE = "moderation"


def embed(**fields: Any) -> Call:
    return call_of({"model": "embedding", "input": "a", **fields}, Operation.EMBEDDING)


def moderate(**fields: Any) -> Call:
    return call_of({"input": "a", **fields}, Operation.MODERATION)


def answer(call: Call, *vectors: Vector, usage: Usage = USED, end: End = ENDED) -> dict[str, Any]:
    writer = encoder(call, target_of("openai"))
    assert b"".join(map(writer.feed, vectors)) == b""
    found: dict[str, Any] = json.loads(writer.end(end, usage, 5))
    return found


@pytest.mark.parametrize(
    "given",
    ["a", ["a"], ["a"] * INPUTS_MOST, [1], [0, 5, 7], [[1, 2], [3]], list(range(8192)), ["\n"]],
)
def test_inputs_are_accepted_as_they_are(given: Any) -> None:
    call = embed(input=given, dimensions=256, encoding_format="base64", user="u", input_type="query")
    assert call.body["input"] == given
    assert (call.operation, call.wire, call.user, call.stream) == (Operation.EMBEDDING, "openai", "u", False)
    assert (call.output_most_tokens, call.answers, call.read) == (None, 1, None)


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"input": None}, "missing_required_parameter", "input"),
        ({"model": None}, "missing_required_parameter", "model"),
        ({"model": ""}, "invalid_value", "model"),
        ({"input": ""}, "invalid_value", "input"),
        ({"input": []}, "invalid_value", "input"),
        ({"input": 7}, "invalid_type", "input"),
        ({"input": {}}, "invalid_type", "input"),
        ({"input": [{}]}, "invalid_type", "input[0]"),
        ({"input": [True]}, "invalid_type", "input[0]"),
        ({"input": ["a", ""]}, "invalid_value", "input[1]"),
        ({"input": ["a", 1]}, "invalid_type", "input[1]"),
        ({"input": [1, "a"]}, "invalid_type", "input"),
        ({"input": [1, -1]}, "invalid_type", "input"),
        ({"input": [1, 1.5]}, "invalid_type", "input"),
        ({"input": [[1], []]}, "invalid_type", "input[1]"),
        ({"input": [[1], ["a"]]}, "invalid_type", "input[1]"),
        ({"input": ["a"] * (INPUTS_MOST + 1)}, "too_many_items", "input"),
        ({"dimensions": 0}, "invalid_value", "dimensions"),
        ({"dimensions": "x"}, "invalid_type", "dimensions"),
        ({"encoding_format": "hex"}, "invalid_value", "encoding_format"),
        ({"encoding_format": ["float"]}, "invalid_value", "encoding_format"),
        ({"user": 7}, "invalid_type", "user"),
        ({"stream": True}, "invalid_value", "stream"),
        ({"api_base": "http://a"}, "forbidden_parameter", "api_base"),
    ],
)
def test_bad_requests_are_refused(fields: dict[str, Any], code: str, param: str) -> None:
    with pytest.raises(Failure) as caught:
        embed(**fields)
    assert (caught.value.code, caught.value.param, caught.value.status) == (code, param, 400)


def test_vectors_are_written_in_the_order_of_their_inputs() -> None:
    found = answer(embed(input=["a", "b"]), Vector(1, (0.25, -2.0)), Vector(0, (1.0,)), end=End(model="m-1"))
    assert found == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [1.0]},
            {"object": "embedding", "index": 1, "embedding": [0.25, -2.0]},
        ],
        "model": "m-1",
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
    }
    CreateEmbeddingResponse.model_validate(found)
    assert answer(embed())["model"] == MODEL


@given(FLOATS)
def test_base64_is_of_32_bit_numbers_the_least_byte_first(values: list[float]) -> None:
    found = answer(embed(encoding_format="base64"), Vector(0, tuple(values)))["data"][0]["embedding"]
    assert list(struct.unpack(f"<{len(values)}f", base64.b64decode(found))) == values


def test_the_providers_own_bytes_pass() -> None:
    writer = encoder(embed(), target_of("openai"))
    assert writer.feed(Raw(b'{"data":[]}', 1)) == b'{"data":[]}'
    assert writer.end(End(), Usage(), 0) == b""
    assert writer.failure(Failure(UPSTREAM_CLOSED, "x")) == b""


PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)


@pytest.mark.parametrize(
    "given",
    [
        "a",
        "",
        ["a", "b"],
        [{"type": "text", "text": "a"}],
        [{"type": "image_url", "image_url": {"url": PIXEL}}, {"type": "text", "text": ""}],
    ],
)
def test_moderations_are_accepted_as_they_are(given: Any) -> None:
    call = moderate(input=given, model="openai/omni-moderation-latest")
    assert (call.body["input"], call.operation, call.wire) == (given, Operation.MODERATION, "openai")


def test_a_moderation_without_a_model_takes_the_route() -> None:
    assert (moderate().model, moderate(model=None).model) == ("moderation", "moderation")


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"input": None}, "missing_required_parameter", "input"),
        ({"input": []}, "invalid_value", "input"),
        ({"input": 7}, "invalid_type", "input"),
        ({"input": [7]}, "invalid_type", "input[0]"),
        ({"input": [{"type": "text"}]}, "invalid_type", "input[0]"),
        ({"input": [{"type": "video"}]}, "invalid_type", "input[0]"),
        ({"input": [{"type": "image_url"}]}, "invalid_image_url", "input[0].image_url"),
        (
            {"input": [{"type": "image_url", "image_url": {"url": "http://10.0.0.1/a"}}]},
            "invalid_image_url",
            "input[0].image_url",
        ),
        ({"input": ["a"] * 2049}, "too_many_items", "input"),
        ({"model": 7}, "invalid_type", "model"),
        ({"stream": True}, "invalid_value", "stream"),
    ],
)
def test_bad_moderations_are_refused(fields: dict[str, Any], code: str, param: str) -> None:
    with pytest.raises(Failure) as caught:
        moderate(**fields)
    assert (caught.value.code, caught.value.param) == (code, param)


def test_a_moderations_bytes_pass() -> None:
    writer = encoder(moderate(), target_of("openai"))
    body = orjson.dumps({"id": "modr-1", "results": []})
    assert writer.feed(Raw(body, 1)) + writer.end(End(), Usage(), 0) == body


_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
_JSON = st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))
_NAMES = st.sampled_from(
    ["model", "input", "dimensions", "encoding_format", "stream", "user", "metadata", "n", "messages"]
)


@given(st.dictionaries(_NAMES, _JSON), st.sampled_from([Operation.EMBEDDING, Operation.MODERATION]), st.booleans())
def test_any_json_is_a_call_or_a_refusal(found: dict[str, Any], operation: Operation, named: bool) -> None:
    body = {"model": "m", "input": "a", **found} if named else found
    try:
        call = call_of(body, operation)
    except Failure as failure:
        refused = failure
    else:
        assert call.body == ({**body, "model": ROUTE} if body.get("model") is None else body)
        return
    assert (400 <= refused.status < 500, refused.kind.cause) == (True, "client")
