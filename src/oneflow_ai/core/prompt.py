"""The middle form of a text request: what every text wire can be read into and written from."""

from __future__ import annotations

from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any, Literal, TypeAlias

from oneflow_ai.core.value import value

Role = Literal["system", "user", "assistant"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
_FROM_LITTLE_TO_MUCH = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def is_less(effort: str, asked: str) -> bool:
    """Whether an effort is less than the one that was asked for."""
    return _FROM_LITTLE_TO_MUCH.index(effort) < _FROM_LITTLE_TO_MUCH.index(asked)


@value
class Text:
    """Text. `cache` is how long the client wants everything up to here kept in the provider's cache: `5m`, `1h`."""

    text: str
    cache: str = ""


@value
class Image:
    """A picture: by `url`, or as base64 `data` with its `media_type`. `detail` is OpenAI's `low`, `high` or `auto`."""

    url: str = ""
    data: str = ""
    media_type: str = ""
    detail: str = ""
    cache: str = ""


@value
class Document:
    """A file to read: by `url`, as base64 `data` with its `media_type`, or as plain `text`.

    One that lies with a provider has its `id` there; its place is in `further` too, since no other can read it.
    `context` is what the model is told of it, such as where it comes from.
    """

    url: str = ""
    data: str = ""
    media_type: str = ""
    text: str = ""
    name: str = ""
    cache: str = ""
    citations: bool = False
    id: str = ""
    context: str = ""


def text_in(document: Document) -> str | None:
    """What a document says that is plain text, under its name; None for any other, which only some can read."""
    text = document.text
    if not text and document.data and document.media_type.startswith("text/"):
        try:
            text = a2b_base64(document.data).decode()
        except (NotBase64, UnicodeDecodeError):
            return None
    return "\n\n".join(filter(None, (document.name, text))) if text else None


@value
class Audio:
    """Sound as base64; `format` is `wav` or `mp3`."""

    data: str
    format: str


@value
class ToolCall:
    """A call of a tool that the model made; `arguments` is JSON text.

    `signature` is the seal of the wire named in `wire`, if any; that is empty when the client's own wire made it.
    """

    id: str
    name: str
    arguments: str
    signature: str = ""
    cache: str = ""
    wire: str = ""


@value
class ToolResult:
    """What a tool answered to the call with this id: texts, images and documents."""

    id: str
    parts: tuple[Text | Image | Document, ...]
    failed: bool = False
    cache: str = ""


@value
class Reasoning:
    """What the model thought before it answered, to be given back to it.

    `signature` is the seal of the wire that made it and `sealed` its content where only that wire can read it; both are
    worth nothing to another. `wire` names it; empty when the client's own wire did.
    """

    text: str = ""
    signature: str = ""
    sealed: str = ""
    wire: str = ""


@value
class Refusal:
    """The model's own word that it will not answer."""

    text: str


def _has_context(part: Part) -> bool:
    if isinstance(part, ToolResult):
        return any(map(_has_context, part.parts))
    return isinstance(part, Document) and bool(part.context)


def _told(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    found: list[Any] = []
    for part in parts:
        if isinstance(part, ToolResult):
            part = replace(part, parts=_told(part.parts))
        elif isinstance(part, Document) and part.context:
            found.append(Text(part.context))
            part = replace(part, context="")
        found.append(part)
    return tuple(found)


Part: TypeAlias = Text | Image | Document | Audio | ToolCall | ToolResult | Reasoning | Refusal


@value
class Message:
    """One turn of a conversation. Results of tools stand in a `user` message, whatever the wire."""

    role: Role
    parts: tuple[Part, ...]
    name: str = ""


@value
class Tool:
    """A function that the model may call; `schema` is the JSON Schema of its arguments, None where none was given."""

    name: str
    description: str = ""
    schema: Mapping[str, Any] | None = None
    strict: bool | None = None
    cache: str = ""


@value
class Format:
    """The form that the answer must have: any JSON object, or JSON by a `schema`.

    `strict` is the client's word on whether the schema is enforced; `enforced` says that its wire does so always.
    """

    schema: Mapping[str, Any] | None = None
    name: str = ""
    description: str = ""
    strict: bool | None = None
    enforced: bool = False


@value
class Prompt:
    """A text request that knows no wire. None, empty or False: the client did not say.

    `tool_choice` is `auto`, `none`, `required` or `tool`, the last with the name in `tool_name`. `allowed` are the
    names of the tools that alone may be called; empty: all. `thinking_tokens` is the budget of tokens for reasoning,
    0 for none; `adaptive` asks that the model sees itself how much it needs.
    `begun` says that the last message is the beginning of the answer, which the model is to go on with.
    `one_call` says that the answer's form has a place for one call of a tool.
    `truncation` lets the provider forget the oldest turns of a conversation that is too long. `further` are fields
    with a meaning that no other wire has, `minor` those that an answer is nearly the same without, both by the
    client's own names. `shared` maps the client's names of fields that another wire of the same maker has too to what
    is said there, or to None where the prompt itself has it; for all other wires they are in `further` or `minor` too,
    or in fields of the prompt. `params` maps a name used here to the client's own name of it, where the two differ.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: Literal["", "auto", "none", "required", "tool"] = ""
    tool_name: str = ""
    allowed: tuple[str, ...] = ()
    parallel_tool_calls: bool | None = None
    one_call: bool = False
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    n: int = 1
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: Mapping[str, float] | None = None
    logprobs: bool = False
    top_logprobs: int | None = None
    format: Format | None = None
    effort: Effort | None = None
    thinking_tokens: int | None = None
    adaptive: bool = False
    show_reasoning: bool = False
    verbosity: str = ""
    service_tier: str = ""
    user: str = ""
    metadata: Mapping[str, Any] | None = None
    cache_key: str = ""
    begun: bool = False
    truncation: bool = False
    further: tuple[str, ...] = ()
    minor: tuple[str, ...] = ()
    shared: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def calls_in_parallel(self) -> bool | None:
        """Whether several calls may come at once, as it is asked for where that can be; None: as the model does."""
        return False if self.one_call else self.parallel_tool_calls

    def told(self) -> Prompt:
        """The same prompt, with what is known of a document said before it: for wires with no place of its own."""
        if not any(_has_context(part) for message in self.messages for part in message.parts):
            return self
        return replace(self, messages=tuple(replace(each, parts=_told(each.parts)) for each in self.messages))

    def param(self, name: str) -> str:
        """The client's own name of a field."""
        return self.params.get(name, name)
