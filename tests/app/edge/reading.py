"""How many requests some bytes are, read to the letter of RFC 9112 and of our own bounds: what a server may serve.

Written for few lines, not for speed, and apart from any parser that a server uses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.app.edge.front import BODY_BYTES_MOST
from tests.app.gateway import KEY

HEADERS_MOST = 100
TARGET_BYTES_MOST = 8 << 10
METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS")
_CALLS = (b"/v1/chat/completions", b"/v1/completions")
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# RFC 9112 §3: a server may take several spaces for one, and llhttp does.
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") +([!-~]+) +HTTP/1\.1")
_HEADER = re.compile(rb"(" + _TOKEN + rb"):[ \t]*((?:[!-~\x80-\xff][\t -~\x80-\xff]*)?)")
_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")
_OUR_HOST = re.compile(rb"(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]*)?", re.IGNORECASE)
_AUTHORITY = re.compile(rb"http://([^/?#]*)(.*)", re.IGNORECASE)
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[\t -~\x80-\xff]*)?\r\n")

# The first half of what HTTP/2 begins with (RFC 9113 §3.4): until the rest is there, a server may wait for it.
PREFACE_BEGUN = b"PRI * HTTP/2.0\r\n\r\n"

OPEN, INCOMPLETE, MALFORMED, CLOSING = "open", "incomplete", "malformed", "closing"


@dataclass(frozen=True, slots=True)
class Reading:
    """The requests that are whole and well formed, how many of them are calls, and how the bytes end.

    `open`: with the last request; `incomplete`: inside one; `malformed`: with what is none; `closing`: with a request
    after which the connection is to be closed, whatever follows.
    """

    requests: int
    calls: int
    end: str


@dataclass(frozen=True, slots=True)
class _Head:
    call: bool
    closing: bool
    chunked: bool
    body_bytes: int


def read(content: bytes) -> Reading:
    """Read the bytes of one connection."""
    requests = calls = at = 0
    while True:
        if at == len(content):
            return Reading(requests, calls, OPEN)
        at += len(content[at:]) - len(content[at:].lstrip(b"\r\n"))
        end = content.find(b"\r\n\r\n", at)
        if end < 0:
            return Reading(requests, calls, INCOMPLETE)
        if content[at:] == PREFACE_BEGUN:
            return Reading(requests, calls, INCOMPLETE)
        head = _head(content[at:end])
        if head is None:
            return Reading(requests, calls, MALFORMED)
        after = _after_body(content, end + 4, head)
        if isinstance(after, str):
            return Reading(requests, calls, after)
        requests, calls, at = requests + 1, calls + head.call, after
        if head.closing:
            return Reading(requests, calls, CLOSING)


def _head(head: bytes) -> _Head | None:
    first, *lines = head.split(b"\r\n")
    request, headers = _REQUEST_LINE.fullmatch(first), [_HEADER.fullmatch(line) for line in lines]
    if request is None or None in headers or len(headers) > HEADERS_MOST:
        return None
    fields = [(found[1].lower(), found[2].rstrip(b" \t")) for found in headers if found is not None]
    hosts, lengths = _all(fields, b"host"), _all(fields, b"content-length")
    codings = _all(fields, b"transfer-encoding")
    path = _path(request[2], hosts)
    if path is None or request[1] not in METHODS or len(request[2]) > TARGET_BYTES_MOST:
        return None
    if not _framed(lengths, codings):
        return None
    body_bytes = int(lengths[0]) if lengths else 0
    if body_bytes > BODY_BYTES_MOST:
        return None
    ours = _OUR_HOST.fullmatch(hosts[0]) is not None and KEY.encode() in head
    call = ours and request[1] == b"POST" and path.partition(b"?")[0] in _CALLS
    options = b",".join(_all(fields, b"connection")).lower().split(b",")
    return _Head(call, b"close" in [option.strip(b" \t") for option in options], bool(codings), body_bytes)


def _all(fields: list[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [value for known, value in fields if known == name]


def _path(target: bytes, hosts: list[bytes]) -> bytes | None:
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
        return None
    absolute = _AUTHORITY.fullmatch(target)
    if absolute is not None:
        return absolute[2] if absolute[1].lower() == hosts[0].lower() else None
    return target if target[:1] in (b"/", b"*") else None


def _framed(lengths: list[bytes], codings: list[bytes]) -> bool:
    if lengths and codings:
        return False
    if codings:
        return [coding.lower() for coding in codings] == [b"chunked"]
    return not lengths or (len(lengths) == 1 and re.fullmatch(rb"[0-9]{1,18}", lengths[0]) is not None)


def _after_body(content: bytes, at: int, head: _Head) -> int | str:
    """Where the body ends, or `incomplete` or `malformed`."""
    if not head.chunked:
        return at + head.body_bytes if at + head.body_bytes <= len(content) else INCOMPLETE
    start = at
    while (size := _SIZE.match(content, at)) is not None:
        number = int(size[1], 16)
        if number == 0:
            return _after_trailers(content, size.end())
        at = size.end() + number
        if at - start > BODY_BYTES_MOST or len(content) < at + 2:
            return INCOMPLETE
        if content[at : at + 2] != b"\r\n":
            return MALFORMED
        at += 2
    return MALFORMED if b"\n" in content[at:] else INCOMPLETE


def _after_trailers(content: bytes, at: int) -> int | str:
    while (end := content.find(b"\r\n", at)) >= 0:
        if end == at:
            return at + 2
        if _HEADER.fullmatch(content[at:end]) is None:
            return MALFORMED
        at = end + 2
    return INCOMPLETE
