"""What a user gets wrong, as the official clients tell it: the right exception, its code, the field, clear words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import openai
import pytest
from elevenlabs.client import ElevenLabs
from elevenlabs.core import ApiError
from httpx import Client
from openai import BadRequestError, NotFoundError, OpenAI

from tests.clients.serving import serving

pytestmark = pytest.mark.clients

HELLO: Any = [{"role": "user", "content": "Say hello to the sea."}]
GEORGE = "JBFqnCBsd6RMkjVDRZzb"
ONCE: Any = {"max_retries": 0}
WAV = ("talk.wav", b"RIFF" + bytes(96), "audio/wav")
NOTE = ("note.txt", b"no picture and no sound", "text/plain")


@dataclass(frozen=True)
class Clients:
    """Both official clients of one server in demo mode; `other` is the first with a base URL or a key of its own."""

    openai: OpenAI
    elevenlabs: ElevenLabs
    other: Callable[..., OpenAI]


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    """A server without any provider's key: the simulator answers for all."""
    with serving(tmp_path_factory.mktemp("mistakes"), {}) as (url, key), Client() as pool:

        def other(ending: str = "/v1", key: str = key) -> OpenAI:
            return OpenAI(base_url=url + ending, api_key=key, max_retries=0, timeout=30)

        yield Clients(other(), ElevenLabs(base_url=url, api_key=key, httpx_client=pool), other)


Ask = Callable[[Any], object]
OPENAI: dict[str, tuple[Ask, type[openai.APIStatusError], str, str | None, str]] = {
    "unknown model": (
        lambda c: c.chat.completions.create(model="gpt-nothing", messages=HELLO),
        NotFoundError, "model_not_found", "model", "see GET /v1/models",
    ),
    "unknown provider": (
        lambda c: c.chat.completions.create(model="nobody/gpt", messages=HELLO),
        NotFoundError, "model_not_found", "model", "see GET /v1/models",
    ),
    "a chat with a model that speaks": (
        lambda c: c.chat.completions.create(model="tts-1", messages=HELLO),
        BadRequestError, "unsupported_operation", "model", "text is done by openai/gpt-6-luna, anthropic/claude-haiku",
    ),
    "a chat with a maker of pictures": (
        lambda c: c.chat.completions.create(model="stability/stable-image-core", messages=HELLO),
        BadRequestError, "unsupported_operation", "model", "stability/stable-image-core does not do text",
    ),
    "speech of a chat model": (
        lambda c: c.audio.speech.create(model="gpt-6-luna", voice="alloy", input="Bees"),
        BadRequestError, "unsupported_operation", "model", "speech is done by openai/tts-1",
    ),
    "vectors of a model that has none": (
        lambda c: c.embeddings.create(model="claude-haiku-5-5", input="Bees"),
        BadRequestError, "unsupported_operation", "model", "embedding is done by openai/text-embedding-3-small",
    ),
    "no message": (
        lambda c: c.chat.completions.create(model="gpt-6-luna", messages=[]),
        BadRequestError, "invalid_messages", "messages", "messages is empty",
    ),
    "a negative n": (
        lambda c: c.chat.completions.create(model="gpt-6-luna", messages=HELLO, n=-1),
        BadRequestError, "invalid_value", "n", "n is from 1 to 128",
    ),
    "an unknown response_format": (
        lambda c: c.chat.completions.create(model="gpt-6-luna", messages=HELLO, response_format={"type": "yaml"}),
        BadRequestError, "invalid_value", "response_format.type", "json_schema",
    ),
    "an unknown response_format elsewhere": (
        lambda c: c.chat.completions.create(model="claude-haiku-5-5", messages=HELLO, response_format={"type": "yaml"}),
        BadRequestError, "unsupported_parameter", "response_format", "has no place for this field",
    ),
    "an empty prompt": (
        lambda c: c.images.generate(model="gpt-image-2.6-flare", prompt=""),
        BadRequestError, "invalid_value", "prompt", "prompt has 1 to 32000 characters",
    ),
    "a size that is none": (
        lambda c: c.images.generate(model="gpt-image-2.6-flare", prompt="Bees", size="huge"),
        BadRequestError, "invalid_value", "size", "1024x1024",
    ),
    "a size that there is not": (
        lambda c: c.images.generate(model="gpt-image-2.6-flare", prompt="Bees", size="12x12"),
        BadRequestError, "invalid_value", "size", "divisible by 16",
    ),
    "several pictures a call": (
        lambda c: c.images.generate(model="stable-image-core", prompt="Bees", n=2),
        BadRequestError, "unsupported_parameter", "n", "one picture a call",
    ),
    "no picture": (
        lambda c: c.images.edit(model="gpt-image-2.6-flare", prompt="Bees", image=[]),
        BadRequestError, "missing_required_parameter", "image", "it is sent as a file",
    ),
    "a picture that is none": (
        lambda c: c.images.edit(model="gpt-image-2.6-flare", prompt="Bees", image=NOTE),
        BadRequestError, "invalid_image_file", "image", "Invalid image file",
    ),
    "a voice that there is not": (
        lambda c: c.audio.speech.create(model="tts-1", voice="nobody", input="Bees"),
        BadRequestError, "invalid_value", "voice", "'alloy'",
    ),
    "a format of sound that there is not": (
        lambda c: c.audio.speech.create(model="tts-1", voice="alloy", input="Bees", response_format="ogg"),
        BadRequestError, "invalid_value", "response_format", "mp3, opus, aac, flac, wav, pcm",
    ),
    "too long a text": (
        lambda c: c.audio.speech.create(model="tts-1", voice="alloy", input="x" * 5_000),
        BadRequestError, "invalid_value", "input", "4096",
    ),
    "an empty recording": (
        lambda c: c.audio.transcriptions.create(model="gpt-transcribe", file=("a.wav", b"", "audio/wav")),
        BadRequestError, "invalid_value", "file", "file is empty",
    ),
    "a recording that is none": (
        lambda c: c.audio.transcriptions.create(model="gpt-transcribe", file=NOTE),
        BadRequestError, "unsupported_value", "file", "Supported formats",
    ),
    "a translation by who does none": (
        lambda c: c.post(
            "/audio/translations", cast_to=object, body={"model": "scribe_v2"}, files={"file": WAV},
            options={"headers": {"content-type": "multipart/form-data"}},
        ),
        BadRequestError, "unsupported_operation", "model", "translates nothing",
    ),
    "what is not served": (lambda c: c.files.list(), NotFoundError, "unknown_url", None, "there is nothing at this"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", OPENAI)
def test_openais_client_tells_a_mistake(clients: Clients, mistake: str) -> None:
    ask, kind, code, param, words = OPENAI[mistake]
    with pytest.raises(openai.APIStatusError) as caught:
        ask(clients.openai)
    assert (type(caught.value), caught.value.code, caught.value.param) == (kind, code, param)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("how", "kind", "code", "words"),
    [
        ({"key": "of_wrong"}, openai.AuthenticationError, "invalid_api_key", "the API key is not valid"),
        ({"ending": ""}, NotFoundError, "unknown_url", "/v1 is missing: let the base URL end in it"),
        ({"ending": "/v1/v1"}, NotFoundError, "unknown_url", "/v1 once too often: take one out of the base URL"),
    ],
)
def test_a_client_that_is_set_up_wrong_is_told_what(
    clients: Clients, how: dict[str, str], kind: type[Exception], code: str, words: str
) -> None:
    with clients.other(**how) as client, pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="gpt-6-luna", messages=HELLO)
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert words in caught.value.message


