"""ElevenLabs' errors: a status and a message, or a list of what is wrong with the fields (checked 2026-11-26)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from oneflow_ai.simulator.answer import Answer
from oneflow_ai.simulator.fields import MISSING, TYPE, UNKNOWN, VALUE, Path
from oneflow_ai.simulator.wires.wire import Problem

# By HTTP status: the error's own status and its message.
_PROBLEMS: Mapping[int, tuple[str, str]] = {
    400: ("invalid_request", "The request is invalid."),
    401: ("invalid_api_key", "Invalid API key"),
    402: ("payment_required", "A payment is required."),
    403: ("forbidden", "Your subscription does not allow this."),
    404: ("not_found", "Not found"),
    405: ("method_not_allowed", "Method Not Allowed"),
    429: ("too_many_concurrent_requests", "Too many concurrent requests."),
    500: ("internal_server_error", "An internal error occurred."),
    503: ("service_unavailable", "The service is not available at the moment."),
}
_BUSY = ("system_busy", "The system is experiencing heavy traffic, please try again.")
_QUOTA = (
    "quota_exceeded",
    (
        "This request exceeds your quota of 10000. You have 0 credits remaining, while 91 credits are required "
        "for this request."
    ),
)
_TYPES = {MISSING: "missing", TYPE: "type_error", VALUE: "value_error", UNKNOWN: "extra_forbidden"}
_MONEY, _SLOW = "insufficient_quota", "slow_down"


class Unfit(Exception):
    """A request that is refused: the answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def unfit(problem: Problem) -> Unfit:
    """The refusal that reports a problem."""
    return Unfit(failed(problem))


def missing_key() -> Problem:
    """There is no key at all."""
    words = "Neither authorization header nor xi-api-key received, please provide one."
    return Problem(401, words, "needs_authorization")


def failed(problem: Problem) -> Answer:
    """The answer that reports a problem."""
    status = problem.status
    if problem.kind == _MONEY:
        # here an empty purse is a 401
        return _told(401, *_QUOTA, problem)
    if problem.code == _SLOW:
        return _told(429, *_BUSY, problem)
    if status == 422:
        return _fields(("body",), "value_error", problem.message or "The request could not be processed.", problem)
    name, words = _PROBLEMS.get(status) or _PROBLEMS[500 if status >= 500 else 400]
    return _told(status, problem.code or name, problem.message or words, problem)


def wrong_field(path: Path, sort: str, words: str) -> Unfit:
    """A 422 that says what is wrong with a field."""
    if sort == MISSING:
        words = "Field required"
    return Unfit(_fields(path, _TYPES.get(sort, sort), words, Problem(422)))


def _told(status: int, name: str, words: str, problem: Problem) -> Answer:
    return _answer(status, {"status": name, "message": words}, problem)


def _fields(path: Path, kind: str, words: str, problem: Problem) -> Answer:
    return _answer(422, [{"type": kind, "loc": list(path), "msg": words}], problem)


def _answer(status: int, detail: Any, problem: Problem) -> Answer:
    return Answer(status, orjson.dumps({"detail": detail}), headers=problem.waits)
