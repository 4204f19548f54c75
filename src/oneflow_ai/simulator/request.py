"""One request as it reached the simulator."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import orjson

from oneflow_ai.simulator.form import Form

DEPTH_MOST = 254
"""How deep JSON may be nested that is to be written again."""

_UNREAD: Any = object()
_KEY_HEADERS = (b"authorization", b"api-key", b"x-api-key", b"xi-api-key", b"x-goog-api-key")
SECRET_HEADERS = frozenset((*_KEY_HEADERS, b"proxy-authorization", b"cookie"))
"""The headers whose values are kept apart, so that no record holds them."""

HIDDEN = b"(hidden)"
"""What stands for such a value among the headers."""


class Request:
    """A request with its body. Header names are lower case; `arrived_seconds` is monotonic, at the end of the head.

    `fields` are the headers by name (the last, when one came twice). `credential` is the key of the headers, `key` that
    or else the one in the query, which some wires take. A form of several parts has a `form` and no `body`;
    `body_bytes` is how large either was.
    """

    __slots__ = (
        "_document",
        "arrived_seconds",
        "body",
        "body_bytes",
        "credential",
        "credential_hash",
        "fields",
        "form",
        "headers",
        "keep_alive",
        "key",
        "method",
        "path",
        "query",
        "version",
    )

    def __init__(
        self,
        method: str,
        target: str,
        headers: list[tuple[bytes, bytes]],
        secrets: Mapping[bytes, bytes] | None = None,
        arrived_seconds: float = 0.0,
    ) -> None:
        self.method = method
        self.path, _, self.query = target.partition("?")
        self.headers = headers
        self.fields = dict(headers)
        self.arrived_seconds = arrived_seconds
        self.version = "1.1"
        self.keep_alive = True
        self.body = b""
        self.body_bytes = 0
        self.form: Form | None = None
        self.credential = _credential(secrets) if secrets else ""
        self.key = self.credential or _key_in(self.query)
        self.credential_hash = short_hash(self.key)
        self._document: Any = _UNREAD

    def header(self, name: bytes) -> str:
        """The value of a header; empty when it is missing."""
        return self.fields.get(name, b"").decode("latin-1")

    @property
    def document(self) -> Any:
        """The decoded JSON body, or a form's texts; None when it is neither, or too deep to be written again."""
        if self.form is not None:
            return self.form.document if self.form.whole else None
        if self._document is _UNREAD:
            try:
                self._document = orjson.loads(self.body)
                if self.body.count(b"[") + self.body.count(b"{") > DEPTH_MOST:
                    orjson.dumps(self._document)
            except (orjson.JSONDecodeError, orjson.JSONEncodeError):
                self._document = None
        return self._document


def short_hash(secret: str) -> str:
    """What the record may know of a credential: 12 hexadecimal digits; empty for none."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()[:12] if secret else ""


def _credential(secrets: Mapping[bytes, bytes]) -> str:
    """The key the client sent, in whichever header; empty when there is none."""
    for name in _KEY_HEADERS:
        if value := secrets.get(name):
            scheme, _, rest = value.partition(b" ")
            return (rest.strip() if scheme.lower() == b"bearer" else value).decode("latin-1")
    return ""


def _key_in(query: str) -> str:
    """The key in a query; empty when there is none."""
    return parse_qs(query).get("key", [""])[-1] if "key=" in query else ""
