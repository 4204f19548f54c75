"""Amazon Bedrock's wire: `/model/{id}/converse`, `converse-stream`, `count-tokens`, and the list of models."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import orjson

from oneflow_ai.simulator.answer import Answer, Headers, StreamEvent
from oneflow_ai.simulator.fields import Check, Wrong, bracketed
from oneflow_ai.simulator.limits import LimitState, Refusal
from oneflow_ai.simulator.reply import reply
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.wires.bedrock_answer import (
    REASONS,
    Block,
    Made,
    blocks,
    framed,
    reframed,
    streamed,
    thought,
    tool_use,
    whole,
)
from oneflow_ai.simulator.wires.bedrock_reading import (
    Refused,
    check,
    check_converse,
    check_count,
    check_last,
    check_stops,
    count,
    question,
)
from oneflow_ai.simulator.wires.events import Document, Editable, Places
from oneflow_ai.simulator.wires.wire import BAD_KEY, Problem, Surroundings

MODELS = ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "amazon.nova-2-lite-v1:0", "global.anthropic.claude-haiku-5-5")
_PATH = re.compile(r".*/model/([^/]+)/(converse|converse-stream|count-tokens)")
_LISTING = "/foundation-models"
# A signature names its key: docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
_SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/,]+)/")

# By status: the name of the exception and the message; API_runtime_Converse and CommonErrors, 2026-11-26.
_PROBLEMS: Mapping[int, tuple[str, str]] = {
    400: ("ValidationException", "The input fails to satisfy the constraints specified by the service."),
    401: ("UnrecognizedClientException", "The security token included in the request is invalid."),
    403: ("AccessDeniedException", "You don't have access to the model with the specified model ID."),
    404: ("ResourceNotFoundException", "The specified resource was not found."),
    408: ("ModelTimeoutException", "The request took too long to process."),
    424: ("ModelErrorException", "The request failed due to an error while processing the model."),
    429: ("ThrottlingException", "Too many requests, please wait before trying again."),
    500: ("InternalServerException", "The system encountered an unexpected error during processing."),
    503: ("ServiceUnavailableException", "The service is temporarily unavailable. Please try again later."),
}
_BY_CODE: Mapping[str, str] = {
    "insufficient_quota": "Too many tokens per day, please wait before trying again.",
    "project_spend_limit_exceeded": "Too many tokens per day, please wait before trying again.",
    "context_length_exceeded": "The model returned the following errors: Input is too long for requested model.",
}


class BedrockWire(Editable):
    """Converse, whole and as an event stream. A request that is signed is believed; nobody's signature is checked."""

    __slots__ = ()

    places = Places(model="")

    def claims(self, request: Request) -> bool:
        """Whether a path leads to a model's Converse, or to the list of models."""
        return _PATH.fullmatch(request.path) is not None or request.path.endswith(_LISTING)

    def model(self, request: Request) -> str:
        """The model in the path."""
        found = _PATH.fullmatch(request.path)
        return unquote(found[1]) if found else ""

    def answer(self, request: Request, around: Surroundings) -> Answer:
        """The answer to a request, errors in it included."""
        if problem := _credential_problem(request.credential):
            return replace(self.failure(problem, around), barred=True)
        found = _PATH.fullmatch(request.path)
        if found is None:
            return _listing(around)
        fields, make = _ACTIONS[found[2]]
        document = request.document
        if request.method != "POST" or not isinstance(document, dict):
            return self.failure(Problem(400, "Unexpected request: a POST of a JSON object was expected."), around)
        if not around.knows(unquote(found[1]), MODELS):
            return self.failure(Problem(400, "The provided model identifier is invalid."), around)
        try:
            fields(document, ())
            check_stops(unquote(found[1]), document)
            if make is not _counted:
                check_last(document, unquote(found[1]))
            return make(document, around)
        except Wrong as wrong:
            words = f"{bracketed(wrong.path)}: {wrong.sort} {wrong.expected}".rstrip()
            return self.failure(Problem(400, f"Malformed input request: {words}"), around)
        except Refused as refused:
            return self.failure(Problem(400, str(refused)), around)

    def sample(self, model: str, stream: bool, around: Surroundings) -> Answer:
        """The answer to a question that nobody asked; it does not tell its model, so that it says its name."""
        asked = {"role": "user", "content": [{"text": f"A question from somebody else to {model}"}]}
        return _conversed({"messages": [asked]}, around, stream)

    def headers(self, around: Surroundings, processing_seconds: float, limits: LimitState | None) -> Headers:
        """The id: this wire tells of no limits."""
        return (("x-amzn-requestid", around.unique),)

    def refusal(self, refusal: Refusal, around: Surroundings) -> Answer:
        """A throttling exception, which does not say for how long."""
        return self.failure(Problem(429), around)

    def failure(self, problem: Problem, around: Surroundings) -> Answer:
        """`{"message"}`, the exception's name in a header."""
        name, words = _told(problem)
        heads = (("x-amzn-errortype", f"{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"), *problem.waits)
        return Answer(problem.status, orjson.dumps({"message": words}), headers=heads)

    def stream_failure(self, problem: Problem, named: bool, sent: Sequence[bytes]) -> bytes:
        """A frame that is an exception or (`named`) an error without a document."""
        name, words = _told(problem)
        if named:
            return framed({":message-type": "error", ":error-code": name, ":error-message": words}, b"")
        kind = name[0].lower() + name[1:]
        headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
        return framed(headers, orjson.dumps({"message": words}))

    def stream_ping(self, sent: Sequence[bytes]) -> bytes:
        """A frame of a kind that nobody knows."""
        return framed({":event-type": "ping", ":content-type": "application/json", ":message-type": "event"}, b"{}")

    def edited(self, event: StreamEvent, edit: Callable[[Document], Document]) -> StreamEvent:
        """The same frame with another document in it."""
        return event._replace(content=reframed(event.content, edit))

    def odd(self, kind: str, model: str, stream: bool, around: Surroundings, count: int) -> Answer | None:
        """A well-formed answer of an unusual form."""
        make = _ODD.get(kind)
        if make is None:
            return None
        listed, reason = make(count)
        made = Made(tuple(listed), reason, 20, 30)
        return streamed(made) if stream else whole(made)


