"""Anthropic's wire: messages, the counting of their tokens, models; credentials, versions, limits and errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from oneflow_ai.simulator.answer import Answer, Headers
from oneflow_ai.simulator.fields import MISSING, TYPE, UNKNOWN, VALUE, Wrong, dotted, record
from oneflow_ai.simulator.limits import CONCURRENCY, REQUESTS, TOKENS, TOO_LARGE, LimitState, Refusal
from oneflow_ai.simulator.reply import reply
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.seals import seal
from oneflow_ai.simulator.wires import anthropic_models, anthropic_odd
from oneflow_ai.simulator.wires.anthropic_answer import PING, Message, message, streamed, whole
from oneflow_ai.simulator.wires.anthropic_fields import BETA_FIELDS, COUNT_FIELDS, FIELDS, SAMPLING
from oneflow_ai.simulator.wires.anthropic_models import MODELS
from oneflow_ai.simulator.wires.anthropic_reading import count, question, shows_thoughts, spend
from oneflow_ai.simulator.wires.anthropic_rules import VERSION_FIRST, VERSION_LATEST, WIRE, Refused, check
from oneflow_ai.simulator.wires.events import Editable, Places
from oneflow_ai.simulator.wires.wire import BAD_KEY, Problem, Surroundings

VERSION_HEADER = b"anthropic-version"
# Words of the vendor's documentation that make any model refuse, or hide what it thought (2026-11-26).
REFUSES = "ANTHROPIC_MAGIC_STRING_TRIGGER_REFUSAL"
HIDES_THOUGHTS = "ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING"
_RETRIED = (408, 409, 429)
_MESSAGES = ("/messages", "/messages/count_tokens")

# By status: the type and the message; the official client's list of 2026-11-20.
_PROBLEMS: Mapping[int, tuple[str, str]] = {
    400: ("invalid_request_error", "Invalid request."),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "Your credit balance is too low to access the Anthropic API."),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "Not found"),
    405: ("invalid_request_error", "Method Not Allowed"),
    408: ("timeout_error", "Request timed out"),
    409: ("conflict_error", "Conflict"),
    413: ("request_too_large", "Request exceeds the maximum size"),
    422: ("invalid_request_error", "Unprocessable request."),
    429: ("rate_limit_error", "Number of requests has exceeded your per-minute rate limit."),
    500: ("api_error", "Internal server error"),
    503: ("api_error", "Service unavailable"),
    504: ("timeout_error", "Request timed out"),
    529: ("overloaded_error", "Overloaded"),
}
# What other wires tell by a code: the status is kept, the rest is said in this wire's words.
_MONEY = ("You have reached your API usage limits.", {"error_code": "enforced_spend_limit_reached"})
_BY_CODE: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "insufficient_quota": _MONEY,
    "project_spend_limit_exceeded": _MONEY,
    "slow_down": ("Usage is growing too fast.", {"error_code": "ramp_limit_exceeded"}),
    "context_length_exceeded": ("prompt is too long: 208000 tokens > 200000 maximum", {}),
}
_REFUSALS: Mapping[str, str] = {
    REQUESTS: "This request would exceed your organization's rate limit of {limit} requests per minute.",
    TOKENS: "This request would exceed your organization's rate limit of {limit} tokens per minute.",
    TOO_LARGE: "This request of {asked} tokens would exceed your rate limit of {limit} tokens per minute.",
    CONCURRENCY: "Number of concurrent connections has exceeded your rate limit of {limit}.",
}
_WRONG: Mapping[str, str] = {
    UNKNOWN: "{where}: Extra inputs are not permitted",
    MISSING: "{where}: Field required",
    TYPE: "{where}: Input should be a valid {expected}",
    VALUE: "{where}: Input should be {expected}",
}
_TYPES = {"object": "dictionary", "array": "list"}


class AnthropicWire(Editable):
    """`/messages`, `/messages/count_tokens` and, for a request that names a version, `/models`."""

    __slots__ = ()

    places = Places(inside="message")

    def claims(self, request: Request) -> bool:
        """Whether a path ends in one of the routes, or the request names a version of this wire."""
        return VERSION_HEADER in request.fields or request.path.endswith(_MESSAGES)

    def model(self, request: Request) -> str:
        """The body's `model`, else the id in the path."""
        document = request.document if request.body else None
        if isinstance(document, dict) and "model" in document:
            return str(document["model"])
        return _route(request.path)[1]

    def answer(self, request: Request, around: Surroundings) -> Answer:
        """The answer to a request, errors in it included."""
        if words := _credential_words(request.credential):
            return replace(self.failure(Problem(401, words), around), barred=True)
        route, name = _route(request.path)
        method, make = _ROUTES.get(route, ("", None))
        if make is None:
            return self.failure(Problem(404), around)
        if request.method != method:
            return self.failure(Problem(405), around)
        try:
            return make(request, name, _version(request), around)
        except LookupError as missing:
            return self.failure(Problem(404, str(missing.args[0])), around)
        except Wrong as wrong:
            return self.failure(Problem(400, _told(wrong)), around)
        except Refused as refused:
            return self.failure(Problem(400, str(refused)), around)

    def sample(self, model: str, stream: bool, around: Surroundings) -> Answer:
        """The answer to a question that nobody asked."""
        asked = {"role": "user", "content": "A question from somebody else"}
        return _messages({"model": model, "messages": [asked], "max_tokens": 1_024, "stream": stream}, "", around)

    def headers(self, around: Surroundings, processing_seconds: float, limits: LimitState | None) -> Headers:
        """The id, the organisation and, where there are limits, what is left of them and when all of it is again."""
        told = (
            ("request-id", _request_id(around)),
            ("anthropic-organization-id", "00000000-0000-4000-8000-000000000000"),
        )
        return told if limits is None else told + _limit_headers(limits, around.now_unix)

    def refusal(self, refusal: Refusal, around: Surroundings) -> Answer:
        """A 429 in Anthropic's words, with `retry-after` where waiting helps."""
        words = _REFUSALS[refusal.scope].format(limit=f"{refusal.limit:,}", asked=f"{refusal.requested:,}")
        seconds = refusal.retry_after_seconds
        waits = (("retry-after", str(max(-int(-seconds // 1), 1))),) if seconds else ()
        return self.failure(Problem(429, words, waits=waits), around)

    def failure(self, problem: Problem, around: Surroundings) -> Answer:
        """`{"type": "error", "error": {"type", "message", "details"?}, "request_id"}`, and whether to try again."""
        body = _error(problem) | {"request_id": _request_id(around)}
        again = problem.status in _RETRIED or problem.status >= 500
        told = (("x-should-retry", "true" if again and problem.code not in _BY_CODE else "false"), *problem.waits)
        return Answer(problem.status, orjson.dumps(body), headers=told)

    def stream_failure(self, problem: Problem, named: bool, sent: Sequence[bytes]) -> bytes:
        """The same as an event named `error`, as every event of this wire has a name."""
        return b"event: error\ndata: %b\n\n" % orjson.dumps(_error(problem))

    def stream_ping(self, sent: Sequence[bytes]) -> bytes:
        """A ping, which may come at any time."""
        return PING

    def odd(self, kind: str, model: str, stream: bool, around: Surroundings, count: int) -> Answer:
        """A well-formed answer of an unusual form."""
        return anthropic_odd.odd(kind, model, stream, around, count)


# ---- the routes


def _route(path: str) -> tuple[str, str]:
    """The route a path leads to, whatever stands before it, and the model it names."""
    for route in ("messages/count_tokens", "messages", "models"):
        if path.endswith(f"/{route}"):
            return route, ""
    _, models, name = path.partition("/models/")
    return ("models", name) if models and "/" not in name else ("", "")


def _count(request: Request, name: str, version: str, around: Surroundings) -> Answer:
    document = _document(request)
    document.pop("stream", None)
    _checked(document, request, version, around, counting=True)
    return Answer(body=orjson.dumps({"input_tokens": count(document)}))


def _answered(request: Request, name: str, version: str, around: Surroundings) -> Answer:
    document = _document(request)
    _checked(document, request, version, around)
    return _messages(document, request.credential_hash, around)


def _models(request: Request, name: str, version: str, around: Surroundings) -> Answer:
    if not name:
        return anthropic_models.listing(request.query, around)
    if not around.knows(name, MODELS):
        raise LookupError(f"model: {name}")
    return Answer(body=orjson.dumps(anthropic_models.model(name)))


_ROUTES: Mapping[str, tuple[str, Callable[[Request, str, str, Surroundings], Answer]]] = {
    "messages": ("POST", _answered),
    "messages/count_tokens": ("POST", _count),
    "models": ("GET", _models),
}


def _document(request: Request) -> dict[str, Any]:
    document = request.document
    if not isinstance(document, dict):
        raise Refused("The request body is not valid JSON.")
    return document


def _checked(
    document: dict[str, Any], request: Request, version: str, around: Surroundings, counting: bool = False
) -> None:
    fields = COUNT_FIELDS if counting else FIELDS
    if "beta=true" in request.query:
        fields = {**fields, **BETA_FIELDS}
    if version >= VERSION_LATEST:
        fields = {name: each for name, each in fields.items() if name not in SAMPLING}
    record(fields, ("model", "messages") if counting else ("model", "max_tokens", "messages"))(document, ())
    if not around.knows(document["model"], MODELS):
        raise LookupError(f"model: {document['model']}")
    check(document, version)


def _messages(document: dict[str, Any], owner: str, around: Surroundings) -> Answer:
    asked = question(document)
    said = reply(asked, around.say, around.answer_tokens)
    spent = spend(document, owner, around.memory, around.now_unix)
    made = message(document["model"], said, spent, shows_thoughts(document), around)
    if REFUSES in asked.prompt:
        made = made._replace(blocks=(), reason="refusal", output_tokens=1)
    elif HIDES_THOUGHTS in asked.prompt and said.thought:
        made = _hidden(made, said.thought)
    return streamed(made, around) if document.get("stream") else whole(made, around)


def _hidden(made: Message, thought: str) -> Message:
    """The same message, its thoughts readable by this wire only."""
    hidden = {"type": "redacted_thinking", "data": seal(WIRE, thought)}
    return made._replace(blocks=(hidden, *made.blocks[1:]))


# ---- versions, credentials, errors, limits


def _version(request: Request) -> str:
    version = request.header(VERSION_HEADER)
    if not version:
        raise Refused("anthropic-version: header is required")
    if version not in (VERSION_FIRST, VERSION_LATEST):
        raise Refused(f'anthropic-version: "{version}" is not a valid version')
    return version


def _credential_words(credential: str) -> str:
    """What is wrong with a credential; empty when nothing is."""
    if not credential:
        return "x-api-key header is required"
    return "invalid x-api-key" if credential.startswith(BAD_KEY) else ""


def _told(wrong: Wrong) -> str:
    return _WRONG[wrong.sort].format(where=dotted(wrong.path), expected=_TYPES.get(wrong.expected, wrong.expected))


def _error(problem: Problem) -> dict[str, Any]:
    status = problem.status
    kind, words = _PROBLEMS.get(status) or _PROBLEMS[500 if status >= 500 else 400]
    said, details = _BY_CODE.get(problem.code or "", (problem.message or words, {}))
    error: dict[str, Any] = {"type": kind, "message": said}
    return {"type": "error", "error": error | ({"details": dict(details)} if details else {})}


def _request_id(around: Surroundings) -> str:
    return f"req_01{around.unique[-22:]}"


def _limit_headers(limits: LimitState, now_unix: int) -> Headers:
    told: list[tuple[str, str]] = []
    tokens = (limits.limit_tokens, limits.remaining_tokens, limits.reset_tokens_seconds)
    for scope, (limit, remaining, reset) in (
        ("requests", (limits.limit_requests, limits.remaining_requests, limits.reset_requests_seconds)),
        ("tokens", tokens),
        ("input-tokens", tokens),
        ("output-tokens", tokens),
    ):
        if limit:
            again = datetime.fromtimestamp(now_unix, UTC) + timedelta(seconds=max(-int(-reset // 1), 0))
            at = again.strftime("%Y-%m-%dT%H:%M:%SZ")
            for name, value in (("limit", str(limit)), ("remaining", str(remaining)), ("reset", at)):
                told.append((f"anthropic-ratelimit-{scope}-{name}", value))
    return tuple(told)
