"""OpenAI's chat completions: text, tool calls, structured output, several choices, whole or streamed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

import orjson

from oneflow_ai.simulator.answer import CONTENT, Answer, StreamEvent
from oneflow_ai.simulator.schema import example
from oneflow_ai.simulator.text import compose, excerpt, pieces, tokens
from oneflow_ai.simulator.wires.openai_shapes import (
    Asked,
    BadRequest,
    ChunkShape,
    bounded,
    chat_frame,
    chunk_shape,
    finish,
    invalid,
    missing,
    read_asked,
    start,
    streamed,
    usage,
)
from oneflow_ai.simulator.wires.wire import Surroundings

IMAGE_TOKENS = 85
_MESSAGE_TOKENS = 4
_SEARCHED_CHARACTERS = 2_000
_ROLES = frozenset(("system", "developer", "user", "assistant", "tool", "function"))
_NAMES = re.compile(r"(?<=[a-z,] )[A-Z][\w-]+(?: [A-Z][\w-]+)*")
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

    @property
    def tokens(self) -> int:
        """How many tokens it counts."""
        if not self.calls:
            return tokens(self.text or "")
        return sum([tokens(call.name) + tokens(call.arguments) for call in self.calls])


class _Conversation(NamedTuple):
    """What matters of the messages: the last thing the user said, the tools' results after it, the size of all."""

    prompt: str
    results: tuple[str, ...]
    tokens: int


def answer(document: dict[str, Any], around: Surroundings) -> Answer:
    """The answer to a decoded request; raises `BadRequest`."""
    asked = read_asked(document)
    talk = _read(document)
    calls: tuple[ToolCall, ...] = ()
    if "tools" in document and not talk.results and around.say is None:
        calls = _calls(document, talk.prompt, around.unique)
    choices = [_choice(document, talk, asked, calls, (number, around)) for number in range(asked.choices)]
    spent = usage(talk.tokens, sum([choice.tokens for choice in choices]))
    return _stream(asked, choices, spent, around) if asked.stream else _whole(asked, choices, spent, around)


def _whole(asked: Asked, choices: list[Choice], spent: dict[str, Any], around: Surroundings) -> Answer:
    listed = []
    for number, choice in enumerate(choices):
        message: dict[str, Any] = {"role": "assistant", "content": choice.text, "refusal": None, "annotations": []}
        if choice.calls:
            message["tool_calls"] = [call.as_json() for call in choice.calls]
        listed.append({"index": number, "message": message, "logprobs": None, "finish_reason": choice.finish})
    body = chat_frame(asked.model, around, "chat.completion") | {"choices": listed, "usage": spent}
    return Answer(
        body=orjson.dumps(body), input_tokens=spent["prompt_tokens"], output_tokens=spent["completion_tokens"]
    )


def _stream(asked: Asked, choices: list[Choice], spent: dict[str, Any], around: Surroundings) -> Answer:
    frame = chat_frame(asked.model, around, "chat.completion.chunk")
    shape = chunk_shape(frame, asked.include_usage)
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


def _choice(
    document: dict[str, Any],
    talk: _Conversation,
    asked: Asked,
    calls: tuple[ToolCall, ...],
    place: tuple[int, Surroundings],
) -> Choice:
    number, around = place
    if calls:
        return Choice(None, calls, "tool_calls")
    if around.say is not None:
        text = around.say
    elif form := document.get("response_format"):
        text = _formatted(form, talk, number, around)
    elif talk.results:
        told = "; ".join([excerpt(result) for result in talk.results])
        text = f'The tool answered: {told}. So the answer to "{excerpt(talk.prompt)}" is: {told}.'
    else:
        text = compose(talk.prompt, number, around.answer_tokens)
    text, why = bounded(text, asked)
    return Choice(text, (), why)


