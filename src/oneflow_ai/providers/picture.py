"""What a picture is, by its first bytes: servers call it by other names, or by none."""

from __future__ import annotations

from binascii import Error, a2b_base64
from typing import Any

from oneflow_ai.core.events import Blob

_BEGINNINGS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


def media_type_of(content: bytes) -> str | None:
    """The media type of a picture; None for what is none that we know."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((name for beginning, name in _BEGINNINGS if content.startswith(beginning)), None)


def picture_of(text: Any) -> Blob | None:
    """The picture that stands in base64; None for what is none."""
    if not isinstance(text, str):
        return None
    try:
        content = a2b_base64(text, strict_mode=True)
    except (Error, ValueError):
        return None
    media_type = media_type_of(content)
    return None if media_type is None else Blob(content, media_type)
