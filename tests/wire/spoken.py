"""Calls of ElevenLabs' clients, and of OpenAI's that ask for the same, for tests of what is sent and answered."""

from dataclasses import replace
from typing import Any

import orjson

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.form import Form
from oneflow_ai.core.order import Content
from oneflow_ai.dialects import elevenlabs, openai_forms
from oneflow_ai.providers.form import FormBody
from tests.wire.requests import call_of, envelope

GEORGE = "JBFqnCBsd6RMkjVDRZzb"
AUDIO = Content(bytes(16_000), "talk.wav", "audio/wav")
Fields = tuple[tuple[str, str], ...]


def spoken(ending: str = "", *, voice: str = GEORGE, query: str = "", body: bytes | None = None, **fields: Any) -> Call:
    """Speech, as an ElevenLabs client asks for it."""
    path = f"/v1/text-to-speech/{voice}{ending}".encode()
    operation = elevenlabs.operation_at(path)
    assert operation is not None
    about = replace(envelope(operation), path=path, query=query.encode())
    content = orjson.dumps({"text": "six words", **fields}) if body is None else body
    return elevenlabs.parse(content, about)


def written(*fields: tuple[str, str], query: str = "", files: Any = (("file", AUDIO),)) -> Call:
    """A transcript, as an ElevenLabs client asks for it."""
    about = replace(envelope(Operation.TRANSCRIPTION), path=b"/v1/speech-to-text", query=query.encode())
    return elevenlabs.parse_form(Form((("model_id", "scribe_v2"), *fields), files), about)


def openai_spoken(**fields: Any) -> Call:
    """Speech, as an OpenAI client asks for it."""
    return call_of({"model": "speech", "input": "six words", "voice": "alloy", **fields}, Operation.SPEECH)


def openai_written(*fields: tuple[str, str], operation: Operation = Operation.TRANSCRIPTION) -> Call:
    """A transcript, as an OpenAI client asks for it."""
    return openai_forms.parse_form(Form((("model", "m"), *fields), (("file", AUDIO),)), envelope(operation))


def parts_of(body: FormBody) -> tuple[Fields, dict[str, bytes]]:
    """The fields of a form that is sent, in their order, and its files by name."""
    boundary = body.content_type.partition("boundary=")[2].encode()
    whole = b"".join(body.pieces())
    assert len(whole) == body.size_bytes
    fields: list[tuple[str, str]] = []
    files: dict[str, bytes] = {}
    for part in whole.split(b"--" + boundary)[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = head.partition(b'name="')[2].partition(b'"')[0].decode()
        if b"filename=" in head:
            files[name] = content.removesuffix(b"\r\n")
        else:
            fields.append((name, content.removesuffix(b"\r\n").decode()))
    return tuple(fields), files
