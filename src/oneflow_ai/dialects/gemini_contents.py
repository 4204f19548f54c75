"""The rules for a conversation on Gemini's wire: its contents and their parts."""

from __future__ import annotations

import re
from typing import Any

from oneflow_ai.core.failure import INVALID_IMAGE_URL, INVALID_MESSAGES, Failure
from oneflow_ai.dialects import checks, gemini_seal
from oneflow_ai.dialects.gemini_fields import Found, Rule, anything, checked, listed, record
from oneflow_ai.dialects.openai_messages import MESSAGES_MOST, check_address, check_image

ROLES = ("user", "model", "function")
# What a part holds that is read here; the rest of what one may hold only this wire's providers know.
_KINDS = ("text", "inlineData", "fileData", "functionCall", "functionResponse")
_PICTURES = frozenset(f"image/{name}" for name in ("png", "jpeg", "jpg", "webp", "gif"))
# Where only Google can look: its clouds' buckets, the files of an account, films of YouTube's
# (ai.google.dev/gemini-api/docs/file-input-methods, 2026-11-27).
_STORED = re.compile(
    r"gs://|https://generativelanguage\.googleapis\.com/|https?://(?:(?:www|m)\.)?youtu(?:be\.com|\.be)/", re.IGNORECASE
)
# Seen by this wire's models alone, wherever they stand.
_MOVING = ("video/", "audio/")

TEXT = checked(checks.of_type("a text", str))
FLAG = checked(checks.of_type("true or false", bool))
OBJECT = checked(checks.of_type("an object", dict))


def is_picture(media_type: str) -> bool:
    """Whether it is a picture that every wire has a place for."""
    return media_type.lower() in _PICTURES


def is_sound(media_type: str) -> bool:
    """Whether it is sound."""
    return media_type.lower().startswith("audio/")


def _name(value: Any, at: str, found: Found) -> Any:
    if type(value) is not str or not value:
        raise Failure(INVALID_MESSAGES, "a function has a name, a text", param=at)
    return value


_BLOB = record({"mimeType": TEXT, "data": TEXT, "displayName": TEXT}, "mimeType", "data")
_FILE = record({"mimeType": TEXT, "fileUri": TEXT, "displayName": TEXT}, "fileUri")


def _inline(value: Any, at: str, found: Found) -> Any:
    """A file in base64, of either alphabet: as the other wires have it afterwards."""
    read = _BLOB(value, at, found)
    kind, data = read["mimeType"], read["data"].replace("-", "+").replace("_", "/")
    if not data.isascii():
        raise Failure(INVALID_MESSAGES, "data is base64", param=f"{at}.data")
    data += "=" * (-len(data) % 4 if "=" not in data else 0)
    if is_picture(kind):
        check_image(f"data:{kind};base64,{data}", f"{at}.data")
        found.media.pictures += 1
        found.media.picture_bytes += len(data)
    elif is_sound(kind):
        found.media.sound_bytes += len(data)
    return {**read, "data": data}


def _file(value: Any, at: str, found: Found) -> Any:
    """A file by its address, which must be public."""
    read = _FILE(value, at, found)
    kind, place = read.get("mimeType", ""), f"{at}.fileUri"
    if _STORED.match(read["fileUri"]):
        found.media.files += 1
        found.further.append(at)
        return read
    if kind.lower().startswith("image/"):
        if read["fileUri"][:5].lower() == "data:":
            raise Failure(INVALID_IMAGE_URL, "an address is http or https", param=place)
        check_image(read["fileUri"], place)
        found.media.pictures += 1
        return read
    check_address(read["fileUri"], place)
    found.media.files += 1
    if kind.lower().startswith(_MOVING):
        found.further.append(at)
    return read


_CALL = record({"id": TEXT, "name": _name, "args": OBJECT}, "name")
_RESPONSE = record(
    {
        "id": TEXT,
        "name": _name,
        "response": OBJECT,
        "parts": listed(record({"inlineData": _inline, "fileData": _file}), MESSAGES_MOST),
    },
    "name",
    "response",
)


def _sealed(value: Any, at: str, found: Found) -> Any:
    seal = TEXT(value, at, found)
    found.foreign = found.foreign or gemini_seal.is_foreign(seal)
    return seal


_PART = record(
    {
        "text": TEXT,
        "inlineData": _inline,
        "fileData": _file,
        "functionCall": _CALL,
        "functionResponse": _RESPONSE,
        "thought": FLAG,
        "thoughtSignature": _sealed,
        # What the client keeps for itself.
        "partMetadata": anything,
    }
)


def _part(value: Any, at: str, found: Found) -> Any:
    aliens = len(found.further)
    read = _PART(value, at, found)
    held = sum(kind in read for kind in _KINDS)
    if held > 1 or (not held and "thoughtSignature" not in read and len(found.further) == aliens):
        raise Failure(INVALID_MESSAGES, f"a part has one of {', '.join(_KINDS)}", param=at)
    return read


_CONTENT = record({"role": TEXT, "parts": listed(_part, MESSAGES_MOST)}, "parts")


def _content(value: Any, at: str, found: Found) -> Any:
    read = _CONTENT(value, at, found)
    if read.setdefault("role", "user") not in ROLES:
        raise Failure(INVALID_MESSAGES, "a content's role is user or model", param=f"{at}.role")
    if not read["parts"]:
        raise Failure(INVALID_MESSAGES, "a content has parts", param=f"{at}.parts")
    return read


def _contents(value: Any, at: str, found: Found) -> Any:
    read = listed(_content, MESSAGES_MOST)(value, at, found)
    if not read:
        raise Failure(INVALID_MESSAGES, "at least one content is required", param=at)
    return read


CONTENTS: Rule = _contents
"""What was said, each part of a file counted in what the request carries."""

TEXTS: Rule = record({"role": TEXT, "parts": listed(record({"text": TEXT}, "text"), MESSAGES_MOST)}, "parts")
"""A content of texts alone."""
