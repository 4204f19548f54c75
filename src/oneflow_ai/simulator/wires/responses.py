"""OpenAI's Responses: `/responses` whole and streamed, `/responses/input_tokens`, on any base path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from oneflow_ai.simulator.answer import START, Answer
from oneflow_ai.simulator.fields import record
from oneflow_ai.simulator.reply import LENGTH, reply
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.wires import responses_odd
from oneflow_ai.simulator.wires.events import Document, Places, edited, named_event
from oneflow_ai.simulator.wires.openai import MODELS
from oneflow_ai.simulator.wires.openai_manners import OpenAIManners, error
from oneflow_ai.simulator.wires.openai_reasoning import check_responses
from oneflow_ai.simulator.wires.openai_shapes import BadRequest, missing
from oneflow_ai.simulator.wires.responses_answer import COMPLETED, INCOMPLETE, Made, items, streamed, usage, whole
from oneflow_ai.simulator.wires.responses_fields import COUNT_FIELDS, FIELDS
from oneflow_ai.simulator.wires.responses_reading import all_items, cached, count, question
from oneflow_ai.simulator.wires.wire import Problem, Surroundings, UsageChange

_ASKS, _COUNTS = "/responses", "/responses/input_tokens"
_CHECK, _CHECK_COUNT = record(FIELDS), record(COUNT_FIELDS)
_TOO_LONG = "Your input exceeds the context window of this model. Please adjust your input and try again."


class ResponsesWire(OpenAIManners):
    """`/responses` and `/responses/input_tokens`."""

    __slots__ = ()

    places = Places(inside="response")

    def claims(self, request: Request) -> bool:
        """Whether a path ends in one of the routes."""
        return request.path.endswith((_ASKS, _COUNTS))

    def answer(self, request: Request, around: Surroundings) -> Answer:
        """The answer to a request, errors in it included."""
        if request.path.endswith(_COUNTS):
            return self.checked(request, around, lambda document: _counted(document, request.credential_hash, around))
        return self.checked(request, around, lambda document: _asked(document, request.credential_hash, around))

    def sample(self, model: str, stream: bool, around: Surroundings) -> Answer:
        """The answer to a question that nobody asked."""
        asked = {"model": model, "input": "A question from somebody else", "store": False, "stream": stream}
        return _answered(asked, "", around)

    def failure(self, problem: Problem, around: Surroundings) -> Answer:
        """As on OpenAI's other routes, but for what this one says in other words."""
        if problem.code == "context_length_exceeded":
            problem = replace(problem, message=_TOO_LONG, param="input")
        return super().failure(problem, around)

    def stream_failure(self, problem: Problem, named: bool, sent: Sequence[bytes]) -> bytes:
        """An event `error` as specified, or (`named`) as recorded: the error inside, then the failure."""
        told, number = error(problem)["error"], len(sent)
        if not named:
            flat = {"type": "error", **{name: told[name] for name in ("code", "message", "param")}}
            return named_event("error", "error", flat | {"sequence_number": number}).content
        nested = {"type": "error", "sequence_number": number, "error": told}
        failed = {
            "type": "response.failed",
            "sequence_number": number + 1,
            "response": _failed(told, sent),
        }
        return b"".join(
            [named_event("error", "error", nested).content, named_event("error", "response.failed", failed).content]
        )

    def stream_ping(self, sent: Sequence[bytes]) -> bytes:
        """An event of a name that nobody knows, which is to be passed over."""
        return named_event("ping", "keepalive", {"type": "keepalive", "sequence_number": len(sent)}).content

    def with_two_usages(self, answer: Answer, change: UsageChange) -> Answer:
        """The same stream whose opening events tell a changed usage before the last one tells the true one."""
        if answer.events is None:
            return answer
        *_, last = answer.events

        def edit(document: Document) -> Document:
            told = orjson.loads(last.content[last.content.find(b"{") :])["response"]["usage"]
            document["response"]["usage"] = change(told)
            return document

        events = [
            edited(each, edit) if each.kind == START and b'"response":' in each.content else each
            for each in answer.events
        ]
        return replace(answer, events=tuple(events))

    def odd(self, kind: str, model: str, stream: bool, around: Surroundings, count: int) -> Answer:
        """A well-formed answer of an unusual form."""
        return responses_odd.odd(kind, {"model": model, "stream": stream}, around, count)


def _failed(told: dict[str, Any], sent: Sequence[bytes]) -> dict[str, Any]:
    """The response that was opened, ended by an error."""
    opened: dict[str, Any] = {}
    if sent:
        content = sent[0]
        opened = orjson.loads(content[content.find(b"{") :])["response"]
    code = told["code"] or "server_error"
    return opened | {"status": "failed", "error": {"code": code, "message": told["message"]}}


def _need_model(document: dict[str, Any], around: Surroundings) -> None:
    """As OpenAI's other routes, but for the status: here a model that there is not is a 400."""
    model = document.get("model")
    if model is None:
        raise missing("model")
    if isinstance(model, str) and not around.knows(model, MODELS):
        raise BadRequest(f"The requested model '{model}' does not exist.", "model_not_found", "model")


def _counted(document: dict[str, Any], owner: str, around: Surroundings) -> Answer:
    _need_model(document, around)
    _CHECK_COUNT(document, ())
    counted = count(document, all_items(document, owner, around))
    return Answer(body=orjson.dumps({"object": "response.input_tokens", "input_tokens": counted}))


def _asked(document: dict[str, Any], owner: str, around: Surroundings) -> Answer:
    _need_model(document, around)
    _CHECK(document, ())
    check_responses(document)
    if document.get("stream_options") and not document.get("stream"):
        words = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise BadRequest(words, "invalid_value", "stream_options")
    for name in ("background", "conversation", "prompt"):
        if document.get(name):
            raise BadRequest(f"The simulator does not play '{name}'.", "unsupported_parameter", name)
    return _answered(document, owner, around)


def _answered(document: dict[str, Any], owner: str, around: Surroundings) -> Answer:
    given = all_items(document, owner, around)
    said = reply(question(document, given), around.say, around.answer_tokens)
    made = items(said, document, around)
    spent = usage(count(document, given), said.tokens, cached(document, given, owner, around), said.thought_tokens)
    response = Made(document, tuple(enumerate(made)), INCOMPLETE if said.finish == LENGTH else COMPLETED, spent)
    if document.get("store") is not False:
        around.memory.store(owner, f"resp_{around.unique}", {"items": [*given, *made]})
        for item in made:
            around.memory.store(owner, item["id"], item)
    return streamed(response, around) if document.get("stream") else whole(response, around)