def speak(client: ElevenLabs, voice: str = GEORGE, **fields: Any) -> bytes:
    return b"".join(client.text_to_speech.convert(voice, request_options=ONCE, **{"text": "Bees", **fields}))


ELEVENLABS: dict[str, tuple[Ask, int, str, str]] = {
    "a voice that there is not": (lambda c: speak(c, "no-such-voice"), 404, "voice_not_found", "no-such-voice"),
    "a voice of another maker's that there is not": (
        lambda c: speak(c, "nobody", model_id="openai/tts-1"), 400, "invalid_value", "voice: Invalid value",
    ),
    "a voice to be looked up": (
        lambda c: c.voices.get("zzz", request_options=ONCE), 404, "voice_not_found", "A voice with this voice_id",
    ),
    "no text": (lambda c: speak(c, text=""), 400, "invalid_value", "text: has 1 to 40000 characters"),
    "too long a text": (
        lambda c: speak(c, text="x" * 10_001, model_id="eleven_multilingual_v2"),
        400, "context_length_exceeded", "10000 characters",
    ),
    "unknown model": (lambda c: speak(c, model_id="nothing"), 404, "model_not_found", "model: no route"),
    "a chat model": (
        lambda c: speak(c, model_id="gpt-6-luna"), 400, "unsupported_operation", "model: openai/gpt-6-luna does not",
    ),
    "a format that there is not": (
        lambda c: speak(c, output_format="mp4"), 400, "invalid_value", "output_format: is one of mp3_22050_32",
    ),
    "a setting out of range": (
        lambda c: speak(c, voice_settings={"stability": 7}), 400, "invalid_value", "voice_settings.stability: is",
    ),
    "too large a page": (
        lambda c: c.voices.search(page_size=1_000, request_options=ONCE), 400, "invalid_value", "page_size: is from 1",
    ),
    "no recording": (
        lambda c: c.speech_to_text.convert(model_id="scribe_v2", request_options=ONCE),
        400, "missing_required_parameter", "file: is missing",
    ),
    "a recording for a model that speaks": (
        lambda c: c.speech_to_text.convert(model_id="eleven_v3", file=WAV, request_options=ONCE),
        400, "unsupported_operation", "transcription is done by openai/gpt-transcribe, elevenlabs/scribe_v2",
    ),
    "what is not served": (
        lambda c: c.history.list(request_options=ONCE), 404, "not_found", "there is nothing at this address",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", ELEVENLABS)
def test_elevenlabs_client_tells_a_mistake(clients: Clients, mistake: str) -> None:
    ask, status, word, words = ELEVENLABS[mistake]
    with pytest.raises(ApiError) as caught:
        ask(clients.elevenlabs)
    told = caught.value.body["detail"]
    assert (caught.value.status_code, told["status"]) == (status, word)
    assert words in told["message"]
