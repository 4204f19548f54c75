"""Calls of tools whose pieces come mixed: each wire's client gets a stream that is valid, and all that was said."""

import gc
import json
import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.events import Delta, End, Usage
from oneflow_ai.dialects import anthropic, gemini, responses
from oneflow_ai.dialects.in_turn import InTurn
from tests.wire.generations import generation_call
from tests.wire.messages import message_call
from tests.wire.replies import response_call
from tests.wire.requests import target_of
from tests.wire.test_hostile import LONGER_MOST, SMALL, TIMES

TARGET = target_of("openai")
F, G = Delta("tool_call", "f", tool_id="c0"), Delta("tool_call", "g", tool_index=1, tool_id="c1")


def of(place: int, text: str) -> Delta:
    """A piece of a call's arguments."""
    return Delta("tool_arguments", text, tool_index=place)


A, B, ENDS, NONE = of(0, '{"a":'), of(1, '{"b":2'), of(0, "1}"), of(1, "{}")
# What comes, and the calls and texts that it is, in their order.
MIXED: dict[str, tuple[list[Delta], list[Any]]] = {
    "both begin first": ([F, G, A, B, ENDS, of(1, "}")], [("f", {"a": 1}), ("g", {"b": 2})]),
    "the first goes on late": ([F, A, G, B, of(1, "}"), ENDS], [("f", {"a": 1}), ("g", {"b": 2})]),
    "a text between": ([F, A, Delta("text", "So"), ENDS, G, NONE], [("f", {"a": 1}), "So", ("g", {})]),
    "marks within texts": ([F, A, of(0, '"}\\'), G, of(0, '"}'), NONE, of(0, '"}')], [("f", {"a": '}"}'}), ("g", {})]),
    "no arguments at all": ([F, G, B, of(1, "}")], [("f", {}), ("g", {"b": 2})]),
    "white space after the end": ([F, A, ENDS, G, of(0, "\n"), NONE], [("f", {"a": 1}), ("g", {})]),
    "one never ends": ([F, A, G, NONE, Delta("text", "!")], [("f", {"arguments": '{"a":'}), ("g", {}), "!"]),
}
NAMES = pytest.mark.parametrize("name", MIXED)


def events_of(encoder: Any, deltas: list[Delta]) -> list[dict[str, Any]]:
    """The events of a stream."""
    content = b"".join(map(encoder.feed, deltas)) + encoder.end(End("tool_calls"), Usage(), 0)
    lines = content.decode().replace("\r", "").split("\n")
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def blocks_of(events: list[dict[str, Any]]) -> list[Any]:
    """The blocks of an Anthropic stream; it asserts that one is open at a time, and filled only while it is."""
    found: list[Any] = []
    pieces: list[str] = []
    opened = None
    for event in events:
        match event["type"]:
            case "content_block_start":
                assert opened is None and event["index"] == len(found)
                opened, pieces = event["index"], []
                block = event["content_block"]
                found.append((block["name"], {}) if block["type"] == "tool_use" else "")
            case "content_block_delta":
                assert event["index"] == opened
                pieces.append(event["delta"].get("partial_json") or event["delta"].get("text", ""))
            case "content_block_stop":
                assert event["index"] == opened
                opened, text = None, "".join(pieces)
                found[-1] = text if found[-1] == "" else (found[-1][0], json.loads(text or "{}"))
    assert opened is None
    return found


def broken(said: list[Any]) -> bool:
    """Whether a call of these has arguments that are no object."""
    return any(isinstance(each, tuple) and "arguments" in each[1] for each in said)


@NAMES
def test_a_client_of_anthropics_sees_one_block_at_a_time(name: str) -> None:
    deltas, said = MIXED[name]
    whole = json.loads(whole_of(anthropic.encoder(message_call(stream=False), TARGET), deltas))["content"]
    assert [block["text"] if block["type"] == "text" else (block["name"], block["input"]) for block in whole] == said
    events = events_of(anthropic.encoder(message_call(stream=True), TARGET), deltas)
    assert events[-2]["delta"]["stop_reason"] == "tool_use"
    if not broken(said):
        assert blocks_of(events) == said


def whole_of(encoder: Any, deltas: list[Delta]) -> bytes:
    """A whole answer."""
    assert not any(map(encoder.feed, deltas))
    content: bytes = encoder.end(End("tool_calls"), Usage(), 0)
    return content


@NAMES
def test_a_client_of_geminis_gets_whole_calls(name: str) -> None:
    deltas, said = MIXED[name]

    def told(parts: list[Any]) -> list[Any]:
        calls = [part.get("functionCall") for part in parts]
        found = [
            (call["name"], call["args"]) if call else part["text"] for part, call in zip(parts, calls, strict=True)
        ]
        return [each for each in found if each]

    events = events_of(gemini.encoder(generation_call("streamGenerateContent"), TARGET), deltas)
    assert told([part for event in events for part in event["candidates"][0]["content"]["parts"]]) == said
    whole = json.loads(whole_of(gemini.encoder(generation_call(), TARGET), deltas))
    assert told(whole["candidates"][0]["content"]["parts"]) == said


