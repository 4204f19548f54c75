"""Good input is accepted as it is: nothing is lost, changed or reordered on its way into a call."""

import base64
import json
import random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.failure import Failure
from oneflow_ai.dialects.guard import DEPTH_MOST, ITEMS_MOST, read_object
from oneflow_ai.dialects.openai import TOOLS_MOST, parse
from oneflow_ai.dialects.openai_messages import MESSAGES_MOST
from tests.wire.requests import envelope

USER = {"role": "user", "content": "Hello"}
CALL = {"id": "call_a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TOOL = {"role": "tool", "tool_call_id": "call_a", "content": "12"}
PNG = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)


def picture(url: Any) -> dict[str, Any]:
    return {
        "role": "user",
        "content": [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": url}}],
    }


MESSAGES: dict[str, list[Any]] = {
    "user": [USER],
    "system": [{"role": "system", "content": "a"}, USER],
    "developer": [{"role": "developer", "content": [{"type": "text", "text": "b"}]}, USER],
    "empty text": [{"role": "user", "content": ""}],
    "answer first": [{"role": "assistant", "content": "a"}, USER],
    "tool loop": [USER, {"role": "assistant", "content": None, "tool_calls": [CALL]}, TOOL, USER],
    "tool loop without content": [USER, {"role": "assistant", "tool_calls": [CALL]}, TOOL],
    "tool loop with words": [USER, {"role": "assistant", "content": "One moment", "tool_calls": [CALL]}, TOOL],
    "parallel calls": [
        USER,
        {"role": "assistant", "content": "", "tool_calls": [CALL, {**CALL, "id": "call_b"}]},
        {**TOOL, "tool_call_id": "call_b", "content": [{"type": "text", "text": "x"}]},
        TOOL,
    ],
    "one id in two turns": [USER, *([{"role": "assistant", "content": None, "tool_calls": [CALL]}, TOOL] * 2)],
    "answered twice": [USER, {"role": "assistant", "content": None, "tool_calls": [CALL]}, TOOL, TOOL],
    "custom tool": [
        USER,
        {"role": "assistant", "tool_calls": [{"id": "call_a", "type": "custom", "custom": {}}]},
        TOOL,
    ],
    "null tool_calls": [{"role": "assistant", "content": "a", "tool_calls": None}],
    "empty tool_calls": [{"role": "assistant", "content": "a", "tool_calls": []}],
    "older function": [
        USER,
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": None},
    ],
    "refusal": [USER, {"role": "assistant", "content": None, "refusal": "No."}],
    "audio": [USER, {"role": "assistant", "content": None, "audio": {"id": "a"}}],
    "reasoning": [USER, {"role": "assistant", "content": None, "reasoning_content": "Hm"}],
    "names": [{"role": "user", "name": "ann", "content": "a", "weight": 1}],
    "other parts": [
        {
            "role": "user",
            "content": [
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                {"type": "file", "file": {}},
            ],
        }
    ],
    "picture": [picture("https://example.com/a.png?b=c#d")],
    "picture at a number": [picture("https://93.184.215.14/a.png")],
    "picture by IPv6": [picture("https://[2606:2800:21f:cb07::1]/a.png")],
    "picture of any case": [picture("HTTPS://EXAMPLE.com/a.png")],
    "picture, bare": [{"role": "user", "content": [{"type": "image_url", "image_url": PNG}]}],
    "data PNG": [picture(PNG)],
    "data JPEG without padding": [picture("data:image/jpeg;base64,/9j/4AA")],
    "data in lines": [picture("data:image/gif;base64," + base64.encodebytes(b"GIF89a" + bytes(100)).decode().strip())],
    "data of any case": [picture("data:IMAGE/WebP;BASE64,UklGRg==")],
    "data with a parameter": [picture("data:image/jpg;name=a.jpg;base64,AAAA")],
    "most messages": [USER] * MESSAGES_MOST,
}

FIELDS: dict[str, dict[str, Any]] = {
    "nothing more": {},
    "nulls": dict.fromkeys(
        (
            *("temperature", "top_p", "n", "max_tokens", "max_completion_tokens", "stream", "stream_options", "stop"),
            *("seed", "user", "tools", "tool_choice", "response_format", "logprobs", "top_logprobs", "logit_bias"),
        )
    ),
    "least": {
        "temperature": 0,
        "top_p": 0,
        "n": 1,
        "max_tokens": 1,
        "presence_penalty": -2,
        "top_logprobs": 0,
        "seed": -(1 << 63),
    },
    "most": {
        "temperature": 2,
        "top_p": 1,
        "n": 128,
        "max_completion_tokens": (1 << 31) - 1,
        "frequency_penalty": 2.0,
        "top_logprobs": 20,
        "seed": (1 << 63) - 1,
    },
    "one maximum of two": {"max_tokens": None, "max_completion_tokens": 5},
    "stop": {"stop": "."},
    "stops": {"stop": [".", "!"]},
    "tool choice": {"tool_choice": {"type": "function", "function": {"name": "f"}}, "tools": [{}] * TOOLS_MOST},
    "metadata": {"metadata": {"user": "u", "team": "blue"}},
    "unknown fields": {"zeta": [1, {"b": None, "a": 1.5e-7}], "Ünï": "😀", "18446744073709551615": (1 << 64) - 1},
    "big floats": {"x": 1e300, "y": -1e-300, "z": -0.0},
}


def parsed(body: bytes, operation: Operation = Operation.CHAT) -> Call:
    return parse(body, envelope(operation))


def call_or_refusal(body: bytes, operation: Operation = Operation.CHAT) -> Call | Failure:
    try:
        return parsed(body, operation)
    except Failure as failure:
        return failure


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_are_accepted_as_they_are(name: str) -> None:
    body = {"model": "text", "messages": MESSAGES[name]}
    assert parsed(orjson.dumps(body)).body == body


@pytest.mark.parametrize("name", FIELDS)
def test_fields_are_kept_with_their_order(name: str) -> None:
    body = {"first": 1, "messages": [USER], **FIELDS[name], "model": "text", "last": None}
    compact, spaced, escaped = (
        orjson.dumps(body),
        json.dumps(body, ensure_ascii=False, indent=2).encode(),
        json.dumps(body).encode(),
    )
    for encoded in (compact, spaced, escaped, b"\xef\xbb\xbf" + compact):
        call = parsed(encoded)
        assert orjson.dumps(call.body) == compact
        assert (call.model, call.prompt_bytes) == ("text", len(encoded))


@pytest.mark.parametrize("model", ["m", "m" * 256, "openrouter/openai/gpt-6-luna", "modèle"])
def test_a_model_has_any_name_of_1_to_256_characters(model: str) -> None:
    assert parsed(orjson.dumps({"model": model, "messages": [USER]})).model == model


@pytest.mark.parametrize("prompt", ["Once", ["a", "b"], [1, 2], [[1], [2]], ""])
def test_prompts_are_accepted_as_they_are(prompt: Any) -> None:
    body = {"model": "text", "prompt": prompt, "logprobs": 5, "best_of": 0, "echo": False}
    call = parsed(orjson.dumps(body), Operation.COMPLETION)
    assert (call.body, call.operation) == (body, Operation.COMPLETION)


@pytest.mark.parametrize(
    ("fields", "stream", "include_usage"),
    [
        ({}, False, False),
        ({"stream": False}, False, False),
        ({"stream": None}, False, False),
        ({"stream": True}, True, False),
        ({"stream": True, "stream_options": None}, True, False),
        ({"stream": True, "stream_options": {}}, True, False),
        ({"stream": True, "stream_options": {"include_usage": False}}, True, False),
        ({"stream": True, "stream_options": {"include_usage": True}}, True, True),
        ({"stream": False, "stream_options": {"include_usage": True}}, False, False),
    ],
)
def test_what_a_stream_is_asked_for(fields: dict[str, Any], stream: bool, include_usage: bool) -> None:
    call = parsed(orjson.dumps({"model": "text", "messages": [USER], **fields}))
    assert (call.stream, call.include_usage) == (stream, include_usage)


def test_a_call_tells_what_is_known_of_it() -> None:
    call = parsed(orjson.dumps({"model": "text", "messages": [USER], "user": "u" * 300}))
    frame = envelope()
    assert (call.id, call.account, call.received) == (frame.id, frame.account, frame.received)
    assert (call.started_seconds, call.deadline_seconds, call.tags) == (5.0, 605.0, ())
    assert (call.dialect, call.user) == ("openai", "u" * 256)


def test_a_body_may_be_as_deep_and_as_full_as_the_limits() -> None:
    deep = b'{"a":' + b"[" * (DEPTH_MOST - 1) + b"]" * (DEPTH_MOST - 1) + b"}"
    assert orjson.dumps(read_object(deep)) == deep
    full = orjson.dumps({"a": [0] * (ITEMS_MOST - 1)})
    assert orjson.dumps(read_object(full)) == full


def test_a_backslash_before_u0000_is_no_nul() -> None:
    assert read_object(rb'{"a":"\\u0000"}') == {"a": r"\u0000"}
    assert read_object(rb'{"a":[1,null,{"b":"\\u0000"}],"c":true}')["a"][2] == {"b": r"\u0000"}
    assert read_object(rb'{ "a": "\\\\u0000" }') == {"a": r"\\u0000"}


_LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(1 << 63), (1 << 64) - 1), st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=6),
)  # fmt: skip
_KEYS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=6)
_JSON = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_KEYS, inner, max_size=4)),
    max_leaves=20,
)
_FIELDS = st.sampled_from(
    [
        "model",
        "messages",
        "stream",
        "stream_options",
        "n",
        "max_tokens",
        "tools",
        "metadata",
        "user",
        "temperature",
        "prompt",
        "seed",
    ]
)
_MESSAGES = st.lists(
    st.dictionaries(
        st.sampled_from(["role", "content", "tool_calls", "tool_call_id", "id", "type", "image_url", "url"]),
        st.one_of(
            _JSON,
            st.sampled_from(
                ["user", "assistant", "tool", "call_a", "image_url", "http://[", "data:image/png;base64,="]
            ),
        ),
    ),
    max_size=4,
)


