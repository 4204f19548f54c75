"""The simulated answers on each wire are valid by the provider's specification, and have the shape of recorded ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from oneflow_ai.simulator import Simulator
from tests.simulator.raw import Seen, once
from tests.simulator.spoken import PROMPT, VERSION, WEATHER, documents
from tests.simulator.test_shapes import shape
from tests.specifications import openai_specification

ASKED = [{"role": "user", "content": PROMPT}]
MESSAGE: dict[str, Any] = {"model": "claude-haiku-4-5", "max_tokens": 2_000, "messages": ASKED}
RESPONSE: dict[str, Any] = {"model": "gpt-6-luna", "input": PROMPT}
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1_024}}
TOOL = {"tools": [{"name": "bees", "input_schema": WEATHER}]}
FUNCTION = {"tools": [{"type": "function", "name": "bees", "parameters": WEATHER, "strict": False}]}
REASONING = {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}


def _without_defaults(node: Any) -> Any:
    """A specification in which a field that has a default need not be there: real answers leave such fields out."""
    if isinstance(node, list):
        return [_without_defaults(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {name: _without_defaults(each) for name, each in node.items()}
    properties = made.get("properties")
    if isinstance(properties, dict) and isinstance(made.get("required"), list):
        made["required"] = [
            name
            for name in made["required"]
            if not isinstance(properties.get(name), dict) or "default" not in properties[name]
        ]
    return made


@pytest.fixture(scope="module")
def anthropic(shared_folder: Path) -> Any:
    """Anthropic's specification."""
    text = (shared_folder / "specs" / "anthropic-openapi.json").read_text("utf-8")
    return _without_defaults(json.loads(text)["components"])


@pytest.fixture(scope="module")
def openai(shared_folder: Path) -> Any:
    """OpenAI's specification; it is large, so it is read once."""
    components = openai_specification(shared_folder)["components"]
    # recorded answers have null here, which the specification forgets, and leave a name out that it asks for
    components["schemas"]["ResponseFunctionCallArgumentsDoneEvent"]["required"].remove("name")
    components["schemas"]["ModelResponseProperties"]["properties"]["user"] = {}
    usage = components["schemas"]["Response"]["allOf"][-1]["properties"]["usage"]
    components["schemas"]["Response"]["allOf"][-1]["properties"]["usage"] = {"anyOf": [usage, {"type": "null"}]}
    return components


def mistakes(components: Any, schema: str, document: Any) -> Iterator[str]:
    """What a specification has against a document."""
    root = {"$ref": f"#/components/schemas/{schema}", "components": components}
    return (f"{error.json_path}: {error.message[:300]}" for error in Draft202012Validator(root).iter_errors(document))


async def _message(simulator: Simulator, path: str = "/v1/messages", **fields: Any) -> Seen:
    return await once(simulator, {**MESSAGE, **fields}, path=path, headers=VERSION)


@pytest.mark.parametrize("fields", [{}, THINKING, TOOL, {"max_tokens": 2}, {"stop_sequences": ["simulated"]}])
async def test_messages_are_valid(simulator: Simulator, anthropic: Any, fields: Any) -> None:
    assert not [*mistakes(anthropic, "Message", (await _message(simulator, **fields)).json)]


EVENTS = {
    "message_start": "MessageStartEvent",
    "content_block_start": "ContentBlockStartEvent",
    "content_block_delta": "ContentBlockDeltaEvent",
    "content_block_stop": "ContentBlockStopEvent",
    "message_delta": "MessageDeltaEvent",
    "message_stop": "MessageStopEvent",
    "ping": "Ping",
}


@pytest.mark.parametrize("fields", [{}, THINKING, TOOL])
async def test_events_of_messages_are_valid(simulator: Simulator, anthropic: Any, fields: Any) -> None:
    seen = await _message(simulator, stream=True, **fields)
    for event in {event["type"]: event for event in documents(seen)}.values():
        assert not [*mistakes(anthropic, EVENTS[event["type"]], event)], event


async def test_the_rest_of_anthropics_wire_is_valid(simulator: Simulator, anthropic: Any) -> None:
    counted = {"model": MESSAGE["model"], "messages": ASKED}
    told = await once(simulator, counted, path="/v1/messages/count_tokens", headers=VERSION)
    assert not [*mistakes(anthropic, "CountMessageTokensResponse", told.json)]
    listed = await once(simulator, path="/v1/models", method="GET", headers=VERSION)
    assert not [*mistakes(anthropic, "ListResponse_ModelInfo_", listed.json)]
    for fault in ("F23;status=500", "F23;status=529", "F24", "F22"):
        failed = await _message(simulator, model=f"sim-{fault}")
        assert not [*mistakes(anthropic, "ErrorResponse", failed.json)]


@pytest.mark.parametrize("fields", [{}, REASONING, FUNCTION, {"max_output_tokens": 16}])
async def test_responses_are_valid(simulator: Simulator, openai: Any, fields: Any) -> None:
    seen = await once(simulator, {**RESPONSE, **fields}, path="/v1/responses")
    assert not [*mistakes(openai, "Response", seen.json)]


def _schema_of(openai: Any, kind: str) -> str:
    """The name of the schema that is for one sort of event."""
    listed: list[str] = [each["$ref"].rpartition("/")[2] for each in openai["schemas"]["ResponseStreamEvent"]["anyOf"]]
    (name,) = [name for name in listed if openai["schemas"][name]["properties"]["type"]["enum"] == [kind]]
    return name


