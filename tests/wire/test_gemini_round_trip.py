"""A prompt written as a body of Gemini's wire and read again is the same prompt, for all that this wire sends."""

from dataclasses import replace
from typing import Literal

import orjson
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.prompt import (
    Audio,
    Document,
    Format,
    Image,
    Message,
    Prompt,
    Reasoning,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from tests.wire.generations import generation_call
from tests.wire.messages import foreign
from tests.wire.prompts import PNG, SCHEMA
from tests.wire.requests import target_of

# One that thinks by a budget, takes sampling parameters and gives several answers.
MODEL = "gemini-2.5-pro"
ToolChoice = Literal["", "auto", "none", "required"]
# A body with a NUL is refused.
CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")
TEXTS = st.text(CHARACTERS, min_size=1, max_size=20)
NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_-]{0,19}", fullmatch=True)
SEALS = st.binary(min_size=1, max_size=9).map(lambda seal: "E" + seal.hex())
JSON_OBJECTS = st.dictionaries(TEXTS, st.integers(-5, 5) | TEXTS | st.lists(TEXTS, max_size=2), max_size=3)
IMAGES = st.builds(Image, url=st.just("https://example.com/a.png"), media_type=st.just("image/png")) | st.builds(
    Image, data=st.just(PNG), media_type=st.just("image/png")
)
DOCUMENTS = st.builds(Document, data=st.just("JVBERi0="), media_type=st.just("application/pdf")) | st.builds(
    Document, url=st.just("https://example.com/a.pdf"), media_type=st.just("application/pdf")
)
USER_PARTS = st.builds(Text, TEXTS) | IMAGES | DOCUMENTS | st.builds(Audio, st.just("UklGRg=="), st.just("wav"))
RESULT_PARTS = st.builds(Text, TEXTS).map(lambda part: (part,))
PLAIN_TOOLS = st.builds(Tool, NAMES, TEXTS, st.just({"type": "object", "properties": {}}))


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    """A prompt that this wire can send whole to a model that takes all of it."""
    messages: list[Message] = []
    if draw(st.booleans()):
        messages.append(Message("system", tuple(draw(st.lists(st.builds(Text, TEXTS), min_size=1, max_size=2)))))
    messages.append(Message("user", tuple(draw(st.lists(USER_PARTS, min_size=1, max_size=3)))))
    for turn in range(draw(st.integers(0, 2))):
        arguments = draw(st.lists(st.tuples(NAMES, JSON_OBJECTS, SEALS | st.just("")), max_size=2))
        calls = [
            ToolCall(f"c{turn}{place}", name, orjson.dumps(given).decode(), seal, wire="gemini" if seal else "")
            for place, (name, given, seal) in enumerate(arguments)
        ]
        thought = [Reasoning(draw(TEXTS), wire="gemini")] if draw(st.booleans()) else []
        seal = [Reasoning(signature=draw(SEALS), wire="gemini")] if draw(st.booleans()) else []
        messages.append(Message("assistant", (*thought, *seal, Text(draw(TEXTS)), *calls)))
        results = [ToolResult(call.id, draw(RESULT_PARTS), draw(st.booleans())) for call in calls]
        messages.append(Message("user", (*results, *draw(st.lists(USER_PARTS, min_size=1, max_size=2)))))
    tools = tuple(draw(st.lists(PLAIN_TOOLS, max_size=2)))
    choices: tuple[ToolChoice, ...] = ("", "auto", "none", "required")
    return Prompt(
        messages=tuple(messages),
        tools=tools,
        tool_choice=draw(st.sampled_from(choices)) if tools else "",
        max_tokens=draw(st.integers(1, 60_000)),
        temperature=draw(st.none() | st.just(0.5)),
        top_p=draw(st.none() | st.just(0.5)),
        top_k=draw(st.none() | st.integers(1, 40)),
        stop=tuple(draw(st.lists(TEXTS, max_size=2))),
        seed=draw(st.none() | st.integers(-5, 5)),
        n=draw(st.integers(1, 3)),
        presence_penalty=draw(st.none() | st.just(0.5)),
        frequency_penalty=draw(st.none() | st.just(-0.5)),
        # This model gives JSON or calls functions.
        format=None if tools else draw(st.none() | st.just(Format()) | st.just(Format(SCHEMA, enforced=True))),
        show_reasoning=draw(st.booleans()),
        service_tier=draw(st.sampled_from(["", "default"])),
        thinking_tokens=draw(st.none() | st.integers(128, 32_768)),
    )


@given(prompts())
def test_a_prompt_comes_back_from_its_body(prompt: Prompt) -> None:
    target = target_of("gemini", model=MODEL)
    body = orjson.loads(target.adapter.request(foreign(prompt), target).body)
    found = generation_call(**body).prompt()
    assert replace(found, params={}) == prompt
