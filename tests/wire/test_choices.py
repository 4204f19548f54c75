"""Several choices of one answer: each keeps its own content and its own finish reason, whatever wires it crosses."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import End, Event, Usage
from oneflow_ai.core.failure import UPSTREAM_STREAM_INTERRUPTED
from oneflow_ai.dialects import gemini, openai
from oneflow_ai.providers.gemini_answer import Answer
from oneflow_ai.providers.gemini_stream import StreamDecoder as GeminiStreamDecoder
from oneflow_ai.providers.gemini_stream import text_decoder as gemini_decoder
from oneflow_ai.providers.openai_stream import text_decoder as openai_decoder
from tests.wire.generations import generation_call
from tests.wire.requests import call_of, target_of

TARGET = target_of("openai")
WHOLE_OR_STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
Choice = tuple[dict[str, Any], Any]
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
SAID: Choice = ({"content": "a"}, "stop")
CUT: Choice = ({"content": "b"}, "length")
CALLED: Choice = ({"content": None, "tool_calls": [CALL]}, "tool_calls")
FILTERED: Choice = ({"content": ""}, "content_filter")
REFUSED: Choice = ({"refusal": "No."}, "stop")
# The choices of a provider on OpenAI's wire, and what a client of Gemini's is told of each.
FROM_OPENAI: dict[str, tuple[tuple[Choice, ...], list[str]]] = {
    "the first is cut": ((CUT, SAID), ["MAX_TOKENS", "STOP"]),
    "the last is cut": ((SAID, CUT), ["STOP", "MAX_TOKENS"]),
    "one calls a tool": ((CALLED, CUT, SAID), ["STOP", "MAX_TOKENS", "STOP"]),
    "one is filtered": ((SAID, FILTERED), ["STOP", "SAFETY"]),
    "one is refused": ((SAID, REFUSED, CUT), ["STOP", "SAFETY", "MAX_TOKENS"]),
    "a tool's use is all that the last brings": ((FILTERED, CALLED), ["SAFETY", "STOP"]),
}
# The candidates of Gemini's, and what a client of OpenAI's is told of each.
FUNCTION = {"functionCall": {"name": "f", "args": {}}}
FROM_GEMINI: dict[str, tuple[tuple[tuple[list[Any], str], ...], list[str]]] = {
    "the first is cut": ((([{"text": "a"}], "MAX_TOKENS"), ([{"text": "b"}], "STOP")), ["length", "stop"]),
    "the last is cut": ((([{"text": "a"}], "STOP"), ([{"text": "b"}], "MAX_TOKENS")), ["stop", "length"]),
    "one calls a tool": ((([FUNCTION], "STOP"), ([{"text": "b"}], "STOP")), ["tool_calls", "stop"]),
    "one says nothing": ((([{"text": "a"}], "STOP"), ([], "SAFETY")), ["stop", "content_filter"]),
}


def of_openai(choices: Sequence[Choice], *, stream: bool, done: bool = True) -> list[Event]:
    """The events of a provider's answer: its choices each as a whole or, piece by piece, in turn."""
    decoder = openai_decoder(stream=stream, raw=False, include_usage=False)
    if not stream:
        told = [{"index": at, "message": said, "finish_reason": why} for at, (said, why) in enumerate(choices)]
        return [*decoder.feed(json.dumps({"id": "x", "choices": told}).encode()), *decoder.close()]
    pieces = [{"index": at, "delta": said} for at, (said, _) in enumerate(choices)]
    pieces += [{"index": at, "delta": {}, "finish_reason": why} for at, (_, why) in enumerate(choices) if why]
    content = b"".join(b"data: %b\n\n" % json.dumps({"id": "x", "choices": [piece]}).encode() for piece in pieces)
    return [*decoder.feed(content + (b"data: [DONE]\n\n" if done else b"")), *decoder.close()]


def of_gemini(candidates: Sequence[tuple[list[Any], str]], *, stream: bool) -> list[Event]:
    """The events of a provider's answer: its candidates, in a stream one after the other."""
    told = [
        {"index": at, "content": {"parts": parts}, **({"finishReason": why} if why else {})}
        for at, (parts, why) in enumerate(candidates)
    ]
    if not stream:
        whole = gemini_decoder(Answer("req_1"))
        return [*whole.feed(json.dumps({"candidates": told}).encode()), *whole.close()]
    decoder = GeminiStreamDecoder(Answer("req_1"))
    content = b"".join(b"data: %b\r\n\r\n" % json.dumps({"candidates": [each]}).encode() for each in told)
    return [*decoder.feed(content), *decoder.close()]


def end_of(events: list[Event]) -> End:
    """How the answer ended."""
    end = events[-1]
    assert isinstance(end, End)
    return end


