"""A form that a client sent: its fields as they were written, and its files."""

from __future__ import annotations

from dataclasses import dataclass, field

from oneflow_ai.core.order import Upload


@dataclass(frozen=True, slots=True)
class Form:
    """Fields and files in their order, each by the name that it was sent under; names may repeat."""

    fields: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    files: tuple[tuple[str, Upload], ...] = ()

    def values(self, name: str) -> list[str]:
        """What was sent under a name, or under the same with `[]`."""
        return [value for found, value in self.fields if found.removesuffix("[]") == name]

    def uploads(self, name: str) -> tuple[Upload, ...]:
        """The files that were sent under a name, or under the same with `[]`."""
        return tuple(upload for found, upload in self.files if found.removesuffix("[]") == name)

    @property
    def kept_bytes(self) -> int:
        """How much of it is in memory."""
        return self.text_bytes + sum(upload.kept_bytes for _, upload in self.files)

    def close(self) -> None:
        """Let go of its files."""
        for _, upload in self.files:
            upload.close()

    @property
    def text_bytes(self) -> int:
        """How much of it is text, about."""
        return sum(len(name) + len(value.encode()) for name, value in self.fields)
