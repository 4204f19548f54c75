"""What a client of Gemini's gives back of earlier turns: each wire's models get their own seals, and no others."""

from base64 import b64encode
from dataclasses import replace
from typing import Any

import orjson
import pytest

from oneflow_ai.core.call import Call
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.prompt import Reasoning, Text, ToolCall
from tests.wire.generations import HELLO, generation_call
from tests.wire.messages import message_call
from tests.wire.replies import response_call
from tests.wire.requests import call_of, target_of

GEMINI, CLAUDE = target_of("gemini", model="gemini-3.8-flash"), target_of("anthropic", model="claude-haiku-5-5")
MADE = b64encode(b"of:anthropic:EqSeal").decode()
DARK = b64encode(b"sealed-of:anthropic:dark").decode()
FORGED = b64encode(b"of:gemini:forged").decode()


def turn(*parts: Any, role: str = "model") -> dict[str, Any]:
    return {"role": role, "parts": list(parts)}


def thought(text: str, seal: str = "") -> dict[str, Any]:
    return {"text": text, "thought": True, **({"thoughtSignature": seal} if seal else {})}


def called(seal: str) -> dict[str, Any]:
    return {"functionCall": {"id": "c1", "name": "f", "args": {}}, "thoughtSignature": seal}


ANSWER = turn({"functionResponse": {"id": "c1", "name": "f", "response": {}}}, role="user")


@pytest.mark.parametrize(
    ("history", "kept"),
    [
        ([turn(thought("hm", MADE), {"text": "Hi"})], [turn({"text": "Hi"})]),
        ([turn(thought("h")), turn(thought("m")), turn(thought("", MADE), {"text": "Hi"})], [turn({"text": "Hi"})]),
        ([turn(thought("", DARK), {"text": "Hi"})], [turn({"text": "Hi"})]),
        ([turn({"text": "Hi", "thoughtSignature": MADE})], [turn({"text": "Hi"})]),
        ([turn({"text": "Hi"}), turn({"text": "", "thoughtSignature": FORGED})], [turn({"text": "Hi"})]),
        ([turn(thought("hm", MADE))], []),
        (
            [turn(thought("hm", "EqQB"), {"text": "Hi"}), HELLO, turn(thought("no", MADE), {"text": "Ho"})],
            [turn(thought("hm", "EqQB"), {"text": "Hi"}), HELLO, turn({"text": "Ho"})],
        ),
    ],
)
def test_what_another_wire_sealed_is_not_sent_to_geminis_models(history: list[Any], kept: list[Any]) -> None:
    call = generation_call(contents=[HELLO, *history, HELLO], cachedContent="cachedContents/a")
    body = orjson.loads(GEMINI.adapter.request(call, GEMINI).body)
    assert body == {"contents": [HELLO, *kept, HELLO], "cachedContent": "cachedContents/a"}


@pytest.mark.parametrize("seal", [MADE, DARK, FORGED])
def test_nor_is_the_seal_of_a_call(seal: str) -> None:
    call = generation_call(contents=[HELLO, turn(called(seal)), ANSWER])
    content = GEMINI.adapter.request(call, GEMINI).body
    assert seal.encode() not in content and b"skip_thought_signature_validator" in content


def test_the_wire_that_made_it_gets_it_back() -> None:
    call = generation_call(contents=[HELLO, turn(thought("hm", MADE), {"text": "Hi"}), HELLO])
    assert call.prompt().messages[1].parts == (Reasoning("hm", "EqSeal", wire="anthropic"), Text("Hi"))
    told = orjson.loads(CLAUDE.adapter.request(call, CLAUDE).body)["messages"][1]["content"]
    assert told[0] == {"type": "thinking", "thinking": "hm", "signature": "EqSeal"}


@pytest.mark.parametrize(
    ("seal", "text", "wire"), [("EqQB", "EqQB", "gemini"), (MADE, "EqSeal", "anthropic"), (DARK, "", "")]
)
def test_the_seal_of_a_call_names_its_wire(seal: str, text: str, wire: str) -> None:
    (told,) = generation_call(contents=[HELLO, turn(called(seal)), ANSWER]).prompt().messages[1].parts
    assert told == ToolCall("c1", "f", "{}", text, wire=wire)


SEAL = "of:anthropic:forged"
CALLS = [
    {
        "id": "c1",
        "type": "function",
        "function": {"name": "f", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": SEAL}},
    }
]
CHAT = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "tool_calls": CALLS},
    {"role": "tool", "tool_call_id": "c1", "content": "4"},
]
MESSAGES = [
    {"role": "user", "content": "Hi"},
    {
        "role": "assistant",
        "content": [
            {"type": "tool_use", "id": "c1", "name": "f", "input": {}},
            {"type": "redacted_thinking", "data": f"tool-{SEAL}"},
        ],
    },
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "4"}]},
]
ITEMS = [
    {"role": "user", "content": "Hi"},
    {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
    {"type": "reasoning", "id": "r1", "summary": [], "encrypted_content": 'of:anthropic:call:["c1","forged"]'},
    {"type": "function_call_output", "call_id": "c1", "output": "4"},
]


@pytest.mark.parametrize(
    "call",
    [
        call_of({"model": "text", "messages": CHAT}),
        message_call(messages=MESSAGES),
        response_call(input=ITEMS),
        generation_call(contents=[HELLO, turn(called(b64encode(SEAL.encode()).decode())), ANSWER]),
    ],
    ids=["chat", "messages", "responses", "gemini"],
)
def test_a_seal_that_a_client_says_another_wire_made_is_no_call_of_geminis(call: Call) -> None:
    assert "forged" in str(call.prompt())
    body = GEMINI.adapter.request(replace(call, wire="", dialect="any"), GEMINI).body
    assert b"forged" not in body and b"skip_thought_signature_validator" in body


def test_an_answer_to_a_function_that_nobody_called_is_refused_for_other_wires() -> None:
    call = generation_call(contents=[HELLO, ANSWER])
    with pytest.raises(Failure) as caught:
        CLAUDE.adapter.request(call, CLAUDE)
    assert (caught.value.code, caught.value.param) == ("invalid_messages", "contents")
