"""A request's scope: what an ASGI application is told of it."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from oneflow_ai.edge.head import RequestHead

_VERSION = {"version": "3.0", "spec_version": "2.3"}


def scope_of(head: RequestHead, client: tuple[str, int] | None, server: tuple[str, int] | None) -> dict[str, Any]:
    """The scope of a request with this head, between these two addresses."""
    text = head.path.decode("latin-1")
    return {
        "type": "http",
        "asgi": _VERSION,
        "http_version": "1.1",
        "method": head.method.decode("latin-1"),
        "scheme": "http",
        "path": unquote(text) if "%" in text else text,
        "raw_path": head.path,
        "query_string": head.query,
        "root_path": "",
        "headers": head.all_headers,
        "client": client,
        "server": server,
    }


def address_of(found: Any) -> tuple[str, int] | None:
    """Host and port of what a socket calls its address; None where it has none."""
    return (str(found[0]), int(found[1])) if isinstance(found, tuple) and len(found) >= 2 else None
