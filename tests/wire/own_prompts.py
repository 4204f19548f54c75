"""Prompts for tests of what is sent to wires of their own, and calls that bring them."""

from datetime import UTC, datetime
from typing import Any

import orjson
from hypothesis import strategies as st

from oneflow_ai.core.call import Account, Call, Operation
from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.core.prompt import (
    Document,
    Image,
    Message,
    Prompt,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from oneflow_ai.core.target import Target

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQK"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = Tool("weather", "The weather of a city", SCHEMA)
TIME = Tool("time")
USER = Message("user", (Text("Hello"),))


def call_with(
    prompt: Prompt | None, *, operation: Operation = Operation.CHAT, stream: bool = False, **body: Any
) -> Call:
    """A call of a client of another wire whose middle form is this prompt."""
    return Call(
        id="req_00c0ffee",
        account=Account("key-1"),
        dialect="openai",
        operation=operation,
        model="text",
        body=dict(body),
        stream=stream,
        include_usage=False,
        received=datetime(2026, 11, 26, tzinfo=UTC),
        started_seconds=5.0,
        deadline_seconds=605.0,
        prompt_bytes=100,
        wire="openai",
        read=None if prompt is None else lambda found: prompt,
    )


def prompt(*messages: Message, **fields: Any) -> Prompt:
    """A prompt of these messages, or of a greeting."""
    return Prompt(messages or (USER,), **fields)


def request(asked: Prompt, target: Target, **about: Any) -> HttpRequest:
    """The request for a chat with this prompt."""
    return target.adapter.request(call_with(asked, **about), target)


def body_of(asked: Prompt, target: Target, **about: Any) -> dict[str, Any]:
    """The body that reaches the provider."""
    found: dict[str, Any] = orjson.loads(request(asked, target, **about).body)
    return found


# What a conversation of any client may be: texts that say something, pictures, files, tools called and answered.
_WORDS = st.text(min_size=1, max_size=20).map(lambda text: f"«{text}»")
_NAMES = st.text("abcdefghijklmnopqrstuvwxyz_-0123456789", max_size=20).map("a{}".format)
_ARGUMENTS = st.dictionaries(st.text(max_size=5), st.integers(-5, 5) | st.text(max_size=5), max_size=3).map(
    lambda found: orjson.dumps(found).decode()
)
_FILES: st.SearchStrategy[Image | Document] = st.sampled_from(
    (
        Image(data=PNG, media_type="image/png"),
        Document(data=PDF, media_type="application/pdf", name="a.pdf"),
        Document(text="plain words", name="a b.txt"),
    )
)


@st.composite
def conversations(draw: st.DrawFn) -> Prompt:
    """A prompt in which each result of a tool answers a call before it."""
    messages = [Message("system", (Text(draw(_WORDS)),)) for _ in range(draw(st.integers(0, 2)))]
    number = 0
    for _ in range(draw(st.integers(1, 4))):
        said = [Text(text) for text in draw(st.lists(_WORDS, min_size=1, max_size=3))]
        messages.append(Message("user", (*said, *draw(st.lists(_FILES, max_size=2)))))
        names = draw(st.lists(_NAMES, max_size=3))
        calls = []
        for name in names:
            number += 1
            calls.append(ToolCall(f"call_{number}", name, draw(_ARGUMENTS)))
        messages.append(Message("assistant", (Text(draw(_WORDS)), *calls)))
        if calls:
            results = [ToolResult(call.id, (Text(draw(_WORDS)),), failed=draw(st.booleans())) for call in calls]
            messages.append(Message("user", tuple(results)))
    tools = tuple(Tool(name, draw(_WORDS), SCHEMA) for name in sorted(draw(st.sets(_NAMES, max_size=3))))
    return Prompt(tuple(messages), tools)
