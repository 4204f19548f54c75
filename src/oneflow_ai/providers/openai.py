"""OpenAI's text wire, which many providers share: requests built, answers decoded, failures read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.events import Decoder
from oneflow_ai.core.failure import TOO_DEEP, Failure
from oneflow_ai.core.order import ImageOrder, Order, SpeechOrder, TranscriptOrder
from oneflow_ai.core.ports import NO_HEADERS, HttpRequest
from oneflow_ai.core.target import Target
from oneflow_ai.providers import openai_forms, openai_images, openai_speech
from oneflow_ai.providers.base import not_done, own_body, voice_of
from oneflow_ai.providers.headers import openai_hints
from oneflow_ai.providers.names import LETTERS_64, prompt_of
from oneflow_ai.providers.openai_failure import failure_of
from oneflow_ai.providers.openai_idiom import Idiom
from oneflow_ai.providers.openai_names import client_name
from oneflow_ai.providers.openai_own import OwnChats
from oneflow_ai.providers.openai_prompt import body_of
from oneflow_ai.providers.openai_speech import sound_decoder
from oneflow_ai.providers.openai_stream import text_decoder
from oneflow_ai.providers.openai_transcripts import transcript_decoder
from oneflow_ai.providers.openai_vectors import embedding_decoder, moderation_decoder

DIALECT = "openai"
PATHS: Mapping[Operation, str] = {
    Operation.CHAT: "/chat/completions",
    Operation.COMPLETION: "/completions",
    Operation.EMBEDDING: "/embeddings",
    Operation.MODERATION: "/moderations",
    Operation.IMAGE: "/images/generations",
    Operation.IMAGE_EDIT: "/images/edits",
    Operation.SPEECH: "/audio/speech",
    Operation.TRANSCRIPTION: "/audio/transcriptions",
    Operation.TRANSLATION: "/audio/translations",
}
# Dialects whose own wire this is: what they call their own seal was made here.
OWN_DIALECTS = frozenset({DIALECT, "plain"})
_OWN_SEALS = frozenset({DIALECT})


class OpenAIAdapter:
    """Requests and answers on OpenAI's wire.

    `stream_usage` is False where `stream_options` is refused: usage then comes unasked. `renamed` maps a field's name
    to the one that a provider knows it by. `deployments` puts the model into the path, as Azure has it. `idiom` is how
    a prompt of another wire is written for it; the table of translations shows its abilities.
    """

    def __init__(
        self,
        *,
        stream_usage: bool = True,
        deployments: bool = False,
        renamed: Mapping[str, str] | None = None,
        idiom: Idiom | None = None,
    ) -> None:
        self._stream_usage = stream_usage
        self._deployments = deployments
        self.idiom = idiom or Idiom()
        self._renamed = {"max_completion_tokens": self.idiom.tokens_field, **(renamed or {})}
        if self.idiom.tokens_field == "max_completion_tokens":
            del self._renamed["max_completion_tokens"]
        self._own = OwnChats(self.idiom)

    def request(self, call: Call, target: Target) -> HttpRequest:
        """The call's own body with the target's model in its place; unknown fields are kept, in their order.

        A call of another wire is written anew; raises `Failure` for what this one cannot be asked for.
        """
        dropped: tuple[str, ...] = ()
        named = None
        names: tuple[tuple[str, str], ...] = ()
        if (form := self._form(call, target)) is not None:
            return form
        if call.wire == DIALECT:
            body, dropped = self._own.fit(own_body(call, target))
            if isinstance(call.order, SpeechOrder) and (voice := voice_of(call.order, target)) != call.order.voice:
                body["voice"] = voice
        else:
            body, dropped, names = self._written(call, target)
            named = client_name if call.order is None else None
        if call.stream and call.order is None:
            body["stream"] = True
            if self._stream_usage:
                body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        if not self._stream_usage:
            body.pop("stream_options", None)
        if not self._renamed.keys().isdisjoint(body):
            body = {self._renamed.get(name, name): value for name, value in body.items() if value is not None}
        url = self._url(target, PATHS[call.operation])
        try:
            content = orjson.dumps(body)
        except orjson.JSONEncodeError:
            # What is JSON within JSON, a seal or a call's arguments, may be as deep as a request may be, not both.
            raise Failure(TOO_DEEP, "what a message holds is nested too deep", param="messages") from None
        further: Any = {"named": named, "names": names}
        return HttpRequest("POST", url, target.headers, content, target.timeouts, target.way, dropped, **further)

    def decoder(self, call: Call, target: Target, headers: Mapping[str, str] = NO_HEADERS) -> Decoder:
        """Raw bytes for a client of the same wire, the middle form for any other."""
        raw = call.dialect == DIALECT and not call.translated
        if call.operation is Operation.EMBEDDING:
            return embedding_decoder(raw=raw)
        if call.operation is Operation.MODERATION:
            return moderation_decoder()
        if call.order is not None:
            return _order_decoder(call.order, call.stream, raw, headers)
        return text_decoder(stream=call.stream, raw=raw, include_usage=call.include_usage)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        """What an unsuccessful answer means."""
        return failure_of(status, headers, body)

    hints = staticmethod(openai_hints)

    def models_request(self, target: Target) -> HttpRequest:
        """The request for the list of models."""
        headers = tuple((name, value) for name, value in target.headers if name.lower() != "content-type")
        return HttpRequest("GET", target.base_url + "/models", headers, b"", target.timeouts, target.way)

    def _form(self, call: Call, target: Target) -> HttpRequest | None:
        """The request for what is sent as a form; None for all else."""
        if call.form is not None and call.wire == DIALECT:
            return openai_forms.request(call, target, self._url(target, PATHS[call.operation]))
        if isinstance(call.order, ImageOrder) and call.order.sources and call.wire != DIALECT:
            return openai_forms.changed(call, call.order, target, self._url(target, PATHS[Operation.IMAGE_EDIT]))
        if isinstance(call.order, TranscriptOrder):
            return openai_forms.written(call, call.order, target, self._url(target, PATHS[call.operation]))
        return None

    def _written(
        self, call: Call, target: Target
    ) -> tuple[dict[str, Any], tuple[str, ...], tuple[tuple[str, str], ...]]:
        if call.operation not in PATHS:
            raise not_done(call, target)
        if call.order is not None:
            return (*self._ordered(call, call.order, target), ())
        seals = _OWN_SEALS | {""} if call.dialect in OWN_DIALECTS else _OWN_SEALS
        prompt, names, cut = prompt_of(call, target, LETTERS_64, DIALECT)
        body, dropped = body_of(prompt, self.idiom, target.model, seals)
        return {"model": target.model, **body}, tuple(dict.fromkeys((*dropped, *cut))), names

    def _ordered(self, call: Call, order: Order, target: Target) -> tuple[dict[str, Any], tuple[str, ...]]:
        if isinstance(order, SpeechOrder):
            body, dropped = openai_speech.body_of(order, voice_of(order, target))
        elif isinstance(order, ImageOrder):
            body, dropped = openai_images.body_of(order, target.model)
        else:
            raise not_done(call, target)
        return {"model": target.model, **body}, dropped

    def _url(self, target: Target, path: str) -> str:
        if self._deployments and not target.base_url.endswith("/openai/v1"):
            version = target.options.get("api_version", "")
            deployment = f"{target.base_url}/openai/deployments/{quote(target.model, safe='')}"
            return f"{deployment}{path}?api-version={quote(version, safe='')}"
        return target.base_url + path


def _order_decoder(order: Order, stream: bool, raw: bool, headers: Mapping[str, str]) -> Decoder:
    if isinstance(order, ImageOrder):
        return openai_images.image_decoder(raw=raw, stream=stream)
    if isinstance(order, SpeechOrder):
        return openai_speech.SpeechStreamDecoder(order) if stream and raw else sound_decoder(order, headers)
    return transcript_decoder(order, headers, raw=raw, stream=stream)
