"""The words of a transcript, as the middle form has them, laid out as segments and as subtitles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

SUBTITLES = ("srt", "vtt")
# A new segment begins after a sentence, after a silence, where another speaks, and before it gets too long to be read.
SILENCE_SECONDS = 0.8
CHARACTERS_MOST = 84
_SENTENCE_ENDS = (".", "!", "?", "。", "！", "？")


def read_words(text: str) -> list[dict[str, Any]]:
    """What a `words` delta holds."""
    found: list[dict[str, Any]] = orjson.loads(text)
    return found


def timed_words(words: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The words alone, those whose times are known, as OpenAI's transcripts have them."""
    return [
        {"word": each["text"], "start": each["start"], "end": each["end"]}
        for each in words
        if each["kind"] == "word" and "start" in each and "end" in each
    ]


def segments_of(words: list[dict[str, Any]], text: str, seconds: float) -> list[dict[str, Any]]:
    """What was said, in parts: `start`, `end` (seconds), `text` and, where known, `speaker`.

    All of the text as one part where no times are known.
    """
    parts = [_part(group) for group in _groups(words)]
    found = [part for part in parts if part["text"]]
    if found or not text:
        return found
    return [{"start": 0.0, "end": seconds, "text": text}]


def subtitles(segments: list[dict[str, Any]], form: str) -> bytes:
    """The segments as `srt` or `vtt`."""
    mark = "," if form == "srt" else "."
    blocks = []
    for number, segment in enumerate(segments, 1):
        head = f"{number}\n" if form == "srt" else ""
        blocks.append(f"{head}{_clock(segment['start'], mark)} --> {_clock(segment['end'], mark)}\n{segment['text']}\n")
    return (("WEBVTT\n\n" if form == "vtt" else "") + "\n".join(blocks)).encode()


def _groups(words: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    length = 0
    for each in words:
        if group and _begins(group, each, length):
            yield group
            group, length = [], 0
        group.append(each)
        length += len(each["text"])
    if group:
        yield group


def _begins(group: list[dict[str, Any]], following: dict[str, Any], length: int) -> bool:
    """Whether what follows begins a new segment."""
    if following["kind"] == "space":
        return False
    said = [each for each in group if each["kind"] != "space"]
    if not said:
        return False
    last = said[-1]
    if last.get("speaker") != following.get("speaker") or last["text"].endswith(_SENTENCE_ENDS):
        return True
    if length + len(following["text"]) > CHARACTERS_MOST:
        return True
    return bool(following.get("start", 0.0) - last.get("end", following.get("start", 0.0)) > SILENCE_SECONDS)


def _part(group: list[dict[str, Any]]) -> dict[str, Any]:
    said = [each for each in group if each["kind"] != "space"]
    starts, ends = [each["start"] for each in said if "start" in each], [each["end"] for each in said if "end" in each]
    text = "".join(each["text"] for each in group).strip()
    if not starts or not ends:
        return {"start": 0.0, "end": 0.0, "text": ""}
    part: dict[str, Any] = {"start": starts[0], "end": ends[-1], "text": text}
    if "speaker" in said[0]:
        part["speaker"] = said[0]["speaker"]
    return part


def _clock(seconds: float, mark: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{mark}{rest % 1000:03}"
