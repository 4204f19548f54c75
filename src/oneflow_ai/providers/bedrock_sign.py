"""Signature Version 4 of Amazon Web Services: a request's headers, signed with a key pair at a moment that is given.

The steps are those of docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, checked
2026-11-26. Everything but a signature's moment is known when a request is built, so the clock stays outside.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
_PORTS = {"http": 80, "https": 443}
_UNRESERVED = "-_.~"
_ID = re.compile(r"[A-Za-z0-9_]{4,128}")
_LONE_ID = re.compile(r"(?:AKIA|ASIA)[A-Z0-9]{8,}")
_SECRET = re.compile(r"[!-9;-~]+")
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An access key, and the token of its session where it is a temporary one."""

    access_key_id: str
    secret: str = field(repr=False)
    session_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a signature is good for: one service in one region, on one day."""

    region: str
    service: str


def key_pair(text: str) -> KeyPair | None:
    """The key pair in `ACCESS_KEY_ID:SECRET[:SESSION_TOKEN]`; None for a key of one piece, which is sent as it is."""
    return KeyPair(*text.split(":")) if ":" in text and not key_mistake(text) else None


def key_mistake(text: str) -> str:
    """What is wrong with a key, without a word of it; empty for one that can be sent or signed with."""
    first, *others = text.split(":")
    if not others and _LONE_ID.fullmatch(text):
        return "is an access key's id alone: write ACCESS_KEY_ID:SECRET_ACCESS_KEY"
    if not others and _SECRET.fullmatch(text):
        return ""
    if len(others) in (1, 2) and _ID.fullmatch(first) and all(map(_SECRET.fullmatch, others)):
        return ""
    return "is neither an API key nor ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN], without spaces"


@dataclass(frozen=True, slots=True)
class Signer:
    """One request that can be signed at any moment. `headers` go with it, signed or not; `signed` names which are."""

    method: str
    url: str
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    keys: KeyPair
    scope: Scope
    signed: frozenset[str] = frozenset()

    def __call__(self, at: datetime) -> Headers:
        """The headers as they are to be sent at this moment (aware, UTC), the signature among them."""
        moment = at.strftime("%Y%m%dT%H%M%SZ")
        added = [("x-amz-date", moment)]
        if self.keys.session_token:
            added.append(("x-amz-security-token", self.keys.session_token))
        known = [(name.lower(), value) for name, value in self.headers if name.lower() in self.signed]
        canonical = sorted([*known, ("host", host_of(self.url)), *added])
        names = ";".join(name for name, _ in canonical)
        day = f"{moment[:8]}/{self.scope.region}/{self.scope.service}/aws4_request"
        digest = hashlib.sha256(self._canonical(canonical, names).encode()).hexdigest()
        key = signing_key(self.keys.secret, moment[:8], self.scope)
        signature = hmac.new(key, "\n".join((ALGORITHM, moment, day, digest)).encode(), hashlib.sha256).hexdigest()
        credential = f"{ALGORITHM} Credential={self.keys.access_key_id}/{day}"
        told = f"{credential}, SignedHeaders={names}, Signature={signature}"
        return (*self.headers, *added, ("authorization", told))

    def _canonical(self, headers: list[tuple[str, str]], names: str) -> str:
        parts = urlsplit(self.url)
        pairs = sorted((_encoded(name), _encoded(value)) for name, value in parse_qsl(parts.query, True))
        lines = [f"{name}:{' '.join(value.split())}" for name, value in headers]
        # Each segment of the path is encoded once more than it is sent: so for every service but S3.
        path = quote(parts.path or "/", safe="/" + _UNRESERVED)
        query = "&".join(f"{name}={value}" for name, value in pairs)
        content = hashlib.sha256(self.body).hexdigest()
        return "\n".join((self.method, path, query, *lines, "", names, content))


def signing_key(secret: str, day: str, scope: Scope) -> bytes:
    """The key for one day (`20150830`), region and service."""
    key = f"AWS4{secret}".encode()
    for part in (day, scope.region, scope.service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def host_of(url: str) -> str:
    """What the Host header of a request for this address says."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, _PORTS.get(parts.scheme)) else f"{host}:{parts.port}"


def _encoded(text: str) -> str:
    return quote(text, safe=_UNRESERVED)
