"""Reads a form as it arrives: fields are kept, files spooled. A library says what is a form, we say how much of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.form import Form
from oneflow_ai.core.order import Upload
from oneflow_ai.edge.spool import Spool

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

PARTS_MOST = 64
FIELDS_BYTES_MOST = 1 << 20
NAME_CHARACTERS_MOST = 256
_ANY = "application/octet-stream"
_KIND = b"multipart/form-data"


def boundary_of(content_type: bytes) -> bytes | None:
    """The boundary of a form's parts; None for what is no form. Raises `Failure` for a form without a sound one."""
    if content_type.partition(b";")[0].strip().lower() != _KIND:
        return None
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    # RFC 2046 §5.1.1: up to 70 characters.
    if not 0 < len(boundary) <= 70:
        raise Failure(kinds.MALFORMED_REQUEST, "the form names no boundary of 1 to 70 characters")
    return boundary


class FormReader:
    """Takes a form's bytes; gives the form at its end. Its files are closed by whoever it was read for.

    `kept_bytes` is what it holds in memory.
    """

    def __init__(self, boundary: bytes, folder: Path | None, bytes_most: int) -> None:
        self._folder = folder
        self._bytes_most = bytes_most
        self._bytes = self._fields_bytes = self._parts = 0
        self._fields: list[tuple[str, str]] = []
        self._files: list[tuple[str, Spool]] = []
        self._headers: dict[bytes, bytes] = {}
        self._header, self._value = b"", b""
        self._name = ""
        self._field: bytearray | None = None
        self._file: Spool | None = None
        self._complete = False
        callbacks: dict[str, Callable[..., None]] = {
            "on_part_begin": self._begin_part,
            "on_header_field": self._take_header_name,
            "on_header_value": self._take_header_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._open_part,
            "on_part_data": self._take_data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }
        self._parser = MultipartParser(boundary, cast("MultipartCallbacks", callbacks))

    @property
    def kept_bytes(self) -> int:
        """What it holds in memory."""
        return self._fields_bytes + sum(file.kept_bytes for _, file in self._files)

    async def feed(self, piece: bytes) -> None:
        """A piece arrived; raises `Failure`."""
        self._bytes += len(piece)
        if self._bytes > self._bytes_most:
            raise Failure(kinds.REQUEST_TOO_LARGE, f"the form is larger than {self._bytes_most} bytes")
        try:
            self._parser.write(piece)
        except MultipartParseError:
            raise Failure(kinds.MALFORMED_REQUEST, "the body is not a sound form") from None
        try:
            for _, file in self._files:
                await file.relieve()
        except OSError:
            raise Failure(kinds.STORAGE_UNAVAILABLE, "there is no room for the file; try again later") from None

    def form(self) -> Form:
        """The form; raises `Failure` unless it is whole."""
        if not self._complete:
            raise Failure(kinds.MALFORMED_REQUEST, "the form ends before its last boundary")
        files: list[tuple[str, Upload]] = [*self._files]
        return Form(tuple(self._fields), tuple(files))

    def close(self) -> None:
        """Let go of its files."""
        for _, file in self._files:
            file.close()

    # ---- the parser's side

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > PARTS_MOST:
            raise Failure(kinds.TOO_MANY_ITEMS, f"a form has at most {PARTS_MOST} parts")
        self._headers = {}

    def _take_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _take_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header, self._value = b"", b""

    def _open_part(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if kind.lower() != b"form-data" or not 0 < len(name) <= NAME_CHARACTERS_MOST:
            raise Failure(kinds.MALFORMED_REQUEST, "a part of the form has no name")
        self._name = name
        if b"filename" not in options:
            self._field = bytearray()
            return
        # No folder: some clients send the whole path.
        told = options[b"filename"].decode("utf-8", "replace").replace("\\", "/").rpartition("/")[2]
        media_type = self._headers.get(b"content-type", b"").decode("ascii", "replace").partition(";")[0].strip()
        self._file = Spool(self._folder, told[:NAME_CHARACTERS_MOST], media_type or _ANY)
        self._files.append((name, self._file))

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.add(data[start:end])
            return
        self._fields_bytes += end - start
        if self._fields_bytes > FIELDS_BYTES_MOST:
            raise Failure(kinds.REQUEST_TOO_LARGE, f"the form's fields are larger than {FIELDS_BYTES_MOST} bytes")
        assert self._field is not None
        self._field += data[start:end]

    def _end_part(self) -> None:
        if self._field is not None:
            try:
                self._fields.append((self._name, self._field.decode()))
            except UnicodeDecodeError:
                raise Failure(kinds.INVALID_UNICODE, f"{self._name} is not valid UTF-8", param=self._name) from None
        self._file = self._field = None

    def _end(self) -> None:
        self._complete = True
