"""Whose a response is that a provider keeps for later: its id bears a mark that is good with one API key alone.

All keys of the gateway share the provider's account, so that the provider itself would go on with anyone's response.
"""

from __future__ import annotations

import hmac
from typing import Any

from oneflow_ai.core.call import Call
from oneflow_ai.core.failure import NOT_FOUND, UNSUPPORTED_PARAMETER, Failure

PREVIOUS = "previous_response_id"
_MARK_BYTES = 16
_MARK_CHARACTERS = 2 * _MARK_BYTES
_PURPOSE = b"response "
# What every event that tells of the whole response holds; within a text of the answer its quotes would be escaped.
_TELLS = (b'"response":', b'"response" :')


def marked(name: str, owner: bytes) -> str:
    """A provider's id of a response as its owner is told it; as it is where there is but one owner (`owner` empty)."""
    return f"{name}_{_mark(name, owner)}" if owner and name else name


def owned(body: dict[str, Any], owner: bytes) -> dict[str, Any]:
    """The request with the provider's own id of the response that it goes on with; raises `Failure` for another's."""
    if not owner:
        return body
    if body.get("conversation"):
        words = "a conversation kept by the provider is open to every key; send previous_response_id or all the items"
        raise Failure(UNSUPPORTED_PARAMETER, words, param="conversation")
    told = body.get(PREVIOUS)
    if not told:
        return body
    name, mark = told[: -_MARK_CHARACTERS - 1], told[-_MARK_CHARACTERS:]
    # Compared as bytes: a text that is not ASCII is no mark, and no fault of ours.
    if not name or not hmac.compare_digest(f"{name}_{_mark(name, owner)}".encode(), f"{name}_{mark}".encode()):
        raise Failure(NOT_FOUND, "there is no response with this id that was made with this API key", param=PREVIOUS)
    return {**body, PREVIOUS: name}


class Marks:
    """Writes marked ids into what a provider told of one response, and of the one before it."""

    __slots__ = ("_names", "_owner")

    def __init__(self, call: Call) -> None:
        self._owner = call.owner
        self._names: dict[bytes, bytes] = {}
        self.know(call.body.get(PREVIOUS))

    def know(self, name: object) -> None:
        """Such an id; what is no text is none."""
        if self._owner and type(name) is str:
            self._names[_quoted(name)] = _quoted(marked(name, self._owner))

    def write(self, content: bytes) -> bytes:
        """The bytes with these ids marked; one that JSON escapes stays as it is, and is good for nothing."""
        for name, told in self._names.items():
            content = content.replace(name, told)
        return content

    def told(self, response: dict[str, Any]) -> dict[str, Any]:
        """A response object with its ids marked."""
        ids = {field: response[field] for field in ("id", PREVIOUS) if type(response.get(field)) is str}
        return {**response, **{field: marked(name, self._owner) for field, name in ids.items()}}


def tells(content: bytes) -> bool:
    """Whether these bytes of a stream may tell a response's id."""
    return any(sign in content for sign in _TELLS)


def _quoted(name: str) -> bytes:
    return b'"%b"' % name.encode(errors="replace")


def _mark(name: str, owner: bytes) -> str:
    return hmac.digest(owner, _PURPOSE + name.encode(errors="replace"), "sha256")[:_MARK_BYTES].hex()
