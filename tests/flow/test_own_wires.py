"""Calls to providers with wires of their own, through one attempt: what the client is given, and what is counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.events import Delta, Event, Usage, Vector
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.prompt import Tool
from oneflow_ai.core.target import Target
from oneflow_ai.flow.attempt import Attempt, Ways
from oneflow_ai.stores.memory_quota import MemoryQuota
from oneflow_ai.testing import ListeningClient, Scripted, ScriptedUpstream, SeededChance, VirtualClock, run_virtual
from tests.wire.frames import event
from tests.wire.own_prompts import call_with, prompt
from tests.wire.requests import target_of

GEMINI, BEDROCK = target_of("gemini", model="gemini-3.8-flash"), target_of("bedrock", model="amazon.nova-lite-v1:0")
SAID = (Delta("text", "Hello"),)
CHUNK = {
    "candidates": [{"content": {"parts": [{"text": "Hello"}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1, "totalTokenCount": 4},
}
FRAMES = (
    event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hello"}}),
    event("messageStop", {"stopReason": "end_turn"}),
    event("metadata", {"usage": {"inputTokens": 3, "outputTokens": 1, "totalTokens": 4}}),
)
WHOLE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hello"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 3, "outputTokens": 1, "totalTokens": 4},
}


def attempted(call: Call, target: Target, *steps: bytes, status: int = 200) -> tuple[Attempt, tuple[Event, ...]]:
    """The attempt of a call that is answered so, and what the client was given; raises `Failure`."""
    found: list[Any] = []

    async def run(clock: VirtualClock, chance: SeededChance) -> None:
        upstream = ScriptedUpstream([Scripted(status, steps=steps)], clock)
        client, ways = ListeningClient(), Ways(clock, MemoryQuota(clock, chance), upstream)
        attempt = Attempt(call, target, client, ways, number=1, tokens=10)
        failure = await attempt.run()
        if failure is not None:
            raise failure
        found.extend((attempt, tuple(client.events)))

    run_virtual(run)
    attempt, events = found
    return attempt, events


def test_a_chat_streamed_or_whole() -> None:
    sse, body = b"data: " + orjson.dumps(CHUNK) + b"\r\n\r\n", orjson.dumps(CHUNK)
    for target, stream, steps in (
        (GEMINI, True, (sse,)),
        (GEMINI, False, (body,)),
        (BEDROCK, True, FRAMES),
        (BEDROCK, False, (orjson.dumps(WHOLE),)),
    ):
        attempt, events = attempted(call_with(prompt(), stream=stream), target, *steps)
        assert events == SAID
        assert attempt.usage == Usage(3, 1)
        assert attempt.end is not None and attempt.end.reason == "stop"


def test_tools_are_called_by_their_clients_own_names() -> None:
    """Streamed and whole; what the model called so of itself stays as it is."""
    asked = call_with(prompt(tools=(Tool("ns.tool a"), Tool("fits"))))
    ((name, _),) = GEMINI.adapter.request(asked, GEMINI).names
    called = [{"functionCall": {"id": "1", "name": each, "args": {}}} for each in (name, "fits", "ns.tool a")]
    chunk = {"candidates": [{"content": {"parts": called}, "finishReason": "STOP"}]}
    used = [{"toolUse": {"toolUseId": "1", "name": each, "input": {}}} for each in (name, "fits", "ns.tool a")]
    whole = {**WHOLE, "output": {"message": {"role": "assistant", "content": used}}}
    begun = [
        event("contentBlockStart", {"contentBlockIndex": place, "start": {"toolUse": {**each["toolUse"]}}})
        for place, each in enumerate(used)
    ]
    for target, stream, steps in (
        (GEMINI, True, (b"data: " + orjson.dumps(chunk) + b"\r\n\r\n",)),
        (GEMINI, False, (orjson.dumps(chunk),)),
        (BEDROCK, True, (*begun, *FRAMES[1:])),
        (BEDROCK, False, (orjson.dumps(whole),)),
    ):
        _, events = attempted(replace(asked, stream=stream), target, *steps)
        told = [each.text for each in events if isinstance(each, Delta) and each.kind == "tool_call"]
        assert told == ["ns.tool a", "fits", "ns.tool a"]


def test_embeddings_and_counts() -> None:
    body = orjson.dumps({"embeddings": [{"values": [0.5, 1]}], "usageMetadata": {"promptTokenCount": 2}})
    attempt, events = attempted(call_with(None, operation=Operation.EMBEDDING, input="a"), GEMINI, body)
    assert (events, attempt.usage) == ((Vector(0, (0.5, 1.0)),), Usage(2))
    for target, answer in ((GEMINI, {"totalTokens": 7}), (BEDROCK, {"inputTokens": 7})):
        counted = call_with(prompt(), operation=Operation.COUNT_TOKENS)
        attempt, events = attempted(counted, target, orjson.dumps(answer))
        assert (events, attempt.usage) == ((), Usage(7))


def test_what_was_left_out_is_told() -> None:
    attempt, _ = attempted(call_with(prompt(user="u")), replace(GEMINI, model="gemini-2.5-flash"), orjson.dumps(CHUNK))
    assert attempt._dropped == ("user",)


def test_an_answer_that_was_cut_is_a_failure_of_the_stream() -> None:
    open_chunk = {"candidates": [{"content": {"parts": [{"text": "Hel"}]}}]}
    for target, steps in (
        (GEMINI, (b"data: " + orjson.dumps(open_chunk) + b"\n\n",)),
        (BEDROCK, FRAMES[:1]),
        (BEDROCK, (FRAMES[0], FRAMES[1][:-3])),
    ):
        with pytest.raises(Failure) as caught:
            attempted(call_with(prompt(), stream=True), target, *steps)
        assert caught.value.code == "upstream_stream_interrupted"
