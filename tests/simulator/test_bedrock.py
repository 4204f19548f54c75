"""Amazon Bedrock's Converse, as raw requests see it."""

from __future__ import annotations

import json
import struct
from base64 import b64decode
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote
from zlib import crc32

import orjson
import pytest

from oneflow_ai.simulator import FAST, Limits, Simulator, SimulatorOptions
from oneflow_ai.simulator.seals import seal
from tests.simulator.raw import Seen, once
from tests.simulator.spoken import CLOSED, PROMPT, WEATHER

MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
ASKED: Any = [{"role": "user", "content": [{"text": PROMPT}]}]
TOOLS: Any = {
    "tools": [{"toolSpec": {"name": name, "inputSchema": {"json": WEATHER}}} for name in ("get_weather", "get_news")]
}
THINKING: dict[str, Any] = {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1_024}}}


class Frame(NamedTuple):
    """One frame: its headers and its document."""

    headers: dict[str, str]
    document: Any


def frames(content: bytes) -> list[Frame]:
    """The frames of an event stream; each length and checksum is checked."""
    found = []
    while content:
        whole, head, checksum = struct.unpack(">III", content[:12])
        assert crc32(content[:8]) == checksum
        message, content = content[:whole], content[whole:]
        assert len(message) == whole
        assert crc32(message[:-4]) == struct.unpack(">I", message[-4:])[0]
        headers, told = message[12 : 12 + head], {}
        while headers:
            name, rest = headers[1 : 1 + headers[0]], headers[1 + headers[0] :]
            assert rest[0] == 7
            size = struct.unpack(">H", rest[1:3])[0]
            told[name.decode()] = rest[3 : 3 + size].decode()
            headers = rest[3 + size :]
        payload = message[12 + head : -4]
        found.append(Frame(told, orjson.loads(payload) if payload else None))
    return found


async def _raw(simulator: Simulator, action: str = "converse", model: str = MODEL, **fields: Any) -> Seen:
    path = f"/model/{quote(model, safe='')}/{action}"
    return await once(simulator, {"messages": ASKED, **fields}, path=path)


def _content(seen: Seen) -> list[Any]:
    return list(seen.json["output"]["message"]["content"])


async def test_an_answer_quotes_the_prompt_whole_and_streamed(simulator: Simulator) -> None:
    whole, streamed = await _raw(simulator), await _raw(simulator, "converse-stream")
    events = frames(streamed.body)
    text = "".join(each.document["delta"]["text"] for each in events if "delta" in each.document)
    assert f'"{PROMPT}"' in text
    assert _content(whole) == [{"text": text}]
    assert whole.json["stopReason"] == "end_turn"
    assert events[-1].document["usage"] == whole.json["usage"]
    assert streamed.headers["content-type"] == "application/vnd.amazon.eventstream"
    names = list(dict.fromkeys(each.headers[":event-type"] for each in events))
    assert names == ["messageStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"]


async def test_a_stream_has_the_recorded_frames(simulator: Simulator, shared_folder: Path) -> None:
    file = shared_folder / "recordings" / "bedrock" / "converse-stream-eventstream.json"
    recorded = frames(b64decode(json.loads(file.read_text("utf-8"))["response"]["body_base64"]))
    seen = frames((await _raw(simulator, "converse-stream")).body)
    shapes = [
        {each.headers[":event-type"]: (each.headers, set(each.document)) for each in one} for one in (seen, recorded)
    ]
    assert shapes[0] == shapes[1]


async def test_parallel_tools_are_called_and_their_results_are_used(simulator: Simulator) -> None:
    turns: Any = [{"role": "user", "content": [{"text": "Use get_weather for London, then get news."}]}]
    seen = await _raw(simulator, messages=turns, toolConfig=TOOLS)
    calls = [block["toolUse"] for block in _content(seen)]
    assert seen.json["stopReason"] == "tool_use"
    assert [(call["name"], call["input"]) for call in calls] == [
        ("get_weather", {"location": "London"}),
        ("get_news", {"location": "London"}),
    ]
    events = frames((await _raw(simulator, "converse-stream", messages=turns, toolConfig=TOOLS)).body)
    given = ["", ""]
    for each in events:
        if "delta" in each.document:
            given[each.document["contentBlockIndex"]] += each.document["delta"]["toolUse"]["input"]
    assert [orjson.loads(each) for each in given] == [call["input"] for call in calls]
    results = [
        {"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": f"result {number}"}]}}
        for number, call in enumerate(calls)
    ]
    turns += [{"role": "assistant", "content": _content(seen)}, {"role": "user", "content": results}]
    assert "result 0; result 1" in _content(await _raw(simulator, messages=turns, toolConfig=TOOLS))[0]["text"]


