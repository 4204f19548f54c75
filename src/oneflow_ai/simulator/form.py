"""Forms of several parts (RFC 7578), read as they come: texts are kept, of files only what tells them apart."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FORM_BYTES_MOST = 1 << 30
TEXT_BYTES_MOST = 1 << 20
PARTS_MOST = 1_000
_HEAD_BYTES_MOST = 16 << 10
_SHOWN_MOST, _NAME_MOST = 64, 512
_BEGINNING_BYTES = 4_096
_MEDIA_TYPE = b"multipart/form-data"
_BOUNDARY = re.compile(rb';\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)
_NAME = re.compile(r';\s*name="([^"]*)"')
_FILENAME = re.compile(r';\s*filename="([^"]*)"')
_TYPED = re.compile(r"^content-type:\s*(.*?)\s*$", re.IGNORECASE | re.MULTILINE)

_PREAMBLE, _AFTER, _HEAD, _CONTENT, _END = range(5)


@dataclass(slots=True)
class Part:
    """One part: a text, or a file when it has a file name; `beginning` are its first bytes, at most 4 KiB of a file."""

    name: str
    filename: str | None = None
    media_type: str = ""
    size_bytes: int = 0
    beginning: bytes = b""
    _digest: Any = field(default_factory=hashlib.sha256, repr=False)

    @property
    def is_file(self) -> bool:
        """Whether it is a file."""
        return self.filename is not None

    @property
    def text(self) -> str:
        """What a text says."""
        return self.beginning.decode("utf-8", "replace")

    @property
    def sha256(self) -> str:
        """The whole content's hash, in hexadecimal digits."""
        return str(self._digest.hexdigest())

    def add(self, content: bytes) -> None:
        """More of it came."""
        self.size_bytes += len(content)
        self._digest.update(content)
        room = (TEXT_BYTES_MOST if self.filename is None else _BEGINNING_BYTES) - len(self.beginning)
        if room > 0:
            self.beginning += content[:room]

    def as_json(self, text_bytes_most: int) -> dict[str, Any]:
        """The part as the record shows it, so many bytes of a text."""
        shown: dict[str, Any] = {"name": self.name[:_NAME_MOST], "bytes": self.size_bytes}
        if self.filename is None:
            return shown | {"text": self.beginning[:text_bytes_most].decode("utf-8", "replace")}
        told = {"filename": self.filename[:_NAME_MOST], "media_type": self.media_type[:_NAME_MOST]}
        return shown | told | {"sha256": self.sha256}


class Form:
    """The reader of one form. `whole` says that its end came; what is malformed never becomes whole."""

    def __init__(self, boundary: bytes) -> None:
        self.parts: list[Part] = []
        self._mark = b"\r\n--" + boundary
        # the first boundary may stand at the very beginning
        self._buffer = b"\r\n"
        self._state = _PREAMBLE

    @property
    def whole(self) -> bool:
        """Whether all of it came."""
        return self._state == _END

    def feed(self, content: bytes) -> None:
        """Bytes of the body came."""
        self._buffer += content
        while self._state != _END and self._step():
            pass
        if self._state == _END:
            self._buffer = b""

    def _step(self) -> bool:
        """Go on as far as the next state; False when more bytes are needed."""
        if self._state == _AFTER:
            return self._after_mark()
        if self._state == _HEAD:
            return self._head()
        return self._content()

    def _after_mark(self) -> bool:
        if len(self._buffer) < 2:
            return False
        self._state = _END if self._buffer.startswith(b"--") or len(self.parts) >= PARTS_MOST else _HEAD
        return True

    def _head(self) -> bool:
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            if len(self._buffer) > _HEAD_BYTES_MOST:
                self._state, self._buffer = _PREAMBLE, b""
            return False
        told = head.decode("utf-8", "replace")
        name, filename, typed = _NAME.search(told), _FILENAME.search(told), _TYPED.search(told)
        self.parts.append(Part(name[1] if name else "", filename[1] if filename else None, typed[1] if typed else ""))
        self._state, self._buffer = _CONTENT, rest
        return True

    def _content(self) -> bool:
        content, found, rest = self._buffer.partition(self._mark)
        if not found:
            kept = len(self._mark) - 1
            content, rest = self._buffer[:-kept], self._buffer[-kept:]
        if self._state == _CONTENT and content:
            self.parts[-1].add(content)
        self._buffer = rest
        if found:
            self._state = _AFTER
        return bool(found)

    # ---- what it says

    @property
    def document(self) -> dict[str, Any]:
        """The texts by name; those whose names end in `[]` as lists."""
        told: dict[str, Any] = {}
        for part in self.parts:
            if not part.is_file:
                if part.name.endswith("[]"):
                    told.setdefault(part.name[:-2], []).append(part.text)
                else:
                    told[part.name] = part.text
        return told

    def files(self, name: str) -> list[Part]:
        """The files of a name, with `[]` behind it or without."""
        return [each for each in self.parts if each.is_file and each.name in (name, f"{name}[]")]


def form_of(content_type: bytes) -> Form | None:
    """The reader for a body of a media type; None when that is no form of several parts."""
    if not content_type.lower().startswith(_MEDIA_TYPE):
        return None
    found = _BOUNDARY.search(content_type)
    return Form(found[1] or found[2]) if found else None


def _truth(value: str) -> Any:
    return {"true": True, "false": False, "1": True, "0": False}.get(value.lower(), value)


def _number(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    def read(value: str) -> Any:
        try:
            return kind(value)
        except ValueError:
            return value

    return read


TRUTH, WHOLE, NUMBER = _truth, _number(int), _number(float)
"""How a text of a form is read; one that cannot be stays a text, for the check of fields to refuse."""


def typed(document: Mapping[str, Any], kinds: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    """The texts of a form as what they stand for."""
    return {
        name: kinds[name](value) if name in kinds and isinstance(value, str) else value
        for name, value in document.items()
    }


def parts_as_json(parts: Sequence[Part], text_bytes_most: int) -> list[dict[str, Any]]:
    """The parts as the record shows them: the first 64."""
    return [part.as_json(text_bytes_most) for part in parts[:_SHOWN_MOST]]
