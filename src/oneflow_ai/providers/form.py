"""A form as providers take it: its fields, and files that are read as they are sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from oneflow_ai.core.order import Upload

# As browsers write names in a form (WHATWG HTML §4.10.21.8, 2026-11-26).
_ESCAPES = str.maketrans({"\n": "%0A", "\r": "%0D", '"': "%22"})


class FormBody:
    """Implements `Body`. The `boundary` must be one that no client could foresee, so that no file holds it."""

    __slots__ = ("_end", "_parts", "content_type", "size_bytes")

    def __init__(
        self, boundary: str, fields: Iterable[tuple[str, str]], files: Iterable[tuple[str, Upload]] = ()
    ) -> None:
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._parts: list[tuple[bytes, Upload | None]] = []
        for name, text in fields:
            self._parts.append((_head(boundary, name) + text.encode(), None))
        for name, upload in files:
            self._parts.append((_head(boundary, name, upload), upload))
        self._end = f"\r\n--{boundary}--\r\n".encode()
        self.size_bytes = len(self._end) - 2 * bool(self._parts)
        for head, file in self._parts:
            self.size_bytes += len(head) + (file.size_bytes if file is not None else 0)

    def pieces(self) -> Iterator[bytes]:
        """Its bytes, from the beginning."""
        first = True
        for head, upload in self._parts:
            # A boundary takes the line end before it; the first has none.
            yield head[2:] if first else head
            first = False
            if upload is not None:
                yield from upload.pieces()
        yield self._end


def _head(boundary: str, name: str, upload: Upload | None = None) -> bytes:
    head = f'\r\n--{boundary}\r\ncontent-disposition: form-data; name="{name.translate(_ESCAPES)}"'
    if upload is not None:
        media_type = "".join(character for character in upload.media_type if " " < character < "\x7f")
        head += f'; filename="{upload.name.translate(_ESCAPES)}"\r\ncontent-type: {media_type}'
    return f"{head}\r\n\r\n".encode()