@pytest.mark.parametrize(
    ("model", "status"), [("global.anthropic.claude-haiku-5-5", 400), ("amazon.nova-pro-v1:0", 200)]
)
async def test_an_answer_that_is_begun_is_refused_as_the_model_would(
    simulator: Simulator, model: str, status: int
) -> None:
    turns = [*ASKED, {"role": "assistant", "content": [{"text": "The sea"}]}]
    assert (await _raw(simulator, model=model, messages=turns)).status == status


@pytest.mark.parametrize(
    ("choice", "names"),
    [({"auto": {}}, []), ({"any": {}}, ["get_weather"]), ({"tool": {"name": "get_news"}}, ["get_news"])],
)
async def test_tool_choice_decides(simulator: Simulator, choice: Any, names: list[str]) -> None:
    seen = await _raw(simulator, toolConfig=TOOLS | {"toolChoice": choice})
    assert [block["toolUse"]["name"] for block in _content(seen) if "toolUse" in block] == names


@pytest.mark.parametrize(("kind", "count"), [("auto", 1), ("any", 1)])
async def test_one_tool_at_a_time_is_the_models_own_field(simulator: Simulator, kind: str, count: int) -> None:
    turns: Any = [{"role": "user", "content": [{"text": "Use get_weather for London, then get news."}]}]
    own: Any = {"additionalModelRequestFields": {"tool_choice": {"type": kind, "disable_parallel_tool_use": True}}}
    seen = await _raw(simulator, messages=turns, toolConfig=TOOLS, **own)
    assert len([block for block in _content(seen) if "toolUse" in block]) == count
    twice = await _raw(simulator, toolConfig=TOOLS | {"toolChoice": {"any": {}}}, **own)
    assert (twice.status, "tool_choice/type conflicts" in twice.json["message"]) == (400, True)
    alone = await _raw(simulator, **own)
    typeless: Any = {"additionalModelRequestFields": {"tool_choice": {"disable_parallel_tool_use": True}}}
    for wrong in (alone, await _raw(simulator, toolConfig=TOOLS, **typeless)):
        assert (wrong.status, "Field required" in wrong.json["message"]) == (400, True)


async def test_thoughts_come_sealed_and_go_back_unchanged(simulator: Simulator) -> None:
    said = _content(await _raw(simulator, **THINKING))
    told = said[0]["reasoningContent"]["reasoningText"]
    assert PROMPT in told["text"]
    events = frames((await _raw(simulator, "converse-stream", **THINKING)).body)
    deltas = [each.document["delta"].get("reasoningContent", {}) for each in events if "delta" in each.document]
    assert "".join(each.get("text", "") for each in deltas) == told["text"]
    assert [each["signature"] for each in deltas if "signature" in each] == [told["signature"]]
    back = [*ASKED, {"role": "assistant", "content": said}, *ASKED]
    assert (await _raw(simulator, messages=back)).status == 200
    for wrong in ("made-up", seal("anthropic", told["text"])):
        said[0]["reasoningContent"]["reasoningText"]["signature"] = wrong
        assert (await _raw(simulator, messages=back)).status == 400


@pytest.mark.parametrize("schema", [WEATHER, {"type": "integer", "minimum": 1}, {}])
async def test_a_schema_that_is_not_enforced_is_refused(simulator: Simulator, schema: Any) -> None:
    form = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps(schema)}}}}
    tool = {"toolSpec": {"name": "get_weather", "inputSchema": {"json": schema}, "strict": True}}
    for asked in ({"outputConfig": form}, {"toolConfig": {"tools": [tool]}}):
        refused = await _raw(simulator, **asked)
        assert refused.status == 400
        assert "supported" in refused.json["message"] or "must be" in refused.json["message"]


