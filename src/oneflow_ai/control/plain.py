"""One request in the plain form, `{"task", "prompt", "model"?, "options"?}`, through the same engine as every other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request
from pydantic import ConfigDict, Field

from oneflow_ai.answer import Collector
from oneflow_ai.control.access import Role, needs
from oneflow_ai.control.ports import Caller, Ports, Running
from oneflow_ai.control.shapes import Asked, Name, Shown
from oneflow_ai.core.call import Account, Call, Operation, Task
from oneflow_ai.core.chain import first_of_chain
from oneflow_ai.core.failure import (
    CLIENT_CLOSED,
    INVALID_TYPE,
    INVALID_VALUE,
    OVERLOADED,
    UNSUPPORTED_PARAMETER,
    Failure,
)
from oneflow_ai.dialects import plain, plain_orders
from oneflow_ai.dialects.envelope import Envelope
from oneflow_ai.policy.waits import turned_away

# What the plain form says in its own way, or not at all.
_NO_OPTIONS = ("model", "messages", "stream", "stream_options")
_TIMEOUT = "timeout_seconds"
_ANSWER: dict[str, Any] = {
    "text": "Waves fold into foam,",
    "provider": "acme",
    "model": "acme-large",
    "cost_usd": 0.00046,
    "input_tokens": 12,
    "output_tokens": 40,
    "characters": 0,
    "images": 0,
    "audio_seconds": 0.0,
    "attempts": 1,
    "seconds": 0.81,
    "finish_reason": "stop",
    "tool_calls": [],
    "simulated": False,
    "estimated": False,
    "request_id": "req_5f0c9d",
    "continued_by": [],
}


class PlainAsked(Asked):
    """What is wanted: a task, a prompt (a text, or messages as in a chat), a model or route, and a chat's options."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"task": "text", "prompt": "Write a haiku about the sea", "options": {"max_tokens": 60}}]
        }
    )

    task: Task = Field(description="`text`, `image`, `speech` or `transcription`.")
    prompt: str | list[dict[str, Any]] = Field(
        description="A text, or for text messages as in a chat; for a transcription the recording, as a `data:` URL."
    )
    model: Name | None = Field(None, description="A route, `provider/model` or a bare model id; left out: the task's.")
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="For text a chat's parameters and `system`, else those of the task; and `timeout_seconds`.",
    )


class ToolCallShown(Shown):
    """One call of a tool that the model asks for; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


class PlainAnswer(Shown):
    """One answer of text: who gave it, what it cost in US dollars, how long it took in seconds."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ANSWER]})

    text: str
    provider: str
    model: str
    cost_usd: float
    input_tokens: int
    output_tokens: int
    characters: int
    images: int
    audio_seconds: float
    attempts: int
    seconds: float
    finish_reason: str | None
    tool_calls: list[ToolCallShown]
    simulated: bool
    estimated: bool
    request_id: str
    continued_by: list[str]


class MediaShown(Shown):
    """A picture or sound: its media type, and its bytes in base64."""

    media_type: str
    data: str