@pytest.mark.parametrize("fields", [{}, REASONING, FUNCTION])
async def test_events_of_responses_are_valid(simulator: Simulator, openai: Any, fields: Any) -> None:
    seen = await once(simulator, {**RESPONSE, **fields, "stream": True}, path="/v1/responses")
    for event in {event["type"]: event for event in documents(seen)}.values():
        assert not [*mistakes(openai, _schema_of(openai, event["type"]), event)], event


@pytest.mark.parametrize(
    ("path", "document", "schema"),
    [
        ("/v1/responses/input_tokens", RESPONSE, "TokenCountsResource"),
        ("/v1/embeddings", {"model": "text-embedding-3-small", "input": "bees"}, "CreateEmbeddingResponse"),
        ("/v1/moderations", {"input": "bees"}, "CreateModerationResponse"),
    ],
)
async def test_the_rest_of_openais_wire_is_valid(
    simulator: Simulator, openai: Any, path: str, document: Any, schema: str
) -> None:
    assert not [*mistakes(openai, schema, (await once(simulator, document, path=path)).json)]


# ---- recordings


def _recorded(folder: Path, name: str) -> Any:
    return json.loads((folder / "recordings" / f"{name}.json").read_text("utf-8"))["response"]


def _names(value: Any) -> Any:
    """The names in a document, the second level's too; of lists those of the first element."""
    if not isinstance(value, dict):
        return None
    return {name: set(each) if isinstance(each, dict) else None for name, each in value.items()}


@pytest.mark.parametrize(
    ("name", "path", "document"),
    [
        ("anthropic/messages-basic-2", "/v1/messages", MESSAGE),
        ("anthropic/messages-thinking-1", "/v1/messages", MESSAGE | THINKING),
        ("anthropic/messages-err-401", "/v1/messages", MESSAGE),
        ("anthropic/messages-err-404", "/v1/messages", MESSAGE | {"model": "no-such"}),
        ("openai/responses-input-tokens", "/v1/responses/input_tokens", RESPONSE),
        ("openai/responses-err-400-context-length", "/v1/responses", RESPONSE | {"model": "sim-F25;kind=context"}),
        ("openai/embeddings-base64-2", "/v1/embeddings", {"model": "m", "input": "x", "encoding_format": "base64"}),
        ("openai/moderations-image", "/v1/moderations", {"input": "x"}),
        ("gemini/generate-err-400-api-key", "/v1beta/models/gemini-2.5-flash:generateContent", {}),
        ("gemini/count-tokens", "/v1beta/models/m:countTokens", {"contents": [{"parts": [{"text": "x"}]}]}),
    ],
)
async def test_a_whole_answer_has_the_recorded_names(
    simulator: Simulator, shared_folder: Path, name: str, path: str, document: Any
) -> None:
    recorded = _recorded(shared_folder, name)
    bad = name in ("anthropic/messages-err-401", "gemini/generate-err-400-api-key")
    seen = await once(
        simulator, document, path=path, headers=VERSION if "messages" in path else {}, key="bad" if bad else "key"
    )
    assert (seen.status, _names(seen.json)) == (recorded["status"], _names(json.loads(recorded["body"])))


async def test_a_tool_call_has_the_recorded_shape(simulator: Simulator, shared_folder: Path) -> None:
    recorded = json.loads(_recorded(shared_folder, "anthropic/messages-parallel-tools-1")["body"])
    seen = await _message(simulator, tools=TOOL["tools"], tool_choice={"type": "any"})
    told, block = recorded["content"][0], seen.json["content"][0]
    assert shape({**block, "input": {}}) == shape({**told, "input": {}})


def _kinds(events: list[Any], name: Callable[[Any], str]) -> dict[str, Any]:
    """The names in each sort of event, in the order in which the sorts come."""
    return {name(each): set(each) - {"obfuscation"} for each in events}


def _of_recording(body: str) -> list[Any]:
    return documents(Seen(b"HTTP/1.1 200 OK\r\n\r\n" + body.encode(), "eof"))


@pytest.mark.parametrize(
    ("name", "path", "document"),
    [
        ("anthropic/messages-stream-3", "/v1/messages", MESSAGE),
        ("openai/responses-stream-tools", "/v1/responses", {**RESPONSE, **FUNCTION}),
    ],
)
async def test_a_stream_has_the_recorded_sorts_of_events(
    simulator: Simulator, shared_folder: Path, name: str, path: str, document: Any
) -> None:
    recorded = _of_recording(_recorded(shared_folder, name)["body"])
    seen = await once(simulator, {**document, "stream": True}, path=path, headers=VERSION if "messages" in path else {})
    kinds = [_kinds(each, lambda event: str(event["type"])) for each in (documents(seen), recorded)]
    assert kinds[0] == kinds[1]
    assert [*kinds[0]] == [*kinds[1]]


async def test_gemini_has_the_recorded_names(simulator: Simulator, shared_folder: Path) -> None:
    path = "/v1beta/models/gemini-2.5-flash:generateContent"
    asked = {"contents": [{"parts": [{"text": PROMPT}]}]}
    recorded = json.loads(_recorded(shared_folder, "gemini/generate-cached")["body"])
    seen = await once(simulator, asked, path=path)
    cached = {"cachedContentTokenCount", "cacheTokensDetails"}
    assert set(seen.json) == set(recorded)
    assert set(seen.json["candidates"][0]) == set(recorded["candidates"][0])
    assert set(seen.json["usageMetadata"]) == set(recorded["usageMetadata"]) - cached
    streamed = await once(simulator, asked, path=path.replace(":generate", ":streamGenerate") + "?alt=sse")
    told = _of_recording(_recorded(shared_folder, "gemini/generate-stream")["body"])
    assert set(documents(streamed)[-1]) == set(told[-1])
    assert set(documents(streamed)[-1]["usageMetadata"]) == set(told[-1]["usageMetadata"])
