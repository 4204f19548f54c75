"""A call of this process, made of Python's values: of a prompt and its options, or of a file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from oneflow_ai.answer import OneFlowError, in_words
from oneflow_ai.app.runtime import Runtime
from oneflow_ai.core.call import Account, Call, Operation
from oneflow_ai.core.failure import INVALID_TYPE, INVALID_VALUE, REQUEST_TOO_LARGE, Failure
from oneflow_ai.core.order import Content
from oneflow_ai.core.sound import sort_of
from oneflow_ai.dialects.envelope import Envelope

LOCAL = Account("local", "this process")

Recording: TypeAlias = bytes | str | PathLike[str]
"""A file to be written down, by its path, or its content."""


def call_of(
    runtime: Runtime,
    operation: Operation,
    options: dict[str, Any],
    make: Callable[[Mapping[str, Any], Envelope], Call],
    account: Account = LOCAL,
) -> Call:
    """A call of this process, made now of what is left of the options; raises `OneFlowError` for bad input."""
    started = runtime.clock.monotonic()
    envelope_id = runtime.new_id("req")
    try:
        seconds = _seconds(options.pop("timeout_seconds", None), runtime.loaded.settings.retry.deadline_seconds)
        envelope = Envelope(
            id=envelope_id,
            account=account,
            operation=operation,
            received=runtime.clock.utc(),
            started_seconds=started,
            deadline_seconds=started + seconds,
        )
        return make(options, envelope)
    except Failure as failure:
        raise _error(failure, envelope_id) from None


def _seconds(asked: Any, most: float) -> float:
    if asked is None:
        return most
    if type(asked) is not int and type(asked) is not float:
        raise Failure(INVALID_TYPE, "timeout_seconds is a number", param="timeout_seconds")
    if not asked > 0:
        raise Failure(INVALID_VALUE, "timeout_seconds is above 0", param="timeout_seconds")
    return float(min(asked, most))


async def upload_of(runtime: Runtime, audio: Recording, name: str | None = None) -> Content:
    """A recording as it is sent; raises `OneFlowError` for one that is none, and `OSError`."""
    most = runtime.loaded.settings.server.upload_bytes_most
    # Whoever calls from Python may give anything.
    given: Any = audio
    if isinstance(given, str | PathLike):
        name = name or Path(given).name
        try:
            given = await asyncio.to_thread(_read, Path(given), most)
        except ValueError:
            # A NUL, or half of a surrogate pair.
            words = "audio is the path of a file: no file has such a name"
            raise _error(Failure(INVALID_VALUE, words, param="audio"), runtime.new_id("req")) from None
    if not isinstance(given, bytes):
        words = "audio is the path of a file, or its bytes"
        raise _error(Failure(INVALID_TYPE, words, param="audio"), runtime.new_id("req"))
    fault = None
    if not given:
        fault = Failure(INVALID_VALUE, "the recording is empty", param="audio")
    elif len(given) > most:
        fault = Failure(REQUEST_TOO_LARGE, f"the recording is larger than {most} bytes", param="audio")
    if fault is not None:
        raise _error(fault, runtime.new_id("req"))
    ending, media_type = sort_of(given)
    return Content(given, name or f"audio.{ending}", media_type)


def _read(file: Path, bytes_most: int) -> bytes:
    with file.open("rb") as stream:
        return stream.read(bytes_most + 1)


def _error(failure: Failure, request_id: str) -> OneFlowError:
    return OneFlowError(in_words(failure), code=failure.code, status=failure.status, request_id=request_id)