def written(module: Any, call: Call, events: list[Event]) -> list[Any]:
    """The objects that a client is sent for these events."""
    encoder = module.encoder(call, TARGET)
    assert end_of(events).failure is None
    content = b"".join(map(encoder.feed, events[:-1])) + encoder.end(end_of(events), Usage(), 0)
    blocks = content.decode().replace("data: [DONE]", "").split("\n\n" if b"\r" not in content else "\r\n\r\n")
    return [json.loads(block.removeprefix("data: ")) for block in blocks if block]


def to_gemini(events: list[Event], *, stream: bool) -> list[Any]:
    """The candidates with which the answer ends for a client of Gemini's."""
    call = generation_call("streamGenerateContent" if stream else "generateContent")
    candidates: list[Any] = written(gemini, call, events)[-1]["candidates"]
    return candidates


def to_openai(events: list[Event], *, stream: bool) -> dict[int, list[str]]:
    """What each choice is told to have ended with by a client of OpenAI's, each time that it is told."""
    call = call_of({"model": "text", "messages": [{"role": "user", "content": "hi"}], "stream": stream, "n": 4})
    found: dict[int, list[str]] = {}
    for piece in written(openai, call, events):
        (ChatCompletionChunk if stream else ChatCompletion).model_validate(piece)
        assert len(piece["choices"]) == 1 or not stream
        for choice in piece["choices"]:
            found.setdefault(choice["index"], []).extend(filter(None, [choice["finish_reason"]]))
    return found


@WHOLE_OR_STREAM
@pytest.mark.parametrize("name", FROM_OPENAI)
def test_choices_become_candidates_that_end_each_for_its_own_reason(name: str, stream: bool) -> None:
    choices, reasons = FROM_OPENAI[name]
    candidates = to_gemini(of_openai(choices, stream=stream), stream=stream)
    assert [each["index"] for each in candidates] == list(range(len(choices)))
    assert [each["finishReason"] for each in candidates] == reasons


@WHOLE_OR_STREAM
@pytest.mark.parametrize("name", FROM_GEMINI)
def test_candidates_become_choices_that_end_each_for_its_own_reason(name: str, stream: bool) -> None:
    candidates, reasons = FROM_GEMINI[name]
    found = to_openai(of_gemini(candidates, stream=stream), stream=stream)
    assert found == {index: [reason] for index, reason in enumerate(reasons)}


@WHOLE_OR_STREAM
def test_what_a_wire_of_one_choice_is_told_is_the_firsts(stream: bool) -> None:
    assert end_of(of_openai((CUT, SAID), stream=stream)).reason == "length"
    cut, said = ([{"text": "a"}], "MAX_TOKENS"), ([{"text": "b"}], "STOP")
    assert end_of(of_gemini((cut, said), stream=stream)).reason == "length"


@WHOLE_OR_STREAM
@pytest.mark.parametrize("left", [0, 1])
def test_an_answer_is_cut_where_one_of_its_choices_never_finished(stream: bool, left: int) -> None:
    choices = [(said, None if at == left else why) for at, (said, why) in enumerate((SAID, CUT))]
    for done in (True, False):
        failure = end_of(of_openai(choices, stream=stream, done=done)).failure
        assert failure is not None and failure.kind is UPSTREAM_STREAM_INTERRUPTED
    candidates = [([{"text": "a"}], "" if at == left else "STOP") for at in range(2)]
    assert end_of(of_gemini(candidates, stream=stream)).failure is not None


@WHOLE_OR_STREAM
@pytest.mark.parametrize("broken", [0, 1])
def test_an_answer_is_broken_where_one_of_its_choices_is(stream: bool, broken: int) -> None:
    choices = [(said, "error" if at == broken else why) for at, (said, why) in enumerate((SAID, CUT))]
    failure = end_of(of_openai(choices, stream=stream)).failure
    assert failure is not None and "(error)" in failure.message


def test_a_server_that_tells_no_reason_at_all_has_finished_when_it_says_so() -> None:
    end = end_of(of_openai([({"content": "a"}, None), ({"content": "b"}, None)], stream=True))
    assert (end.failure, end.reason) == (None, None)


@WHOLE_OR_STREAM
def test_one_choice_has_no_reasons_beside_its_own(stream: bool) -> None:
    for events in (of_openai((CUT,), stream=stream), of_gemini([([{"text": "a"}], "MAX_TOKENS")], stream=stream)):
        assert (end_of(events).reason, end_of(events).reasons) == ("length", None)


@WHOLE_OR_STREAM
def test_candidates_that_are_all_refused_and_say_nothing_are_a_prompt_that_is(stream: bool) -> None:
    call = generation_call("streamGenerateContent" if stream else "generateContent")
    (told,) = written(gemini, call, of_openai((({}, "content_filter"), ({}, "content_filter")), stream=stream))
    assert told["promptFeedback"] == {"blockReason": "SAFETY"} and "candidates" not in told
