"""Bad input is a 4xx that names the place and never repeats the value, before anything is held."""

import base64
import json
import struct
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from oneflow_ai.core.call import Operation
from oneflow_ai.core.failure import Failure
from oneflow_ai.dialects.guard import ITEMS_MOST
from oneflow_ai.dialects.openai import TOOLS_MOST, parse
from oneflow_ai.dialects.openai_messages import MESSAGES_MOST
from tests.wire.requests import envelope

CANARY = "canary7f3a"
USER = {"role": "user", "content": CANARY}
CALL = {"id": "call_a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
ASSISTANT = {"role": "assistant", "content": None, "tool_calls": [CALL]}
TOOL = {"role": "tool", "tool_call_id": "call_a", "content": "12"}


def chat(**fields: Any) -> bytes:
    """A good chat but for these fields; `...` leaves one out."""
    body = {"model": "text", "messages": [USER], **fields}
    return json.dumps({name: value for name, value in body.items() if value is not ...}).encode()


def text(inside: str) -> bytes:
    """A good chat with this JSON text as one more field."""
    return b'{"model":"text","messages":[{"role":"user","content":"canary7f3a"}],' + inside.encode() + b"}"


def failure_of(body: bytes, operation: Operation = Operation.CHAT) -> Failure:
    with pytest.raises(Failure) as caught:
        parse(body, envelope(operation))
    return caught.value


def png(width: int, height: int) -> str:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + b"\x08\x06\x00\x00\x00"
    return "data:image/png;base64," + base64.b64encode(head).decode()


def gif(width: int, height: int) -> str:
    return (
        "data:image/gif;base64," + base64.b64encode(b"GIF89a" + struct.pack("<HH", width, height) + bytes(20)).decode()
    )


# The lost member has the 14 bytes that 1e15 grows by when it is written out: the length alone would not tell.
HIDDEN = text('"nn":12345678,"nn":1,"temperature":1e15')

# Rows 18-26: what parsers disagree on. Body, code, and the parameter that is named.
BODIES: dict[str, tuple[bytes, str, str | None]] = {
    "18 empty": (b"", "invalid_json", None),
    "18 a mark alone": (b"\xef\xbb\xbf", "invalid_json", None),
    "18 blanks": (b" \n", "invalid_json", None),
    "19 not JSON": (b"canary7f3a", "invalid_json", None),
    "19 cut": (chat()[:-1], "invalid_json", None),
    "19 trailing bytes": (chat() + b"canary7f3a", "invalid_json", None),
    "19 two objects": (chat() + chat(), "invalid_json", None),
    "19 comment": (b"/* canary7f3a */" + chat(), "invalid_json", None),
    "19 single quotes": (b"{'model':'canary7f3a'}", "invalid_json", None),
    "19 trailing comma": (b'{"model":"canary7f3a",}', "invalid_json", None),
    "19 leading zero": (text('"seed":007'), "invalid_json", None),
    "19 control character": (text('"a":"\x01"'), "invalid_json", None),
    "19 hex": (text('"seed":0x7f3a'), "invalid_json", None),
    "20 array": (b'["canary7f3a"]', "invalid_type", None),
    "20 string": (b'"canary7f3a"', "invalid_type", None),
    "20 number": (b"7", "invalid_type", None),
    "20 null": (b"null", "invalid_type", None),
    "20 true": (b"true", "invalid_type", None),
    "21 twice": (b'{"model":"canary7f3a","model":"dear","messages":[]}', "duplicate_key", None),
    "21 twice, spaced": (b'{ "model": "canary7f3a", "messages": [], "model": "dear" }', "duplicate_key", None),
    "21 twice, escaped": (b'{"model":"canary7f3a","mod\\u0065l":"dear","messages":[]}', "duplicate_key", None),
    "21 twice, of one value": (text('"n":1,"n":1'), "duplicate_key", None),
    "21 twice, deep down": (text('"a":[[{"b":1,"c":2,"b":3}]]'), "duplicate_key", None),
    "21 twice, hidden by a number": (HIDDEN, "duplicate_key", None),
    "22 NaN": (text('"temperature":NaN'), "invalid_number", None),
    "22 NaN after other scripts": (text('"ß漢😀":"漢","temperature":NaN'), "invalid_number", None),
    "22 Infinity": (text('"temperature":Infinity'), "invalid_number", None),
    "22 -Infinity": (text('"temperature":-Infinity'), "invalid_number", None),
    "22 1e999": (text('"temperature":1e999'), "invalid_number", None),
    "22 -1e999": (text('"temperature":-1e999'), "invalid_number", None),
    "22 23 digits": (text('"seed":12345678901234567890123'), "invalid_number", None),
    "22 -23 digits": (text('"seed":-12345678901234567890123'), "invalid_number", None),
    "22 2**64": (text('"seed":18446744073709551616'), "invalid_number", None),
    "22 -2**63-1": (text('"seed":-9223372036854775809'), "invalid_number", None),
    "22 -19 digits": (text('"seed":-9999999999999999999'), "invalid_number", None),
    "22 5,000 digits": (text('"seed":' + "9" * 5_000), "invalid_number", None),
    "22 deep down": (text('"metadata":{"a":[12345678901234567890123]}'), "invalid_number", None),
    "23 65 levels": (text('"a":' + "[" * 64 + "]" * 64), "too_deep", None),
    "23 2,000 lists": (text('"a":' + "[" * 2_000 + "]" * 2_000), "too_deep", None),
    "23 2,000 objects": (text('"a":' + '{"a":' * 2_000 + "1" + "}" * 2_000), "too_deep", None),
    "24 a million keys": (
        b'{"metadata":{' + b",".join(b'"%d":1' % n for n in range(1_000_000)) + b"}}", "too_many_items", "metadata",
    ),
    "24 many keys at the top": (
        b"{" + b",".join(b'"%d":1' % n for n in range(ITEMS_MOST + 1)) + b"}", "too_many_items", None,
    ),
    "24 many keys about a list": (
        b'{"user":["a"],' + b",".join(b'"%d":1' % n for n in range(ITEMS_MOST + 1)) + b"}", "too_many_items", None,
    ),
    "24 100,000 messages": (chat(messages=[USER] * 100_000), "too_many_items", "messages"),
    "24 messages": (chat(messages=[USER] * (MESSAGES_MOST + 1)), "too_many_items", "messages"),
    "24 10,000 tools": (chat(tools=[{"type": "function"}] * 10_000), "too_many_items", "tools"),
    "24 tools": (chat(tools=[{}] * (TOOLS_MOST + 1)), "too_many_items", "tools"),
    "25 half a pair": (text('"user":"canary7f3a\\ud800"'), "invalid_unicode", None),
    "25 other half": (text('"user":"\\udc00canary7f3a"'), "invalid_unicode", None),
    "25 halves in the wrong order": (text('"user":"\\udc00\\ud800"'), "invalid_unicode", None),
    "25 half in upper case, in a key": (text('"\\uD83D":1'), "invalid_unicode", None),
    "25 not UTF-8": (text('"user":"?"').replace(b"?", b"\xff"), "invalid_unicode", None),
    "25 cut character": (text('"user":"?"').replace(b"?", b"\xe6\xbc"), "invalid_unicode", None),
    "25 overlong": (text('"user":"?"').replace(b"?", b"\xc0\xaf"), "invalid_unicode", None),
    "25 surrogate in bytes": (text('"user":"?"').replace(b"?", b"\xed\xa0\x80"), "invalid_unicode", None),
    "25 NUL": (text('"user":"canary7f3a\\u0000"'), "invalid_unicode", None),
    "25 NUL in a key": (text('"a\\u0000":1'), "invalid_unicode", None),
    "25 NUL deep down": (text('"a":[{"b":"\\u0000"}]'), "invalid_unicode", None),
    "26 UTF-16": (chat().decode().encode("utf-16"), "invalid_encoding", None),
    "26 UTF-16 little": (chat().decode().encode("utf-16-le"), "invalid_encoding", None),
    "26 UTF-16 big": (chat().decode().encode("utf-16-be"), "invalid_encoding", None),
    "26 UTF-32": (chat().decode().encode("utf-32"), "invalid_encoding", None),
    "26 UTF-32 big": (chat().decode().encode("utf-32-be"), "invalid_encoding", None),
}  # fmt: skip

# Rows 38-45: one field that is wrong.
FIELDS: dict[str, tuple[dict[str, Any], str, str]] = {
    "38 no model": ({"model": ...}, "missing_required_parameter", "model"),
    "38 null model": ({"model": None}, "missing_required_parameter", "model"),
    "38 no messages": ({"messages": ...}, "missing_required_parameter", "messages"),
    "38 null messages": ({"messages": None}, "missing_required_parameter", "messages"),
    "38 empty model": ({"model": ""}, "invalid_value", "model"),
    "38 endless model": ({"model": "m" * 257}, "invalid_value", "model"),
    "40 model": ({"model": 7}, "invalid_type", "model"),
    "40 model list": ({"model": ["text"]}, "invalid_type", "model"),
    "40 temperature": ({"temperature": "hot"}, "invalid_type", "temperature"),
    "40 temperature list": ({"temperature": [0.5]}, "invalid_type", "temperature"),
    "40 temperature bool": ({"temperature": True}, "invalid_type", "temperature"),
    "40 n bool": ({"n": True}, "invalid_type", "n"),
    "40 n text": ({"n": "2"}, "invalid_type", "n"),
    "40 stream": ({"stream": "true"}, "invalid_type", "stream"),
    "40 stream number": ({"stream": 1}, "invalid_type", "stream"),
    "40 stream_options": ({"stream_options": True}, "invalid_type", "stream_options"),
    "40 include_usage": ({"stream_options": {"include_usage": "yes"}}, "invalid_type", "stream_options.include_usage"),
    "40 max_tokens": ({"max_tokens": "10"}, "invalid_type", "max_tokens"),
    "40 max_tokens bool": ({"max_tokens": True}, "invalid_type", "max_tokens"),
    "40 seed": ({"seed": "x"}, "invalid_type", "seed"),
    "40 stop": ({"stop": 5}, "invalid_type", "stop"),
    "40 logit_bias": ({"logit_bias": []}, "invalid_type", "logit_bias"),
    "40 logprobs": ({"logprobs": 1}, "invalid_type", "logprobs"),
    "40 user": ({"user": {}}, "invalid_type", "user"),
    "40 metadata": ({"metadata": "x"}, "invalid_type", "metadata"),
    "40 tools": ({"tools": {}}, "invalid_type", "tools"),
    "40 tools entry": ({"tools": [{}, "f"]}, "invalid_type", "tools[1]"),
    "40 functions entry": ({"functions": [None]}, "invalid_type", "functions[0]"),
    "40 tool_choice": ({"tool_choice": 1}, "invalid_type", "tool_choice"),
    "40 response_format": ({"response_format": "json"}, "invalid_type", "response_format"),
    "40 parallel_tool_calls": ({"parallel_tool_calls": 0}, "invalid_type", "parallel_tool_calls"),
    "40 reasoning_effort": ({"reasoning_effort": 2}, "invalid_type", "reasoning_effort"),
    "40 service_tier": ({"service_tier": []}, "invalid_type", "service_tier"),
    "41 temperature": ({"temperature": 3}, "invalid_value", "temperature"),
    "41 temperature below": ({"temperature": -0.1}, "invalid_value", "temperature"),
    "41 n 0": ({"n": 0}, "invalid_value", "n"),
    "41 n 129": ({"n": 129}, "invalid_value", "n"),
    "41 top_p": ({"top_p": -1}, "invalid_value", "top_p"),
    "41 top_p above": ({"top_p": 1.01}, "invalid_value", "top_p"),
    "41 presence_penalty": ({"presence_penalty": 2.1}, "invalid_value", "presence_penalty"),
    "41 frequency_penalty": ({"frequency_penalty": -2.1}, "invalid_value", "frequency_penalty"),
    "41 top_logprobs": ({"top_logprobs": 21}, "invalid_value", "top_logprobs"),
    "41 seed": ({"seed": 1 << 63}, "invalid_value", "seed"),
    "42 max_tokens 0": ({"max_tokens": 0}, "invalid_value", "max_tokens"),
    "42 max_tokens -1": ({"max_tokens": -1}, "invalid_value", "max_tokens"),
    "42 max_tokens 2**31": ({"max_tokens": 1 << 31}, "invalid_value", "max_tokens"),
    "42 max_tokens 2**63": ({"max_tokens": 1 << 63}, "invalid_value", "max_tokens"),
    "42 max_tokens float": ({"max_tokens": 10.5}, "invalid_value", "max_tokens"),
    "42 max_tokens 10.0": ({"max_tokens": 10.0}, "invalid_value", "max_tokens"),
    "42 max_completion_tokens 0": ({"max_completion_tokens": 0}, "invalid_value", "max_completion_tokens"),
    "42 both": ({"max_tokens": 5, "max_completion_tokens": 5}, "invalid_value", "max_tokens"),
    **{
        f"45 {name}": ({name: "http://169.254.169.254/canary7f3a"}, "forbidden_parameter", name)
        for name in ("api_base", "base_url", "api_key", "custom_llm_provider", "custom_host")
    },
    "45 extra_headers": ({"extra_headers": {"a": CANARY}}, "forbidden_parameter", "extra_headers"),
    "45 metadata": ({"metadata": {"user_api_key_alias": CANARY}}, "forbidden_parameter", "metadata.user_api_key"),
}

# Row 46: messages, and the one that is named.
MESSAGES: dict[str, tuple[Any, str]] = {
    "not a list": ({}, "messages"),
    "a text": (CANARY, "messages"),
    "empty": ([], "messages"),
    "not an object": ([USER, CANARY], "messages[1]"),
    "null": ([None], "messages[0]"),
    "no role": ([{"content": CANARY}], "messages[0]"),
    "unknown role": ([USER, USER, USER, {"role": CANARY, "content": "x"}], "messages[3]"),
    "role a list": ([{"role": [CANARY], "content": "x"}], "messages[0]"),
    "role an object": ([{"role": {}, "content": "x"}], "messages[0]"),
    "null content": ([{"role": "user", "content": None}], "messages[0]"),
    "no content": ([{"role": "system"}], "messages[0]"),
    "empty content": ([{"role": "user", "content": []}], "messages[0]"),
    "content a number": ([{"role": "user", "content": 7}], "messages[0]"),
    "content an object": ([{"role": "developer", "content": {"text": CANARY}}], "messages[0]"),
    "assistant without anything": ([USER, {"role": "assistant", "content": None}], "messages[1]"),
    "assistant with no calls": ([USER, {"role": "assistant", "content": None, "tool_calls": []}], "messages[1]"),
    "assistant content a number": ([{"role": "assistant", "content": 7}], "messages[0]"),
    "tool_calls an object": ([{"role": "assistant", "content": "x", "tool_calls": CALL}], "messages[0]"),
    "tool call a text": ([{"role": "assistant", "tool_calls": [CANARY]}], "messages[0]"),
    "tool call without id": ([{"role": "assistant", "tool_calls": [{"type": "function"}]}], "messages[0]"),
    "tool call id a number": ([{"role": "assistant", "tool_calls": [{**CALL, "id": 7}]}], "messages[0]"),
    "tool without call id": ([USER, ASSISTANT, {"role": "tool", "content": "12"}], "messages[2]"),
    "tool with another id": ([USER, ASSISTANT, {**TOOL, "tool_call_id": CANARY}], "messages[2]"),
    "tool without content": ([USER, ASSISTANT, {"role": "tool", "tool_call_id": "call_a"}], "messages[2]"),
    "tool before its call": ([USER, TOOL, ASSISTANT], "messages[1]"),
    "call never answered": ([USER, ASSISTANT], "messages[1]"),
    "call answered in part": (
        [USER, {**ASSISTANT, "tool_calls": [CALL, {**CALL, "id": "call_b"}]}, TOOL, USER], "messages[1]",
    ),
    "call made again and not answered": ([USER, ASSISTANT, TOOL, ASSISTANT], "messages[3]"),
    "part a text": ([{"role": "user", "content": [CANARY]}], "messages[0].content[0]"),
    "part without type": ([{"role": "user", "content": [{"text": CANARY}]}], "messages[0].content[0]"),
    "part type a list": ([{"role": "user", "content": [{"type": "text"}, {"type": []}]}], "messages[0].content[1]"),
}  # fmt: skip

# Row 47: addresses of pictures.
IMAGES: dict[str, tuple[Any, str]] = {
    **{
        address: (address, "invalid_image_url")
        for address in (
            "http://169.254.169.254/canary7f3a",
            "http://127.0.0.1/a.png",
            "http://127.1/a.png",
            "http://127.0.0.1./a.png",
            "http://2130706433/a.png",
            "http://0x7f000001/a.png",
            "http://0177.0.0.1/a.png",
            "http://10.0.0.5/a.png",
            "http://192.168.1.1/a.png",
            "http://172.16.0.1/a.png",
            "http://100.64.0.1/a.png",
            "http://0.0.0.0/a.png",
            "http://168.63.129.16/a.png",
            "http://localhost/a.png",
            "http://LOCALHOST./a.png",
            "http://a.localhost/a.png",
            "http://metadata.google.internal/a.png",
            "http://printer.local/a.png",
            "http://[::1]/a.png",
            "http://[::ffff:127.0.0.1]/a.png",
            "http://[fe80::1%25eth0]/a.png",
            "http://[fd00::1]/a.png",
            "http://[64:ff9b::a9fe:a9fe]/a.png",
            "http://user@127.0.0.1/a.png",
            "http://[::1/a.png",
            "http:///a.png",
            "http://exa mple.com/a.png",
            "http://exam\nple.com/a.png",
            "file:///etc/passwd",
            "ftp://example.com/a.png",
            "gopher://example.com/",
            "//example.com/a.png",
            "canary7f3a",
            "",
            "data:",
            "data:image/png;base64",
            "data:image/png;base64,",
            "data:image/png,canary7f3a",
            "data:image/svg+xml;base64,PHN2Zy8+",
            "data:image/pngx;base64,AAAA",
            "data:text/html;base64,AAAA",
            "DATA:text/html;base64,AAAA",
            "data:image/png;base64,canary_7f3a!",
            "data:image/png;base64,AAAAA",
            "data:image/png;base64,AAA==",
            "data:image/png;base64,AA=A",
            "data:image/png;base64,=AAA",
            "data:image/png;base64,AAAA====",
            "data:image/png;base64,AÄAA",
            "data:image/png;" + "a=b;" * 20 + "base64,AAAA",
        )
    },
    "no address": (None, "invalid_image_url"),
    "a number": (7, "invalid_image_url"),
    "a list": (["https://example.com/a.png"], "invalid_image_url"),
    "PNG of 100,000 squared": (png(100_000, 100_000), "image_too_large"),
    "PNG of one line": (png(1 << 31, 1), "image_too_large"),
    "GIF of 65,535 squared": (gif(65_535, 65_535), "image_too_large"),
}

COMPLETIONS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no prompt": ({"prompt": ...}, "missing_required_parameter", "prompt"),
    "prompt a number": ({"prompt": 7}, "invalid_type", "prompt"),
    "best_of": ({"best_of": 21}, "invalid_value", "best_of"),
    "logprobs": ({"logprobs": 6}, "invalid_value", "logprobs"),
    "logprobs bool": ({"logprobs": True}, "invalid_type", "logprobs"),
    "echo": ({"echo": "yes"}, "invalid_type", "echo"),
    "suffix": ({"suffix": 1}, "invalid_type", "suffix"),
    "max_tokens": ({"max_tokens": 0}, "invalid_value", "max_tokens"),
    "api_base": ({"api_base": "http://a"}, "forbidden_parameter", "api_base"),
}


