"""Where a request goes, taken from its URL once: host, port, TLS, and the head that all its requests share."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from oneflow_ai.core.ports import HttpRequest

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """An origin: connections to it are shared by all requests for it."""

    host: str
    port: int
    tls: bool


def address_and_head(request: HttpRequest) -> tuple[Address, bytes]:
    """The address of a request, and its head but for the body's length, which comes last.

    Raises `ValueError` for an address that is not http(s) or holds characters that no head may hold.
    """
    parts = urlsplit(request.url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("a provider's address is http or https")
    port = parts.port or _PORTS[parts.scheme]
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown = host if port == _PORTS[parts.scheme] else f"{host}:{port}"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{request.method} {path} HTTP/1.1", f"host: {shown}"]
    lines += [f"{name}: {value}" for name, value in request.headers]
    head = "\r\n".join(lines)
    if any(ord(character) < 32 for line in lines for character in line) or " " in path:
        raise ValueError("a provider's address or header holds a control character")
    return Address(parts.hostname, port, parts.scheme == "https"), head.encode("latin-1") + b"\r\ncontent-length: "
