"""ElevenLabs: speech, transcripts, and what its account has; requests built, answers decoded, failures read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

import orjson

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.chain import CHAIN_FIELDS
from oneflow_ai.core.events import Decoder, End, Event, Raw, Usage
from oneflow_ai.core.failure import INVALID_VALUE, Failure
from oneflow_ai.core.order import SpeechOrder, TranscriptOrder
from oneflow_ai.core.ports import NO_HEADERS, HttpRequest, RateHints
from oneflow_ai.core.target import Target
from oneflow_ai.providers.base import WholeDecoder, bad, loaded, mapping, not_done, voice_of
from oneflow_ai.providers.elevenlabs_failure import failure_of
from oneflow_ai.providers.elevenlabs_speech import address, body_of, speech_decoder, usage_of
from oneflow_ai.providers.elevenlabs_transcripts import form_of, transcript_decoder
from oneflow_ai.providers.headers import count

DIALECT = "elevenlabs"
_SPEECH, _TRANSCRIPTS, _MODELS = "/v1/text-to-speech/", "/v1/speech-to-text", "/v1/models"
_SUBSCRIPTION = "/v1/user/subscription"
_STANDING = ("character_count", "character_limit", "next_character_count_reset_unix")
_CREDITS_MOST, _UNIX_MOST = 1 << 50, 1 << 36
_LOOKUPS = (Operation.VOICES, Operation.SUBSCRIPTION)


class ElevenLabsAdapter:
    """Requests and answers on ElevenLabs' wire."""

    def request(self, call: Call, target: Target) -> HttpRequest:
        """The call's own body, or form, with the target's model in its place; unknown fields are kept.

        A call of another wire is written anew; raises `Failure` for what this one cannot be asked for.
        """
        order = call.order
        if isinstance(order, SpeechOrder):
            return _speech(call, order, target)
        if isinstance(order, TranscriptOrder):
            return _transcript(call, target)
        if call.operation in _LOOKUPS and call.wire == DIALECT:
            return _read(target, call.path + _query(call.query))
        raise not_done(call, target)

    def decoder(self, call: Call, target: Target, headers: Mapping[str, str] = NO_HEADERS) -> Decoder:
        """Sound as it comes; the rest as raw bytes for a client of the same wire, in the middle form for any other."""
        order = call.order
        if isinstance(order, SpeechOrder):
            return speech_decoder(order, headers, usage_of(order, target, headers))
        if isinstance(order, TranscriptOrder):
            return transcript_decoder(order, raw=call.dialect == DIALECT and not call.translated)
        return WholeDecoder(_passed)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        """What an unsuccessful answer means."""
        return failure_of(status, headers, body)

    def hints(self, headers: Mapping[str, str]) -> RateHints | None:
        """How many calls the account may have in flight: its only limit."""
        most = count(headers.get("maximum-concurrent-requests"))
        return RateHints(limit_concurrency=most) if most else None

    def models_request(self, target: Target) -> HttpRequest:
        """The request for the list of models."""
        return _read(target, _MODELS)

    def account_request(self, target: Target) -> HttpRequest:
        """The request for the account's subscription."""
        return _read(target, _SUBSCRIPTION)

    def account(self, body: bytes) -> str:
        """The credits that are left of a subscription, and until when."""
        found = mapping(loaded(body))
        used, most, until = (found.get(name) for name in _STANDING)
        if not (type(used) is int and type(most) is int and 0 <= most < _CREDITS_MOST and 0 <= used < _CREDITS_MOST):
            return ""
        told = f"{max(most - used, 0):,} of {most:,} credits left"
        if type(until) is not int or not 0 < until < _UNIX_MOST:
            return told
        return f"{told} until {datetime.fromtimestamp(until, UTC).date().isoformat()}"


def _speech(call: Call, order: SpeechOrder, target: Target) -> HttpRequest:
    dropped: tuple[str, ...] = ()
    if call.wire == DIALECT:
        body = {name: value for name, value in call.body.items() if name not in CHAIN_FIELDS}
        query = call.query
    else:
        body, output, dropped = body_of(order)
        query = (("output_format", output),)
    content = orjson.dumps({**body, "model_id": target.model})
    voice = voice_of(order, target)
    if not voice.strip("."):
        # In an address they would lead elsewhere.
        raise Failure(INVALID_VALUE, "a voice's name is more than dots", param="voice")
    path = _SPEECH + quote(voice, safe="") + address(order)
    url = _base(target) + path + _query(query)
    return HttpRequest("POST", url, target.headers, content, target.timeouts, target.way, dropped)


def _transcript(call: Call, target: Target) -> HttpRequest:
    body, dropped = form_of(call, target.model)
    headers = (("content-type", body.content_type), *_without_type(target))
    url = _base(target) + _TRANSCRIPTS + (_query(call.query) if call.wire == DIALECT else "")
    return HttpRequest("POST", url, headers, b"", target.timeouts, target.way, dropped, large=body)


def _read(target: Target, path: str) -> HttpRequest:
    return HttpRequest("GET", _base(target) + path, _without_type(target), b"", target.timeouts, target.way)


def _without_type(target: Target) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in target.headers if name.lower() != "content-type")


def _base(target: Target) -> str:
    return target.base_url.removesuffix("/v1")


def _query(pairs: tuple[tuple[str, str], ...]) -> str:
    return f"?{urlencode(pairs)}" if pairs else ""


def _passed(body: bytes, found: object) -> list[Event]:
    """A list or an object as it came, for clients of this wire alone."""
    return [Raw(body, 1), Usage(), End()] if isinstance(found, dict | list) else bad("the provider's answer is no JSON")
