"""The forms in which OpenAI gives a transcript: documents, subtitles, and the usage that goes with them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from oneflow_ai.simulator.text import tokens

AUDIO_TOKENS_A_SECOND = 10
_SENTENCE = re.compile(r"\s*.*?[.!?]+\"?(?=\s|$)|\s*\S.*", re.DOTALL)
_LOGARITHM, _COMPRESSION, _SILENCE = -0.25, 1.5, 0.01
_TOKEN_FIRST = 50_364


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in a file that lasts so long, by which model, and for which task."""

    text: str
    task: str
    model: str
    seconds: float
    words: bool = False
    prompt_tokens: int = 0

    @property
    def audio_tokens(self) -> int:
        """What the sound costs in tokens."""
        return max(math.ceil(self.seconds * AUDIO_TOKENS_A_SECOND), 1)

    @property
    def input_tokens(self) -> int:
        """What the sound and the prompt cost."""
        return self.audio_tokens + self.prompt_tokens

    def parts(self, pattern: re.Pattern[str]) -> list[tuple[str, float, float]]:
        """The parts of the text with their beginnings and ends in seconds, by their share of it."""
        per_character = self.seconds / max(len(self.text), 1)
        found = pattern.finditer(self.text)
        return [
            (each[0], round(each.start() * per_character, 2), round(each.end() * per_character, 2)) for each in found
        ]


def usage_of(transcript: Transcript) -> dict[str, Any]:
    """Seconds for whisper's models, tokens for the others."""
    if transcript.model.startswith("whisper"):
        return {"type": "duration", "seconds": math.ceil(transcript.seconds)}
    written = tokens(transcript.text)
    return {
        "type": "tokens",
        "total_tokens": transcript.input_tokens + written,
        "input_tokens": transcript.input_tokens,
        "input_token_details": {"text_tokens": transcript.prompt_tokens, "audio_tokens": transcript.audio_tokens},
        "output_tokens": written,
    }


def document_of(transcript: Transcript, form: str, usage: dict[str, Any]) -> dict[str, Any]:
    """The transcript as JSON, short, with everything, or by speakers."""
    told = {} if transcript.task == "translate" else {"usage": usage}
    if form == "json":
        return {"text": transcript.text, **told}
    if form == "diarized_json":
        body = {"task": "transcribe", "duration": transcript.seconds, "text": transcript.text}
        return body | {"segments": _speakers(transcript)} | told
    duration = {"type": "duration", "seconds": math.ceil(transcript.seconds)}
    body = {
        "task": transcript.task,
        "language": "english",
        "duration": transcript.seconds,
        "text": transcript.text,
        "segments": [_segment(number, *part) for number, part in enumerate(transcript.parts(_SENTENCE))],
    }
    if transcript.words:
        words = transcript.parts(re.compile(r"\S+"))
        body["words"] = [{"word": word.strip('.,;:"'), "start": start, "end": end} for word, start, end in words]
    return body | ({"usage": duration} if told else {})


def _segment(number: int, text: str, start: float, end: float) -> dict[str, Any]:
    return {
        "id": number,
        "seek": 0,
        "start": start,
        "end": end,
        "text": text,
        "tokens": [_TOKEN_FIRST + place for place in range(tokens(text))],
        "temperature": 0.0,
        "avg_logprob": _LOGARITHM,
        "compression_ratio": _COMPRESSION,
        "no_speech_prob": _SILENCE,
    }


def _speakers(transcript: Transcript) -> list[dict[str, Any]]:
    return [
        {
            "type": "transcript.text.segment",
            "id": f"seg_{number:03d}",
            "start": start,
            "end": end,
            "text": text.strip(),
            "speaker": "AB"[number % 2],
        }
        for number, (text, start, end) in enumerate(transcript.parts(_SENTENCE))
    ]


def subtitles(transcript: Transcript, form: str) -> str:
    """The transcript as SubRip or as WebVTT."""
    mark = "," if form == "srt" else "."
    blocks = []
    for number, (text, start, end) in enumerate(transcript.parts(_SENTENCE), 1):
        line = f"{_clock(start, mark)} --> {_clock(end, mark)}\n{text.strip()}\n"
        blocks.append(f"{number}\n{line}" if form == "srt" else line)
    joined = "\n".join(blocks) + "\n"
    return joined if form == "srt" else f"WEBVTT\n\n{joined}"


def _clock(seconds: float, mark: str) -> str:
    whole, thousandths = divmod(round(seconds * 1_000), 1_000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{mark}{thousandths:03d}"
