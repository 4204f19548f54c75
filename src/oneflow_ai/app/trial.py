"""Tries a provider's key before it is kept: asks, with that key alone, for what costs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from oneflow_ai.app.rows import provider_alone
from oneflow_ai.catalog import Catalog
from oneflow_ai.core.failure import PROVIDER_AUTH_FAILED, PROVIDER_QUOTA_EXHAUSTED
from oneflow_ai.core.ports import Clock
from oneflow_ai.core.target import Secret
from oneflow_ai.flow.listing import ModelsAnswer, ask_standing
from oneflow_ai.insight.standing import any_targets
from oneflow_ai.settings import Loaded
from oneflow_ai.telemetry.fields import clean_text
from oneflow_ai.upstream import Ways

ANSWERED = 200
FORBIDDEN = 403
NOTHING_LEFT = "no credits left"
NO_FREE_CALL = "this kind of provider has no free call to check a key by"


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of trying a key: it works, the provider refuses it, or nobody knows, and the words for it.

    `models` is how many it may call, `account` what is left at the provider, each where that is told.
    """

    result: Literal["works", "refused", "unknown"]
    words: str
    models: int | None = None
    account: str | None = None


async def try_key(loaded: Loaded, name: str, key: Secret, catalog: Catalog, clock: Clock) -> Tried:
    """Ask the provider for what is free with this key: its list of models, and what the account has left.

    Raises nothing for what the provider does.
    """
    plant = provider_alone(loaded, name, key, catalog, clock.utc().date())
    (target, *_) = any_targets(plant.snapshot.providers[name])
    if "api_version" in target.options and not target.base_url.endswith("/v1"):
        return Tried("unknown", NO_FREE_CALL)
    upstream = Ways(plant.ways)
    try:
        answer = await ask_standing(target, upstream, clock)
    finally:
        await upstream.close()
    return judged(answer)


def judged(answer: ModelsAnswer) -> Tried:
    """What an answer to a question for what is free says of the key that was asked with."""
    if answer.failure is None:
        count, account = answer.count, answer.account
        models = None if count is None else f"{count:,} model{'' if count == 1 else 's'}"
        return Tried("works", ", ".join(filter(None, (models, account))), count, account)
    if answer.failure.kind is PROVIDER_QUOTA_EXHAUSTED and answer.status == ANSWERED:
        # It told what the account has left, and that is nothing.
        return Tried("works", NOTHING_LEFT, account=NOTHING_LEFT)
    # A key that works may lack the right to list models; no provider tells an unknown key so.
    refused = answer.failure.kind is PROVIDER_AUTH_FAILED and answer.status != FORBIDDEN
    return Tried("refused" if refused else "unknown", clean_text(answer.failure.message))
