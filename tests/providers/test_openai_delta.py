"""What choices of OpenAI's wire bring in the middle form beyond texts and tools: seals, citations, reasons."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.events import Delta, End
from oneflow_ai.core.failure import UPSTREAM_STREAM_INTERRUPTED
from oneflow_ai.providers.openai_delta import Deltas
from oneflow_ai.providers.openai_stream import text_decoder

DEEP: list[Any] = []
for _ in range(300):
    DEEP = [DEEP]


def of(delta: dict[str, Any], **choice: Any) -> list[Delta]:
    return Deltas().of({"delta": delta, **choice})


def test_blocks_of_reasoning_keep_all_that_the_server_put_into_them() -> None:
    text = {"type": "reasoning.text", "text": "Hm", "signature": "s", "format": "x-v1", "index": 0}
    dark = {"type": "reasoning.encrypted", "data": "d", "id": "rs_1", "index": 1}
    short = {"type": "reasoning.summary", "summary": "In short", "index": 2}
    found = of({"reasoning": "HmIn short", "reasoning_content": "Hm", "reasoning_details": [text, dark, short]})
    assert [(delta.kind, delta.wire) for delta in found] == [
        ("reasoning", ""),
        ("signature", "openai"),
        ("sealed", "openai"),
        ("reasoning", ""),
    ]
    assert (found[0].text, found[3].text) == ("Hm", "In short")
    assert json.loads(found[1].text) == {name: value for name, value in text.items() if name != "text"}
    assert json.loads(found[2].text) == dark


def test_blocks_that_cannot_be_read_leave_the_plain_field_its_word() -> None:
    dark = {"type": "reasoning.encrypted", "data": "d"}
    assert [delta.kind for delta in of({"reasoning": "Hm", "reasoning_details": [dark]})] == ["reasoning", "sealed"]


@pytest.mark.parametrize(
    "details",
    [None, {}, "x", [None], ["x"], [{}], [{"type": 7}], [{"type": "reasoning.text", "text": 7}], [{"type": ["x"]}]],
)
def test_odd_blocks_are_none(details: Any) -> None:
    assert of({"reasoning": "Hm", "reasoning_details": details}) == [Delta("reasoning", "Hm")]


def test_blocks_nested_too_deep_to_write_are_empty() -> None:
    found = of({"reasoning_details": [{"type": "reasoning.encrypted", "data": DEEP}]})
    assert found == [Delta("sealed", "", wire="openai")]


def test_citations() -> None:
    cited = {"url": "https://a", "title": "A", "start_index": 1, "end_index": 2, "content": "quoted"}
    (found,) = of({"annotations": [{"type": "url_citation", "url_citation": cited}]})
    assert (found.kind, json.loads(found.text)) == (
        "citation",
        {"url": "https://a", "title": "A", "start": 1, "end": 2, "text": "quoted"},
    )


@pytest.mark.parametrize("annotations", [{}, [None], [{}], [{"url_citation": 7}], [{"url_citation": {}}], "x"])
def test_odd_citations_are_none(annotations: Any) -> None:
    assert of({"annotations": annotations}) == []


def test_log_probabilities() -> None:
    tokens = [{"token": "a", "logprob": -0.5}]
    (text, told) = of({"content": "a"}, index=1, logprobs={"content": tokens})
    assert (text, told.kind, told.index, json.loads(told.text)) == (Delta("text", "a", 1), "logprobs", 1, tokens)


@pytest.mark.parametrize(
    "logprobs", [{}, {"content": None}, {"content": []}, {"tokens": ["a"]}, [], 7, {"content": DEEP}]
)
def test_odd_log_probabilities_are_none(logprobs: Any) -> None:
    assert of({}, logprobs=logprobs) == []


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("model_length", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("end_turn", "stop"),
    ],
)
def test_finish_reasons_in_the_middle_forms_words(word: str, reason: str) -> None:
    body = json.dumps({"id": "x", "choices": [{"index": 0, "message": {"content": "a"}, "finish_reason": word}]})
    assert _end(body.encode(), stream=False, raw=True).reason == word
    assert _end(body.encode(), stream=False, raw=False).reason == reason
    event = json.dumps({"id": "x", "choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": word}]})
    content = f"data: {event}\n\ndata: [DONE]\n\n".encode()
    assert _end(content, stream=True, raw=True).reason == word
    assert _end(content, stream=True, raw=False).reason == reason
    assert _end(content, stream=True, raw=False).answer_id == "x"


@pytest.mark.parametrize("word", ["insufficient_system_resource", "error", "abort"])
def test_an_answer_that_its_server_broke_off_is_a_failure(word: str) -> None:
    body = json.dumps({"choices": [{"message": {"content": "a"}, "finish_reason": word}]}).encode()
    failure = _end(body, stream=False, raw=False).failure
    assert failure is not None and failure.kind is UPSTREAM_STREAM_INTERRUPTED and word in failure.message
    assert _end(body, stream=False, raw=True).failure is None


def test_a_refusal_in_words_is_the_reason() -> None:
    body = json.dumps({"choices": [{"message": {"refusal": "No."}, "finish_reason": "stop"}]}).encode()
    assert _end(body, stream=False, raw=False).reason == "refusal"


def test_what_ended_the_text_is_told_where_the_server_tells_it() -> None:
    def body(reason: str, stop: Any) -> bytes:
        choice = {"message": {"content": "a"}, "finish_reason": reason, "stop_reason": stop}
        return json.dumps({"choices": [choice]}).encode()

    assert _end(body("stop", "."), stream=False, raw=False).stop_sequence == "."
    assert _end(body("stop", 128001), stream=False, raw=False).stop_sequence == ""
    assert _end(body("length", "."), stream=False, raw=False).stop_sequence == ""


def _end(content: bytes, *, stream: bool, raw: bool) -> End:
    decoder = text_decoder(stream=stream, raw=raw, include_usage=False)
    events = [*decoder.feed(content), *decoder.close()]
    end = events[-1]
    assert isinstance(end, End)
    return end


NAMES = [
    "content", "reasoning", "reasoning_content", "reasoning_details", "refusal", "tool_calls", "function_call",
    "annotations", "logprobs", "type", "text", "summary", "signature", "data", "url_citation", "url", "function",
    "name", "arguments", "id", "index", "thinking", "finish_reason", "stop_reason",
]  # fmt: skip
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.sampled_from(["", "a", "reasoning.text", "reasoning.encrypted"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["delta", "message", *NAMES]), JSON), st.booleans())
def test_nothing_that_a_choice_holds_is_more_than_texts(choice: dict[str, Any], whole: bool) -> None:
    deltas = Deltas()
    for delta in deltas.of(choice, whole=whole):
        assert all(isinstance(text, str) for text in (delta.kind, delta.text, delta.tool_id, delta.wire))
        assert {type(delta.index), type(delta.tool_index)} == {int}
    assert isinstance(deltas.ended(End("stop")).reason, str)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
@pytest.mark.parametrize("whole", [True, False])
def test_thoughts_come_before_what_they_led_to(field: str, whole: bool) -> None:
    said = {"content": "Hi", "refusal": "No", field: "I think"}
    choice = {"index": 0, "message" if whole else "delta": said}
    kinds = [delta.kind for delta in Deltas().of(choice, whole=whole)]
    assert kinds == ["reasoning", "text", "refusal"]


def test_a_seal_follows_the_thought_that_it_ends() -> None:
    detail = {"type": "reasoning.text", "signature": "s"}
    found = Deltas().of({"delta": {"content": "Hi", "reasoning": "I think", "reasoning_details": [detail]}})
    assert [delta.kind for delta in found] == ["reasoning", "signature", "text"]
