"""Gemini's wire: `/v1beta/models/{model}:{action}` and the list of models; credentials, limits and errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import orjson

from oneflow_ai.simulator.answer import Answer, Headers
from oneflow_ai.simulator.fields import MISSING, TYPE, UNKNOWN, VALUE, Check, Path, Wrong
from oneflow_ai.simulator.limits import CONCURRENCY, REQUESTS, TOKENS, TOO_LARGE, LimitState, Refusal
from oneflow_ai.simulator.reply import reply
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.text import excerpt
from oneflow_ai.simulator.wires import gemini_models, gemini_odd
from oneflow_ai.simulator.wires.events import Editable, Places
from oneflow_ai.simulator.wires.gemini_answer import (
    JSON_TYPE,
    Made,
    Used,
    candidate,
    empty_event,
    searched,
    streamed,
    whole,
)
from oneflow_ai.simulator.wires.gemini_fields import check_count, check_embed, check_embeds, check_generate, snake
from oneflow_ai.simulator.wires.gemini_models import MODELS
from oneflow_ai.simulator.wires.gemini_reading import (
    FOUND_TOKENS,
    Refused,
    cached,
    check,
    count,
    question,
    says_a_word,
    searches,
    shows_thoughts,
)
from oneflow_ai.simulator.wires.wire import BAD_KEY, Problem, Surroundings

_PATH = re.compile(r".*/v1(?:alpha|beta)?/models(?:/([^/]+?))?(?::(\w+))?")
_VERSIONED = ("/v1beta/", "/v1alpha/")
_COMPATIBLE = "/openai/"
_KEY_HEADER = b"x-goog-api-key"
_TYPE_URL = "type.googleapis.com/google.rpc."
_DOMAIN = "generativelanguage.googleapis.com"

# By status: the word for it and the message; cloud.google.com/apis/design/errors, 2026-11-26.
_PROBLEMS: Mapping[int, tuple[str, str]] = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
    403: ("PERMISSION_DENIED", "The caller does not have permission"),
    404: ("NOT_FOUND", "Requested entity was not found."),
    409: ("ABORTED", "The operation was aborted."),
    429: ("RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
    499: ("CANCELLED", "The operation was cancelled."),
    500: ("INTERNAL", "An internal error has occurred. Please retry."),
    501: ("UNIMPLEMENTED", "Operation is not implemented, or supported, or enabled."),
    503: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
    504: ("DEADLINE_EXCEEDED", "The request timed out. Please try again."),
}
_MONEY = "You exceeded your current quota, please check your plan and billing details."
_CONTEXT = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
# Each quota's metric and id, as quoted in reports of 2026; a quota of the day is not back in a minute.
_REQUESTS_METRIC, _TOKENS_METRIC = "generate_content_requests", "generate_content_input_token_count"
_MINUTE, _DAY = "PerMinutePerProjectPerModel", "PerDayPerProjectPerModel"
_QUOTAS: Mapping[str, tuple[str, str]] = {
    REQUESTS: (_REQUESTS_METRIC, f"GenerateRequests{_MINUTE}"),
    TOKENS: (_TOKENS_METRIC, f"GenerateContentInputTokens{_MINUTE}"),
    TOO_LARGE: (_TOKENS_METRIC, f"GenerateContentInputTokens{_MINUTE}"),
    CONCURRENCY: (_REQUESTS_METRIC, "GenerateConcurrentRequestsPerProjectPerModel"),
}


class GeminiWire(Editable):
    """The actions on a model: to generate, whole or streamed, to count, to embed; and the list of models."""

    __slots__ = ()

    places = Places("usageMetadata", "modelVersion")

    def claims(self, request: Request) -> bool:
        """Whether a path names a version of this wire or one of its actions, or the key came in this wire's header."""
        path = request.path
        if any(each in path for each in _VERSIONED):
            return _COMPATIBLE not in path
        return _KEY_HEADER in request.fields or (":" in path and _route(path)[1] in _ACTIONS)

    def model(self, request: Request) -> str:
        """The model in the path."""
        return _route(request.path)[0]

    def answer(self, request: Request, around: Surroundings) -> Answer:
        """The answer to a request, errors in it included."""
        model, action = _route(request.path)
        answered = self._answer(request, model, action, around)
        if answered.status != 200 and action == "streamGenerateContent" and not _wants_events(request):
            return replace(answered, body=b"[%b\n]\n" % answered.body)
        return answered

    def _answer(self, request: Request, model: str, action: str, around: Surroundings) -> Answer:
        if problem := _credential_problem(request.key):
            return replace(self.failure(problem, around), barred=True)
        try:
            if not action and request.method == "GET" and _PATH.fullmatch(request.path):
                return _models(model, around) if model else gemini_models.listing(request.query, around)
            if action not in _ACTIONS or request.method != "POST":
                raise Refused(f"Method not found: {request.method} {request.path}", 404)
            _need_model(model, action, around)
            fields, make = _ACTIONS[action]
            document = request.document
            if not isinstance(document, dict):
                raise Refused("Invalid JSON payload received. Expected an object.")
            fields(document, ())
            return make(document, request, model, around)
        except Wrong as wrong:
            return self.failure(_wrong(wrong), around)
        except Refused as refused:
            return self.failure(Problem(refused.status, str(refused)), around)

    def sample(self, model: str, stream: bool, around: Surroundings) -> Answer:
        """The answer to a question that nobody asked."""
        asked = {"role": "user", "parts": [{"text": "A question from somebody else"}]}
        return _generated({"contents": [asked]}, "", model, around, stream or None)

    def headers(self, around: Surroundings, processing_seconds: float, limits: LimitState | None) -> Headers:
        """The tier and the time it took: this wire tells of no limits and gives no id."""
        taken = int(processing_seconds * 1000) + 1
        return (("x-gemini-service-tier", "standard"), ("server-timing", f"gfet4t7; dur={taken}"))

    def refusal(self, refusal: Refusal, around: Surroundings) -> Answer:
        """A 429 that names the quota, with the delay in its body where waiting helps."""
        quota, seconds = _QUOTAS[refusal.scope], refusal.retry_after_seconds
        words = f"{_MONEY}\n* Quota exceeded for metric: {_DOMAIN}/{quota[0]}, limit: {refusal.limit}"
        details = [_quota(quota, refusal.limit)]
        if seconds:
            words += f"\nPlease retry in {seconds:.3f}s."
            details.append(_retry_info(f"{max(-int(-seconds // 1), 1)}s"))
        return _error(429, words, details)

    def failure(self, problem: Problem, around: Surroundings) -> Answer:
        """`{"error": {"code", "message", "status", "details"?}}`; when to come back stands in it, not in headers."""
        _, words = _by_status(problem.status)
        message, details = problem.message or words, list[dict[str, Any]]()
        match problem.code:
            case "insufficient_quota" | "project_spend_limit_exceeded":
                message, details = _MONEY, [_quota((_REQUESTS_METRIC, f"GenerateRequests{_DAY}"), 250)]
            case "context_length_exceeded":
                message = _CONTEXT
            case "API_KEY_INVALID":
                details = [_info(problem.code, message)]
            case "fields":
                details = [_violation(problem)]
        if problem.waits:
            details.append(_retry_info(_delay(dict(problem.waits))))
        return _error(problem.status, message, details)

    def stream_failure(self, problem: Problem, named: bool, sent: Sequence[bytes]) -> bytes:
        """The error as the data of an event, or (`named`) bare, as it comes from a server that fails midway."""
        body = _error(problem.status, problem.message or _by_status(problem.status)[1], []).body
        return body if named else b"data: %b\r\n\r\n" % orjson.dumps(orjson.loads(body))

    def stream_ping(self, sent: Sequence[bytes]) -> bytes:
        """A piece with nothing in it."""
        return empty_event()

    def odd(self, kind: str, model: str, stream: bool, around: Surroundings, count: int) -> Answer | None:
        """A well-formed answer of an unusual form."""
        return gemini_odd.odd(kind, model, stream, around, count)