def assert_refused(failure: Failure, code: str, param: str | None) -> None:
    assert (failure.code, failure.param, failure.status) == (code, param, 400)
    assert failure.kind.cause == "client"
    assert CANARY not in f"{failure.message} {failure.param}"
    assert len(failure.message) < 120


@pytest.mark.parametrize("name", BODIES)
def test_bodies_that_parsers_disagree_on(name: str) -> None:
    body, code, param = BODIES[name]
    assert_refused(failure_of(body), code, param)


@pytest.mark.parametrize("name", FIELDS)
def test_fields(name: str) -> None:
    fields, code, param = FIELDS[name]
    assert_refused(failure_of(chat(**fields)), code, param)


@pytest.mark.parametrize("name", MESSAGES)
def test_messages(name: str) -> None:
    messages, param = MESSAGES[name]
    assert_refused(failure_of(chat(messages=messages)), "invalid_messages", param)


@pytest.mark.parametrize("place", [lambda url: {"url": url}, lambda url: url], ids=["object", "bare"])
@pytest.mark.parametrize("name", IMAGES)
def test_pictures(name: str, place: Callable[[Any], Any]) -> None:
    url, code = IMAGES[name]
    parts = [{"type": "text", "text": CANARY}, {"type": "image_url", "image_url": place(url)}]
    failure = failure_of(chat(messages=[USER, {"role": "user", "content": parts}]))
    assert_refused(failure, code, "messages[1].content[1].image_url")


@pytest.mark.parametrize("name", COMPLETIONS)
def test_completions(name: str) -> None:
    fields, code, param = COMPLETIONS[name]
    body = {"model": "text", "prompt": CANARY, **fields}
    encoded = orjson.dumps({name: value for name, value in body.items() if value is not ...})
    assert_refused(failure_of(encoded, Operation.COMPLETION), code, param)


def test_a_lost_member_may_be_hidden_by_its_length() -> None:
    assert len(orjson.dumps(orjson.loads(HIDDEN))) == len(HIDDEN)


def test_the_place_of_a_mistake_is_told_in_characters() -> None:
    assert failure_of('{"ß漢":tru}'.encode()).message.endswith("at character 6")
    assert failure_of(b'{"a":"\xff"}').message.endswith("at byte 6")
