"""Pictures, speech and transcripts of a running server: its plain form, and its OpenAI route for recordings."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import aiohttp
import orjson

from oneflow_ai.answer import Answer, Media, MediaAnswer
from oneflow_ai.cli.failures import Refused
from oneflow_ai.cli.remote import ANSWER_SECONDS_MOST, Remote, read
from oneflow_ai.core.events import Usage

_KNOWN = ("provider", "model", "cost_usd", "attempts", "seconds", "request_id", "simulated", "estimated")
_PLAIN_FORMS = ("text", "srt", "vtt")


async def make_media(remote: Remote, task: str, prompt: str, model: str, options: Mapping[str, object]) -> MediaAnswer:
    """Pictures or speech; raises `Refused` and `OneFlowError`."""
    body = orjson.dumps({"task": task, "prompt": prompt, "model": model, "options": dict(options)})
    async with remote.asked("POST", "/api/request", body, ANSWER_SECONDS_MOST) as response:
        said = remote.decoded(await read(response))
    try:
        media = tuple(Media(b64decode(one["data"], validate=True), one["media_type"]) for one in said["media"])
        usage = Usage(
            said["input_tokens"],
            said["output_tokens"],
            # Older servers tell of tokens alone.
            characters=said.get("characters", 0),
            images=said.get("images", 0),
        )
        return MediaAnswer(media, usage=usage, **{name: said[name] for name in _KNOWN})
    except (KeyError, TypeError, ValueError):
        words = "oneflow: what the server answers is no picture and no sound: is it a OneFlow server?"
        raise Refused(words) from None


async def transcribe(remote: Remote, file: Path, model: str, options: Mapping[str, object]) -> Answer:
    """What is said in a recording; raises `Refused` and `OneFlowError`, and `OSError` for what cannot be read."""
    began = perf_counter()
    with file.open("rb") as content:
        form = aiohttp.FormData({"model": model, **{name: str(value) for name, value in options.items()}})
        form.add_field("file", content, filename=file.name, content_type="application/octet-stream")
        async with remote.asked("POST", "/v1/audio/transcriptions", form, ANSWER_SECONDS_MOST) as response:
            body, headers = await read(response), response.headers
    text, usage = _read(remote, body, plain=options.get("response_format") in _PLAIN_FORMS)
    return Answer(
        text=text,
        provider=headers.get("x-oneflow-provider", ""),
        model=headers.get("x-oneflow-model", ""),
        cost_usd=float(headers.get("x-oneflow-cost-usd", 0.0)),
        usage=usage,
        attempts=int(headers.get("x-oneflow-attempts", 0)),
        seconds=perf_counter() - began,
        request_id=headers.get("x-request-id", ""),
        simulated=headers.get("x-oneflow-simulated") == "true",
        estimated=headers.get("x-oneflow-estimated") == "true",
    )


def _read(remote: Remote, body: bytes, *, plain: bool) -> tuple[str, Usage]:
    if plain:
        return body.decode(errors="replace"), Usage()
    said: Any = remote.decoded(body)
    text, told = (said.get("text"), said.get("usage") or {}) if isinstance(said, dict) else (None, {})
    if not isinstance(text, str):
        raise Refused("oneflow: what the server answers is no transcript: is it a OneFlow server?")
    seconds = told.get("seconds")
    return text, Usage(
        told.get("input_tokens") or 0,
        told.get("output_tokens") or 0,
        audio_milliseconds=round(seconds * 1000) if isinstance(seconds, int | float) else 0,
    )
