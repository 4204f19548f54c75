"""Seals: what the simulated providers put on reasoning, and know again when it is given back unchanged."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

# Not secret: it tells what this simulator made from what somebody else did, in any process and at any time.
_KEY = b"oneflow simulator"
_PROOF_BYTES = 32


def seal(wire: str, content: str) -> str:
    """A seal on a content, for one wire: base64, the content readable by nobody but `unseal`."""
    hidden = _hidden(content.encode("utf-8", "surrogatepass"))
    return base64.b64encode(_proof(wire, hidden) + hidden).decode("ascii")


def unseal(wire: str, sealed: str) -> str | None:
    """The content that this wire sealed; None where it did not."""
    try:
        raw = base64.b64decode(sealed, validate=True)
    except (binascii.Error, ValueError):
        return None
    proof, hidden = raw[:_PROOF_BYTES], raw[_PROOF_BYTES:]
    if not hmac.compare_digest(proof, _proof(wire, hidden)):
        return None
    return _hidden(hidden).decode("utf-8", "surrogatepass")


def _proof(wire: str, hidden: bytes) -> bytes:
    return hmac.digest(_KEY, wire.encode() + b"\0" + hidden, "sha256")


def _hidden(content: bytes) -> bytes:
    """The content turned into noise, and noise into content."""
    noise = hashlib.shake_256(_KEY).digest(len(content))
    return bytes([one ^ other for one, other in zip(content, noise, strict=True)])
