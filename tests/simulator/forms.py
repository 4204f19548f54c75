"""Forms of several parts as a client sends them."""

from __future__ import annotations

from collections.abc import Mapping

from oneflow_ai.simulator import Simulator
from tests.simulator.raw import Seen, once

BOUNDARY = "----simulated"
TYPED = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}

File = tuple[str, bytes, str]
"""A file's name, its content, its media type."""

Fields = Mapping[str, str | File]


def form(fields: Fields) -> bytes:
    """The body of a form."""
    parts = []
    for name, value in fields.items():
        told = f'form-data; name="{name}"'
        content, typed = value.encode() if isinstance(value, str) else value[1], ""
        if not isinstance(value, str):
            told, typed = f'{told}; filename="{value[0]}"', f"Content-Type: {value[2]}\r\n"
        head = f"--{BOUNDARY}\r\nContent-Disposition: {told}\r\n{typed}\r\n"
        parts.append(head.encode() + content + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


async def send(
    simulator: Simulator,
    path: str,
    fields: Fields,
    key: str = "key",
    headers: Mapping[str, str] | None = None,
) -> Seen:
    """Send a form and see what comes."""
    return await once(simulator, form(fields), path=path, key=key, headers={**TYPED, **(headers or {})})
