"""OpenAI's chat completions, older completions and models, on any base path, as compatible providers have them."""

from __future__ import annotations

import re
from typing import Any

import orjson

from oneflow_ai.simulator.answer import Answer
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.wires import openai_chat, openai_completions, openai_odd
from oneflow_ai.simulator.wires.openai_manners import OpenAIManners, need_model, no_model
from oneflow_ai.simulator.wires.openai_reasoning import need_chat
from oneflow_ai.simulator.wires.openai_shapes import BadRequest
from oneflow_ai.simulator.wires.wire import Surroundings

# Ids of developers.openai.com/api/docs/models and the official client's list, checked 2026-11-23.
MODELS = (
    *("gpt-6.2-astra", "gpt-6.2-sol", "gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-sol", "gpt-6-luna"),
    *("gpt-5.6-sol", "gpt-5.6-terra", "gpt-5.6-luna", "gpt-5.5", "gpt-5.4", "gpt-5.4-mini", "gpt-5.2", "gpt-5.1"),
    *("gpt-4.1", "gpt-4.1-mini", "gpt-4o", "gpt-4o-mini"),
    *("text-embedding-3-large", "text-embedding-3-small", "text-embedding-ada-002", "omni-moderation-latest"),
    *("gpt-image-2.6-sunburst", "gpt-image-2.6-flare", "gpt-image-2.5", "gpt-image-2", "gpt-image-1.5"),
    *("gpt-image-1-mini", "chatgpt-image-latest", "gpt-4o-mini-tts", "tts-1", "tts-1-hd", "gpt-transcribe"),
    *("gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-4o-transcribe-diarize", "whisper-1"),
)
_MODELS_CREATED = 1_790_000_000
_DEPLOYMENT = re.compile(r".*/deployments/([^/]+)/.*")
_TEXTS = ("chat/completions", "completions")


class OpenAIWire(OpenAIManners):
    """The wire that answers what no other wire claims."""

    __slots__ = ()

    def claims(self, request: Request) -> bool:
        """Whether a path ends in one of the routes."""
        return _route(request.path)[0] != ""

    def model(self, request: Request) -> str:
        """The body's `model`, else the deployment or the id in the path."""
        if named := super().model(request):
            return named
        if found := _DEPLOYMENT.fullmatch(request.path):
            return found[1]
        return _route(request.path)[1]

    def answer(self, request: Request, around: Surroundings) -> Answer:
        """The answer to a request, errors in it included."""
        route, model = _route(request.path)
        if route == "models":
            return self.checked(request, around, lambda _: _models(model, around), "GET")
        if route not in _TEXTS:
            return self.checked(request, around, lambda _: _nowhere(request), request.method)

        def make(document: dict[str, Any]) -> Answer:
            if not isinstance(document.get("model"), str):
                document = document | {"model": self.model(request)}
            need_model(document, around, MODELS)
            if route == "completions":
                return openai_completions.answer(document, around)
            need_chat(document["model"])
            return openai_chat.answer(document, around, request.credential_hash)

        return self.checked(request, around, make)

    def sample(self, model: str, stream: bool, around: Surroundings) -> Answer:
        """The answer to a question that nobody asked."""
        question = {"role": "user", "content": "A question from somebody else"}
        options = {"stream_options": {"include_usage": True}} if stream else {}
        return openai_chat.answer({"model": model, "messages": [question], "stream": stream, **options}, around)

    def odd(self, kind: str, model: str, stream: bool, around: Surroundings, count: int) -> Answer:
        """A well-formed answer of an unusual form."""
        return openai_odd.odd(kind, {"model": model, "stream": stream}, around, count)


def _route(path: str) -> tuple[str, str]:
    """The route a path leads to, whatever stands before it, and the model it names; empty when there is none."""
    if path.endswith("/completions"):
        return ("chat/completions" if path.endswith("/chat/completions") else "completions"), ""
    _, models, rest = path.partition("/models")
    if not models or (rest and not rest.startswith("/")):
        return "", ""
    return "models", rest[1:]


def _nowhere(request: Request) -> Answer:
    raise BadRequest(f"Invalid URL ({request.method} {request.path})", "unknown_url", None, 404)


def _models(wanted: str, around: Surroundings) -> Answer:
    if wanted:
        if not around.knows(wanted, MODELS):
            raise no_model(wanted)
        return Answer(body=orjson.dumps(_model(wanted)))
    return Answer(body=orjson.dumps({"object": "list", "data": [_model(each) for each in around.models or MODELS]}))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _MODELS_CREATED, "owned_by": "simulator", "shutdown_date": None}
