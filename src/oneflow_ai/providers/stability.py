"""Stability's wire: pictures of both its editions, asked for by forms or JSON, and the credits that are left."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import orjson

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import Decoder
from oneflow_ai.core.failure import (
    PROVIDER_QUOTA_EXHAUSTED,
    UNSUPPORTED_PARAMETER,
    Failure,
)
from oneflow_ai.core.order import ImageOrder
from oneflow_ai.core.ports import NO_HEADERS, HttpRequest, RateHints
from oneflow_ai.core.target import Target
from oneflow_ai.providers import stability_v1
from oneflow_ai.providers.base import WholeDecoder, loaded, mapping, not_done
from oneflow_ai.providers.form import FormBody
from oneflow_ai.providers.stability_answer import PictureDecoder
from oneflow_ai.providers.stability_failure import failure_of
from oneflow_ai.providers.stability_form import BODY_BYTES_MOST, PATH, service_of, written

WIRE = "stability"
_JSON = "application/json"
_PICTURE = "image/*"


class StabilityAdapter:
    """Requests and answers on Stability's wire."""

    def request(self, call: Call, target: Target) -> HttpRequest:
        """The order as this wire has it, with a client's own further fields where it is the client's wire too.

        Raises `Failure` for what is no order of pictures, or one that the model cannot be asked for.
        """
        order = call.order
        if not isinstance(order, ImageOrder):
            raise not_done(call, target)
        if stability_v1.has(target.model):
            return _first_edition(order, target)
        return _second_edition(call, order, target)

    def decoder(self, call: Call, target: Target, headers: Mapping[str, str] = NO_HEADERS) -> Decoder:
        """The picture; JSON as it came for a client of the same wire that asks for that."""
        if stability_v1.has(target.model):
            return WholeDecoder(stability_v1.read)
        return PictureDecoder(headers, raw=call.dialect == WIRE and not call.translated and _accepted(call) == _JSON)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        """What an unsuccessful answer means."""
        return failure_of(status, headers, body)

    def account_request(self, target: Target) -> HttpRequest:
        """The request for the credits that are left."""
        url = target.base_url + stability_v1.BALANCE_PATH
        return HttpRequest("GET", url, _headers(target, accept=_JSON), b"", target.timeouts, target.way)

    # There is no list of what can be called.
    models_request = account_request

    def account(self, body: bytes) -> str:
        """The credits that are left; raises `Failure` where none are."""
        credits = mapping(loaded(body)).get("credits")
        if not isinstance(credits, int | float) or isinstance(credits, bool):
            return ""
        if credits <= 0:
            raise Failure(PROVIDER_QUOTA_EXHAUSTED, "the account at the provider has no credits left")
        return f"{credits:,g} credits left"

    def hints(self, headers: Mapping[str, str]) -> RateHints | None:
        """Nothing: Stability tells no limits (its API reference, 2026-11-23)."""
        del headers
        return None


def _second_edition(call: Call, order: ImageOrder, target: Target) -> HttpRequest:
    asked = written(order, target.model)
    fields, dropped = asked.fields, (*asked.dropped, *order.minor)
    accepted = _PICTURE
    told: dict[str, str] = {}
    if call.wire == WIRE and call.form is not None:
        # Nothing is left out where the provider knows the words, or has the last word on them.
        fields += tuple(field for field in call.form.fields if field[0].removesuffix("[]") in order.minor)
        dropped = asked.dropped
        accepted, told = _accepted(call), dict(call.headers)
    # Nobody knew a call's id when the form was written: no file of it holds this.
    body = FormBody(f"oneflow-{call.id}", fields, asked.files)
    if body.size_bytes > BODY_BYTES_MOST:
        words = f"the target takes {BODY_BYTES_MOST >> 20} MiB at the most"
        raise Failure(UNSUPPORTED_PARAMETER, words, param="image" if asked.files else None)
    headers = _headers(target, **{**told, "content-type": body.content_type, "accept": accepted})
    url = target.base_url + PATH + quote(service_of(target.model), safe="")
    return HttpRequest("POST", url, headers, b"", target.timeouts, target.way, dropped, large=body)


def _first_edition(order: ImageOrder, target: Target) -> HttpRequest:
    body, dropped = stability_v1.body_of(order)
    headers = _headers(target, **{"content-type": _JSON, "accept": _JSON})
    url = target.base_url + stability_v1.path_of(target.model)
    left_out = (*dropped, *order.minor)
    return HttpRequest("POST", url, headers, orjson.dumps(body), target.timeouts, target.way, left_out)


def _accepted(call: Call) -> str:
    """As what a client of this wire wants its picture."""
    return dict(call.headers).get("accept", _PICTURE)


def _headers(target: Target, **told: str) -> tuple[tuple[str, str], ...]:
    """The target's headers and these, each once."""
    own = ((name, value) for name, value in target.headers if name != "content-type" and name not in told)
    return (*own, *told.items())
