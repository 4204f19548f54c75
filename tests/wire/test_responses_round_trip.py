"""Laws of OpenAI's Responses: what is written of the middle form is read again as it was, prompts and answers alike."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openai.types.responses import Response

from oneflow_ai.core.call import Operation
from oneflow_ai.core.events import Delta, End, Event, Usage
from oneflow_ai.core.fold import Choice, Fold
from oneflow_ai.core.prompt import (
    Document,
    Image,
    Message,
    Part,
    Prompt,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
)
from oneflow_ai.dialects.responses import encoder
from oneflow_ai.dialects.seal import unwrapped
from oneflow_ai.providers.openai_responses_stream import decoder_of
from tests.wire.messages import foreign
from tests.wire.replies import response_call, sent
from tests.wire.requests import MODEL, target_of
from tests.wire.test_responses_recordings import answers, is_stream, operation_of
from tests.wire.test_responses_requests import specification
from tests.wire.test_round_trip import BASE64, FLAGS, FORMATS, NAMES, SAID, TOKENS, TOOLS, USAGES, WORDS

__all__ = ["specification"]

# A model that the chat wire does not have, and that takes cache marks.
ONLY = "gpt-5.6-cyber"
CACHES = st.sampled_from(["", "5m"])
ARGUMENTS = st.sampled_from(["{}", '{"a": 1}', '{"a":"ü"}'])
FILES: st.SearchStrategy[Any] = st.one_of(
    st.builds(
        Image, url=st.just("https://example.com/a.png?b=c"), detail=st.sampled_from(["low", "auto"]), cache=CACHES
    ),
    st.builds(Image, data=BASE64, media_type=st.just("image/png"), detail=st.just("high"), cache=CACHES),
    st.builds(Document, url=st.just("https://example.com/a.pdf"), cache=CACHES),
    st.builds(Document, data=BASE64, media_type=st.just("application/pdf"), name=SAID, cache=CACHES),
)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    """Turns as the dialect itself would read them: no two of the model's, or of its tools', after each other."""
    said: st.SearchStrategy[Any] = st.one_of(st.builds(Text, WORDS, CACHES), FILES)
    turns: list[Message] = []
    for number in range(draw(st.integers(1, 4))):
        match draw(st.sampled_from(["system", "user", "assistant", "tools"])):
            case "system":
                turns.append(Message("system", (draw(st.builds(Text, WORDS, CACHES)),)))
            case "assistant":
                turns += [
                    Message("user", (Text("So"),)),
                    Message("assistant", (*draw(thoughts(number)), Text(draw(SAID)))),
                ]
            case "tools":
                calls = [
                    ToolCall(f"call_{number}_{place}", draw(NAMES), draw(ARGUMENTS))
                    for place in range(draw(st.integers(1, 3)))
                ]
                results = [ToolResult(call.id, tuple(draw(st.lists(said, min_size=1, max_size=2)))) for call in calls]
                turns += [Message("user", (Text("Do"),)), Message("assistant", (*draw(thoughts(number)), *calls))]
                turns.append(Message("user", tuple(results)))
            case _:
                turns.append(Message("user", tuple(draw(st.lists(said, min_size=1, max_size=3)))))
    return tuple(turns)


def thoughts(number: int) -> st.SearchStrategy[tuple[Part, ...]]:
    def block(text: str, place: int) -> Reasoning:
        seal = {"id": f"rs_{number}_{place}", "encrypted_content": "gAAA"}
        return Reasoning(text, orjson.dumps(seal).decode(), wire="responses")

    return st.lists(WORDS, max_size=2).map(lambda texts: tuple(block(text, place) for place, text in enumerate(texts)))


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    """Prompts of all that this wire has a place for."""
    prompt = Prompt(
        draw(conversations()),
        max_tokens=draw(st.none() | st.integers(16, 9999)),
        format=draw(FORMATS),
        effort=draw(st.none() | st.sampled_from(["none", "low", "medium", "high", "xhigh", "max"])),
        show_reasoning=draw(st.booleans()),
        verbosity=draw(st.sampled_from(["", "low", "high"])),
        service_tier=draw(st.sampled_from(["", "default", "flex", "priority"])),
        user=draw(WORDS),
        cache_key=draw(WORDS),
        truncation=draw(st.booleans()),
    )
    if draw(st.booleans()):
        choice: Any = draw(st.sampled_from(["", "auto", "none", "required", "tool"]))
        tools = draw(TOOLS)
        named = tools[0].name if choice == "tool" else ""
        prompt = replace(prompt, tools=tools, tool_choice=choice, tool_name=named, parallel_tool_calls=draw(FLAGS))
    if prompt.effort == "none":
        # Only then is a model's sampling its client's.
        prompt = replace(prompt, temperature=draw(st.none() | st.floats(0, 2)), top_p=draw(st.none() | st.floats(0, 1)))
        if draw(st.booleans()):
            prompt = replace(prompt, logprobs=True, top_logprobs=draw(st.none() | st.integers(1, 20)))
    return prompt


@given(prompts())
def test_a_prompt_that_was_sent_is_read_as_it_was(prompt: Prompt) -> None:
    found = response_call(**sent(foreign(prompt, dialect="responses"))).prompt()
    # What is not said to be strict is said not to be, and a seal is the client's own wire's.
    tools = tuple(replace(tool, strict=tool.strict is True) for tool in prompt.tools)
    form = prompt.format
    if form is not None and form.schema is not None:
        form = replace(form, name=form.name, strict=form.strict is True)
    messages = tuple(replace(each, parts=tuple(map(_own, each.parts))) for each in prompt.messages)
    assert found == replace(prompt, tools=tools, format=form, messages=messages, params=found.params)


def _own(part: Part) -> Part:
    return replace(part, wire="") if isinstance(part, Reasoning) else part


# ---- answers

PIECES = st.one_of(
    st.builds(Delta, st.sampled_from(["text", "reasoning", "refusal"]), SAID),
    st.builds(Delta, st.sampled_from(["signature", "sealed"]), NAMES, wire=st.just("anthropic")),
    st.just(Delta("citation", '{"url":"https://a","title":"A","start":0,"end":1}')),
    st.just(Delta("logprobs", orjson.dumps(TOKENS).decode())),
)


@st.composite
def answers_of(draw: st.DrawFn) -> list[Delta]:
    """The pieces of an answer: texts, thoughts and the rest, then calls of tools whose pieces may be mixed."""
    found = draw(st.lists(PIECES, max_size=8))
    calls = draw(st.lists(st.integers(0, 9), unique=True, max_size=3))
    found += [Delta("tool_call", draw(NAMES), tool_index=call, tool_id=f"toolu_{call}") for call in calls]
    if calls:
        piece = st.builds(Delta, st.just("tool_arguments"), SAID, tool_index=st.sampled_from(calls))
        seal = st.builds(
            Delta, st.just("tool_signature"), NAMES, tool_index=st.sampled_from(calls), wire=st.just("gemini")
        )
        found += draw(st.lists(piece | seal, max_size=5))
    return found


def folded(deltas: Sequence[Event]) -> dict[str, Any]:
    fold = Fold()
    for delta in deltas:
        if isinstance(delta, Delta):
            fold.add(delta)
    return _plain(fold.whole().get(0, Choice()))


def _plain(choice: Choice) -> dict[str, Any]:
    """A choice in values that do not depend on how it was cut, its seals as the wires that made them know them."""
    seals = [seal for thought in choice.thoughts for seal in (_seal(thought.signature), _seal(thought.sealed)) if seal]
    calls = {call.id: call.signature for call in choice.tools.values() if call.signature}
    # A call's seal comes in a thought of its own, after all else.
    calls |= dict(json.loads(seal.removeprefix("call:")) for seal in seals if seal.startswith("call:"))
    return {
        "text": choice.text,
        "refusal": choice.refusal,
        "thoughts": choice.reasoning,
        "seals": [seal.removeprefix("sealed:") for seal in seals if not seal.startswith("call:")],
        "call seals": calls,
        "tools": [(call.id, call.name, call.arguments or "{}") for call in choice.tools.values()],
        "cited": len(choice.citations),
        "logprobs": [token for piece in choice.logprobs for token in json.loads(piece)],
    }


def _seal(seal: str) -> str:
    return unwrapped(json.loads(seal)["encrypted_content"])[1] if seal.startswith("{") else seal


def decoded(content: bytes, *, stream: bool) -> list[Event]:
    decoder = decoder_of(Operation.CHAT, stream=stream, raw=False)
    return [*decoder.feed(content), *decoder.close()]


@given(answers_of(), st.sampled_from(["stop", "length", "tool_calls", "content_filter"]), USAGES, st.booleans())
def test_an_answer_that_was_written_is_read_as_it_was(
    deltas: list[Delta], reason: str, usage: Usage, stream: bool
) -> None:
    writer = encoder(response_call(stream=stream), target_of("anthropic", model=MODEL))
    content = b"".join(map(writer.feed, deltas)) + writer.end(End(reason), usage, 7)
    *events, counted, end = decoded(content, stream=stream)
    assert folded(events) == folded(deltas)
    assert isinstance(counted, Usage) and isinstance(end, End)
    assert replace(counted, cost_nanos=None, service_tier=None) == usage
    assert (end.failure, end.answer_id, end.model) == (None, "resp_1", MODEL)
    kinds = {delta.kind for delta in deltas}
    whole = "tool_calls" if "tool_call" in kinds else "refusal" if "refusal" in kinds else "stop"
    assert end.reason == (reason if reason in ("length", "content_filter") else whole)


@given(answers_of())
def test_events_are_numbered_and_what_is_opened_is_closed(deltas: list[Delta]) -> None:
    writer = encoder(response_call(stream=True), target_of("anthropic", model=MODEL))
    content = b"".join(map(writer.feed, deltas)) + writer.end(End("stop"), Usage(), 0)
    events = list(events_of(content))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    added = [event for event in events if event["type"] == "response.output_item.added"]
    done = [event for event in events if event["type"] == "response.output_item.done"]
    assert [event["output_index"] for event in added] == list(range(len(added)))
    by_place = sorted(done, key=lambda event: int(event["output_index"]))
    assert [event["item"] for event in by_place] == events[-1]["response"]["output"]
    ids = [event["item"]["id"] for event in by_place]
    assert len(set(ids)) == len(ids)


def events_of(content: bytes) -> Iterator[dict[str, Any]]:
    for block in content.split(b"\n\n")[:-1]:
        name, data = block.split(b"\n")
        event = json.loads(data.removeprefix(b"data: "))
        assert name == b"event: " + event["type"].encode()
        yield event


def test_recorded_answers_written_anew_are_valid_to_the_official_client(specification: dict[str, Any]) -> None:
    root = {"$ref": "#/components/schemas/ResponseUsage", "components": specification["components"]}
    events_seen = 0
    for name, body in answers().items():
        if operation_of(name) is Operation.COUNT_TOKENS:
            continue
        stream = is_stream(body)
        events = decoded(body, stream=stream)
        writer = encoder(response_call(stream=stream), target_of("anthropic", model=MODEL))
        end = events[-1]
        assert isinstance(end, End)
        deltas = [event for event in events if isinstance(event, Delta)]
        written = b"".join(map(writer.feed, deltas)) + writer.end(replace(end, chunk=None), Usage(1, 2), 0)
        told = list(events_of(written))[-1]["response"] if stream else json.loads(written)
        events_seen += len(list(events_of(written))) if stream else 0
        Response.model_validate(told)
        assert list(Draft202012Validator(root).iter_errors(told["usage"])) == []
        again = [event for event in decoded(written, stream=stream) if isinstance(event, Delta)]
        assert folded(again)["text"] == folded(deltas)["text"], name
        assert folded(again)["tools"] == folded(deltas)["tools"], name
        assert folded(again)["thoughts"] == folded(deltas)["thoughts"], name
    assert events_seen > 50


@pytest.mark.parametrize("schema", ["ResponseStreamEvent"])
@given(answers_of(), st.sampled_from(["stop", "length"]))
def test_every_event_is_known_to_the_specification(
    specification: dict[str, Any], schema: str, deltas: list[Delta], reason: str
) -> None:
    writer = encoder(response_call(stream=True), target_of("anthropic", model=MODEL))
    content = b"".join(map(writer.feed, deltas)) + writer.end(End(reason), Usage(), 0)
    names = {
        variant["$ref"].rpartition("/")[2]
        for variant in specification["components"]["schemas"][schema]["anyOf"]
        if "$ref" in variant
    }
    by_type = {specification["components"]["schemas"][name]["properties"]["type"]["enum"][0]: name for name in names}
    for event in events_of(content):
        fields = specification["components"]["schemas"][by_type[event["type"]]]
        assert set(fields["required"]) <= event.keys(), event["type"]
