"""Whom to ask for what ElevenLabs' clients look up, and the voices of those whom nobody can ask."""

from __future__ import annotations

from collections.abc import Iterator

from oneflow_ai.core.call import Account, Operation, Task
from oneflow_ai.core.failure import PROVIDER_NOT_CONFIGURED, Failure
from oneflow_ai.core.target import Provider, Snapshot
from oneflow_ai.dialects import elevenlabs
from oneflow_ai.edge.head import RequestHead


def lookup_model(snapshot: Snapshot, account: Account) -> str | None:
    """A model of the first provider that speaks this wire, so that its account is asked; None where there is none.

    The route of speech instead, for a key that may use that and not the model: it leads there as a rule.
    """
    for provider in snapshot.providers.values():
        if provider.configured and provider.kind == elevenlabs.DIALECT:
            model = provider.default_model(Task.SPEECH) or next(iter(sorted(provider.models)), None)
            if model is not None:
                place = f"{provider.name}/{model}"
                route = Task.SPEECH.value
                return route if not account.may_use(place) and account.may_use(route) else place
    return None


def other_voices(head: RequestHead, operation: Operation, snapshot: Snapshot, account: Account) -> bytes:
    """The voices of the other providers that speak; raises `Failure` for what only a provider of this wire has."""
    if operation is not Operation.VOICES:
        raise Failure(PROVIDER_NOT_CONFIGURED, "no provider of this wire has a credential")
    names = {
        voice: voice
        for provider in snapshot.providers.values()
        if provider.configured
        for voice in _voices_of(provider, account)
    }
    return elevenlabs.voices_body(head.path, head.query, names)


def _voices_of(provider: Provider, account: Account) -> Iterator[str]:
    """The provider's own names of those voices that it is known to have, for an account that may use its speech."""
    model = provider.default_model(Task.SPEECH)
    if model is None or not (account.may_use(f"{provider.name}/{model}") or account.may_use(Task.SPEECH.value)):
        return
    for target in provider.targets(model)[:1]:
        yield from sorted(set(target.voices.values()))
