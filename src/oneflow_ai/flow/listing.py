"""Asks a provider for its list of models, and for what is left, which is free: within a time, with one credential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from oneflow_ai.core.failure import UPSTREAM_BAD_RESPONSE, UPSTREAM_TOO_LARGE, Failure
from oneflow_ai.core.listing import Listed
from oneflow_ai.core.ports import Clock, HttpAnswer, TellsAccount, Upstream
from oneflow_ai.core.target import Target
from oneflow_ai.providers.listing import read_models

ASK_SECONDS_MOST = 10.0
LIST_BYTES_MOST = 8 << 20


@dataclass(slots=True)
class ModelsAnswer:
    """What came of asking: the HTTP status if any came, the list, or why there is none.

    `count` is how many the list has, `models` those of them that have a sound name. `account` is what is left of it,
    where that was asked for too, or the provider has no list.
    """

    status: int | None = None
    count: int | None = None
    models: Mapping[str, Listed] = field(default_factory=dict)
    account: str | None = None
    failure: Failure | None = None
    seconds: float = 0.0


async def ask_models(target: Target, upstream: Upstream, clock: Clock) -> ModelsAnswer:
    """The list of the models that the target's credential may use; raises nothing for what the provider does."""
    began = clock.monotonic()
    found = ModelsAnswer()
    try:
        request = target.adapter.models_request(target).signed(clock.utc())
        answer = await upstream.send(request, began + ASK_SECONDS_MOST)
        found.status = answer.status
        try:
            body = await _read(answer, began + ASK_SECONDS_MOST)
        finally:
            answer.close()
        if answer.status != 200:
            raise target.adapter.failure(answer.status, answer.headers, body)
        _take(found, target, body)
    except Failure as failure:
        found.failure = failure
    found.seconds = clock.monotonic() - began
    return found


def _take(found: ModelsAnswer, target: Target, body: bytes) -> None:
    adapter = target.adapter
    try:
        items, found.models = read_models(body)
    except ValueError:
        # Where there is no list, it is how the account stands that is asked for instead.
        found.account = (adapter.account(body) or None) if isinstance(adapter, TellsAccount) else None
        if found.account is None:
            raise Failure(UPSTREAM_BAD_RESPONSE, "what answered is not a list of models") from None
        return
    found.count = len(items)


async def ask_standing(target: Target, upstream: Upstream, clock: Clock) -> ModelsAnswer:
    """The list of models, and what the account has left where its provider tells that; raises nothing as above."""
    found = await ask_models(target, upstream, clock)
    if found.failure is None and found.account is None:
        found.account = await ask_account(target, upstream, clock)
    return found


async def ask_account(target: Target, upstream: Upstream, clock: Clock) -> str | None:
    """What the target's account has left, where its provider tells that; None where it does not, or not this time."""
    adapter = target.adapter
    if not isinstance(adapter, TellsAccount):
        return None
    until_seconds = clock.monotonic() + ASK_SECONDS_MOST
    try:
        answer = await upstream.send(adapter.account_request(target).signed(clock.utc()), until_seconds)
        try:
            body = await _read(answer, until_seconds)
        finally:
            answer.close()
        return (adapter.account(body) or None) if answer.status == 200 else None
    except Failure:
        return None


async def _read(answer: HttpAnswer, until_seconds: float) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while piece := await answer.read(until_seconds):
        pieces.append(piece)
        size += len(piece)
        if size > LIST_BYTES_MOST:
            raise Failure(UPSTREAM_TOO_LARGE, f"the answer is larger than {LIST_BYTES_MOST} bytes")
    return b"".join(pieces)