def _converse(document: dict[str, Any], around: Surroundings) -> Answer:
    check(document)
    return _conversed(document, around, stream=False)


def _converse_stream(document: dict[str, Any], around: Surroundings) -> Answer:
    check(document)
    return _conversed(document, around, stream=True)


def _conversed(document: dict[str, Any], around: Surroundings, stream: bool) -> Answer:
    said = reply(question(document), around.say, around.answer_tokens)
    told = said.stop if "/stop_sequence" in document.get("additionalModelResponseFieldPaths", ()) else ""
    made = Made(tuple(blocks(said, around)), REASONS[said.finish], count(document), said.tokens, told)
    return streamed(made) if stream else whole(made)


def _counted(document: dict[str, Any], around: Surroundings) -> Answer:
    asked = document["input"].get("converse")
    if asked is None:
        raise Refused("The simulator counts the tokens of 'converse' only.")
    return Answer(body=orjson.dumps({"inputTokens": count(asked)}))


_ACTIONS: Mapping[str, tuple[Check, Callable[[dict[str, Any], Surroundings], Answer]]] = {
    "converse": (check_converse, _converse),
    "converse-stream": (check_converse, _converse_stream),
    "count-tokens": (check_count, _counted),
}


def _listing(around: Surroundings) -> Answer:
    listed = [
        {
            "modelId": name,
            "modelName": name,
            "providerName": "simulator",
            "inputModalities": ["TEXT", "IMAGE"],
            "outputModalities": ["TEXT"],
            "responseStreamingSupported": True,
            "modelLifecycle": {"status": "ACTIVE"},
        }
        for name in around.models or MODELS
    ]
    return Answer(body=orjson.dumps({"modelSummaries": listed}))


def _credential_problem(credential: str) -> Problem | None:
    signed = _SIGNED.match(credential)
    key = signed[1] if signed else credential
    if not key:
        return Problem(403, "Missing Authentication Token", "MissingAuthenticationTokenException")
    if key.startswith(BAD_KEY):
        words = "The security token included in the request is invalid"
        return Problem(403, words, "UnrecognizedClientException")
    return None


def _told(problem: Problem) -> tuple[str, str]:
    name, words = _PROBLEMS.get(problem.status) or _PROBLEMS[503 if problem.status > 500 else 400]
    if problem.code and problem.code.endswith("Exception"):
        name = problem.code
    return name, _BY_CODE.get(problem.code or "", problem.message or words)


# ---- what fault F48 plays


def _called(number: int, given: Any) -> Block:
    return tool_use(f"odd{number:08}", f"tool_{number}", given)


_ODD: Mapping[str, Callable[[int], tuple[list[Block], str]]] = {
    "unclosed": lambda count: ([_called(0, '{"city":"Par')], "tool_use"),
    "many": lambda count: ([_called(number, {}) for number in range(count)], "tool_use"),
    "nochoices": lambda count: ([], "end_turn"),
    "reasoning": lambda count: ([thought("Let me think.")], "end_turn"),
    "refusal": lambda count: ([{"text": "I can "}], "content_filtered"),
}