@NAMES
def test_a_client_of_responses_finds_each_piece_at_its_item(name: str) -> None:
    deltas, said = MIXED[name]
    items: dict[int, Any] = {}
    texts: dict[int, str] = {}
    for event in events_of(responses.encoder(response_call(stream=True), TARGET), deltas):
        kind, place = event["type"], event.get("output_index", -1)
        if kind == "response.output_item.added":
            assert place == len(items)
            items[place], texts[place] = event["item"], ""
        elif kind in ("response.function_call_arguments.delta", "response.output_text.delta"):
            assert event["item_id"] == items[place]["id"]
            texts[place] += event["delta"]
        elif kind == "response.output_item.done":
            assert event["item"]["id"] == items[place]["id"]
            assert event["item"].get("arguments", texts[place]) == texts[place]
            items[place] = event["item"]
    assert {item.get("name") for item in items.values()} >= {each[0] for each in said if isinstance(each, tuple)}
    asked = [
        "".join(piece.text for piece in deltas if piece.kind == "tool_arguments" and piece.tool_index == place)
        for place in (0, 1)
    ]
    calls = [item for item in items.values() if item["type"] == "function_call"]
    assert [call["arguments"].strip() for call in calls] == [text.strip() or "{}" for text in asked]


def test_nothing_waits_where_each_call_is_whole_before_the_next() -> None:
    turns = InTurn()
    deltas = [Delta("text", "So"), F, of(0, '{"a":'), of(0, "[1]}"), G, of(1, "{"), of(1, "}"), Delta("text", "!")]
    assert [turns.put(delta) for delta in deltas] == [[delta] for delta in deltas]
    assert turns.rest() == []


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(['"', "\\", "{", "]}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mixtures(draw: st.DrawFn) -> tuple[list[tuple[str, Any]], list[Delta]]:
    """Calls with their arguments, and their pieces mixed in any way that keeps each one's order."""
    calls = draw(st.lists(st.dictionaries(st.text(max_size=4), VALUES, max_size=3), min_size=1, max_size=4))
    queues: list[list[Delta]] = []
    for place, arguments in enumerate(calls):
        text = json.dumps(arguments, ensure_ascii=draw(st.booleans()))
        cuts = sorted(draw(st.sets(st.integers(1, max(len(text) - 1, 1)), max_size=4)))
        ends = [0, *cuts, len(text)]
        pieces = [of(place, text[start:end]) for start, end in pairwise(ends)]
        queues.append([Delta("tool_call", f"f{place}", tool_index=place, tool_id=f"c{place}"), *pieces])
    queues.append([Delta("text", text) for text in draw(st.lists(st.text(min_size=1, max_size=3), max_size=3))])
    mixed = []
    while any(queues):
        queue = draw(st.sampled_from([queue for queue in queues if queue]))
        mixed.append(queue.pop(0))
    return [(f"f{place}", arguments) for place, arguments in enumerate(calls)], mixed


@given(mixtures())
def test_whatever_is_mixed_comes_out_whole_and_in_its_order(mixture: tuple[list[tuple[str, Any]], list[Delta]]) -> None:
    calls, mixed = mixture
    blocks = blocks_of(events_of(anthropic.encoder(message_call(stream=True), TARGET), mixed))
    told = [block for block in blocks if isinstance(block, tuple)]
    order = [delta.text for delta in mixed if delta.kind == "tool_call"]
    assert told == sorted(calls, key=lambda call: order.index(call[0]))
    assert "".join(block for block in blocks if isinstance(block, str)) == "".join(
        delta.text for delta in mixed if delta.kind == "text"
    )


def test_pieces_made_to_do_harm_cost_no_more_than_their_number() -> None:
    def seconds(number: int) -> float:
        calls = [Delta("tool_call", "f", tool_index=place) for place in range(number)]
        pieces = [of(place, '{"a":') for place in range(number)]
        turns, began = InTurn(), time.thread_time()
        found = [each for delta in (*calls, *pieces, *pieces) for each in turns.put(delta)] + turns.rest()
        took = time.thread_time() - began
        assert len(found) == 3 * number
        return took

    # Without the collector, whose time grows with all that the tests before have left.
    gc.disable()
    try:
        short, long = (min(seconds(number) for _ in range(3)) for number in (SMALL, SMALL * TIMES))
    finally:
        gc.enable()
    assert long < max(short, 0.002) * LONGER_MOST
