"""Laws of OpenAI's wire: what is written of the middle form is read again as it was, prompts and answers alike."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from oneflow_ai.core.events import Delta, End, Event, Usage
from oneflow_ai.core.fold import Choice, Fold
from oneflow_ai.core.prompt import (
    Audio,
    Document,
    Format,
    Image,
    Message,
    Part,
    Prompt,
    Reasoning,
    Refusal,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from oneflow_ai.dialects.openai import encoder
from oneflow_ai.dialects.seal import unwrapped
from oneflow_ai.providers.openai_stream import text_decoder
from tests.wire.chats import USER, request_for
from tests.wire.requests import MODEL, call_of, target_of
from tests.wire.test_recordings import answers, is_stream

WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
SAID = WORDS.filter(bool)
NAMES = st.text("abcXYZ_09", min_size=1, max_size=8)
FLAGS = st.none() | st.booleans()
# A schema as OpenAI enforces it.
STRICT = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False, "required": ["a"]}
SCHEMAS = st.sampled_from([{"type": "object"}, {"type": "object", "properties": {"a": {"type": "string"}}}, {}])
ARGUMENTS = st.sampled_from(["{}", '{"a": 1}', '{"a":"ü"}'])
BASE64 = st.sampled_from(["AAAA", "aGVsbG8=", "aGk="])


def parts(marks: Sequence[str], *, by_address: bool) -> st.SearchStrategy[Part]:
    """What a user may say."""
    cache = st.sampled_from(["", *marks])
    details = st.sampled_from(["", "low", "auto"])
    found: list[st.SearchStrategy[Part]] = [
        st.builds(Text, WORDS, cache),
        st.builds(Image, url=st.just("https://example.com/a.png?b=c"), detail=details, cache=cache),
        st.builds(
            Image, data=BASE64, media_type=st.sampled_from(["image/png", "image/jpeg"]), detail=details, cache=cache
        ),
        st.builds(Audio, BASE64, st.sampled_from(["wav", "mp3"])),
        st.builds(Document, data=BASE64, media_type=st.just("application/pdf"), name=SAID, cache=cache),
    ]
    if by_address:
        found.append(st.builds(Document, url=st.just("https://example.com/a.pdf"), name=SAID, cache=cache))
    return st.one_of(found)


@st.composite
def conversations(draw: st.DrawFn, marks: Sequence[str], *, sealed: bool) -> tuple[Message, ...]:
    """Turns as the dialect itself would read them: each round of tools is answered in one message."""
    turns: list[Message] = []
    said = parts(marks, by_address=sealed)
    for number in range(draw(st.integers(1, 4))):
        match draw(st.sampled_from(["system", "user", "assistant", "tools"])):
            case "system":
                texts = draw(st.lists(st.builds(Text, WORDS, st.sampled_from(["", *marks])), min_size=1, max_size=3))
                turns.append(Message("system", tuple(texts)))
            case "user":
                turns.append(
                    Message("user", tuple(draw(st.lists(said, min_size=1, max_size=3))), draw(st.just("") | NAMES))
                )
            case "assistant":
                turns.append(Message("assistant", (*draw(thoughts(sealed)), *draw(answer_texts()))))
            case _:
                calls = [
                    ToolCall(f"call_{number}_{place}", draw(NAMES), draw(ARGUMENTS))
                    for place in range(draw(st.integers(1, 3)))
                ]
                before = draw(thoughts(sealed)) + draw(st.just(()) | answer_texts())
                turns.append(Message("assistant", (*before, *calls)))
                results = [
                    ToolResult(call.id, tuple(draw(st.lists(st.builds(Text, WORDS), min_size=1, max_size=2))))
                    for call in calls
                ]
                turns.append(Message("user", tuple(results)))
    return tuple(turns)


def answer_texts() -> st.SearchStrategy[tuple[Part, ...]]:
    texts = st.lists(st.builds(Text, SAID), min_size=1, max_size=2).map(tuple)
    return texts | st.builds(Refusal, SAID).map(lambda refusal: (refusal,))


def thoughts(sealed: bool) -> st.SearchStrategy[tuple[Part, ...]]:
    """Blocks of reasoning that a server of this wire sealed; OpenAI's own wire has no place for them."""
    if not sealed:
        return st.just(())
    block = st.builds(_block, SAID, st.booleans(), NAMES, st.integers(0, 5))
    return st.lists(block, max_size=3, unique_by=lambda part: part.signature + part.sealed).map(tuple)


def _block(text: str, dark: bool, seal: str, index: int) -> Reasoning:
    if dark:
        detail = {"type": "reasoning.encrypted", "data": seal, "index": index}
        return Reasoning(sealed=orjson.dumps(detail).decode(), wire="openai")
    detail = {"type": "reasoning.text", "signature": seal, "index": index}
    return Reasoning(text, orjson.dumps(detail).decode(), wire="openai")


