"""What all wires have in common: reading JSON that nobody vouches for, gathering a whole answer, telling a failure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.call import Call
from oneflow_ai.core.chain import CHAIN_FIELDS
from oneflow_ai.core.events import Blob, End, Event, Usage
from oneflow_ai.core.failure import UNSUPPORTED_OPERATION, UNSUPPORTED_PARAMETER, UPSTREAM_BAD_RESPONSE, Failure, Kind
from oneflow_ai.core.order import SpeechOrder
from oneflow_ai.core.prompt import Prompt
from oneflow_ai.core.target import Target
from oneflow_ai.providers.sse import mended

_FLOAT_MOST = 3.4028234663852886e38
MESSAGE_CHARACTERS_MOST = 2_000
_MODELS, _FALLBACKS = CHAIN_FIELDS
# A wait means something where another try at the same place may succeed.
WAITING_STATUSES = frozenset({429, 503, 529})
# What the statuses of errors mean on every wire; each wire's own differences stand beside its words for them.
_STATUSES: Mapping[int, Kind] = {
    401: kinds.PROVIDER_AUTH_FAILED,
    402: kinds.PROVIDER_QUOTA_EXHAUSTED,
    403: kinds.PROVIDER_AUTH_FAILED,
    408: kinds.UPSTREAM_ERROR,
    409: kinds.UPSTREAM_ERROR,
    429: kinds.UPSTREAM_RATE_LIMITED,
    503: kinds.UPSTREAM_OVERLOADED,
    # Overloaded for everybody, whatever one's own limits are.
    529: kinds.UPSTREAM_OVERLOADED,
}
_NO_STATUSES: Mapping[int, Kind] = {}
# What the clients' own libraries know a kind by, whoever says it.
_TOLD: Mapping[Kind, str] = {kinds.UPSTREAM_MODEL_NOT_FOUND: kinds.MODEL_NOT_FOUND.code}
_FIXED: Mapping[Kind, str] = {
    kinds.PROVIDER_AUTH_FAILED: "the provider refused the gateway's credential",
    kinds.PROVIDER_QUOTA_EXHAUSTED: "the gateway's account at the provider has no quota left",
}
NO_ACCESS = "the gateway's account at the provider may not use this model"
"""What is told of a model that the account lacks: the provider's own words name the account."""
# A run of what keys are written in; possessive, so that each character is looked at once.
_TOKEN = re.compile(r"[\w*-]{8,}+")
_KEY_PREFIX = re.compile(r"(?:sk|pk|rk|of|key|gsk|xai|org|proj|hf|r8|nvapi)[-_]", re.IGNORECASE)
_KEY_CHARACTERS_LEAST = 32
_PREFIXED_CHARACTERS_LEAST = 16
_BEARER = re.compile(r"\b(bearer) [^\s\"']{9,}", re.IGNORECASE)


def word(value: Any) -> str:
    """The value if it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def numbers_of(values: list[Any]) -> tuple[float, ...] | None:
    """A vector's numbers; None where one is none, or is too large for the 32 bits in which vectors are told."""
    if not all(type(value) in (int, float) and abs(value) <= _FLOAT_MOST for value in values):
        return None
    return tuple(map(float, values))


def loaded(data: bytes) -> Any:
    """The value of JSON; None for what is none."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def sound(data: bytes) -> Any:
    """The value of JSON, what is no Unicode or no finite number in it mended; None for what is none."""
    found = loaded(data)
    return mended(data)[1] if found is None else found


def encoded(value: Any, instead: str = "") -> str:
    """The JSON of a value; `instead` for what is nested deeper than the encoder goes."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return instead


def renamed(failure: Failure, prompt: Prompt) -> Failure:
    """A failure that names a field as the prompt does, with the client's own name of it."""
    return Failure(failure.kind, failure.message, param=failure.param and prompt.param(failure.param))


def arguments_of(text: str) -> dict[str, Any]:
    """A tool's arguments as an object; what is none, as a model may have written it, is kept as text."""
    found = loaded(text.encode()) if text else {}
    return found if isinstance(found, dict) else {"arguments": text}


def voice_of(order: SpeechOrder, target: Target) -> str:
    """The target's own name for a voice: by its table, else as it was asked for; its default where none was."""
    return target.voices.get(order.voice.casefold(), order.voice) or target.options.get("voice", "")


class WholeDecoder:
    """Decodes one whole answer; `read` makes events of its bytes and of their JSON. Nothing is given before its end."""

    __slots__ = ("_chunks", "_read")

    def __init__(self, read: Callable[[bytes, Any], list[Event]]) -> None:
        self._read = read
        self._chunks: list[bytes] = []

    def feed(self, chunk: bytes) -> list[Event]:
        """Keep the bytes until the end."""
        self._chunks.append(chunk)
        return []

    def close(self) -> list[Event]:
        """The whole answer as events, or the failure that its bytes stand for."""
        body = b"".join(self._chunks)
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError:
            body, found = mended(body)
        return self._read(body, found)