async def test_structured_output_stop_sequences_and_limits(simulator: Simulator) -> None:
    form = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps(CLOSED)}}}}
    assert _content(await _raw(simulator, outputConfig=form)) == [{"text": f'{{"location":"{PROMPT}"}}'}]
    cut = await _raw(simulator, inferenceConfig={"maxTokens": 3})
    assert (cut.json["stopReason"], cut.json["usage"]["outputTokens"]) == ("max_tokens", 3)
    stopped = await _raw(
        simulator,
        inferenceConfig={"stopSequences": ["simulated"]},
        additionalModelResponseFieldPaths=["/stop_sequence"],
    )
    assert stopped.json["additionalModelResponseFields"] == {"stop_sequence": "simulated"}
    effort: Any = {
        "additionalModelRequestFields": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}
    }
    assert (await _raw(simulator, **effort)).json["usage"]["outputTokens"] > 16


async def test_claude_is_not_stopped_by_white_space(simulator: Simulator) -> None:
    asked: Any = {"inferenceConfig": {"stopSequences": ["x", "\n"]}}
    refused = await _raw(simulator, **asked)
    assert refused.status == 400
    assert "each stop sequence must contain non-whitespace" in refused.json["message"]
    body = {"messages": [{"role": "user", "content": [{"text": PROMPT}]}], **asked}
    assert (await once(simulator, body, path="/model/amazon.nova-2-lite-v1:0/converse")).status == 200


async def test_tokens_are_counted_as_they_are_used(simulator: Simulator) -> None:
    picture = {"image": {"format": "png", "source": {"bytes": "AAAA"}}}
    asked = {"messages": [{"role": "user", "content": [{"text": PROMPT}, picture]}], "toolConfig": TOOLS}
    path = f"/model/{quote(MODEL, safe='')}/count-tokens"
    counted = await once(simulator, {"input": {"converse": asked}}, path=path)
    assert counted.json["inputTokens"] == (await _raw(simulator, **asked)).json["usage"]["inputTokens"] > 85
    assert (await once(simulator, {"input": {"invokeModel": {}}}, path=path)).status == 400


CALL = {"toolUse": {"toolUseId": "a", "name": "get_news", "input": {}}}
EMPTY = {"toolResult": {"toolUseId": "a", "content": [{"text": ""}]}}
RESULT = {"toolResult": {"toolUseId": "a", "content": [{"json": {"x": 1}}]}}


def _tool(name: str) -> Any:
    return {"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}}


def _turns(*contents: Any) -> list[Any]:
    roles = ("user", "assistant")
    return [{"role": roles[place % 2], "content": content} for place, content in enumerate(contents)]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"messages": []}, "messages"),
        ({"messages": _turns([{"text": " "}])}, "messages.0.content.0 is blank"),
        (
            {"messages": _turns([{"text": "x"}], [CALL], [EMPTY]), "toolConfig": TOOLS},
            "messages.2.content.0 is blank",
        ),
        ({"messages": _turns([{"text": "x"}], [{"text": "y "}])}, "cannot end with trailing whitespace"),
        ({"messages": [*ASKED, *ASKED]}, "roles must alternate"),
        ({"messages": _turns([], [])[1:]}, "must start with a user message"),
        ({"messages": _turns([{"text": "x"}], [CALL], [RESULT])}, "toolConfig field must be defined"),
        ({"messages": _turns([{"text": "x"}], [CALL], [{"text": "y"}]), "toolConfig": TOOLS}, "toolResult blocks"),
        ({"messages": _turns([{"text": "x"}], [CALL]), "toolConfig": TOOLS}, "Expected toolResult blocks"),
        ({"messages": _turns([{"text": "x", "image": {"source": {}}}])}, "exactly one field"),
        ({"toolConfig": {"tools": [_tool("a" * 65)]}}, "toolConfig.tools[0].toolSpec.name"),
        ({"toolConfig": {"tools": [_tool("a.b")]}}, "toolConfig.tools[0].toolSpec.name"),
        (
            {"messages": _turns([{"text": "x"}], [{"toolUse": {**CALL["toolUse"], "name": "a.b"}}])},
            "messages[1].content[0].toolUse.name",
        ),
        ({"inferenceConfig": {"maxTokens": 0}}, "inferenceConfig.maxTokens"),
        ({"inferenceConfig": {"topK": 5}}, "inferenceConfig.topK"),
        ({"max_tokens": 5}, "max_tokens"),
    ],
)
async def test_a_wrong_request_is_a_validation_exception(simulator: Simulator, fields: Any, told: str) -> None:
    seen = await _raw(simulator, **fields)
    assert (seen.status, seen.headers["x-amzn-errortype"].partition(":")[0]) == (400, "ValidationException")
    assert told in seen.json["message"]


