"""Requests of OpenAI's wire that are sent as forms: their files are read as they are sent."""

from __future__ import annotations

from collections.abc import Iterator

from oneflow_ai.core.call import Call
from oneflow_ai.core.order import ImageOrder
from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.core.target import Target
from oneflow_ai.providers import openai_images
from oneflow_ai.providers.form import FormBody

# Ours alone: never sent on.
_OWN_FIELDS = ("models", "fallbacks")


def request(call: Call, target: Target, url: str) -> HttpRequest:
    """The form as it was sent, but for the model's name; unknown fields are kept, in their order."""
    assert call.form is not None
    # Nobody knew a call's id when the form was written: no file of it holds this.
    body = FormBody(f"oneflow-{call.id}", _fields(call, target.model), call.form.files)
    return _sent(body, target, url, ())


def changed(call: Call, order: ImageOrder, target: Target, url: str) -> HttpRequest:
    """The form that has pictures changed for a client of another wire; raises `Failure` for what has no place in it."""
    asked, dropped = openai_images.body_of(order)
    fields = [("model", target.model), *((name, str(value)) for name, value in asked.items())]
    return _sent(FormBody(f"oneflow-{call.id}", fields, openai_images.files_of(order)), target, url, dropped)


def _sent(body: FormBody, target: Target, url: str, dropped: tuple[str, ...]) -> HttpRequest:
    headers = tuple((name, value) for name, value in target.headers if name != "content-type")
    headers = (("content-type", body.content_type), *headers)
    return HttpRequest("POST", url, headers, b"", target.timeouts, target.way, dropped, large=body)


def _fields(call: Call, model: str) -> Iterator[tuple[str, str]]:
    assert call.form is not None
    yield "model", model
    for name, value in call.form.fields:
        if name != "model" and name.removesuffix("[]") not in _OWN_FIELDS:
            yield name, value