@given(st.dictionaries(_KEYS, _JSON, max_size=5), st.sampled_from([None, 1, 2]), st.booleans())
def test_any_object_of_json_is_read_exactly(body: dict[str, Any], indent: int | None, ascii_only: bool) -> None:
    found = read_object(json.dumps(body, indent=indent, ensure_ascii=ascii_only).encode())
    assert found == body
    assert list(found) == list(body)


@given(st.dictionaries(_KEYS, _JSON, min_size=1, max_size=4), st.data())
def test_a_key_that_comes_twice_is_always_found(body: dict[str, Any], data: st.DataObject) -> None:
    """Whatever else is in the body, and whether or not the two are of one value."""
    name = data.draw(st.sampled_from(sorted(body)))
    members = [(key, json.dumps(value)) for key, value in body.items()]
    members.insert(data.draw(st.integers(0, len(members))), (name, json.dumps(data.draw(_LEAVES))))
    space = data.draw(st.sampled_from(["", " "]))
    text = "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{space}{value}" for key, value in members) + "}"
    with pytest.raises(Failure) as caught:
        read_object(text.encode())
    assert caught.value.code == "duplicate_key"


@given(
    st.one_of(_JSON, st.dictionaries(_FIELDS, st.one_of(_JSON, _MESSAGES))),
    st.sampled_from([Operation.CHAT, Operation.COMPLETION]),
)
def test_any_json_is_a_call_or_a_refusal(found: Any, operation: Operation) -> None:
    outcome = call_or_refusal(json.dumps(found).encode(), operation)
    if isinstance(outcome, Failure):
        assert (400 <= outcome.status < 500, outcome.kind.cause) == (True, "client")
    else:
        assert outcome.body == found