# ---- the routes


def _route(path: str) -> tuple[str, str]:
    """The model in a path and what is to be done with it; a colon may stand in a model's name too."""
    found = _PATH.fullmatch(path)
    if found is None:
        return "", ""
    return unquote(found[1] or ""), found[2] or ""


def _need_model(model: str, action: str, around: Surroundings) -> None:
    if not model or not around.knows(model, MODELS):
        raise Refused(
            f"models/{model} is not found for API version v1beta, or is not supported for {action}. Call ListModels to "
            "see the list of available models and their supported methods.",
            404,
        )


def _models(model: str, around: Surroundings) -> Answer:
    _need_model(model, "getModel", around)
    return gemini_models.answer(gemini_models.model(model))


def _wants_events(request: Request) -> bool:
    return "alt=sse" in request.query.split("&")


def _whole(document: dict[str, Any], request: Request, model: str, around: Surroundings) -> Answer:
    check(document, model)
    return _generated(document, request.credential_hash, model, around, None)


def _streamed(document: dict[str, Any], request: Request, model: str, around: Surroundings) -> Answer:
    check(document, model)
    return _generated(document, request.credential_hash, model, around, _wants_events(request))


def _generated(
    document: dict[str, Any], owner: str, model: str, around: Surroundings, as_events: bool | None
) -> Answer:
    """The answer to a checked request: whole (None), as events, or as a JSON array in pieces."""
    asked = question(document, model)
    replies = [reply(asked, around.say, around.answer_tokens, number) for number in range(asked.choices)]
    shown = shows_thoughts(document)
    if says_a_word(document):
        replies = [each._replace(text=_bare(each.text)) for each in replies]
    candidates = [candidate(each, model, shown, (at, around.unique)) for at, each in enumerate(replies)]
    found = FOUND_TOKENS if searches(document) else 0
    if found:
        candidates = [searched(each, excerpt(asked.prompt)) for each in candidates]
    thought = sum([each.thought_tokens for each in replies])
    said = sum([each.tokens for each in replies]) - thought
    used = Used(count(document), cached(document, f"{owner} {model}", around), said, thought, found)
    made = Made(model, tuple(candidates), used, as_array=as_events is False)
    return whole(made, around) if as_events is None else streamed(made, around)


