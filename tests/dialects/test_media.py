"""Pictures are counted as pictures, and what carries them is no text: in what a call may use, and in what it did."""

import base64
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from oneflow_ai.core.call import Account, Call, Operation
from oneflow_ai.dialects import anthropic, openai
from oneflow_ai.dialects.envelope import Envelope

PHOTO = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(300_000)).decode()
URL = f"data:image/png;base64,{PHOTO}"


def envelope(operation: Operation) -> Envelope:
    return Envelope("req_1", Account("key-1"), operation, datetime(2026, 11, 26, tzinfo=UTC), 5.0, 605.0)


def chat(*parts: dict[str, Any]) -> Call:
    messages = [{"role": "system", "content": "be kind"}, {"role": "user", "content": list(parts)}]
    return openai.parse(orjson.dumps({"model": "text", "messages": messages}), envelope(Operation.CHAT))


def message(*parts: dict[str, Any]) -> Call:
    body = {"model": "text", "max_tokens": 9, "messages": [{"role": "user", "content": list(parts)}]}
    return anthropic.parse(orjson.dumps(body), envelope(Operation.CHAT))


def completion(**fields: Any) -> Call:
    return openai.parse(orjson.dumps({"model": "text", **fields}), envelope(Operation.COMPLETION))


def test_a_chats_pictures_are_counted_and_its_text_is_the_rest() -> None:
    call = chat(
        {"type": "text", "text": "what is it?"},
        {"type": "image_url", "image_url": {"url": URL}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    )
    assert call.media.pictures == 2
    assert 100 < call.prompt_bytes < 400


def test_a_messages_pictures_are_counted_within_a_tools_result_too() -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PHOTO}}
    by_address = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    call = message({"type": "text", "text": "what is it?"}, picture, by_address)
    assert call.media.pictures == 2
    assert 100 < call.prompt_bytes < 400


def test_text_has_no_pictures() -> None:
    call = chat({"type": "text", "text": "x" * 1_000})
    assert call.media.pictures == 0
    assert call.prompt_bytes > 1_000


@pytest.mark.parametrize(
    ("fields", "answers"),
    [
        ({"prompt": "one"}, 1),
        ({"prompt": ["one", "two", "three"]}, 3),
        ({"prompt": [[1, 2], [3]]}, 2),
        ({"prompt": [1, 2, 3]}, 1),
        ({"prompt": ["one", "two"], "n": 2}, 4),
        ({"prompt": "one", "n": 2, "best_of": 5}, 5),
    ],
)
def test_each_prompt_is_answered_as_often_as_is_asked(fields: dict[str, Any], answers: int) -> None:
    assert completion(**fields).answers == answers