@pytest.mark.parametrize(
    ("key", "authorization", "status"),
    [
        ("", None, 403),
        ("bad", None, 403),
        ("key", None, 200),
        ("", "AWS4-HMAC-SHA256 Credential=AKIA1/20261126/us-east-1/bedrock/aws4_request, Signature=0", 200),
        ("", "AWS4-HMAC-SHA256 Credential=bad/20261126/us-east-1/bedrock/aws4_request, Signature=0", 403),
    ],
)
async def test_keys_and_signatures(simulator: Simulator, key: str, authorization: str | None, status: int) -> None:
    headers = {"authorization": authorization} if authorization else {}
    path = f"/model/{quote(MODEL, safe='')}/converse"
    assert (await once(simulator, {"messages": ASKED}, path=path, key=key, headers=headers)).status == status


async def test_unknown_models_limits_and_the_list(simulator: Simulator) -> None:
    assert "identifier is invalid" in (await _raw(simulator, model="no-such")).json["message"]
    listed = await once(simulator, path="/foundation-models", method="GET")
    assert MODEL in [each["modelId"] for each in listed.json["modelSummaries"]]
    options = SimulatorOptions(pace=FAST, limits=Limits(requests_per_minute=1))
    async with await Simulator(options).start() as limited:
        assert [(await _raw(limited)).status for _ in range(2)] == [200, 429]


@pytest.mark.parametrize(
    ("fault", "status", "name"),
    [
        ("F23", 500, "InternalServerException"),
        ("F23;status=503", 503, "ServiceUnavailableException"),
        ("F19", 429, "ThrottlingException"),
        ("F22;kind=quota", 429, "ThrottlingException"),
        ("F24;status=403", 403, "AccessDeniedException"),
        ("F25;kind=context", 400, "ValidationException"),
    ],
)
async def test_failures_have_the_names_of_exceptions(simulator: Simulator, fault: str, status: int, name: str) -> None:
    seen = await _raw(simulator, model=f"sim-{fault}")
    assert (seen.status, seen.headers["x-amzn-errortype"].partition(":")[0]) == (status, name)


async def test_a_stream_may_be_cut_after_every_frame_or_end_in_an_exception(simulator: Simulator) -> None:
    config: Any = {"inferenceConfig": {"maxTokens": 3}}
    whole = frames((await _raw(simulator, "converse-stream", **config)).body)
    for count in range(len(whole)):
        seen = await _raw(simulator, "converse-stream", f"sim-F14@any:{count}", **config)
        assert len(frames(seen.body)) == count
    for fault, header in (("F18;status=503", ":exception-type"), ("F18;kind=named", ":error-code")):
        *before, last = frames((await _raw(simulator, "converse-stream", f"sim-{fault}", **config)).body)
        assert len(before) == 2
        assert "ServiceUnavailableException".lower() in last.headers[header].lower()
    pings = await once(
        simulator,
        {"messages": ASKED},
        path="/model/sim-F12%3Bkind%3Dpings%3Bgap%3D0/converse-stream",
        until=b"ping",
    )
    assert pings.status == 200


async def test_usages_and_forms_may_be_odd_in_sound_frames(simulator: Simulator) -> None:
    for usage, count in (("negative", -1), ("huge", 10**9)):
        seen = await _raw(simulator, "converse-stream", f"sim-F39;usage={usage}", inferenceConfig={"maxTokens": 1})
        assert frames(seen.body)[-1].document["usage"]["outputTokens"] == count
    assert "usage" not in frames((await _raw(simulator, "converse-stream", "sim-F38")).body)[-1].document
    twice = frames((await _raw(simulator, "converse-stream", "sim-F39;usage=changing")).body)
    assert [each.headers[":event-type"] for each in twice[-2:]] == ["metadata", "metadata"]
    for kind, told in (
        ("unclosed", "Par"),
        ("many", "tool_9"),
        ("reasoning", "reasoningContent"),
        ("refusal", "content_filtered"),
    ):
        for action in ("converse", "converse-stream"):
            seen = await _raw(simulator, action, f"sim-F48;kind={kind};count=10")
            assert told in str([each.document for each in frames(seen.body)] if "stream" in action else seen.json)
    assert _content(await _raw(simulator, model="sim-F48;kind=nochoices")) == []
    assert _content(await _raw(simulator, model="sim-F48;kind=gaps"))
    assert b"somebody-elses-model" in (await _raw(simulator, model="sim-F46")).body
