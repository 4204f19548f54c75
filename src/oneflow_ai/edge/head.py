"""What a request's head may be, beyond what llhttp calls HTTP: its size, version, method, host and address. Pure."""

from __future__ import annotations

import re
from collections import Counter

from oneflow_ai.core.failure import (
    AMBIGUOUS_CREDENTIALS,
    EXPECTATION_FAILED,
    HEADERS_TOO_LARGE,
    HTTP_VERSION_NOT_SUPPORTED,
    INVALID_HOST,
    MALFORMED_REQUEST,
    METHOD_NOT_ALLOWED,
    URI_TOO_LONG,
    Failure,
)
from oneflow_ai.edge.asgi import Headers

HEAD_BYTES_MOST = 64 << 10
HEADERS_MOST = 100
URL_BYTES_MOST = 8 << 10
CREDENTIAL_BYTES_MOST = 8 << 10
CONTINUE = b"100-continue"
_CREDENTIALS = (b"authorization", b"x-api-key", b"xi-api-key", b"x-goog-api-key")
# Fields that mean one thing: said twice, two readers might each believe another.
_SINGLE = (b"content-type", b"content-encoding", b"content-length", b"transfer-encoding", b"expect", b"origin")
_METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})
# RFC 9110 §7.2: a name, an address in brackets, and a port; nothing of a path, a query or a user (2026-11-25).
_HOST = re.compile(rb"(?:[A-Za-z0-9._~%-]+|\[[0-9A-Fa-f:.%]+\])(?::[0-9]{0,5})?")
_ABSOLUTE = re.compile(rb"https?://([^/?#]*)(/[^#]*)?", re.IGNORECASE)


def too_large() -> Failure:
    """What is wrong with a head of more than `HEADERS_MOST` headers or `HEAD_BYTES_MOST` bytes."""
    words = f"the request has more than {HEADERS_MOST} headers, or a head of more than {HEAD_BYTES_MOST} bytes"
    return Failure(HEADERS_TOO_LARGE, words)


def too_long() -> Failure:
    """What is wrong with an address of more than `URL_BYTES_MOST`."""
    return Failure(URI_TOO_LONG, f"the address is longer than {URL_BYTES_MOST} bytes")


def other_version() -> Failure:
    """What is wrong with a request in another version of HTTP."""
    return Failure(HTTP_VERSION_NOT_SUPPORTED, "this server speaks HTTP/1.1")


class RequestHead:
    """A request's head: method, path and query as they were sent, all headers in order, and each of them once.

    `length_bytes` is its body's length, 0 where none is told; `keep` says that the connection may carry another.
    `failure` is what refuses the request without a doubt about where the next one begins. `known` is for whoever serves
    the request, to keep what the head says: the next request on this connection may have the same head.
    """

    __slots__ = ("all_headers", "failure", "headers", "keep", "known", "length_bytes", "method", "path", "query")

    def __init__(
        self, method: bytes, path: bytes, query: bytes, all_headers: Headers, headers: dict[bytes, bytes]
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.all_headers = all_headers
        self.headers = headers
        self.length_bytes = int(headers.get(b"content-length") or 0)
        self.keep = True
        self.failure: Failure | None = None
        self.known: object = None


NO_HEAD = RequestHead(b"", b"", b"", [], {})
"""That of what is no request."""


def read(method: bytes, version: str, url: bytes, headers: Headers) -> RequestHead:
    """A head that is for us; raises `Failure` for one that is HTTP, but not ours to serve."""
    if version != "1.1":
        raise other_version()
    if method not in _METHODS:
        raise Failure(METHOD_NOT_ALLOWED, "this method is not served")
    found = dict(headers)
    ambiguous = _repeated(headers, found) if len(found) != len(headers) else None
    host = found.get(b"host")
    if host is None or not _HOST.fullmatch(host):
        raise Failure(INVALID_HOST, "the request names no host, or not as a name and a port")
    if b"transfer-encoding" in found and found[b"transfer-encoding"].lower() != b"chunked":
        raise Failure(MALFORMED_REQUEST, "the only transfer coding that is read is chunked")
    if b"expect" in found and found[b"expect"].lower() != CONTINUE:
        raise Failure(EXPECTATION_FAILED, "the only expectation that is met is 100-continue")
    for name in _CREDENTIALS:
        if name in found and len(found[name]) > CREDENTIAL_BYTES_MOST:
            raise Failure(HEADERS_TOO_LARGE, f"a credential has at most {CREDENTIAL_BYTES_MOST} bytes")
    path, query = path_and_query(url, host)
    head = RequestHead(method, path, query, headers, found)
    head.failure = ambiguous
    return head


def path_and_query(url: bytes, host: bytes) -> tuple[bytes, bytes]:
    """The path and the query of a request's address, as they were sent; raises `Failure`."""
    if url[:1] != b"/":
        url = _relative(url, host)
    if b"#" in url:
        raise Failure(MALFORMED_REQUEST, "an address holds no fragment")
    path, _, query = url.partition(b"?")
    return path, query


def _relative(url: bytes, host: bytes) -> bytes:
    if url == b"*":
        return b"/*"
    absolute = _ABSOLUTE.fullmatch(url)
    if absolute is None:
        raise Failure(MALFORMED_REQUEST, "the request's address is no path")
    if absolute[1].lower() != host.lower():
        raise Failure(INVALID_HOST, "the address and the Host header name different hosts")
    path: bytes = absolute[2] or b"/"
    return path if path[:1] == b"/" else b"/" + path


def _repeated(headers: Headers, found: dict[bytes, bytes]) -> Failure | None:
    """What is wrong with headers that stand there twice; two ids of a request are none."""
    counts = Counter(name for name, _ in headers)
    if counts[b"host"] > 1:
        raise Failure(INVALID_HOST, "the request names two hosts")
    if counts[b"x-request-id"] > 1:
        del found[b"x-request-id"]
    for name in _SINGLE:
        if counts[name] > 1:
            raise Failure(MALFORMED_REQUEST, f"the header {name.decode()} stands there twice")
    for name in _CREDENTIALS:
        if counts[name] > 1 and len({value for key, value in headers if key == name}) > 1:
            return Failure(AMBIGUOUS_CREDENTIALS, "the request carries two keys that differ")
    return None
