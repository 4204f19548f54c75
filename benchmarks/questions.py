"""What the generator asks, and the words in it that steer the provider double."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

STREAM_CHUNKS = 50
# The chunks, the usage chunk and the closing mark.
STREAM_EVENTS = STREAM_CHUNKS + 2
ANSWER_TOKENS_MOST = 500
PATH = "/v1/chat/completions"
MODEL = "gpt-6-luna"
# Everything that steers the double stands before the long part of the prompt.
STEERED_BYTES = 384
STAMP_DIGITS = 20

_SENTENCE = "Summarise the following report for a busy reader. "
_MARK = re.compile(rb"\[(gap|wait|stamp) (\d{1,6})\]")


@dataclass(frozen=True, slots=True)
class Question:
    """One request: the bytes of its prompt; streamed or not; milliseconds between events, and before the answer.

    `stamped` asks for the time in each paced event, `STAMP_DIGITS` of nanoseconds on the machine's monotonic clock.
    """

    prompt_bytes: int
    stream: bool = False
    gap_milliseconds: int = 0
    wait_milliseconds: int = 0
    stamped: bool = False

    def body(self) -> bytes:
        """The request's body, on OpenAI's wire."""
        # A call that is broken off counts as all that it might have used: without a bound, many reach any limit.
        head: dict[str, object] = {"model": MODEL, "max_completion_tokens": ANSWER_TOKENS_MOST}
        if self.stream:
            head |= {"stream": True, "stream_options": {"include_usage": True}}
        marks = f"[gap {self.gap_milliseconds}] " if self.gap_milliseconds else ""
        marks += f"[wait {self.wait_milliseconds}] " if self.wait_milliseconds else ""
        marks += "[stamp 1] " if self.stamped else ""
        prompt = marks + _SENTENCE * (self.prompt_bytes // len(_SENTENCE) + 1)
        head |= {"temperature": 0.2, "messages": [{"role": "user", "content": prompt[: self.prompt_bytes]}]}
        return json.dumps(head, separators=(",", ":")).encode()


def request(port: int, headers: Mapping[str, str], question: Question) -> bytes:
    """A question as bytes on the wire, for whoever listens at that port of this machine."""
    body = question.body()
    told = {
        "host": f"127.0.0.1:{port}",
        "content-type": "application/json",
        "content-length": str(len(body)),
        **headers,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"POST {PATH} HTTP/1.1\r\n{lines}\r\n".encode() + body


@dataclass(frozen=True, slots=True)
class Steering:
    """What the double reads of a body: is a stream wanted, with its usage, how slowly, with the time in it."""

    stream: bool
    usage: bool
    gap_seconds: float
    wait_seconds: float
    stamped: bool = False


def steering(body: bytes) -> Steering:
    """How a body wants to be answered."""
    head = body[:STEERED_BYTES]
    marks = {name: int(number) / 1000 for name, number in _MARK.findall(head)}
    return Steering(
        stream=b'"stream":true' in head,
        usage=b'"include_usage":true' in head,
        gap_seconds=marks.get(b"gap", 0.0),
        wait_seconds=marks.get(b"wait", 0.0),
        stamped=b"stamp" in marks,
    )
