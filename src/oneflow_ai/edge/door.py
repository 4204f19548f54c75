"""Who may come in: the Host a request names, and the account its key belongs to. Nothing here reads a path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from oneflow_ai.core.call import Account
from oneflow_ai.core.failure import (
    AMBIGUOUS_CREDENTIALS,
    FORBIDDEN_ORIGIN,
    INVALID_API_KEY,
    INVALID_HOST,
    MISSING_API_KEY,
    Failure,
)
from oneflow_ai.core.target import Snapshot
from oneflow_ai.stores.key_format import PREFIX

KEY_BYTES_MOST = 8 << 10
# Host headers found to be ours, as they were written.
HOSTS_REMEMBERED = 64
ANONYMOUS = Account("anonymous", "anonymous")
_KEY_VALUE = b"=" + PREFIX.encode()
_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host")
_LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")


class Door:
    """Finds the account of a request.

    `digest` turns a key into what the snapshot knows it by. `keys_needed` is False for `auth = "none"`. `hosts` are the
    names a request may be sent to, None for any.
    """

    def __init__(self, digest: Callable[[bytes], bytes], *, keys_needed: bool, hosts: Iterable[str] | None) -> None:
        self._digest = digest
        self._keys_needed = keys_needed
        self._hosts = None if hosts is None else frozenset(name.lower().encode() for name in hosts)
        self._known: set[bytes] = set()

    def account(self, headers: Mapping[bytes, bytes], snapshot: Snapshot, query: bytes = b"") -> Account:
        """The account whose key the request carries; raises `Failure` as `entry` does."""
        return self.entry(headers, snapshot, query)[1]

    def entry(
        self, headers: Mapping[bytes, bytes], snapshot: Snapshot, query: bytes = b""
    ) -> tuple[bytes | None, Account]:
        """What the snapshot knows the request's key by, None where none is needed, and its account.

        Raises `Failure` (401, or 400 for two keys that differ). A key in the `query` or in a cookie is not taken:
        addresses end up in logs, and browsers send cookies unasked.
        """
        self.check_host(headers)
        if not self._keys_needed:
            self._check_local(headers)
            return None, ANONYMOUS
        key = _key(headers)
        if key is None:
            if _KEY_VALUE in query or _KEY_VALUE in headers.get(b"cookie", b""):
                raise Failure(INVALID_API_KEY, "send the API key as Authorization: Bearer KEY, nowhere else")
            raise Failure(MISSING_API_KEY, "no API key: send Authorization: Bearer KEY")
        digest = self._digest(key) if len(key) <= KEY_BYTES_MOST else b""
        account = snapshot.keys.get(digest)
        if account is None:
            raise Failure(INVALID_API_KEY, "the API key is not valid")
        return digest, account

    def check_host(self, headers: Mapping[bytes, bytes]) -> None:
        """Refuse a request for a host that is not ours: a web page that points its own name at this machine."""
        if self._hosts is None:
            return
        named = headers.get(b"host", b"")
        if named in self._known:
            return
        host = named.lower()
        name, colon, port = host.rpartition(b":")
        if host not in self._hosts and not (colon and port.isdigit() and name in self._hosts):
            raise Failure(INVALID_HOST, "this host name is not served here; list it in server.hosts")
        if len(self._known) < HOSTS_REMEMBERED:
            self._known.add(named)

    def _check_local(self, headers: Mapping[bytes, bytes]) -> None:
        if any(name in headers for name in _FORWARDED):
            raise Failure(FORBIDDEN_ORIGIN, "without keys, forwarded requests are refused", status=403)
        origin = headers.get(b"origin")
        if origin is not None and origin.partition(b"://")[2].lower() != headers.get(b"host", b"").lower():
            raise Failure(FORBIDDEN_ORIGIN, "without keys, requests of other origins are refused", status=403)


def loopback_hosts(further: Iterable[str]) -> tuple[str, ...]:
    """The Host names that are served on loopback: its own, and those listed in the configuration."""
    return (*_LOOPBACK_HOSTS, *further)


def _key(headers: Mapping[bytes, bytes]) -> bytes | None:
    found: bytes | None = None
    bearer = headers.get(b"authorization")
    if bearer is not None:
        scheme, _, found = bearer.partition(b" ")
        if scheme.lower() != b"bearer":
            raise Failure(INVALID_API_KEY, "send the API key as Authorization: Bearer KEY")
        found = found.strip()
    for name in (b"x-api-key", b"xi-api-key", b"x-goog-api-key"):
        other = headers.get(name)
        if other is not None:
            if found is not None and found != other:
                raise Failure(AMBIGUOUS_CREDENTIALS, "the request carries two keys that differ")
            found = other
    return found