def _bare(text: str) -> str:
    """A text of JSON without its quotes; one that was cut as it is."""
    try:
        return str(orjson.loads(text))
    except orjson.JSONDecodeError:
        return text


def _counted(document: dict[str, Any], request: Request, model: str, around: Surroundings) -> Answer:
    asked = document.get("generateContentRequest") or document
    if not asked.get("contents"):
        raise Refused("* CountTokensRequest.contents: contents is not specified\n")
    total = count(asked)
    details = [{"modality": "TEXT", "tokenCount": total}]
    return gemini_models.answer({"totalTokens": total, "promptTokensDetails": details})


def _embedded(document: dict[str, Any], request: Request, model: str, around: Surroundings) -> Answer:
    return gemini_models.embedded(document, model)


def _batch_embedded(document: dict[str, Any], request: Request, model: str, around: Surroundings) -> Answer:
    return gemini_models.batch_embedded(document, model)


_ACTIONS: Mapping[str, tuple[Check, Callable[[dict[str, Any], Request, str, Surroundings], Answer]]] = {
    "generateContent": (check_generate, _whole),
    "streamGenerateContent": (check_generate, _streamed),
    "countTokens": (check_count, _counted),
    "embedContent": (check_embed, _embedded),
    "batchEmbedContents": (check_embeds, _batch_embedded),
}


# ---- credentials and errors


def _credential_problem(key: str) -> Problem | None:
    """What is wrong with a credential; a bad key is a 400 here, as recorded."""
    if not key:
        return Problem(
            403,
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or "
            "other form of API consumer identity to call this API.",
        )
    if key.startswith(BAD_KEY):
        return Problem(400, "API key not valid. Please pass a valid API key.", "API_KEY_INVALID")
    return None


def _by_status(status: int) -> tuple[str, str]:
    return _PROBLEMS.get(status) or _PROBLEMS[503 if status > 500 else 400]


def _error(status: int, message: str, details: list[dict[str, Any]]) -> Answer:
    told = {"code": status, "message": message, "status": _by_status(status)[0]}
    body = {"error": told | ({"details": details} if details else {})}
    return Answer(status, orjson.dumps(body, option=orjson.OPT_INDENT_2), media_type=JSON_TYPE)


def _quota(quota: tuple[str, str], limit: int) -> dict[str, Any]:
    violation = {"quotaMetric": f"{_DOMAIN}/{quota[0]}", "quotaId": quota[1], "quotaValue": str(limit)}
    return {"@type": f"{_TYPE_URL}QuotaFailure", "violations": [violation]}


def _retry_info(delay: str) -> dict[str, Any]:
    return {"@type": f"{_TYPE_URL}RetryInfo", "retryDelay": delay}


def _delay(waits: Mapping[str, str]) -> str:
    """A wait as this wire writes one: `2s`; what is no number stays what it is."""
    if milliseconds := waits.get("retry-after-ms"):
        return f"{float(milliseconds) / 1000:g}s"
    text = waits["retry-after"]
    return f"{text}s" if text.lstrip("-").replace(".", "", 1).isdigit() else text


def _info(reason: str, message: str) -> dict[str, Any]:
    service = {"service": _DOMAIN}
    return {"@type": f"{_TYPE_URL}ErrorInfo", "reason": reason, "domain": "googleapis.com", "metadata": service}


def _violation(problem: Problem) -> dict[str, Any]:
    violation = {"field": problem.param} if problem.param else {}
    violations = [violation | {"description": problem.message}]
    return {"@type": f"{_TYPE_URL}BadRequest", "fieldViolations": violations}


def _place(path: Path) -> str:
    """A place as this wire tells it: `tools[0].function_declarations[0]`."""
    return "".join([f"[{each}]" if isinstance(each, int) else f".{snake(each)}" for each in path]).lstrip(".")


_WRONG: Mapping[str, str] = {
    MISSING: "* GenerateContentRequest.{place}: must be specified\n",
    TYPE: "Invalid value at '{place}' ({expected})",
    VALUE: "Invalid value at '{place}': must be {expected}",
}


def _wrong(wrong: Wrong) -> Problem:
    if wrong.sort != UNKNOWN:
        return Problem(400, _WRONG[wrong.sort].format(place=_place(wrong.path), expected=wrong.expected))
    inside = _place(wrong.path[:-1])
    where = f" at '{inside}'" if inside else ""
    words = f'Invalid JSON payload received. Unknown name "{wrong.path[-1]}"{where}: Cannot find field.'
    return Problem(400, words, "fields", param=inside)
