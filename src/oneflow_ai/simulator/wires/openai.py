"""OpenAI's wire: its paths, credentials, headers and errors, as recorded from api.openai.com (checked 2026-11-23)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from oneflow_ai.simulator.answer import DONE, USAGE, Answer, Headers, StreamEvent
from oneflow_ai.simulator.limits import CONCURRENCY, REQUESTS, TOKENS, TOO_LARGE, LimitState, Refusal, go_duration
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.wires import openai_chat, openai_completions, openai_odd
from oneflow_ai.simulator.wires.openai_shapes import BadRequest
from oneflow_ai.simulator.wires.wire import DROPPED, Problem, Surroundings, UsageChange

# Ids of developers.openai.com/api/docs/models and the official client's list, checked 2026-11-23.
MODELS = (
    *("gpt-6.2-astra", "gpt-6.2-sol", "gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-sol", "gpt-6-luna"),
    *("gpt-5.6-sol", "gpt-5.6-terra", "gpt-5.6-luna", "gpt-5.5", "gpt-5.4", "gpt-5.4-mini", "gpt-5.2", "gpt-5.1"),
    *("gpt-4.1", "gpt-4.1-mini", "gpt-4o", "gpt-4o-mini"),
)
_MODELS_CREATED = 1_790_000_000
_UNKNOWN_MODEL = "no-such"
_BAD_KEY = "bad"
_DEPLOYMENT = re.compile(r".*/deployments/([^/]+)/.*")
_TEXTS = {"chat/completions": openai_chat.answer, "completions": openai_completions.answer}

_OVERLOADED = ("service_unavailable_error", "server_is_overloaded", "The server is overloaded or not ready yet.")
# By status: the type, the code and the message.
_PROBLEMS: Mapping[int, tuple[str, str | None, str]] = {
    400: ("invalid_request_error", "invalid_value", "Invalid value in the request."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    403: (
        "invalid_request_error",
        "unsupported_country_region_territory",
        "Country, region, or territory not supported",
    ),
    404: ("invalid_request_error", "model_not_found", "The model does not exist or you do not have access to it."),
    405: ("invalid_request_error", None, "Method not allowed."),
    408: ("invalid_request_error", None, "The request took too long to arrive."),
    409: ("invalid_request_error", None, "Conflict with another request. Please retry."),
    413: ("invalid_request_error", None, "The request body is too large."),
    422: ("invalid_request_error", None, "The request could not be processed."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached. Please try again later."),
    500: ("server_error", None, "The server had an error processing your request. Sorry about that!"),
    503: _OVERLOADED,
    529: _OVERLOADED,
}


class OpenAIWire:
    """Chat completions, completions and models, on any base path, so that compatible providers can be played too."""

    __slots__ = ()

    def claims(self, path: str) -> bool:
        """Whether a path ends in one of the routes."""
        return _route(path)[0] != ""

    def model(self, request: Request) -> str:
        """The body's `model`, else the deployment or the id in the path."""
        document = request.document if request.body else None
        if isinstance(document, dict) and "model" in document:
            return str(document["model"])
        if found := _DEPLOYMENT.fullmatch(request.path):
            return found[1]
        return _route(request.path)[1]

    def answer(self, request: Request, around: Surroundings) -> Answer:
        """The answer to a request, errors in it included."""
        if problem := _credential_problem(request.credential):
            return _refused(problem)
        route, model = _route(request.path)
        if route == "models" and request.method == "GET":
            return _models(model, around)
        if route not in _TEXTS or request.method != "POST":
            return _refused(_no_route(request, route))
        document = request.document
        if not isinstance(document, dict):
            return _refused(Problem(400, "We could not parse the JSON body of your request.", code="invalid_json"))
        return _text(_TEXTS[route], document | {"model": self.model(request)}, around)

    def sample(self, model: str, stream: bool, around: Surroundings) -> Answer:
        """The answer to a question that nobody asked."""
        question = {"role": "user", "content": "A question from somebody else"}
        options = {"stream_options": {"include_usage": True}} if stream else {}
        return openai_chat.answer({"model": model, "messages": [question], "stream": stream, **options}, around)

    def headers(self, unique: str, processing_seconds: float, limits: LimitState | None) -> Headers:
        """The id, the processing time and, where there are limits, what is left of them."""
        told = (
            ("x-request-id", f"req_{unique}"),
            ("openai-processing-ms", str(int(processing_seconds * 1000) + 1)),
            ("openai-version", "2020-10-01"),
        )
        return told if limits is None else told + _limit_headers(limits)

    def refusal(self, refusal: Refusal) -> Answer:
        """A 429 in OpenAI's words, with `retry-after` where waiting helps."""
        kind, words = _REFUSALS[refusal.scope]
        seconds = refusal.retry_after_seconds
        message = words.format(
            limit=refusal.limit, used=refusal.used, asked=refusal.requested, again=go_duration(seconds)
        )
        body = self.failure(Problem(429, message, "rate_limit_exceeded", kind))
        waits = (
            ("retry-after", str(max(-int(-seconds // 1), 1))),
            ("retry-after-ms", str(max(-int(-seconds * 1000 // 1), 1))),
        )
        return Answer(429, body, headers=waits if seconds else ())

    def failure(self, problem: Problem) -> bytes:
        """`{"error": {"message", "type", "param", "code"}}`."""
        return orjson.dumps(_error(problem))

    def stream_failure(self, problem: Problem, named: bool) -> StreamEvent:
        """The same as an event of a stream."""
        name = b"event: error\n" if named else b""
        return StreamEvent("error", b"%bdata: %b\n\n" % (name, orjson.dumps(_error(problem))))

    def stream_ping(self) -> bytes:
        """A ping as some compatible providers send it."""
        return b'event: ping\ndata: {"type":"ping"}\n\n'

    def with_usage(self, answer: Answer, change: UsageChange) -> Answer:
        """The same answer with another usage; a stream's usage event is dropped with it."""
        if answer.events is None:
            return _changed(answer, body=_usage_changed(answer.body, change))
        events = [each if each.kind != USAGE else _usage_event(each, change) for each in answer.events]
        return _changed(answer, events=tuple([each for each in events if each is not None]))

    def with_two_usages(self, answer: Answer, change: UsageChange) -> Answer:
        """The same stream with a changed usage before the true one; a whole answer stays as it is."""
        if answer.events is None:
            return answer
        doubled = [[_usage_event(each, change), each] if each.kind == USAGE else [each] for each in answer.events]
        return _changed(answer, events=tuple([each for both in doubled for each in both if each is not None]))

    def with_model(self, answer: Answer, model: str) -> Answer:
        """The same answer as from another model."""
        if answer.events is None:
            return _changed(answer, body=orjson.dumps(orjson.loads(answer.body) | {"model": model}))
        return _changed(
            answer,
            events=tuple([_edited(each, lambda document: document | {"model": model}) for each in answer.events]),
        )

    def odd(self, kind: str, model: str, stream: bool, around: Surroundings, count: int) -> Answer:
        """A well-formed answer of an unusual form."""
        return openai_odd.odd(kind, {"model": model, "stream": stream}, around, count)


_AGAIN = "Please try again in {again}."
_REFUSALS = {
    REQUESTS: (
        "requests",
        "Rate limit reached on requests per min (RPM): Limit {limit}, Used {used}, Requested {asked}. " + _AGAIN,
    ),
    TOKENS: (
        "tokens",
        "Rate limit reached on tokens per min (TPM): Limit {limit}, Used {used}, Requested {asked}. " + _AGAIN,
    ),
    TOO_LARGE: (
        "tokens",
        (
            "Request too large on tokens per min (TPM): Limit {limit}, Requested {asked}. "
            "The input or output tokens must be reduced in order to run successfully."
        ),
    ),
    CONCURRENCY: ("requests", "Too many requests at a time: Limit {limit}. " + _AGAIN),
}


def _route(path: str) -> tuple[str, str]:
    """The route a path leads to, whatever stands before it, and the model it names; empty when there is none."""
    if path.endswith("/completions"):
        return ("chat/completions" if path.endswith("/chat/completions") else "completions"), ""
    _, models, rest = path.partition("/models")
    if not models or (rest and not rest.startswith("/")):
        return "", ""
    return "models", rest[1:]


def _credential_problem(credential: str) -> Problem | None:
    if not credential:
        return Problem(401, "You didn't provide an API key.", kind="invalid_request_error", code=None)
    if credential.startswith(_BAD_KEY):
        return Problem(
            401, "Incorrect API key provided: bad-********. You can find your API key in your account settings."
        )
    return None


def _no_route(request: Request, route: str) -> Problem:
    if route:
        return Problem(405, f"Not allowed to {request.method} on {request.path}.")
    return Problem(404, f"Invalid URL ({request.method} {request.path})", code="unknown_url")


def _text(
    make: Callable[[dict[str, Any], Surroundings], Answer], document: dict[str, Any], around: Surroundings
) -> Answer:
    model = document["model"]
    if not model:
        return _refused(
            Problem(400, "you must provide a model parameter", code="missing_required_parameter", param="model")
        )
    if not _known(model, around):
        return _refused(_no_model(model))
    try:
        return make(document, around)
    except BadRequest as error:
        return _refused(Problem(400, error.message, code=error.code, param=error.param))


def _known(model: str, around: Surroundings) -> bool:
    if model.startswith(_UNKNOWN_MODEL):
        return False
    return not around.strict_models or model in (around.models or MODELS) or "sim-" in model


def _no_model(model: str) -> Problem:
    return Problem(404, f"The model `{model}` does not exist or you do not have access to it.", code="model_not_found")


def _models(wanted: str, around: Surroundings) -> Answer:
    if wanted:
        return Answer(body=orjson.dumps(_model(wanted))) if _known(wanted, around) else _refused(_no_model(wanted))
    return Answer(body=orjson.dumps({"object": "list", "data": [_model(each) for each in around.models or MODELS]}))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _MODELS_CREATED, "owned_by": "simulator", "shutdown_date": None}


def _refused(problem: Problem) -> Answer:
    return Answer(problem.status, orjson.dumps(_error(problem)))


def _error(problem: Problem) -> dict[str, Any]:
    kind, code, words = _PROBLEMS.get(problem.status) or _PROBLEMS[500 if problem.status > 500 else 400]
    if problem.message:
        code = problem.code if problem.code or problem.kind else code
    told = {"message": problem.message or words, "type": problem.kind or kind, "param": problem.param}
    return {"error": told | {"code": problem.code or code}}


def _limit_headers(limits: LimitState) -> Headers:
    told: list[tuple[str, str]] = []
    for scope, limit, remaining, reset in (
        ("requests", limits.limit_requests, limits.remaining_requests, limits.reset_requests_seconds),
        ("tokens", limits.limit_tokens, limits.remaining_tokens, limits.reset_tokens_seconds),
    ):
        if limit:
            told += [(f"x-ratelimit-limit-{scope}", str(limit)), (f"x-ratelimit-remaining-{scope}", str(remaining))]
            told.append((f"x-ratelimit-reset-{scope}", go_duration(reset)))
    return tuple(told)


def _changed(answer: Answer, body: bytes = b"", events: tuple[StreamEvent, ...] | None = None) -> Answer:
    return Answer(
        answer.status, body, events, answer.media_type, answer.headers, answer.input_tokens, answer.output_tokens
    )


def _usage_changed(body: bytes, change: UsageChange) -> bytes:
    document = orjson.loads(body)
    usage = change(document.pop("usage", {}))
    return json.dumps(document if usage is DROPPED else document | {"usage": usage}, ensure_ascii=False).encode()


def _usage_event(event: StreamEvent, change: UsageChange) -> StreamEvent | None:
    document = orjson.loads(event.content.removeprefix(b"data: "))
    usage = change(document["usage"])
    if usage is DROPPED:
        return None
    return StreamEvent(USAGE, f"data: {json.dumps(document | {'usage': usage})}\n\n".encode())


def _edited(event: StreamEvent, edit: Callable[[dict[str, Any]], dict[str, Any]]) -> StreamEvent:
    if event.kind == DONE:
        return event
    return StreamEvent(
        event.kind, b"data: %b\n\n" % orjson.dumps(edit(orjson.loads(event.content.removeprefix(b"data: "))))
    )