def _formatted(form: Any, talk: _Conversation, number: int, around: Surroundings) -> str:
    """A text in the form that was asked: plain, any JSON object, or JSON of a schema."""
    if not isinstance(form, dict):
        raise invalid("response_format", "an object")
    match form.get("type"):
        case "json_schema":
            described = form.get("json_schema")
            if not isinstance(described, dict) or not described.get("name"):
                raise missing("response_format.json_schema.name")
            return orjson.dumps(example(described.get("schema") or {"type": "object"}, excerpt(talk.prompt))).decode()
        case "json_object":
            told = {"answer": f'This is a simulated answer to "{excerpt(talk.prompt)}".', "choice": number}
            return orjson.dumps(told).decode()
        case "text":
            return compose(talk.prompt, number, around.answer_tokens)
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
    prompt, total = "", 3
    for number, message in enumerate(messages):
        text, images = _message(message, number)
        total += _MESSAGE_TOKENS + tokens(text) + IMAGE_TOKENS * images
        if message["role"] == "user":
            prompt, results = text, []
        elif message["role"] in ("tool", "function"):
            results.append(text)
    if tools := document.get("tools"):
        total += tokens(orjson.dumps(tools).decode())
    return _Conversation(prompt, tuple(results), total)


def _message(message: Any, number: int) -> tuple[str, int]:
    """The text of a message, the arguments of its calls included, and how many images go with it."""
    where = f"messages[{number}]"
    if not isinstance(message, dict):
        raise invalid(where, "an object")
    if message.get("role") not in _ROLES:
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
    kind = part.get("type") if isinstance(part, dict) else None
    if kind not in _PARTS:
        raise invalid(f"{where}.type", f"one of {', '.join(sorted(_PARTS))}", "invalid_value")
    if kind not in part:
        raise missing(f"{where}.{kind}")
    return str(part[_PARTS[kind]]) if _PARTS[kind] else ""


# ---- tools


def _calls(document: dict[str, Any], prompt: str, unique: str) -> tuple[ToolCall, ...]:
    """The calls to make: what `tool_choice` forces, else each offered tool whose name the prompt mentions."""
    offered = _offered(document.get("tools"))
    choice = document.get("tool_choice", "auto")
    if not offered or choice == "none":
        return ()
    spoken = prompt.lower()
    wanted = [name for name in offered if name.lower() in spoken or name.lower().replace("_", " ") in spoken]
    if isinstance(choice, dict):
        wanted = _forced(choice, wanted, offered)
    elif choice == "required":
        wanted = wanted or [next(iter(offered))]
    if document.get("parallel_tool_calls") is False:
        wanted = wanted[:1]
    return tuple([_call(offered[name], prompt, f"{unique}{number}") for number, name in enumerate(wanted)])


def _offered(tools: Any) -> dict[str, dict[str, Any]]:
    if tools is None:
        return {}
    if not isinstance(tools, list):
        raise invalid("tools", "an array of objects")
    offered = {}
    for number, tool in enumerate(tools):
        described = tool.get(tool.get("type")) if isinstance(tool, dict) else None
        if not isinstance(described, dict) or not described.get("name"):
            raise missing(f"tools[{number}].function.name")
        offered[str(described["name"])] = tool
    return offered


def _forced(choice: dict[str, Any], wanted: list[str], offered: dict[str, dict[str, Any]]) -> list[str]:
    kind = str(choice.get("type"))
    described = choice.get(kind)
    if not isinstance(described, dict):
        raise invalid("tool_choice", "'none', 'auto', 'required' or an object that names a tool")
    if kind == "allowed_tools":
        allowed = list(_offered(described.get("tools")))
        wanted = [name for name in wanted if name in allowed]
        return wanted or (allowed[:1] if described.get("mode") == "required" else [])
    name = described.get("name")
    if name not in offered:
        raise BadRequest(f"Tool choice '{name}' not found in 'tools' parameter.", "invalid_value", "tool_choice")
    return [str(name)]


def _call(tool: dict[str, Any], prompt: str, unique: str) -> ToolCall:
    form = str(tool["type"])
    described = tool[form]
    given = _subject(prompt)
    if form == "function":
        given = orjson.dumps(example(described.get("parameters") or {"type": "object"}, given)).decode()
    return ToolCall(f"call_{unique[-24:]}", form, str(described["name"]), given)


def _subject(prompt: str) -> str:
    """What to fill arguments with: the first name in a prompt that stands within a sentence, else its beginning."""
    found = _NAMES.search(prompt[:_SEARCHED_CHARACTERS])
    return found[0] if found else excerpt(prompt)
