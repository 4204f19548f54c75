"""Files of every kind as clients send them: said as text where they are text, else sent, or refused by name."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import orjson
import pytest

from oneflow_ai.core.failure import Failure
from oneflow_ai.core.ports import HttpRequest
from tests.wire.generations import generation_call
from tests.wire.messages import message_call
from tests.wire.requests import target_of

SERVERS = ["openai", "mistral", "deepseek", "groq", "xai", "together", "ollama", "vllm", "azure", "openrouter"]
PLAIN = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hello"}, "title": "T"}


def given(content: bytes, media_type: str, kind: str) -> HttpRequest:
    """The request to a server for a file that a client of Gemini's dialect sends along."""
    blob = {"inlineData": {"mimeType": media_type, "data": b64encode(content).decode(), "displayName": "T"}}
    target = target_of(kind, model="m")
    call = generation_call(contents=[{"role": "user", "parts": [blob, {"text": "Read"}]}])
    return target.adapter.request(call, target)


def said(sent: HttpRequest) -> str:
    """All that the user says, as one text."""
    content: Any = orjson.loads(sent.body)["messages"][0]["content"]
    return content if isinstance(content, str) else "\n\n".join(part["text"] for part in content)


@pytest.mark.parametrize("kind", SERVERS)
def test_plain_text_is_said_under_its_title_by_every_server(kind: str) -> None:
    target = target_of(kind, model="m")
    turns = [{"role": "user", "content": [PLAIN, {"type": "text", "text": "Read"}]}]
    sent = target.adapter.request(message_call(messages=turns), target)
    assert (said(sent), sent.dropped) == ("T\n\nhello\n\nRead", ())


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("media_type", ["text/plain", "text/csv", "text/html"])
def test_text_in_base64_is_said_too(kind: str, media_type: str) -> None:
    assert said(given(b"a,b", media_type, kind)) == "T\n\na,b\n\nRead"


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("media_type", ["application/msword", "video/mp4", "image/heic", "audio/ogg", "text/plain"])
def test_what_is_neither_text_nor_pdf_is_refused_by_the_clients_name(kind: str, media_type: str) -> None:
    with pytest.raises(Failure) as told:
        given(b"\xff\xfe", media_type, kind)
    assert (told.value.code, told.value.param) == ("unsupported_parameter", "contents")


@pytest.mark.parametrize("kind", ["openai", "azure", "openrouter"])
def test_a_pdf_is_a_file(kind: str) -> None:
    content = orjson.loads(given(b"%PDF", "application/pdf", kind).body)["messages"][0]["content"]
    assert content[0]["file"] == {"filename": "T", "file_data": "data:application/pdf;base64,JVBERg=="}


def test_a_file_that_bedrock_does_not_know_is_named_by_the_client() -> None:
    with pytest.raises(Failure) as told:
        given(b"\xff", "application/zip", "bedrock")
    assert told.value.param == "contents"


def test_gemini_is_told_the_title_of_a_text() -> None:
    target = target_of("gemini", model="gemini-3.8-flash")
    call = message_call(messages=[{"role": "user", "content": [PLAIN]}])
    assert orjson.loads(target.adapter.request(call, target).body)["contents"][0]["parts"] == [{"text": "T\n\nhello"}]


@pytest.mark.parametrize(
    "address",
    [
        "https://www.youtube.com/watch?v=x",
        "https://youtu.be/x",
        "https://generativelanguage.googleapis.com/v1beta/files/abc",
        "gs://bucket/a.pdf",
    ],
)
def test_where_only_google_can_look_nobody_else_is_sent(address: str) -> None:
    file = {"fileData": {"fileUri": address, "mimeType": "application/pdf"}}
    call = generation_call(contents=[{"role": "user", "parts": [file, {"text": "Read"}]}])
    target = target_of("anthropic", model="claude-haiku-5-5")
    with pytest.raises(Failure) as told:
        target.adapter.request(call, target)
    assert told.value.param == "contents[0].parts[0].fileData"
    own = target_of("gemini", model="gemini-3.8-flash")
    assert address in own.adapter.request(call, own).body.decode()


FOUND = {"type": "search_result", "title": "T", "source": "https://a.b/c", "content": [{"type": "text", "text": "hi"}]}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}}


@pytest.mark.parametrize("model", [("openai", "gpt-6-luna"), ("gemini", "gemini-3.8-flash"), ("bedrock", "us.meta.l")])
@pytest.mark.parametrize(
    ("block", "context"), [({**PLAIN, "context": "From 1999"}, "From 1999"), (FOUND, "https://a.b/c"),
    ({**PDF, "context": "From 1999"}, "From 1999")],
)  # fmt: skip
def test_what_is_told_of_a_document_reaches_the_model(model: tuple[str, str], block: Any, context: str) -> None:
    target = target_of(model[0], model=model[1])
    result = {"type": "tool_result", "tool_use_id": "a", "content": [block]}
    called = {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]}
    for turns in ([block], [result]):
        history = [{"role": "user", "content": "x"}, called] if turns == [result] else []
        call = message_call(messages=[*history, {"role": "user", "content": turns}])
        assert context in target.adapter.request(call, target).body.decode()


@pytest.mark.parametrize("kind", ["openai", "gemini", "bedrock", "openrouter"])
def test_a_document_of_texts_is_text(kind: str) -> None:
    source = {"type": "content", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]}
    target = target_of(kind, model="m")
    call = message_call(messages=[{"role": "user", "content": [{"type": "document", "source": source}]}])
    assert "one\\n\\ntwo" in target.adapter.request(call, target).body.decode()
