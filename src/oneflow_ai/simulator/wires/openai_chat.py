"""OpenAI's chat completions: text, tool calls, structured output, several choices, whole or streamed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

import orjson

from oneflow_ai.simulator.answer import CONTENT, Answer, StreamEvent
from oneflow_ai.simulator.memory import CACHED_TOKENS_LEAST
from oneflow_ai.simulator.reply import (
    AUTO,
    EFFORT_TOKENS,
    IMAGE_TOKENS,
    JSON_OBJECT,
    NONE,
    PLAIN_TEXT,
    REQUIRED,
    TOOL_CALLS,
    Question,
    Reply,
    reply,
)
from oneflow_ai.simulator.text import pieces, tokens
from oneflow_ai.simulator.wires.openai_logprobs import logprobs
from oneflow_ai.simulator.wires.openai_reasoning import check_chat
from oneflow_ai.simulator.wires.openai_schemas import check_strict
from oneflow_ai.simulator.wires.openai_shapes import (
    Asked,
    BadRequest,
    ChunkShape,
    chat_frame,
    check_name,
    chunk_shape,
    finish,
    invalid,
    missing,
    read_asked,
    start,
    streamed,
    usage,
    why_ended,
)
from oneflow_ai.simulator.wires.wire import Surroundings

_MESSAGE_TOKENS = 4
_ROLES = frozenset(("system", "developer", "user", "assistant", "tool", "function"))
_PARTS = {"text": "text", "refusal": "refusal", "image_url": "", "input_audio": "", "file": ""}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the answer asks for; `form` is `function` or `custom`."""

    id: str
    form: str
    name: str
    arguments: str

    def as_json(self) -> dict[str, Any]:
        """The call as it stands in a whole answer."""
        given = {"arguments": self.arguments} if self.form == "function" else {"input": self.arguments}
        return {"id": self.id, "type": self.form, self.form: {"name": self.name, **given}}


class Choice(NamedTuple):
    """One of the answers: a text or tool calls, and why it ended."""

    text: str | None
    calls: tuple[ToolCall, ...]
    finish: str


class _Conversation(NamedTuple):
    """What matters of the messages: the last thing the user said, what tools gave since, which; the size of all."""

    prompt: str
    results: tuple[str, ...]
    called: frozenset[str]
    tokens: int


def answer(document: dict[str, Any], around: Surroundings, owner: str = "") -> Answer:
    """The answer to a decoded request of an owner, who has a cache of prompts; raises `BadRequest`."""
    asked = read_asked(document)
    talk = _read(document)
    offered = _offered(document.get("tools"))
    check_chat(document)
    question = _question(document, talk, asked, offered)
    replies = [reply(question, around.say, around.answer_tokens, number) for number in range(asked.choices)]
    choices = [_choice(each, offered, around.unique) for each in replies]
    spent = usage(
        talk.tokens,
        sum([each.tokens for each in replies]),
        _cached(document, talk, owner, around),
        sum([each.thought_tokens for each in replies]),
    )
    return _stream(asked, choices, spent, around) if asked.stream else _whole(asked, choices, spent, around)


def _cached(document: dict[str, Any], talk: _Conversation, owner: str, around: Surroundings) -> int:
    """How much of a long prompt was seen a short while ago, as OpenAI tells without being asked."""
    if talk.tokens < CACHED_TOKENS_LEAST:
        return 0
    content = orjson.dumps([document["model"], document.get("tools"), document["messages"]])
    return min(around.memory.seen(owner, content, around.now_unix), talk.tokens - 1)


def _whole(asked: Asked, choices: list[Choice], spent: dict[str, Any], around: Surroundings) -> Answer:
    listed = []
    for number, choice in enumerate(choices):
        message: dict[str, Any] = {"role": "assistant", "content": choice.text, "refusal": None, "annotations": []}
        if choice.calls:
            message["tool_calls"] = [call.as_json() for call in choice.calls]
        likely = _likely(choice, asked.alternatives)
        listed.append({"index": number, "message": message, "logprobs": likely, "finish_reason": choice.finish})
    body = chat_frame(asked.model, around, "chat.completion") | {"choices": listed, "usage": spent}
    return Answer(
        body=orjson.dumps(body), input_tokens=spent["prompt_tokens"], output_tokens=spent["completion_tokens"]
    )


