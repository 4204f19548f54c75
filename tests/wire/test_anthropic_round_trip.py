"""A prompt written as a body of Anthropic's wire and read again is the same prompt, for all that this wire sends."""

from dataclasses import replace
from typing import Literal

import orjson
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.prompt import (
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
from oneflow_ai.providers.claude import with_fit_marks
from tests.wire.messages import foreign, message_call, sent
from tests.wire.prompts import PNG, SCHEMA

ToolChoice = Literal["", "auto", "none", "required", "tool"]
# A body with a NUL is refused.
CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")
TEXTS = st.text(CHARACTERS, min_size=1, max_size=20)
# A blank text is refused.
SAID = TEXTS.filter(str.strip)
CACHES = st.sampled_from(["", "5m", "1h"])
NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True)
JSON_OBJECTS = st.dictionaries(TEXTS, st.integers(-5, 5) | TEXTS | st.lists(TEXTS, max_size=2), max_size=3)
RESULT_PARTS = st.lists(st.builds(Text, SAID, CACHES), max_size=2).map(tuple)
IMAGES = st.builds(Image, url=st.just("https://example.com/a.png"), cache=CACHES) | st.builds(
    Image, data=st.just(PNG), media_type=st.just("image/png"), cache=CACHES
)
DOCUMENTS = st.builds(
    Document,
    data=st.just("JVBERi0="),
    media_type=st.just("application/pdf"),
    name=TEXTS,
    cache=CACHES,
    citations=st.booleans(),
) | st.builds(Document, text=TEXTS, name=TEXTS, cache=CACHES)
USER_PARTS = st.builds(Text, SAID, CACHES) | IMAGES | DOCUMENTS
THOUGHTS = st.builds(Reasoning, TEXTS, signature=TEXTS) | st.builds(Reasoning, sealed=TEXTS)
PLAIN_TOOLS = st.builds(
    Tool,
    NAMES,
    TEXTS,
    st.just({"type": "object", "properties": {}, "additionalProperties": False}),
    st.sampled_from([None, True, False]),
    CACHES,
)


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    """A prompt that this wire can send whole to a model that takes all of it."""
    messages: list[Message] = []
    if draw(st.booleans()):
        messages.append(Message("system", tuple(draw(st.lists(st.builds(Text, SAID, CACHES), min_size=1, max_size=2)))))
    messages.append(Message("user", tuple(draw(st.lists(USER_PARTS, min_size=1, max_size=3)))))
    for _ in range(draw(st.integers(0, 2))):
        calls = draw(
            st.lists(
                st.builds(
                    ToolCall, NAMES, NAMES, JSON_OBJECTS.map(lambda one: orjson.dumps(one).decode()), cache=CACHES
                ),
                max_size=2,
            )
        )
        thoughts = draw(st.lists(THOUGHTS, max_size=2))
        said = draw(st.lists(st.builds(Text, SAID, CACHES), min_size=1, max_size=2))
        messages.append(Message("assistant", (*thoughts, *said, *calls)))
        results = [ToolResult(call.id, draw(RESULT_PARTS), draw(st.booleans()), draw(CACHES)) for call in calls]
        messages.append(Message("user", (*results, *draw(st.lists(USER_PARTS, min_size=1, max_size=2)))))
    tools = tuple(draw(st.lists(PLAIN_TOOLS, max_size=2)))
    choices: tuple[ToolChoice, ...] = ("", "auto", "none")
    choice = draw(st.sampled_from(choices)) if tools else ""
    return Prompt(
        messages=tuple(messages),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=draw(st.sampled_from([None, False])) if tools and choice == "auto" else None,
        max_tokens=draw(st.integers(1, 60_000)),
        stop=tuple(draw(st.lists(TEXTS.filter(str.strip), max_size=2))),
        format=draw(st.none() | st.just(Format(SCHEMA, enforced=True))),
        effort=draw(st.sampled_from([None, "low", "medium", "high", "xhigh", "max"])),
        show_reasoning=draw(st.booleans()),
        service_tier=draw(st.sampled_from(["", "auto", "default"])),
        user=draw(st.text(CHARACTERS, max_size=20)),
    )


@given(prompts())
def test_a_prompt_comes_back_from_its_body(prompt: Prompt) -> None:
    call = foreign(prompt, dialect="anthropic")
    body = sent(call)
    found = message_call(**body).prompt()
    # An effort and shown thoughts ask for thinking, which this wire has a word for.
    thinks = prompt.effort is not None or prompt.show_reasoning
    # Of more cache marks than a request may have the last ones are kept.
    kept, _ = with_fit_marks(prompt)
    assert replace(found, params={}) == replace(kept, adaptive=thinks)
    assert found.params["stop"] == "stop_sequences"
