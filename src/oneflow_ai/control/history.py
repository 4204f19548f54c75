"""The history of requests over HTTP: page by page from the newest, filtered, and one by one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import ConfigDict, Field

from oneflow_ai.control.access import Role, needs
from oneflow_ai.control.ports import Ports
from oneflow_ai.control.shapes import NAME_CHARACTERS_MOST, Asked, Moment, Name, Shown
from oneflow_ai.core.failure import INVALID_VALUE, NOT_FOUND, Failure
from oneflow_ai.core.money import usd_float
from oneflow_ai.stores.history import Cursor, Filters, Record

REQUESTS_MOST = 200
REQUESTS_UNASKED = 50
_NUMBER_MOST = 2**63 - 1
_REQUEST: dict[str, Any] = {
    "id": "req_5f0c9d",
    "at": "2026-11-24T12:00:00Z",
    "key": "key_4Zd0aQ",
    "user": None,
    "tags": [],
    "dialect": "openai",
    "operation": "chat",
    "asked": "text",
    "provider": "acme",
    "model": "acme-large",
    "model_actual": "acme-large-2026-11",
    "status": 200,
    "outcome": "ok",
    "message": None,
    "attempts": [
        {"place": "acme/acme-large", "credential": "acme", "outcome": "ok", "status": 200, "seconds": 0.8},
    ],
    "input_tokens": 12,
    "output_tokens": 40,
    "cached_tokens": 0,
    "cache_write_tokens": 0,
    "reasoning_tokens": 0,
    "characters": 0,
    "images": 0,
    "audio_seconds": 0.0,
    "web_searches": 0,
    "usage_source": "provider",
    "cost_usd": 0.00046,
    "cost_nanos": 460000,
    "price_version": "2026-11-23",
    "estimated": False,
    "simulated": False,
    "stream": False,
    "seconds": 0.81,
    "first_event_seconds": 0.8,
    "client_id": None,
    "queued_seconds": 0.0,
}


class AttemptShown(Shown):
    """One attempt: the model at its provider, the credential's name, how it ended, the HTTP status, and how long."""

    place: str
    credential: str
    outcome: str
    status: int
    seconds: float


class RequestShown(Shown):
    """One request: who asked for what, who served it, how it went, what it used and what it cost.

    What it used is null where nothing is known of it: `characters` were spoken, `images` made, `audio_seconds` written
    down. `cost_nanos` is exact, in billionths of a dollar. `first_event_seconds` counts from the request's arrival.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_REQUEST]})

    id: str
    at: Moment
    key: str
    user: str | None
    tags: list[str]
    dialect: str
    operation: str
    asked: str
    provider: str | None
    model: str | None
    model_actual: str | None
    status: int
    outcome: str
    message: str | None
    attempts: list[AttemptShown]
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    characters: int | None
    images: int | None
    audio_seconds: float | None
    web_searches: int | None
    usage_source: str | None
    cost_usd: float
    cost_nanos: int
    price_version: str | None
    estimated: bool
    simulated: bool
    stream: bool
    seconds: float
    first_event_seconds: float | None
    queued_seconds: float
    client_id: str | None


class RequestDetail(RequestShown):
    """One request, with its client's `metadata`, and its prompt where the configuration has it kept."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**_REQUEST, "metadata": {"job": "nightly"}, "prompt": None}]}
    )

    metadata: dict[str, str | int | float | bool]
    prompt: str | None


class RequestsShown(Shown):
    """Some requests, the newest first; `next` is the `before` of the page that follows, null after the last."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"requests": [_REQUEST], "next": "1795521600000000-4711"}]}
    )

    requests: list[RequestShown]
    next: str | None


class RequestsAsked(Asked):
    """Which requests; what is left out does not narrow."""

    limit: int = Field(REQUESTS_UNASKED, ge=1, le=REQUESTS_MOST, description="How many at most.")
    before: str | None = Field(None, max_length=64, description="The `next` of the page before.")
    key: Name | None = Field(None, description="The id of the API key that asked.")
    provider: Name | None = Field(None, description="The provider that served it, or was tried last.")
    model: Name | None = Field(None, description="The model that served it, or was tried last.")
    outcome: Name | None = Field(None, description="`ok`, or a failure code.")
    since: Moment | None = Field(None, description="Received at this moment or later.")
    until: Moment | None = Field(None, description="Received before this moment.")


@needs(Role.VIEWER)
async def requests(ports: Ports, asked: Annotated[RequestsAsked, Query()]) -> RequestsShown:
    """A page of the history, the newest first; a request is in it within a second of its end."""
    filters = Filters(asked.key, asked.provider, asked.model, asked.outcome, asked.since, asked.until)
    page = await ports.running.history.page(filters, _cursor(asked.before), asked.limit)
    return RequestsShown(
        requests=[RequestShown(**_parts(record)) for record in page.records],
        next=None if page.next is None else str(page.next),
    )


@needs(Role.VIEWER)
async def request(
    ports: Ports, request_id: Annotated[str, Path(alias="id", max_length=NAME_CHARACTERS_MOST)]
) -> RequestDetail:
    """One request of the history; its id is the `x-request-id` of its answer."""
    record = await ports.running.history.get(request_id)
    if record is None:
        raise Failure(NOT_FOUND, "there is no request of this id in the history", param="id")
    return RequestDetail(**_parts(record), metadata=dict(record.metadata or {}), prompt=record.prompt)


def add_routes(router: APIRouter) -> None:
    """Add these endpoints."""
    router.get("/api/requests", tags=["requests"])(requests)
    router.get("/api/requests/{id}", tags=["requests"])(request)


def _cursor(text: str | None) -> Cursor | None:
    if text is None:
        return None
    try:
        cursor = Cursor.parse(text)
    except ValueError:
        cursor = None
    if cursor is None or max(cursor.at_microseconds, cursor.sequence) > _NUMBER_MOST:
        raise Failure(INVALID_VALUE, "before: give the next of an earlier page", param="before")
    return cursor


def _parts(record: Record) -> dict[str, Any]:
    parts = {name: getattr(record, name) for name in Record.__slots__ if name in RequestShown.model_fields}
    parts["key"], parts["user"] = record.key_id, record.end_user
    parts["attempts"] = [
        AttemptShown(**{name: getattr(one, name) for name in AttemptShown.model_fields}) for one in record.attempts
    ]
    parts["cost_usd"] = usd_float(record.cost_nanos)
    heard = record.audio_milliseconds
    parts["audio_seconds"] = None if heard is None else heard / 1000
    return parts