def _likely(choice: Choice, alternatives: int | None) -> dict[str, Any] | None:
    if alternatives is None or choice.text is None:
        return None
    return logprobs(pieces(choice.text), alternatives)


def _stream(asked: Asked, choices: list[Choice], spent: dict[str, Any], around: Surroundings) -> Answer:
    frame = chat_frame(asked.model, around, "chat.completion.chunk")
    shape = chunk_shape(frame, asked.include_usage, asked.alternatives)
    if len(choices) == 1:
        return streamed(frame, choice_events(shape, 0, choices[0]), spent, asked)
    rounds = zip_longest(*[choice_events(shape, number, choice) for number, choice in enumerate(choices)])
    return streamed(frame, [event for events in rounds for event in events if event is not None], spent, asked)


def choice_events(shape: ChunkShape, index: int, choice: Choice) -> Iterator[StreamEvent]:
    """The events of one choice, from its role to its finish reason."""
    if choice.calls:
        yield from call_events(shape, index, choice.calls)
    else:
        yield start(shape, index)
        yield from shape.texts(index, pieces(choice.text or ""))
    yield finish(shape, index, choice.finish)


def call_events(shape: ChunkShape, index: int, calls: tuple[ToolCall, ...]) -> Iterator[StreamEvent]:
    """The events of tool calls: each opened with its name, then its arguments piece by piece."""
    for number, call in enumerate(calls):
        field = "arguments" if call.form == "function" else "input"
        opened = {"index": number, "id": call.id, "type": call.form, call.form: {"name": call.name, field: ""}}
        delta: dict[str, Any] = {"tool_calls": [opened]}
        if number == 0:
            delta |= {"role": "assistant", "content": None, "refusal": None}
        yield shape.delta(CONTENT, index, orjson.dumps(delta))
        for piece in pieces(call.arguments):
            delta = {"tool_calls": [{"index": number, call.form: {field: piece}}]}
            yield shape.delta(CONTENT, index, orjson.dumps(delta))


def _choice(said: Reply, offered: dict[str, dict[str, Any]], unique: str) -> Choice:
    if said.finish != TOOL_CALLS:
        return Choice(said.text, (), why_ended(said))
    calls = [
        ToolCall("call_" + f"{unique}{number}"[-24:], str(offered[call.name]["type"]), call.name, call.arguments)
        for number, call in enumerate(said.calls)
    ]
    return Choice(None, tuple(calls), "tool_calls")


def _question(
    document: dict[str, Any], talk: _Conversation, asked: Asked, offered: dict[str, dict[str, Any]]
) -> Question:
    choice, allowed = _tool_choice(document.get("tool_choice", AUTO), offered) if offered else (AUTO, None)
    return Question(
        prompt=talk.prompt,
        results=talk.results,
        called=talk.called,
        tools={name: _schema(tool) for name, tool in offered.items()} if offered else offered,
        choice=choice,
        allowed=allowed,
        parallel=document.get("parallel_tool_calls") is not False,
        form=_form(document.get("response_format")),
        thought_tokens=EFFORT_TOKENS.get(str(document.get("reasoning_effort")), 0),
        tokens_most=asked.tokens_most,
        stops=asked.stops,
        choices=asked.choices,
    )


def _form(form: Any) -> Any:
    """The form that was asked for: None for plain text."""
    if not form:
        return None
    if not isinstance(form, dict):
        raise invalid("response_format", "an object")
    match form.get("type"):
        case "json_schema":
            described = form.get("json_schema")
            if not isinstance(described, dict) or not described.get("name"):
                raise missing("response_format.json_schema.name")
            schema = described.get("schema") or {"type": "object"}
            if described.get("strict"):
                check_strict(schema, f"response_format '{described['name']}'", "response_format")
            return schema
        case "json_object":
            return JSON_OBJECT
        case "text":
            return None
    raise invalid("response_format.type", "'text', 'json_object' or 'json_schema'", "invalid_value")


# ---- reading the conversation