@given(
    st.one_of(
        st.binary(max_size=60),
        st.text(max_size=60).map(str.encode),
        st.from_regex(rb'[{}\[\]",:0-9eE.+\-\\u]*', fullmatch=True),
    )
)
def test_any_bytes_are_a_call_or_a_refusal(body: bytes) -> None:
    outcome = call_or_refusal(body)
    if isinstance(outcome, Failure):
        assert 400 <= outcome.status < 500


CORPUS = [
    orjson.dumps(
        {"model": "text", "messages": messages, "stream": True, "max_tokens": 5, "tools": [{"type": "function"}]}
    )
    for name, messages in MESSAGES.items()
    if len(messages) < 10
] + [b'{"model":"text","prompt":["a","b"],"logit_bias":{"5":-1.5e1},"stop":"\\n","user":"\\u00e9\\ud83d\\ude00"}']
PIECES = [
    b'"',
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\0",
    b"\xff",
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b":",
    b"null",
    b"1e999",
    b"-",
    b"9" * 25,
]


def damaged(chance: random.Random) -> bytes:
    """A good body with up to three places cut out, doubled or overwritten."""
    body = chance.choice(CORPUS)
    for _ in range(chance.randint(1, 3)):
        start = chance.randrange(len(body))
        stop = min(len(body), start + chance.choice((0, 1, 1, 4, 30)))
        new = chance.choice((b"", body[start:stop] * 2, chance.choice(PIECES), bytes([chance.randrange(256)])))
        body = (body[:start] + new + body[stop:]) or b" "
    return body


@pytest.mark.parametrize(
    "bodies", [20_000, pytest.param(1_000_000, marks=[pytest.mark.prove, pytest.mark.timeout(1_200)])]
)
def test_damaged_bodies_are_calls_or_refusals(bodies: int) -> None:
    chance = random.Random(20261124)
    refused = 0
    for number in range(bodies):
        operation = Operation.COMPLETION if number % 8 == 0 else Operation.CHAT
        outcome = call_or_refusal(damaged(chance), operation)
        if isinstance(outcome, Failure):
            refused += 1
            assert 400 <= outcome.status < 500
    assert bodies / 2 < refused < bodies
