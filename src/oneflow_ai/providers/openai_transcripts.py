"""Decoders of OpenAI's transcripts, in every format that it gives: as raw bytes, or as text."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from oneflow_ai.core.events import Delta, End, Event, Raw, Usage
from oneflow_ai.core.failure import UPSTREAM_STREAM_INTERRUPTED, Failure
from oneflow_ai.core.order import TranscriptOrder
from oneflow_ai.core.sound import milliseconds_of
from oneflow_ai.providers.base import WholeDecoder, bad, mapping, told_type, word
from oneflow_ai.providers.openai_failure import error_in, event_of, stream_failure
from oneflow_ai.providers.openai_last_event import LastEvent
from oneflow_ai.providers.openai_usage import read_usage
from oneflow_ai.providers.sse_decoder import EventStreamDecoder, NamedBatch

_SECONDS_MOST = 1_000_000
# The end of a subtitle: hours may be missing in WebVTT.
_ENDS = re.compile(rb"-->\s*(?:(\d{1,4}):)?(\d{2}):(\d{2})[.,](\d{3})")
_SUBTITLES = ("srt", "vtt")
_WHOLE = ("application/json", "text/plain")


def transcript_decoder(
    order: TranscriptOrder, headers: Mapping[str, str], *, raw: bool, stream: bool
) -> TranscriptStreamDecoder | WholeDecoder:
    """The decoder of one transcript.

    whisper-1 knows no stream: it answers whole where one is asked for ("will be ignored", OpenAI's specification,
    CreateTranscriptionRequest, 2026-11-27): their text is given as a client of a stream expects it.
    """
    if stream and told_type(headers) not in _WHOLE:
        return TranscriptStreamDecoder(order)
    raw = raw and not stream
    if order.format == "text" or order.format in _SUBTITLES:
        return WholeDecoder(lambda body, found: _plain(order, raw, body, found))
    return WholeDecoder(lambda body, found: _object(order, raw, body, found))


def _plain(order: TranscriptOrder, raw: bool, body: bytes, found: Any) -> list[Event]:
    if isinstance(found, dict) and isinstance(found.get("text"), str):
        # Some servers know one format only.
        return _object(order, raw, body, found)
    if error_in(mapping(found)) is not None and mapping(found).get("error"):
        return bad("the provider sent an error as success")
    ends = _ENDS.findall(body) if order.format in _SUBTITLES else []
    # The last subtitle ends about where the sound does.
    milliseconds = _end_milliseconds(ends[-1]) if ends else milliseconds_of(order.audio)
    usage = Usage(audio_milliseconds=milliseconds, source="estimated")
    # What is passed on must be the bytes that came.
    given: Event = Raw(body, 1) if raw else Delta("text", body.decode("utf-8", "replace").removesuffix("\n"))
    return [given, usage, End()]


def _end_milliseconds(found: tuple[bytes, bytes, bytes, bytes]) -> int:
    hours, minutes, seconds, milliseconds = (int(part or 0) for part in found)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds


def _object(order: TranscriptOrder, raw: bool, body: bytes, found: Any) -> list[Event]:
    told = mapping(found)
    error = error_in(told) if told.get("error") or "text" not in told else None
    if error is not None:
        return bad(f"the provider sent an error as success: {stream_failure(error).message}")
    if not isinstance(told.get("text"), str):
        return bad("the provider's answer has no text")
    usage = _usage(told.get("usage"), told.get("duration"), order)
    return [Raw(body, 1) if raw else Delta("text", told["text"]), usage, End()]


def _usage(found: Any, duration: Any, order: TranscriptOrder) -> Usage:
    """What was heard: tokens, or seconds; estimated by the recording where neither is told."""
    told = mapping(found)
    details = mapping(told.get("input_token_details"))
    counted = read_usage(
        {
            "prompt_tokens": told.get("input_tokens"),
            "completion_tokens": told.get("output_tokens"),
            "total_tokens": told.get("total_tokens"),
            "prompt_tokens_details": {"audio_tokens": details.get("audio_tokens")},
        }
    )
    if counted is not None:
        # Some models are paid by the hour and tell tokens all the same.
        return replace(counted, audio_milliseconds=milliseconds_of(order.audio))
    milliseconds = _milliseconds(told.get("seconds"))
    if milliseconds is None:
        milliseconds = _milliseconds(duration)
    if milliseconds is None:
        return Usage(audio_milliseconds=milliseconds_of(order.audio), source="estimated")
    return Usage(audio_milliseconds=milliseconds)


def _milliseconds(seconds: Any) -> int | None:
    """Seconds as milliseconds, up; None for what is no evidence. Older answers write them as text."""
    if isinstance(seconds, str):
        try:
            seconds = float(seconds)
        except ValueError:
            return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _SECONDS_MOST:
        return None
    return math.ceil(round(seconds * 1000, 3))


class TranscriptStreamDecoder(EventStreamDecoder[NamedBatch]):
    """Decodes a transcript that comes as events; they are passed on as they are."""

    __slots__ = ("_done", "_last", "_order", "_usage")

    def __init__(self, order: TranscriptOrder) -> None:
        super().__init__()
        self._order = order
        self._done = False
        self._last = LastEvent()
        self._usage: Any = None

    def _batch(self) -> NamedBatch:
        return NamedBatch()

    def _take(self, data: bytes, out: NamedBatch) -> Failure | bool | None:
        if data == b"[DONE]":
            if self._done:
                self._last.done(out, data)
            return self._cut()
        found, failure = event_of(data)
        if failure is not None:
            return failure
        self._seen = True
        kind = word(found.get("type"))
        # This wire's events have no name of their own beside their type.
        if kind == "transcript.text.done":
            self._done = True
            self._usage = found.get("usage")
            self._last.keep(out, None, data, found, content=False)
        else:
            self._last.add(out, None, data, content=kind.endswith(".delta"))
        return None

    def _is_whole(self, data: bytes) -> bool:
        return data == b"[DONE]" or super()._is_whole(data)

    def _cut(self) -> Failure | bool:
        words = "the provider ended the transcript before it was finished"
        return self._done or Failure(UPSTREAM_STREAM_INTERRUPTED, words)

    def _end(self, failure: Failure | None) -> list[Event]:
        return [_usage(self._usage, None, self._order), *self._last.end(failure)]