def _read(document: dict[str, Any]) -> _Conversation:
    messages = document.get("messages")
    if messages is None:
        raise missing("messages")
    if not isinstance(messages, list):
        raise invalid("messages", "an array of objects")
    if not messages:
        raise BadRequest("Invalid 'messages': empty array. Expected at least one message.", "empty_array", "messages")
    results: list[str] = []
    called: set[str] = set()
    prompt, total = "", 3
    for number, message in enumerate(messages):
        text, images = _message(message, number)
        total += _MESSAGE_TOKENS + tokens(text) + IMAGE_TOKENS * images
        if message["role"] == "user":
            prompt, results, called = text, [], set()
        elif message["role"] in ("tool", "function"):
            results.append(text)
        else:
            called |= _called(message, number)
    if tools := document.get("tools"):
        total += tokens(orjson.dumps(tools).decode())
    return _Conversation(prompt, tuple(results), frozenset(called), total)


def _called(message: dict[str, Any], number: int) -> set[str]:
    """The names of the tools that a message called."""
    calls = message.get("tool_calls")
    names: set[str] = set()
    for at, each in enumerate(calls if isinstance(calls, list) else ()):
        form = str(each.get("type", "function")) if isinstance(each, dict) else ""
        if form and isinstance(described := each.get(form), dict):
            name = str(described.get("name"))
            check_name(name, f"messages[{number}].tool_calls[{at}].{form}.name")
            names.add(name)
    return names


def _message(message: Any, number: int) -> tuple[str, int]:
    """The text of a message, the arguments of its calls included, and how many images go with it."""
    where = f"messages[{number}]"
    if not isinstance(message, dict):
        raise invalid(where, "an object")
    if str(message.get("role")) not in _ROLES:
        raise invalid(f"{where}.role", f"one of {', '.join(sorted(_ROLES))}", "invalid_value")
    content = message.get("content")
    calls = message.get("tool_calls")
    called = orjson.dumps(calls).decode() if calls else ""
    if isinstance(content, str):
        return content + called, 0
    if isinstance(content, list):
        texts = [_part(part, f"{where}.content[{at}]") for at, part in enumerate(content)]
        images = sum([1 for part in content if part["type"] == "image_url"])
        return "".join(texts) + called, images
    if content is None and message["role"] in ("assistant", "function"):
        return called, 0
    raise invalid(f"{where}.content", "a string or an array of parts")


def _part(part: Any, where: str) -> str:
    kind = str(part.get("type")) if isinstance(part, dict) else ""
    if kind not in _PARTS:
        raise invalid(f"{where}.type", f"one of {', '.join(sorted(_PARTS))}", "invalid_value")
    if kind not in part:
        raise missing(f"{where}.{kind}")
    return str(part[_PARTS[kind]]) if _PARTS[kind] else ""


# ---- tools


def _offered(tools: Any) -> dict[str, dict[str, Any]]:
    if tools is None:
        return {}
    if not isinstance(tools, list):
        raise invalid("tools", "an array of objects")
    offered = {}
    for number, tool in enumerate(tools):
        described = tool.get(str(tool.get("type"))) if isinstance(tool, dict) else None
        if not isinstance(described, dict) or not described.get("name"):
            raise missing(f"tools[{number}].function.name")
        check_name(str(described["name"]), f"tools[{number}].{tool['type']}.name")
        offered[str(described["name"])] = tool
    return offered


def _schema(tool: dict[str, Any]) -> Any:
    if tool["type"] != "function":
        return PLAIN_TEXT
    function = tool["function"]
    if function.get("strict") and function.get("parameters"):
        check_strict(function["parameters"], f"function '{function['name']}'", "tools")
    return function.get("parameters")


def _tool_choice(choice: Any, offered: dict[str, dict[str, Any]]) -> tuple[str, list[str] | None]:
    """Whether tools are to be called, and the only ones that may be, where only some may."""
    if not isinstance(choice, dict):
        return (choice if choice in (NONE, REQUIRED) else AUTO), None
    described = choice.get(str(choice.get("type")))
    if not isinstance(described, dict):
        raise invalid("tool_choice", "'none', 'auto', 'required' or an object that names a tool")
    if choice["type"] == "allowed_tools":
        return (REQUIRED if described.get("mode") == "required" else AUTO), list(_offered(described.get("tools")))
    name = str(described.get("name"))
    if name not in offered:
        raise BadRequest(f"Tool choice '{name}' not found in 'tools' parameter.", "invalid_value", "tool_choice")
    return REQUIRED, [name]
