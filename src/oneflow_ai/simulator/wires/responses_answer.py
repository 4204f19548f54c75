"""Responses of OpenAI's wire, whole and streamed, as recorded (checked 2026-11-26)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from oneflow_ai.simulator.answer import CONTENT, DONE, FRAME, START, STREAM_TYPE, Answer, StreamEvent
from oneflow_ai.simulator.reply import LENGTH, Reply
from oneflow_ai.simulator.seals import seal
from oneflow_ai.simulator.text import pieces
from oneflow_ai.simulator.wires.events import named_event
from oneflow_ai.simulator.wires.responses_reading import WIRE
from oneflow_ai.simulator.wires.wire import Surroundings

COMPLETED, INCOMPLETE, IN_PROGRESS = "completed", "incomplete", "in_progress"
_OBFUSCATED_CHARACTERS = 16
Item = dict[str, Any]


class Made(NamedTuple):
    """A response before it has its form: its items with their places, how it ended, what it used."""

    document: Mapping[str, Any]
    items: tuple[tuple[int, Item], ...]
    status: str
    usage: dict[str, Any]


def items(said: Reply, document: Mapping[str, Any], around: Surroundings) -> list[Item]:
    """The items that say a reply."""
    found: list[Item] = []
    if said.thought:
        found.append(reasoning(said.thought, around.unique, _shown(document)))
    if said.text or not said.calls:
        found.append(message(said.text, around.unique, INCOMPLETE if said.finish == LENGTH else COMPLETED))
    forms = {tool["name"]: tool["type"] for tool in document.get("tools") or () if "name" in tool}
    for number, each in enumerate(said.calls):
        found.append(call(forms[each.name], each.name, each.arguments, f"{around.unique}{number}"))
    return found


def _shown(document: Mapping[str, Any]) -> bool:
    asked = document.get("reasoning") or {}
    return bool(asked.get("summary") or asked.get("generate_summary"))


def reasoning(thought: str, unique: str, shown: bool) -> Item:
    """An item of reasoning, sealed; its summary only where it was asked for."""
    summary = [{"type": "summary_text", "text": thought}] if shown else []
    return {"id": f"rs_{unique}", "type": "reasoning", "encrypted_content": seal(WIRE, thought), "summary": summary}


def message(text: str, unique: str, status: str = COMPLETED, refusal: bool = False) -> Item:
    """A message with one part: a text, or a refusal."""
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
    if refusal:
        part = {"type": "refusal", "refusal": text}
    return {"id": f"msg_{unique}", "type": "message", "status": status, "content": [part], "role": "assistant"}


def call(form: str, name: str, given: str, unique: str) -> Item:
    """A call of a tool; `form` is `function` or `custom`."""
    called = f"call_{unique[-24:]}"
    if form == "custom":
        return {"id": f"ctc_{unique}", "type": "custom_tool_call", "call_id": called, "input": given, "name": name}
    return {
        "id": f"fc_{unique}",
        "type": "function_call",
        "status": COMPLETED,
        "arguments": given,
        "call_id": called,
        "name": name,
    }


def usage(input_tokens: int, output_tokens: int, cached: int = 0, thought: int = 0) -> dict[str, Any]:
    """The usage of a response; `output_tokens` has the thoughts in it."""
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": input_tokens + output_tokens,
    }


def frame(made: Made, around: Surroundings, status: str) -> dict[str, Any]:
    """The response as it is told: with its items and its usage once it is over, before that without."""
    over = status != IN_PROGRESS
    document = made.document
    output = [item for _, item in made.items] if over else []
    limit = {"reason": "max_output_tokens"} if status == INCOMPLETE else None
    told: dict[str, Any] = {
        "id": f"resp_{around.unique}",
        "object": "response",
        "created_at": around.now_unix,
        "status": status,
        "background": False,
        "completed_at": around.now_unix if status == COMPLETED else None,
        "error": None,
        "frequency_penalty": 0.0,
        "incomplete_details": limit,
        "model": document["model"],
        "moderation": None,
        "output": output,
        "presence_penalty": 0.0,
        "service_tier": "default" if over else "auto",
        "usage": made.usage if over else None,
    }
    return told | _repeated(document)


# What a response repeats of its request, and what it says where the request said nothing.
_REPEATED: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "prompt_cache_retention": "in_memory",
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
    "metadata": {},
}


def _repeated(document: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: default if document.get(name) is None else document[name] for name, default in _REPEATED.items()}
    thinking, text = document.get("reasoning") or {}, document.get("text") or {}
    told["reasoning"] = {
        "context": thinking.get("context"),
        "effort": thinking.get("effort"),
        "summary": thinking.get("summary"),
    }
    told["text"] = {"format": text.get("format") or {"type": "text"}, "verbosity": text.get("verbosity") or "medium"}
    told["tools"] = [_tool(tool) for tool in document.get("tools") or ()]
    return told


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    if tool["type"] != "function":
        return dict(tool)
    usual = {"description": None, "parameters": None, "strict": True}
    return usual | {name: value for name, value in tool.items() if value is not None}


def whole(made: Made, around: Surroundings) -> Answer:
    """The response as one answer."""
    return Answer(
        body=orjson.dumps(frame(made, around, made.status)),
        input_tokens=made.usage["input_tokens"],
        output_tokens=made.usage["output_tokens"],
    )


# ---- streams

Told = tuple[str, str, dict[str, Any]]
"""An event before it has its number: its kind, its name, its fields."""


def streamed(made: Made, around: Surroundings) -> Answer:
    """The response as a stream, item by item."""
    return as_stream([each for place, item in made.items for each in item_events(place, item)], made, around)


def as_stream(events: Sequence[Told], made: Made, around: Surroundings) -> Answer:
    """A stream of these events between those that open and end a response, all numbered."""
    begun = {"response": frame(made, around, IN_PROGRESS)}
    ended = {"response": frame(made, around, made.status)}
    told: list[Told] = [
        (START, "response.created", begun),
        (START, "response.in_progress", begun),
        *events,
        (DONE, f"response.{made.status}", ended),
    ]
    options = made.document.get("stream_options") or {}
    hidden = around.unique if options.get("include_obfuscation", True) else ""
    return Answer(
        events=tuple([_numbered(each, number, hidden) for number, each in enumerate(told)]),
        media_type=STREAM_TYPE,
        input_tokens=made.usage["input_tokens"],
        output_tokens=made.usage["output_tokens"],
    )


def _numbered(told: Told, number: int, hidden: str) -> StreamEvent:
    kind, name, fields = told
    if hidden and "delta" in fields:
        # characters that make every piece equally long to whoever only sees its length
        fields = fields | {"obfuscation": hidden[: max(_OBFUSCATED_CHARACTERS - len(fields["delta"]), 0)]}
    return named_event(kind, name, {"type": name, **fields, "sequence_number": number})


def item_events(place: int, item: Item) -> Iterator[Told]:
    """The events of one item, from its opening to its end."""
    opened, between = _ITEMS[item["type"]](place, item)
    called = item["type"] in _CALLED
    yield CONTENT if called else START, "response.output_item.added", {"item": opened, "output_index": place}
    yield from between
    yield FRAME, "response.output_item.done", {"item": item, "output_index": place}


def _message(place: int, item: Item) -> tuple[Item, list[Told]]:
    (part,) = item["content"]
    refused = part["type"] == "refusal"
    field, name = ("refusal", "response.refusal") if refused else ("text", "response.output_text")
    at = {"content_index": 0, "item_id": item["id"], "output_index": place}
    rest: dict[str, Any] = {} if refused else {"logprobs": []}
    between: list[Told] = [(FRAME, "response.content_part.added", at | {"part": part | {field: ""}})]
    between += [(CONTENT, f"{name}.delta", at | {"delta": each} | rest) for each in pieces(part[field]) if each]
    between += [
        (FRAME, f"{name}.done", at | {field: part[field]} | rest),
        (FRAME, "response.content_part.done", at | {"part": part}),
    ]
    return item | {"status": IN_PROGRESS, "content": []}, between


def _reasoning(place: int, item: Item) -> tuple[Item, list[Told]]:
    between: list[Told] = []
    for number, part in enumerate(item["summary"]):
        at = {"item_id": item["id"], "output_index": place, "summary_index": number}
        name = "response.reasoning_summary"
        between.append((FRAME, f"{name}_part.added", at | {"part": part | {"text": ""}}))
        between += [(CONTENT, f"{name}_text.delta", at | {"delta": each}) for each in pieces(part["text"]) if each]
        between.append((FRAME, f"{name}_text.done", at | {"text": part["text"]}))
        between.append((FRAME, f"{name}_part.done", at | {"part": part}))
    # what is sealed while it is still being thought is not the seal to give back
    return item | {"summary": [], "encrypted_content": seal(WIRE, "")}, between


def _function(place: int, item: Item) -> tuple[Item, list[Told]]:
    between = _given(place, item, "response.function_call_arguments", "arguments")
    return item | {"status": IN_PROGRESS, "arguments": ""}, between


def _custom(place: int, item: Item) -> tuple[Item, list[Told]]:
    return item | {"input": ""}, _given(place, item, "response.custom_tool_call_input", "input")


def _given(place: int, item: Item, name: str, field: str) -> list[Told]:
    at = {"item_id": item["id"], "output_index": place}
    between: list[Told] = [(CONTENT, f"{name}.delta", at | {"delta": each}) for each in pieces(item[field]) if each]
    return [*between, (FRAME, f"{name}.done", at | {field: item[field]})]


_CALLED = ("function_call", "custom_tool_call")
_ITEMS: Mapping[str, Callable[[int, Item], tuple[Item, list[Told]]]] = {
    "message": _message,
    "reasoning": _reasoning,
    "function_call": _function,
    "custom_tool_call": _custom,
}