class PlainMedia(Shown):
    """Pictures or sound: who gave it, what it cost in US dollars, how long it took in seconds."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "media": [{"media_type": "image/png", "data": "iVBORw0KGgo="}],
                    "provider": "acme",
                    "model": "acme-brush",
                    "cost_usd": 0.04,
                    "input_tokens": 12,
                    "output_tokens": 1056,
                    "characters": 0,
                    "images": 1,
                    "audio_seconds": 0.0,
                    "attempts": 1,
                    "seconds": 8.2,
                    "simulated": False,
                    "estimated": False,
                    "request_id": "req_5f0c9e",
                }
            ]
        }
    )

    media: list[MediaShown]
    provider: str
    model: str
    cost_usd: float
    input_tokens: int
    output_tokens: int
    characters: int
    images: int
    audio_seconds: float
    attempts: int
    seconds: float
    simulated: bool
    estimated: bool
    request_id: str


@needs(Role.CALLER)
async def ask(request: Request, ports: Ports, caller: Caller, asked: PlainAsked) -> PlainAnswer | PlainMedia:
    """Answer one request, with every retry, fallback and limit that the data plane has."""
    running = ports.running
    if asked.task not in _MAKERS:
        raise Failure(INVALID_VALUE, f"task: this route serves {', '.join(_MAKERS)}", param="task")
    if running.engine.calls_open >= running.loaded.settings.server.calls_most:
        raise turned_away(OVERLOADED, "too many calls are in flight; try again", running.chance.random())
    places = running.engine.key_places
    if not places.enter(caller.key_id):
        words = "this key has as many calls in flight as one of several keys may; try again"
        raise turned_away(OVERLOADED, words, running.chance.random())
    try:
        return await _answered(request, running, caller, asked)
    finally:
        places.leave(caller.key_id)


async def _answered(request: Request, running: Running, caller: Account, asked: PlainAsked) -> PlainAnswer | PlainMedia:
    began = running.clock.monotonic()
    options = _options(asked)
    operation, make = _MAKERS[asked.task]
    envelope = Envelope(
        id=request.state.request_id,
        account=caller,
        operation=operation,
        received=running.clock.utc(),
        started_seconds=began,
        deadline_seconds=began + _seconds(options, running.loaded.settings.retry.deadline_seconds),
    )
    call = make(asked.prompt, options, envelope, asked.model or first_of_chain(options) or asked.task.value)
    collector = Collector()
    await _serve(call, collector, running, request)
    if collector.failure is not None:
        raise collector.failure
    now = running.clock.monotonic()
    if asked.task in (Task.IMAGE, Task.SPEECH):
        media = collector.media_answer(now).as_dict()
        return PlainMedia(**{**media, "media": [MediaShown(**one) for one in media["media"]]})
    answer = collector.answer(now).as_dict()
    return PlainAnswer(**{name: answer[name] for name in PlainAnswer.model_fields})


def _text(prompt: plain.Prompt, options: Mapping[str, Any], envelope: Envelope, model: str) -> Call:
    if "n" in options:
        raise Failure(UNSUPPORTED_PARAMETER, "n is no option of the plain form", param="options.n")
    return plain.text_call(prompt, options, envelope, model=model, stream=False)


def _image(prompt: plain.Prompt, options: Mapping[str, Any], envelope: Envelope, model: str) -> Call:
    return plain_orders.image_call(_words(prompt), options, envelope, model=model)


def _speech(prompt: plain.Prompt, options: Mapping[str, Any], envelope: Envelope, model: str) -> Call:
    return plain_orders.speech_call(_words(prompt), options, envelope, model=model)


def _transcript(prompt: plain.Prompt, options: Mapping[str, Any], envelope: Envelope, model: str) -> Call:
    return plain_orders.transcript_call(plain_orders.recording_of(prompt), options, envelope, model=model)


def _words(prompt: plain.Prompt) -> str:
    if not isinstance(prompt, str):
        raise Failure(INVALID_TYPE, "prompt is a text, for this task", param="prompt")
    return prompt


_Make = Callable[[plain.Prompt, Mapping[str, Any], Envelope, str], Call]
_MAKERS: Mapping[Task, tuple[Operation, _Make]] = {
    Task.TEXT: (Operation.CHAT, _text),
    Task.IMAGE: (Operation.IMAGE, _image),
    Task.SPEECH: (Operation.SPEECH, _speech),
    Task.TRANSCRIPTION: (Operation.TRANSCRIPTION, _transcript),
}


def add_routes(router: APIRouter) -> None:
    """Add this endpoint."""
    router.post("/api/request", tags=["requests"])(ask)


def _options(asked: PlainAsked) -> dict[str, Any]:
    for name in _NO_OPTIONS:
        if name in asked.options:
            raise Failure(UNSUPPORTED_PARAMETER, f"{name} is no option of the plain form", param=f"options.{name}")
    return dict(asked.options)


def _seconds(options: dict[str, Any], most: float) -> float:
    """The time that the call may take, taken out of its options."""
    asked = options.pop(_TIMEOUT, None)
    if asked is None:
        return most
    if type(asked) is not int and type(asked) is not float:
        raise Failure(INVALID_TYPE, f"{_TIMEOUT} is a number", param=f"options.{_TIMEOUT}")
    if not asked > 0:
        raise Failure(INVALID_VALUE, f"{_TIMEOUT} is above 0", param=f"options.{_TIMEOUT}")
    return min(float(asked), most)


async def _serve(call: Call, collector: Collector, running: Running, request: Request) -> None:
    """Serve the call for as long as its client is there."""
    serving = asyncio.ensure_future(running.engine.serve(call, collector))
    watch = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((serving, watch), return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        await _ended(serving, watch)
        if collector.failure is None:
            raise
        # The server cuts its calls, and has said why.
        return
    await _ended(serving, watch)
    if serving.cancelled():
        raise Failure(CLIENT_CLOSED, "the client is gone")
    serving.result()


async def _ended(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