TOOLS = st.lists(
    st.builds(Tool, NAMES, WORDS, st.none() | SCHEMAS, st.none() | st.just(False))
    | st.builds(Tool, NAMES, WORDS, st.just(STRICT), FLAGS),
    min_size=1,
    max_size=3,
    unique_by=lambda tool: tool.name,
).map(tuple)
FORMATS = st.none() | st.just(Format()) | st.builds(Format, SCHEMAS, NAMES, WORDS, FLAGS)

PENALTIES = st.none() | st.floats(-2, 2)
SAMPLINGS = st.fixed_dictionaries(
    {
        "temperature": st.none() | st.floats(0, 2),
        "top_p": st.none() | st.floats(0, 1),
        "stop": st.lists(SAID, max_size=4).map(tuple),
        "presence_penalty": PENALTIES,
        "frequency_penalty": PENALTIES,
        "logit_bias": st.none() | st.dictionaries(NAMES, st.integers(-100, 100)),
    }
).flatmap(
    lambda found: (
        st.just(found)
        | st.fixed_dictionaries({"logprobs": st.just(True), "top_logprobs": st.none() | st.integers(0, 20)}).map(
            lambda more: found | more
        )
    )
)


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    """Prompts of all that OpenAI's own wire has a place for, where it does not reason more than where it does."""
    prompt = Prompt(
        draw(conversations(("5m",), sealed=False)),
        max_tokens=draw(st.none() | st.integers(1, 9999)),
        seed=draw(st.none() | st.integers(-(1 << 63), (1 << 63) - 1)),
        n=draw(st.integers(1, 4)),
        format=draw(FORMATS),
        effort=draw(st.none() | st.sampled_from(["none", "low", "medium", "high", "xhigh", "max"])),
        verbosity=draw(st.sampled_from(["", "low", "high"])),
        service_tier=draw(st.sampled_from(["", "default", "flex", "priority"])),
        user=draw(WORDS),
        cache_key=draw(WORDS),
    )
    if draw(st.booleans()):
        choice: Any = draw(st.sampled_from(["", "auto", "none", "required", "tool"]))
        tools = draw(TOOLS)
        named = tools[0].name if choice == "tool" else ""
        prompt = replace(prompt, tools=tools, tool_choice=choice, tool_name=named, parallel_tool_calls=draw(FLAGS))
    return replace(prompt, **draw(SAMPLINGS)) if prompt.effort == "none" else prompt


def there_and_back(prompt: Prompt, kind: str) -> Prompt:
    """The prompt as it is read of the body that was written for it."""
    request = request_for(prompt, kind, MODEL)
    assert request.dropped == ()
    return call_of(orjson.loads(request.body)).prompt()


@given(prompts())
def test_a_prompt_that_was_sent_is_read_as_it_was(prompt: Prompt) -> None:
    found = there_and_back(prompt, "openai")
    assert found == replace(prompt, shared={"user": prompt.user} if prompt.user else {}, params=found.params)


@given(
    conversations(("5m", "1h"), sealed=True),
    TOOLS,
    st.none() | st.sampled_from(["none", "low", "high"]),
    st.none() | st.integers(1, 99),
)
def test_sealed_thoughts_marks_and_budgets_go_there_and_back(
    messages: tuple[Message, ...], tools: tuple[Tool, ...], effort: Any, top_k: int | None
) -> None:
    marked = tuple(replace(tool, cache="1h") for tool in tools)
    prompt = Prompt(messages, tools=marked, effort=effort, top_k=top_k, thinking_tokens=None if effort else 2000)
    found = there_and_back(prompt, "openrouter")
    assert found == replace(prompt, show_reasoning=True, params=found.params)


# ---- answers

TOKENS = [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}]
CITED = {"url": "https://a", "title": "A", "text": "quoted", "start": 0, "end": 1}
PIECES = st.one_of(
    st.builds(Delta, st.sampled_from(["text", "reasoning", "refusal"]), SAID, st.integers(0, 1)),
    st.builds(Delta, st.sampled_from(["signature", "sealed"]), NAMES, st.integers(0, 1), wire=st.just("anthropic")),
    st.builds(Delta, st.just("citation"), st.just(orjson.dumps(CITED).decode()), st.integers(0, 1)),
    st.builds(Delta, st.just("logprobs"), st.just(orjson.dumps(TOKENS).decode()), st.integers(0, 1)),
)
USAGES = st.builds(
    lambda inputs, outputs, part: Usage(inputs, outputs, part % (inputs + 1), 0, reasoning_tokens=part % (outputs + 1)),
    st.integers(0, 999),
    st.integers(0, 999),
    st.integers(0, 999),
)


