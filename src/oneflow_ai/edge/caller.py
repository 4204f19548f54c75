"""What the head of a call says, found out once for all calls with the same head: who asks, how, until when."""

from __future__ import annotations

import re
from collections.abc import Mapping

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.call import Operation
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.target import Snapshot
from oneflow_ai.dialects.envelope import TAGS_MOST
from oneflow_ai.dialects.table import FORMS, Dialect, Sent, spoken_at
from oneflow_ai.edge.asgi import Headers
from oneflow_ai.edge.door import Door
from oneflow_ai.edge.form import boundary_of
from oneflow_ai.edge.head import RequestHead

TAG_CHARACTERS_MOST = 64
FORWARDED_CHARACTERS_MOST = 1_024
_CLIENT_ID = re.compile(rb"[A-Za-z0-9_-]{1,64}")
_FORWARDED = re.compile(rb"[\x20-\x7e]*")
_JSON = b"application/json"
_JSON_ALONE = Sent()
# The last two are what the official clients say that they wait: those of OpenAI and Anthropic, and Google's.
_WAITS = ((b"x-oneflow-timeout-ms", 0.001), (b"x-stainless-read-timeout", 1.0), (b"x-server-timeout", 1.0))


class Caller:
    """Who asks at this address: the fields of an envelope that a head gives. `seconds`: how long he waits at most.

    `boundary` is that of the parts of a form, which `form` reads; None where the body is JSON. `owner` is what his key
    is known by, which nobody is told.
    """

    __slots__ = (
        "_digest", "_door", "account", "boundary", "client_id", "dialect", "form", "forwarded", "operation", "owner",
        "path", "query", "seconds", "tags",
    )  # fmt: skip

    def __init__(self, head: RequestHead, door: Door, snapshot: Snapshot) -> None:
        """Raises `Failure` for a head that no call can have."""
        if head.method != b"POST":
            raise Failure(kinds.METHOD_NOT_ALLOWED, "this address takes POST")
        headers = head.headers
        self._door = door
        self._digest, self.account = door.entry(headers, snapshot, head.query)
        # Without keys all who come in are one.
        self.owner = self._digest or b""
        sent = FORMS.get(head.path, _JSON_ALONE)
        self.form = sent.form
        self.boundary = _boundary(headers, sent)
        self.dialect: Dialect
        self.operation: Operation
        spoken = spoken_at(head.path)
        assert spoken is not None, "only addresses of calls come here"
        self.dialect, self.operation = spoken
        self.path, self.query = head.path, head.query
        self.forwarded = _forwarded(self.dialect.FORWARDED, head.all_headers) if self.dialect.FORWARDED else ()
        self.tags = _tags(headers)
        self.client_id = (client_id(headers) or b"").decode()
        self.seconds = _seconds(headers)

    def holds(self, door: Door, snapshot: Snapshot) -> bool:
        """Whether all this is still so: the key may have been revoked, or its limits changed."""
        if door is not self._door:
            return False
        return self._digest is None or snapshot.keys.get(self._digest) is self.account


def client_id(headers: Mapping[bytes, bytes]) -> bytes | None:
    """The id that the client gave its request, where it is a sound one."""
    text = headers.get(b"x-request-id")
    return text if text is not None and _CLIENT_ID.fullmatch(text) else None


def _boundary(headers: Mapping[bytes, bytes], sent: Sent) -> bytes | None:
    """The boundary of a form, where one may be sent; None for JSON. Raises `Failure` for any other content."""
    kind = headers.get(b"content-type", b"")
    boundary = boundary_of(kind) if sent.form is not None else None
    json = sent.json and (kind == _JSON or kind.partition(b";")[0].strip().lower() == _JSON)
    if boundary is None and not json:
        choices = ["application/json"] * sent.json + ["multipart/form-data"] * (sent.form is not None)
        raise Failure(kinds.UNSUPPORTED_MEDIA_TYPE, f"send the body as {' or '.join(choices)}")
    if b"content-encoding" in headers and headers[b"content-encoding"].lower() != b"identity":
        raise Failure(kinds.UNSUPPORTED_ENCODING, "send the body without a Content-Encoding")
    return boundary


def _forwarded(names: tuple[bytes, ...], headers: Headers) -> tuple[tuple[str, str], ...]:
    """What a client says to the provider behind us; a header that it repeats is one list, as HTTP has it."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in names:
            found[name] = found[name] + b"," + value if name in found else value
    for name, value in found.items():
        if len(value) > FORWARDED_CHARACTERS_MOST or not _FORWARDED.fullmatch(value):
            words = f"the header {name.decode()} has at most {FORWARDED_CHARACTERS_MOST} characters, all of them ASCII"
            raise Failure(kinds.INVALID_VALUE, words)
    return tuple((name.decode(), value.decode()) for name, value in found.items())


def _tags(headers: Mapping[bytes, bytes]) -> tuple[str, ...]:
    text = headers.get(b"x-oneflow-tags")
    if text is None:
        return ()
    found = [tag.strip()[:TAG_CHARACTERS_MOST] for tag in text.decode("ascii", "replace").split(",")]
    return tuple(tag for tag in found if tag)[:TAGS_MOST]


def _seconds(headers: Mapping[bytes, bytes]) -> float:
    seconds = float("inf")
    for name, unit in _WAITS:
        text = headers.get(name)
        if text is not None and len(text) <= 12 and text.replace(b".", b"", 1).isdigit():
            asked = float(text) * unit
            seconds = min(seconds, asked) if asked > 0 else seconds
    return seconds
