"""Requests to OpenAI's Responses: bad ones are a 400 that names the place and repeats nothing, good ones a call."""

from typing import Any

import pytest

from oneflow_ai.core.call import Operation
from oneflow_ai.core.failure import Failure
from oneflow_ai.dialects.openai import TOOLS_MOST
from oneflow_ai.dialects.openai_messages import MESSAGES_MOST
from tests.wire.replies import USER, response_call

CANARY = "canary7f3a"
CALL = {"type": "function_call", "call_id": "call_a", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_a", "output": "12"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
PICTURE = f"data:image/png;base64,{PNG}"


def items(*found: Any) -> dict[str, Any]:
    return {"input": list(found)}


def said(*parts: Any) -> dict[str, Any]:
    """Fields with one message of these parts."""
    return items({"role": "user", "content": list(parts)})


WRONG = "invalid_messages"
BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "no model": ({"model": ...}, "missing_required_parameter", "model"),
    "no input": ({"input": ...}, "missing_required_parameter", "input"),
    "model is a number": ({"model": 5}, "invalid_type", "model"),
    "model is empty": ({"model": ""}, "invalid_value", "model"),
    "input is a number": ({"input": 5}, "invalid_type", "input"),
    "input is none": ({"input": []}, WRONG, "input"),
    "many items": ({"input": [USER] * (MESSAGES_MOST + 1)}, "too_many_items", "input"),
    "an item is a text": (items(CANARY), WRONG, "input[0]"),
    "a type is a number": (items({"type": 5}), WRONG, "input[0].type"),
    "another role": (items(USER, {"role": CANARY, "content": "x"}), WRONG, "input[1].role"),
    "no role": (items({"type": "message", "content": "x"}), WRONG, "input[0].role"),
    "no content": (items({"role": "user"}), WRONG, "input[0].content"),
    "content is a number": (items({"role": "user", "content": 5}), WRONG, "input[0].content"),
    "a part is a text": (said(CANARY), WRONG, "input[0].content[0]"),
    "a part without a type": (said({"text": CANARY}), WRONG, "input[0].content[0]"),
    "a text without text": (said({"type": "input_text"}), WRONG, "input[0].content[0].text"),
    "a call without an id": (items({**CALL, "call_id": None}), WRONG, "input[0].call_id"),
    "a call without a name": (items({**CALL, "name": 5}), WRONG, "input[0].name"),
    "a call's arguments": (items({**CALL, "arguments": {}}), WRONG, "input[0].arguments"),
    "a call without an output": (items(USER, CALL), WRONG, "input[1]"),
    "an output of nothing": (items(OUTPUT), WRONG, "input[0].call_id"),
    "an output before its call": (items(OUTPUT, CALL), WRONG, "input[0].call_id"),
    "an output's content": (items(CALL, {**OUTPUT, "output": 5}), WRONG, "input[1].output"),
    "an output's part": (items(CALL, {**OUTPUT, "output": [{"type": "input_text"}]}), WRONG, "input[1].output[0].text"),
    "a thought's seal": (items({**THOUGHT, "encrypted_content": 5}), WRONG, "input[0].encrypted_content"),
    "a thought's summary": (items({**THOUGHT, "summary": CANARY}), WRONG, "input[0].summary"),
    "a summary's part": (items({**THOUGHT, "summary": [CANARY]}), WRONG, "input[0].summary[0]"),
    "a picture of nothing": (said({"type": "input_image"}), "invalid_image_url", "input[0].content[0].image_url"),
    "a private picture": (
        said({"type": "input_image", "image_url": "http://169.254.169.254/x"}),
        "invalid_image_url",
        "input[0].content[0].image_url",
    ),
    "a picture from a file": (
        said({"type": "input_image", "image_url": "file:///etc/passwd"}),
        "invalid_image_url",
        "input[0].content[0].image_url",
    ),
    "a file of nothing": (said({"type": "input_file"}), WRONG, "input[0].content[0]"),
    "a private file": (
        said({"type": "input_file", "file_url": "http://127.0.0.1/x"}),
        WRONG,
        "input[0].content[0].file_url",
    ),
    "a file's address": (said({"type": "input_file", "file_url": 5}), WRONG, "input[0].content[0].file_url"),
    "a file's content": (said({"type": "input_file", "file_data": 5}), WRONG, "input[0].content[0].file_data"),
    "instructions": ({"instructions": ["x"]}, "invalid_type", "instructions"),
    "temperature": ({"temperature": 3}, "invalid_value", "temperature"),
    "no bound": ({"max_output_tokens": 0}, "invalid_value", "max_output_tokens"),
    "a bound too large": ({"max_output_tokens": 1 << 62}, "invalid_value", "max_output_tokens"),
    "stream": ({"stream": "true"}, "invalid_type", "stream"),
    "store": ({"store": 1}, "invalid_type", "store"),
    "tools": ({"tools": {}}, "invalid_type", "tools"),
    "many tools": ({"tools": [{"type": "function"}] * (TOOLS_MOST + 1)}, "too_many_items", "tools"),
    "a tool": ({"tools": [CANARY]}, "invalid_type", "tools[0]"),
    "tool_choice": ({"tool_choice": 5}, "invalid_type", "tool_choice"),
    "include": ({"include": [5]}, "invalid_type", "include"),
    "truncation": ({"truncation": CANARY}, "invalid_value", "truncation"),
    "reasoning": ({"reasoning": CANARY}, "invalid_type", "reasoning"),
    "an effort": ({"reasoning": {"effort": 5}}, "invalid_type", "reasoning.effort"),
    "text": ({"text": CANARY}, "invalid_type", "text"),
    "a format": ({"text": {"format": CANARY}}, "invalid_type", "text.format"),
    "a format's type": ({"text": {"format": {}}}, "invalid_type", "text.format.type"),
    "a schema": (
        {"text": {"format": {"type": "json_schema", "name": "a", "schema": CANARY}}},
        "invalid_type",
        "text.format.schema",
    ),
    "a conversation": ({"conversation": 5}, "invalid_type", "conversation"),
    "a background": ({"background": "yes"}, "invalid_type", "background"),
    "in the background": ({"background": True}, "unsupported_parameter", "background"),
    "in the background, streamed": ({"background": True, "stream": True}, "unsupported_parameter", "background"),
    "an address of the provider's": ({"base_url": CANARY}, "forbidden_parameter", "base_url"),
    "a key of the gateway's": (
        {"metadata": {"user_api_key_x": CANARY}},
        "forbidden_parameter",
        "metadata.user_api_key",
    ),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("operation", [Operation.CHAT, Operation.COUNT_TOKENS])
def test_bad_input_names_its_place_and_repeats_nothing(name: str, operation: Operation) -> None:
    fields, code, param = BAD[name]
    if operation is Operation.COUNT_TOKENS and name.startswith("in the background"):
        return
    with pytest.raises(Failure) as caught:
        response_call(operation, **fields)
    failure = caught.value
    assert (failure.status, failure.code, failure.param) == (400, code, param)
    assert CANARY not in failure.message


def test_a_call_is_what_was_asked() -> None:
    call = response_call(stream=True, max_output_tokens=5, user="u", input=[USER], temperature=None)
    assert (call.dialect, call.wire, call.operation, call.model) == ("responses", "responses", Operation.CHAT, "text")
    assert (call.stream, call.include_usage, call.output_most_tokens, call.answers) == (True, True, 5, 1)
    assert call.user == "u"
    assert response_call(safety_identifier="s" * 300, user="u").user == "s" * 256
    counted = response_call(Operation.COUNT_TOKENS, stream=True)
    assert (counted.stream, counted.output_most_tokens) == (False, None)


def test_what_is_no_text_is_counted_apart() -> None:
    plain = response_call(input=[{"role": "user", "content": ""}])
    pictured = said(
        {"type": "input_image", "image_url": PICTURE, "detail": "low"},
        {"type": "input_image", "file_id": "file_1"},
        {"type": "input_file", "file_url": "https://a.example/b.pdf"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "aGk="},
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
    )
    media = response_call(**pictured).media
    assert (media.pictures, media.picture_bytes, media.files, media.sound_bytes) == (2, len(PICTURE), 1, 4)
    assert plain.media.files == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"previous_response_id": "resp_1"},
        {"conversation": {"id": "conv_1"}},
        {"prompt": {"id": "pmpt_1"}},
        {"tools": [{"type": "web_search"}]},
        items({"type": "item_reference", "id": "msg_1"}),
        items({"id": "msg_1"}),
    ],
)
def test_what_the_provider_adds_to_the_prompt_is_held_like_a_file(fields: dict[str, Any]) -> None:
    assert response_call(**fields).media.files == 1


def test_what_stands_elsewhere_may_hold_the_other_half_of_a_call() -> None:
    assert response_call(input=[OUTPUT], previous_response_id="resp_1").body["input"] == [OUTPUT]
    assert response_call(input=[{"type": "item_reference", "id": "fc_1"}, OUTPUT]).wire == "responses"
    assert response_call(input=..., previous_response_id="resp_1").body["model"] == "text"