@st.composite
def answers_of(draw: st.DrawFn) -> list[Delta]:
    """The pieces of an answer: texts, thoughts and the rest, then calls of tools whose pieces may be mixed."""
    found = draw(st.lists(PIECES, max_size=8))
    calls = draw(st.lists(st.integers(0, 9), unique=True, max_size=3))
    found += [Delta("tool_call", draw(NAMES), tool_index=call, tool_id=f"toolu_{call}") for call in calls]
    if calls:
        found += draw(
            st.lists(st.builds(Delta, st.just("tool_arguments"), SAID, tool_index=st.sampled_from(calls)), max_size=5)
        )
    return found


def folded(deltas: Sequence[Event]) -> dict[int, dict[str, Any]]:
    fold = Fold()
    for delta in deltas:
        if isinstance(delta, Delta):
            fold.add(delta)
    return {index: _plain(choice) for index, choice in fold.whole().items()}


def _plain(choice: Choice) -> dict[str, Any]:
    """A choice in values that do not depend on how it was cut, its seals as the wire that made them knows them."""
    return {
        "text": choice.text,
        "refusal": choice.refusal,
        "thoughts": [(thought.text, _seal(thought.signature), _seal(thought.sealed)) for thought in choice.thoughts],
        "tools": [(call.id, call.name, call.arguments or "{}") for call in choice.tools.values()],
        "citations": [json.loads(citation) for citation in choice.citations],
        "logprobs": [token for piece in choice.logprobs for token in json.loads(piece)],
    }


def _seal(seal: str) -> str:
    if not seal.startswith("{"):
        return seal
    detail = json.loads(seal)
    wire, inner = unwrapped(detail.get("signature") or detail["data"])
    assert wire == "anthropic"
    return inner


def decoded(content: bytes, *, stream: bool) -> list[Event]:
    decoder = text_decoder(stream=stream, raw=False, include_usage=False)
    return [*decoder.feed(content), *decoder.close()]


REASONS = st.sampled_from(["stop", "length", "tool_calls", "content_filter"])


@given(answers_of(), st.lists(REASONS, min_size=2, max_size=2), USAGES, st.booleans())
def test_an_answer_that_was_written_is_read_as_it_was(
    deltas: list[Delta], reasons: list[str], usage: Usage, stream: bool
) -> None:
    asked = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    writer = encoder(call_of({"model": "text", "messages": [USER], **asked}), target_of("openai"))
    wanted: dict[int, str | None] = {delta.index: reasons[delta.index] for delta in deltas} or {0: reasons[0]}
    told = End(wanted[min(wanted)], reasons=wanted if len(wanted) > 1 else None)
    content = b"".join(map(writer.feed, deltas)) + writer.end(told, usage, 7)
    *events, counted, end = decoded(content, stream=stream)
    assert folded(events) == (folded(deltas) or {})
    assert isinstance(counted, Usage) and isinstance(end, End)
    assert replace(counted, cost_nanos=None) == usage
    assert (end.failure, end.answer_id, end.model) == (None, "chatcmpl-req_1", MODEL)
    refused = {delta.index for delta in deltas if delta.kind == "refusal"}
    for index, reason in wanted.items():
        assert end.reason_of(index) == ("refusal" if reason == "stop" and index in refused else reason)


def test_recorded_answers_written_anew_are_valid_to_the_official_client() -> None:
    for name, body in answers().items():
        stream = is_stream(body)
        events = decoded(body, stream=stream)
        writer = encoder(call_of({"model": "text", "messages": [USER], "stream": stream}), target_of("openai"))
        end = events[-1]
        assert isinstance(end, End)
        deltas = [event for event in events if isinstance(event, Delta)]
        written = b"".join(map(writer.feed, deltas)) + writer.end(replace(end, chunk=None), Usage(1, 2), 0)
        if stream:
            for block in written.split(b"\n\n")[:-2]:
                ChatCompletionChunk.model_validate_json(block.removeprefix(b"data: "))
        else:
            ChatCompletion.model_validate_json(written)
        again = [event for event in decoded(written, stream=stream) if isinstance(event, Delta)]
        assert _texts(again) == _texts(deltas), name


def _texts(deltas: Sequence[Delta]) -> dict[int, tuple[str, str, str, int]]:
    """What is said, refused and thought, and how many tools are called, whatever was sealed."""
    choices = folded([delta for delta in deltas if delta.kind not in ("signature", "sealed")])
    return {
        index: (
            choice["text"],
            choice["refusal"],
            "".join(text for text, _, _ in choice["thoughts"]),
            len(choice["tools"]),
        )
        for index, choice in choices.items()
    }
