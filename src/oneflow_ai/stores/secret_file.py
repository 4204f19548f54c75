"""The server's own secret: 32 bytes or more in a private file, from which the server's other secrets are derived."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from pathlib import Path

from oneflow_ai.stores import StoreRefused, private_file

SECRET_BYTES = 32
_HEX = re.compile(rb"[0-9a-fA-F]+")
_HASH_BYTES = 32
_DERIVED_BYTES_MOST = 255 * _HASH_BYTES


class ServerSecret:
    """The server's secret, which never prints; `derive` gives the keys that are made from it."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        if len(value) < SECRET_BYTES:
            raise ValueError(f"a server secret has {SECRET_BYTES} bytes or more")
        self._value = value

    def derive(self, purpose: str, length_bytes: int = 32) -> bytes:
        """A key for one purpose, by HKDF-SHA-256; another purpose's key tells nothing of it."""
        return hkdf_sha256(self._value, salt=b"", purpose=purpose.encode(), length_bytes=length_bytes)

    def __repr__(self) -> str:
        return "***"

    def __reduce__(self) -> str:
        raise TypeError("a ServerSecret is not serialised")


def load(path: Path) -> ServerSecret | None:
    """The secret in the file, or None when there is no such file.

    The file holds hexadecimal digits or the bytes themselves. Raises `StoreRefused` for a file that others can read or
    that holds fewer than 32 bytes.
    """
    try:
        content = private_file.read(path)
    except FileNotFoundError:
        return None
    return secret_of(content, str(path))


def secret_of(content: bytes, place: str) -> ServerSecret:
    """The secret that these bytes are, or that they are the hexadecimal digits of; raises `StoreRefused`."""
    value = bytes.fromhex(content.strip().decode()) if _is_hex(content.strip()) else content
    if len(value) < SECRET_BYTES:
        raise StoreRefused(
            f"{place} holds {len(value)} bytes, a server secret needs {SECRET_BYTES} or more: restore it from a "
            "backup, or write one with `openssl rand -hex 32` where no keys have been made yet"
        )
    return ServerSecret(value)


def _is_hex(content: bytes) -> bool:
    return len(content) % 2 == 0 and _HEX.fullmatch(content) is not None


def make(path: Path, entropy: Callable[[int], bytes]) -> ServerSecret:
    """Make the file with a new secret, or give the one that another process made at the same moment.

    Call it only where the database holds no keys yet. Raises `StoreRefused`.
    """
    try:
        private_file.make(path, entropy(SECRET_BYTES).hex().encode() + b"\n")
    except OSError as problem:
        raise StoreRefused(f"cannot write {path}: {problem.strerror}") from None
    made = load(path)
    if made is None:
        raise StoreRefused(f"{path} was removed as soon as it was made")
    return made


def load_or_make(path: Path, entropy: Callable[[int], bytes], *, needed: bool) -> ServerSecret:
    """The secret in the file, made first where there is none and none is `needed`.

    `needed` says that the database holds rows made with the secret: then a missing file is a loss that a new one would
    hide. Raises `StoreRefused`.
    """
    secret = load(path)
    if secret is not None:
        return secret
    if needed:
        raise StoreRefused(
            f"{path} is missing, and keys in the database were made with it: restore it from a backup, "
            "or set the database aside to begin anew"
        )
    return make(path, entropy)


def hkdf_sha256(secret: bytes, *, salt: bytes, purpose: bytes, length_bytes: int) -> bytes:
    """HKDF with SHA-256, RFC 5869 (checked 2026-11-24): extract with the salt, expand for the purpose.

    Written here because the `cryptography` package would cost 6 MB in every process. Raises `ValueError` for more than
    8,160 bytes.
    """
    if not 0 < length_bytes <= _DERIVED_BYTES_MOST:
        raise ValueError(f"HKDF-SHA-256 gives 1 to {_DERIVED_BYTES_MOST} bytes")
    extracted = hmac.digest(salt or bytes(_HASH_BYTES), secret, hashlib.sha256)
    block, blocks = b"", b""
    for number in range(1, -(-length_bytes // _HASH_BYTES) + 1):
        block = hmac.digest(extracted, block + purpose + bytes([number]), hashlib.sha256)
        blocks += block
    return blocks[:length_bytes]
