"""What one client asked for, decoded once and never changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from oneflow_ai.core.failure import UNSUPPORTED_OPERATION, Failure
from oneflow_ai.core.form import Form
from oneflow_ai.core.media import NO_MEDIA, Media
from oneflow_ai.core.order import Order
from oneflow_ai.core.prompt import Prompt
from oneflow_ai.core.value import value


class Task(StrEnum):
    """What kind of answer is wanted."""

    TEXT = "text"
    IMAGE = "image"
    SPEECH = "speech"
    TRANSCRIPTION = "transcription"
    EMBEDDING = "embedding"
    MODERATION = "moderation"


class Operation(StrEnum):
    """What is to be done, as the wires name it.

    `task` is what it serves, `free` what providers do not charge for; `flows` says that the answer is bytes which the
    client is given as they come, though it is no stream of events; `late` that none of them come before all are made.
    """

    task: Task
    free: bool
    flows: bool
    late: bool

    def __new__(
        cls, name: str, task: Task = Task.TEXT, free: bool = False, flows: bool = False, late: bool = False
    ) -> Operation:
        """One row: read on every call, so that these are fields and not worked out."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.task, member.free, member.flows, member.late = task, free, flows, late
        return member

    CHAT = "chat"
    COMPLETION = "completion"
    COUNT_TOKENS = "count_tokens", Task.TEXT, True
    EMBEDDING = "embedding", Task.EMBEDDING
    MODERATION = "moderation", Task.MODERATION, True
    IMAGE = "image", Task.IMAGE
    IMAGE_EDIT = "image_edit", Task.IMAGE
    SPEECH = "speech", Task.SPEECH, False, True
    TIMED_SPEECH = "timed_speech", Task.SPEECH, False, True, True
    VOICES = "voices", Task.SPEECH, True
    SUBSCRIPTION = "subscription", Task.SPEECH, True
    TRANSCRIPTION = "transcription", Task.TRANSCRIPTION
    TRANSLATION = "translation", Task.TRANSCRIPTION


@dataclass(frozen=True, slots=True)
class Account:
    """Who calls: the API key's id and its owner, with the key's own limits (0: none).

    `models` are the names that it may ask for, as calls write them: routes and `provider/model`, where a last `*`
    stands for any end. Empty: all.
    """

    key_id: str
    name: str = ""
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    concurrency: int = 0
    models: tuple[str, ...] = ()

    def may_use(self, model: str) -> bool:
        """Whether the account may ask for this name."""
        return not self.models or is_among(model, self.models)


def is_among(model: str, patterns: Iterable[str]) -> bool:
    """Whether a model's name is one of these, or begins as one that ends in `*`."""
    return any(model.startswith(pattern[:-1]) if pattern.endswith("*") else model == pattern for pattern in patterns)


@value
class Call:
    """One request of one client.

    `dialect` is the wire the client speaks (`openai`, …; `plain` for the library, which wants the middle form).
    `body` is the request in that dialect, key order kept; it never prints. `wire` is the one that `body` may be sent on
    as it is, empty where none is; `read` gives the middle form of it. `received` is UTC. `started_seconds` and
    `deadline_seconds` are monotonic; the deadline is fixed here and never extended. `prompt_bytes` is the size of the
    encoded request, without the pictures and the sound of its `media`. `client_id` is the id that the client gave its
    request, empty without one; no two calls share `id`. `output_most_tokens` bounds each of its `answers`; None where
    the client does not say. `headers` are those that its dialect hands on to a provider of the same wire. `order` is
    the middle form of what asks for pictures, speech or a transcript; `form` is what was sent, where that was no JSON.
    `owner` is a secret that only the caller's key leads to, for what a provider keeps; empty where all callers are one.
    `translated` asks for the answer in the middle form, even from a provider of the client's own wire.
    `path` and `query` are what of the request's address is meant for a provider of the same wire.
    """

    id: str
    account: Account
    dialect: str
    operation: Operation
    model: str
    body: dict[str, Any] = field(repr=False)
    stream: bool
    include_usage: bool
    received: datetime
    started_seconds: float
    deadline_seconds: float
    prompt_bytes: int
    user: str = ""
    tags: tuple[str, ...] = ()
    client_id: str = ""
    wire: str = ""
    output_most_tokens: int | None = None
    answers: int = 1
    media: Media = NO_MEDIA
    read: Callable[[Mapping[str, Any]], Prompt] | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = ()
    order: Order | None = field(default=None, repr=False)
    form: Form | None = field(default=None, repr=False)
    owner: bytes = field(default=b"", repr=False)
    translated: bool = False
    path: str = ""
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def prompt(self) -> Prompt:
        """The middle form of a chat; raises `Failure` for what has none."""
        if self.read is None:
            words = f"{self.operation.value} is answered by providers of its own wire only"
            raise Failure(UNSUPPORTED_OPERATION, words, param="model")
        return self.read(self.body)
