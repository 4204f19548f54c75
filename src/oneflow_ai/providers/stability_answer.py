"""Stability's pictures as they come back: as they are or within JSON, and never one that was filtered."""

from __future__ import annotations

from binascii import Error, a2b_base64
from collections.abc import Mapping
from typing import Any

from oneflow_ai.core.events import Blob, End, Event, Raw, Usage
from oneflow_ai.core.failure import UPSTREAM_BAD_RESPONSE, UPSTREAM_REJECTED, Failure
from oneflow_ai.providers.base import bad, loaded, mapping, word
from oneflow_ai.providers.picture import media_type_of, picture_of
from oneflow_ai.providers.stability_form import SEED_MOST

FILTERED = "CONTENT_FILTERED"
_SUCCESS = "SUCCESS"
# So much of base64 tells what a picture is.
_BEGINNING_CHARACTERS = 64


class PictureDecoder:
    """Decodes one answer: a picture, or JSON that holds one.

    `raw` says that JSON is to be passed on as it came. The end's `chunk` has the picture's `seed`, and of raw JSON the
    picture's `media_type`.
    """

    __slots__ = ("_chunks", "_headers", "_raw")

    def __init__(self, headers: Mapping[str, str], *, raw: bool) -> None:
        self._chunks: list[bytes] = []
        self._headers = headers
        self._raw = raw

    def feed(self, chunk: bytes) -> list[Event]:
        """Keep the bytes until the end: a picture that is half there is none."""
        self._chunks.append(chunk)
        return []

    def close(self) -> list[Event]:
        """The whole answer, or the failure that it stands for."""
        body = b"".join(self._chunks)
        self._chunks.clear()
        media_type = media_type_of(body)
        if media_type is None:
            return self._from_json(body)
        headers = self._headers
        return _told(Blob(body, media_type), headers.get("finish-reason", _SUCCESS), seed_of(headers.get("seed")))

    def _from_json(self, body: bytes) -> list[Event]:
        found = mapping(loaded(body))
        reason, seed = word(found.get("finish_reason")), seed_of(found.get("seed"))
        text = found.get("image")
        if self._raw:
            media_type = _beginning(text)
            raw = None if media_type is None else Raw(body, 1)
            return _told(raw, reason, seed, media_type=media_type)
        return _told(picture_of(text), reason, seed)


def filtered() -> Failure:
    """A picture that was made and then blurred, since it shows what it must not: the answer holds nothing of use."""
    words = "the provider's content moderation filtered the picture"
    return Failure(UPSTREAM_REJECTED, words, status=403, code="content_moderation")


def seed_of(value: Any) -> int | None:
    """A seed as it is told, as a number or as its digits; None for what is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(SEED_MOST)):
        value = int(value)
    return value if type(value) is int and 0 <= value <= SEED_MOST else None


def _told(event: Blob | Raw | None, reason: str, seed: int | None, **further: Any) -> list[Event]:
    if reason == FILTERED:
        return [End(failure=filtered())]
    if event is None:
        return bad("the provider's answer has no picture")
    if reason != _SUCCESS:
        return [End(failure=Failure(UPSTREAM_BAD_RESPONSE, "the provider does not say that the picture is made"))]
    return [event, Usage(images=1), End(chunk={"seed": seed, **further})]


def _beginning(text: Any) -> str | None:
    """What the picture is that stands in base64, by its beginning: all of it need not be decoded to be passed on."""
    try:
        return media_type_of(a2b_base64(word(text)[:_BEGINNING_CHARACTERS]))
    except (Error, ValueError):
        return None
