"""The wires that our clients speak, and the addresses at which they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.events import Encoder
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.form import Form
from oneflow_ai.core.listing import Shown
from oneflow_ai.core.target import Target
from oneflow_ai.dialects import (
    anthropic,
    elevenlabs,
    gemini,
    openai,
    openai_forms,
    responses,
    stability,
    stability_forms,
    stability_v1,
)
from oneflow_ai.dialects.envelope import Envelope


class Teller(Protocol):
    """A wire of our clients as far as it tells errors: a module of pure functions.

    `DIALECT` is its name, `ID_HEADER` the header in which its clients look for the request's id, beside `x-request-id`.
    """

    DIALECT: str
    ID_HEADER: bytes

    def failure_body(self, failure: Failure, request_id: str = "") -> bytes:
        """The body of an error answer."""


class Dialect(Teller, Protocol):
    """A wire that calls are made in. `FORWARDED` names the headers, lower case, that are meant for the provider."""

    FORWARDED: tuple[bytes, ...]

    def parse(self, body: bytes, envelope: Envelope) -> Call:
        """The call that a request body asks for; raises `Failure` for bad input."""

    def encoder(self, call: Call, target: Target) -> Encoder:
        """What writes one answer to this call, given by this target."""


class _Naming(Dialect, Protocol):
    """A dialect whose addresses hold a name."""

    def operation_at(self, path: bytes) -> Operation | None:
        """What is asked for at an address; None for one that is not of this dialect."""


class Lister(Teller, Protocol):
    """A wire that has a list of models."""

    def models_body(self, written: Mapping[str, bytes]) -> bytes:
        """The list of models, each as `model_body` wrote it, by its id."""

    def model_body(self, model: Shown, created: int) -> bytes:
        """One model, empty for one that its clients cannot use; `created` is seconds of Unix time."""


_ALL: tuple[Dialect, ...] = (openai, responses, anthropic, gemini, elevenlabs, stability)
_NAMING: tuple[_Naming, ...] = (elevenlabs, gemini)
DIALECTS: Mapping[str, Dialect] = MappingProxyType({dialect.DIALECT: dialect for dialect in _ALL})
# Each address with what speaks there.
PATHS: Mapping[bytes, tuple[Dialect, Operation]] = MappingProxyType(
    {
        b"/v1/chat/completions": (openai, Operation.CHAT),
        b"/v1/completions": (openai, Operation.COMPLETION),
        b"/v1/responses": (responses, Operation.CHAT),
        b"/v1/responses/input_tokens": (responses, Operation.COUNT_TOKENS),
        b"/v1/embeddings": (openai, Operation.EMBEDDING),
        b"/v1/moderations": (openai, Operation.MODERATION),
        b"/v1/images/generations": (openai, Operation.IMAGE),
        b"/v1/images/edits": (openai, Operation.IMAGE_EDIT),
        b"/v1/audio/speech": (openai, Operation.SPEECH),
        b"/v1/audio/transcriptions": (openai, Operation.TRANSCRIPTION),
        b"/v1/audio/translations": (openai, Operation.TRANSLATION),
        b"/v1/messages": (anthropic, Operation.CHAT),
        b"/v1/messages/count_tokens": (anthropic, Operation.COUNT_TOKENS),
        b"/v2beta/stable-image/generate/core": (stability, Operation.IMAGE),
        b"/v2beta/stable-image/generate/ultra": (stability, Operation.IMAGE),
        b"/v2beta/stable-image/generate/sd3": (stability, Operation.IMAGE),
        b"/v1/speech-to-text": (elevenlabs, Operation.TRANSCRIPTION),
    }
)
# Addresses that hold a name, as they are written down.
NAMED_PATHS = (
    *(
        f"/v1/text-to-speech/{{voice}}{ending}"
        for ending in ("", "/stream", "/with-timestamps", "/stream/with-timestamps")
    ),
    *(f"{models.decode()}/{{model}}:{method}" for models in gemini.MODELS_PATHS for method in gemini.METHODS),
)


def spoken_at(path: bytes) -> tuple[Dialect, Operation] | None:
    """What speaks at an address, and what it is asked for there; None where no call is made."""
    found = PATHS.get(path)
    if found is not None:
        return found
    for dialect in _NAMING:
        operation = dialect.operation_at(path)
        if operation is not None:
            return dialect, operation
    return None


# Where a vendor's own addresses begin, most of which are not served: whoever asks there reads errors of its shape
# (Stability's specification of v1, ElevenLabs' official client 2.78.0, Anthropic's specification; read 2026-11-27).
_VENDORS: tuple[tuple[Teller, tuple[bytes, ...]], ...] = (
    (stability, (b"/v2beta",)),
    (stability_v1, (b"/v1/generation", b"/v1/engines/list", b"/v1/user/account", b"/v1/user/balance")),
    (
        elevenlabs,
        (
            *(b"/v1/assets", b"/v1/audio-effects", b"/v1/audio-isolation", b"/v1/audio-native", b"/v1/convai"),
            *(b"/v1/dubbing", b"/v1/flows", b"/v1/forced-alignment", b"/v1/history", b"/v1/music", b"/v1/productions"),
            *(b"/v1/pronunciation-dictionaries", b"/v1/service-accounts", b"/v1/shared-voices", b"/v1/similar-voices"),
            *(b"/v1/single-use-token", b"/v1/sound-generation", b"/v1/speech-engine", b"/v1/speech-to-speech"),
            *(b"/v1/speech-to-text", b"/v1/studio", b"/v1/text-to-dialogue", b"/v1/text-to-speech"),
            *(b"/v1/text-to-voice", b"/v1/usage", b"/v1/user", b"/v1/voice-changer", b"/v1/voices", b"/v1/workspace"),
            *(b"/v1/workspaces", b"/v2/voices"),
        ),
    ),
    (anthropic, (b"/v1/complete", b"/v1/messages")),
)


def told_at(path: bytes) -> Teller | None:
    """What tells errors at an address; None where the address does not say whose it is."""
    spoken = spoken_at(path)
    if spoken is not None:
        return spoken[0]
    below = path + b"/"
    for teller, beginnings in _VENDORS:
        if any(below.startswith(beginning + b"/") for beginning in beginnings):
            return teller
    return None


def lister_at(path: bytes, headers: Mapping[bytes, bytes]) -> Lister:
    """What answers where no call is made: the dialect of an address, else that of its headers."""
    if path.startswith(b"/v1beta/") or b"x-goog-api-key" in headers:
        return gemini
    if b"anthropic-version" in headers:
        return anthropic
    if b"xi-api-key" in headers:
        return elevenlabs
    return openai


@dataclass(frozen=True, slots=True)
class Sent:
    """How the body of a request comes: as JSON, or as a form that is read by `form`, or as either."""

    json: bool = True
    form: Callable[[Form, Envelope], Call] | None = None


# The addresses that take something else than JSON alone.
FORMS: Mapping[bytes, Sent] = MappingProxyType(
    {
        b"/v1/images/edits": Sent(form=openai_forms.parse_form),
        b"/v1/audio/transcriptions": Sent(json=False, form=openai_forms.parse_form),
        b"/v1/audio/translations": Sent(json=False, form=openai_forms.parse_form),
        b"/v2beta/stable-image/generate/core": Sent(json=False, form=stability_forms.READERS["core"]),
        b"/v2beta/stable-image/generate/ultra": Sent(json=False, form=stability_forms.READERS["ultra"]),
        b"/v2beta/stable-image/generate/sd3": Sent(json=False, form=stability_forms.READERS["sd3"]),
        b"/v1/speech-to-text": Sent(json=False, form=elevenlabs.parse_form),
    }
)
