"""What all routes of OpenAI's wire share: credentials, headers, limits and errors, as recorded (checked 2026-11-23)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from oneflow_ai.simulator.answer import Answer, Headers
from oneflow_ai.simulator.fields import MISSING, TYPE, UNKNOWN, VALUE, Wrong, bracketed
from oneflow_ai.simulator.limits import CONCURRENCY, REQUESTS, TOKENS, TOO_LARGE, LimitState, Refusal, go_duration
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.wires.events import Editable
from oneflow_ai.simulator.wires.openai_shapes import BadRequest
from oneflow_ai.simulator.wires.wire import BAD_KEY, Problem, Surroundings

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


class OpenAIManners(Editable):
    """How OpenAI's routes treat every request alike. A route adds what it claims, answers and shows as a sample."""

    __slots__ = ()

    def model(self, request: Request) -> str:
        """The body's `model`."""
        document = request.document if request.body or request.form else None
        return str(document["model"]) if isinstance(document, dict) and "model" in document else ""

    def checked(
        self, request: Request, around: Surroundings, make: Callable[[dict[str, Any]], Answer], method: str = "POST"
    ) -> Answer:
        """The answer that is made of a request's document, or the error that comes before it or out of it."""
        if problem := credential_problem(request.credential):
            return barred(problem)
        if request.method != method:
            return refused(Problem(405, f"Not allowed to {request.method} on {request.path}."))
        document = request.document if method == "POST" else {}
        if not isinstance(document, dict):
            kind = "JSON body" if request.form is None else "multipart form"
            return refused(Problem(400, f"We could not parse the {kind} of your request.", code="invalid_json"))
        try:
            return make(document)
        except Wrong as wrong:
            return refused(_told(_wrong(wrong)))
        except BadRequest as error:
            return refused(_told(error))

    def headers(self, around: Surroundings, processing_seconds: float, limits: LimitState | None) -> Headers:
        """The id, the processing time and, where there are limits, what is left of them."""
        told = (
            ("x-request-id", f"req_{around.unique}"),
            ("openai-processing-ms", str(int(processing_seconds * 1000) + 1)),
            ("openai-version", "2020-10-01"),
        )
        return told if limits is None else told + _limit_headers(limits)

    def refusal(self, refusal: Refusal, around: Surroundings) -> Answer:
        """A 429 in OpenAI's words, with `retry-after` where waiting helps."""
        kind, words = _REFUSALS[refusal.scope]
        seconds = refusal.retry_after_seconds
        message = words.format(
            limit=refusal.limit, used=refusal.used, asked=refusal.requested, again=go_duration(seconds)
        )
        waits = (
            ("retry-after", str(max(-int(-seconds // 1), 1))),
            ("retry-after-ms", str(max(-int(-seconds * 1000 // 1), 1))),
        )
        return refused(Problem(429, message, "rate_limit_exceeded", kind, waits=waits if seconds else ()))

    def failure(self, problem: Problem, around: Surroundings) -> Answer:
        """`{"error": {"message", "type", "param", "code"}}`."""
        return refused(problem)

    def stream_failure(self, problem: Problem, named: bool, sent: Sequence[bytes]) -> bytes:
        """The same as an event of a stream."""
        name = b"event: error\n" if named else b""
        return b"%bdata: %b\n\n" % (name, orjson.dumps(error(problem)))

    def stream_ping(self, sent: Sequence[bytes]) -> bytes:
        """A ping as some compatible providers send it."""
        return b'event: ping\ndata: {"type":"ping"}\n\n'

    def odd(self, kind: str, model: str, stream: bool, around: Surroundings, count: int) -> Answer | None:
        """None: a route has unusual forms only where it says so."""
        return None


def refused(problem: Problem) -> Answer:
    """The answer that reports a problem."""
    return Answer(problem.status, orjson.dumps(error(problem)), headers=problem.waits)


def barred(problem: Problem) -> Answer:
    """The answer to a credential that is not accepted."""
    return Answer(problem.status, orjson.dumps(error(problem)), barred=True)


def error(problem: Problem) -> dict[str, Any]:
    """A problem as its document."""
    kind, code, words = _PROBLEMS.get(problem.status) or _PROBLEMS[500 if problem.status > 500 else 400]
    if problem.message:
        code = problem.code if problem.code or problem.kind else code
    told = {"message": problem.message or words, "type": problem.kind or kind, "param": problem.param}
    return {"error": told | {"code": problem.code or code}}


def credential_problem(credential: str) -> Problem | None:
    """What is wrong with a credential."""
    if not credential:
        return Problem(401, "You didn't provide an API key.", kind="invalid_request_error", code=None)
    if credential.startswith(BAD_KEY):
        return Problem(
            401, "Incorrect API key provided: bad-********. You can find your API key in your account settings."
        )
    return None


def need_model(document: dict[str, Any], around: Surroundings, models: Sequence[str]) -> None:
    """Raise `BadRequest` where the model is not named, or not known."""
    model = document.get("model")
    if not model:
        raise BadRequest("you must provide a model parameter", "missing_required_parameter", "model")
    if not isinstance(model, str):
        raise BadRequest("Invalid type for 'model': expected a string.", "invalid_type", "model")
    if not around.knows(model, models):
        raise no_model(model)


def no_model(model: str) -> BadRequest:
    """A model that there is not."""
    words = f"The model `{model}` does not exist or you do not have access to it."
    return BadRequest(words, "model_not_found", None, 404)


def _told(error: BadRequest) -> Problem:
    return Problem(
        error.status, error.message, code=error.code or None, kind="invalid_request_error", param=error.param
    )


# By the way in which a field is wrong: the words and the code.
_WRONG: Mapping[str, tuple[str, str]] = {
    UNKNOWN: ("Unknown parameter: '{param}'.", "unknown_parameter"),
    MISSING: ("Missing required parameter: '{param}'.", "missing_required_parameter"),
    TYPE: ("Invalid type for '{param}': expected {expected}.", "invalid_type"),
    VALUE: ("Invalid value for '{param}': expected {expected}.", "invalid_value"),
}


def _wrong(wrong: Wrong) -> BadRequest:
    words, code = _WRONG[wrong.sort]
    param = bracketed(wrong.path)
    return BadRequest(words.format(param=param, expected=wrong.expected), code, param)


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