def told_type(headers: Mapping[str, str]) -> str:
    """The media type that an answer names, without its parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


class SoundDecoder:
    """Gives sound as it comes, as what it is told to be; `told` is what the provider says that it is."""

    __slots__ = ("_failure", "_heard", "_media_type", "_usage")

    def __init__(self, told: str, media_type: str, usage: Usage) -> None:
        self._media_type = media_type
        self._usage = usage
        self._heard = False
        wrong = told.startswith("text/") or told.endswith("json")
        self._failure = Failure(UPSTREAM_BAD_RESPONSE, f"the provider sent {told} instead of sound") if wrong else None

    @property
    def told(self) -> Usage | None:
        """What it takes, where its head tells."""
        return self._usage if self._failure is None and self._usage.source == "provider" else None

    def feed(self, chunk: bytes) -> list[Event]:
        """The sound of this chunk."""
        if self._failure is not None:
            return []
        self._heard = self._heard or bool(chunk)
        return [Blob(chunk, self._media_type)]

    def close(self) -> list[Event]:
        """The end. What was cut is the connection's to tell: sound has no mark of its own."""
        if self._failure is not None:
            return [End(failure=self._failure)]
        if not self._heard:
            return [End(failure=Failure(UPSTREAM_BAD_RESPONSE, "the provider sent no sound"))]
        return [self._usage, End()]


def own_body(call: Call, target: Target) -> dict[str, Any]:
    """The body of a call of the target's own wire: with its model, and without what is the gateway's alone."""
    body = {**call.body, "model": target.model}
    body.pop(_MODELS, None)
    body.pop(_FALLBACKS, None)
    return body


def asked_of(call: Call, target: Target) -> tuple[Prompt, tuple[str, ...]]:
    """What a call asks, with no more tokens than the target's model writes, and the client's names of what was cut.

    Clients whose wire wants a bound name the most that their own model writes. A model whose most is not known is asked
    for what the client asks. A budget of thought is a part of the bound, and stays below it.
    """
    prompt, most = call.prompt(), target.output_most_tokens
    if most is None or prompt.max_tokens is None or prompt.max_tokens <= most:
        return prompt, ()
    if (prompt.thinking_tokens or 0) < most:
        return replace(prompt, max_tokens=most), (prompt.param("max_tokens"),)
    cut = (prompt.param("max_tokens"), prompt.param("thinking_tokens"))
    return replace(prompt, max_tokens=most, thinking_tokens=most - 1), cut


def refuse_begun(prompt: Prompt, messages: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what would end with an assistant's turn, for a model that does not go on with one; raises `Failure`."""
    if messages[-1]["role"] == "assistant":
        words = "the target's model begins each answer itself: the last message is not an assistant's"
        raise Failure(UNSUPPORTED_PARAMETER, words, param=prompt.param("messages"))


def silent(prompt: Prompt) -> Failure:
    """What is told of a conversation that says nothing, for a wire that needs something said."""
    words = "the target's wire needs a message that says something"
    return Failure(UNSUPPORTED_PARAMETER, words, param=prompt.param("messages"))


def not_done(call: Call, target: Target) -> Failure:
    """What is told of a call that nothing on the target's wire answers."""
    words = f"{target.provider} does not do {call.operation.value.replace('_', ' ')}"
    return Failure(UNSUPPORTED_OPERATION, words, param="model")


def bad(words: str) -> list[Event]:
    """The end of an answer that is none."""
    return [End(failure=Failure(UPSTREAM_BAD_RESPONSE, words))]


def failure_from(
    kind: Kind,
    status: int,
    message: str,
    *,
    code: str | None = None,
    param: str | None = None,
    wait_seconds: float | None = None,
    should_retry: bool | None = None,
) -> Failure:
    """The failure of this kind, told in the provider's own `message` where that is of use to the client.

    Its `status` and `code` are passed on where the provider refuses the request itself.
    """
    rejected = kind is kinds.UPSTREAM_REJECTED
    return Failure(
        kind,
        _words(kind, status, message),
        param=param,
        status=status if rejected and 400 <= status < 500 else None,
        code=code if rejected else _TOLD.get(kind),
        retry_after_seconds=wait_seconds,
        should_retry=should_retry,
    )


def kind_of_no_error(status: int) -> Kind | None:
    """The kind of an answer that is neither the success it should be nor an error; None for an error's status."""
    if 300 <= status < 400 and status != 304:
        return kinds.UPSTREAM_REDIRECT_REFUSED
    return kinds.UPSTREAM_BAD_RESPONSE if status < 400 else None


def kind_of_status(status: int, own: Mapping[int, Kind] = _NO_STATUSES, *, usual: Kind | None = None) -> Kind:
    """The kind that an error's status stands for: by a wire's `own` table, by that of all, else the `usual` one."""
    rest = kinds.UPSTREAM_ERROR if status >= 500 else kinds.UPSTREAM_REJECTED
    return own.get(status) or _STATUSES.get(status) or usual or rest


def told_to_retry(headers: Mapping[str, str]) -> bool | None:
    """The provider's own word on whether to try again; None where it says nothing."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", ""))


def _words(kind: Kind, status: int, message: str) -> str:
    if kind is kinds.UPSTREAM_REDIRECT_REFUSED:
        return f"the provider answered with a redirect ({status}), which is never followed"
    told = _FIXED.get(kind) or scrubbed(message[:MESSAGE_CHARACTERS_MOST].strip())
    if told:
        return told
    return f"the provider answered with status {status}" if status else "the provider ended the answer with an error"


def scrubbed(text: str) -> str:
    """The text without what may be a key, or a masked one."""
    return _TOKEN.sub(_unless_key, _BEARER.sub(r"\1 ***", text))


def _unless_key(match: re.Match[str]) -> str:
    token = match.group()
    if "***" in token or len(token) >= _KEY_CHARACTERS_LEAST:
        return "***"
    prefixed = _KEY_PREFIX.match(token.lstrip("-_*")) is not None
    random = len(token) >= _PREFIXED_CHARACTERS_LEAST or any(map(str.isdigit, token))
    return "***" if prefixed and random else token
