"""Finished exchanges with nothing particular about them, for the tests of stores and telemetry."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from oneflow_ai.core.call import Account, Call, Operation
from oneflow_ai.core.events import Usage
from oneflow_ai.core.ports import Adapter
from oneflow_ai.core.record import Attempt, Exchange
from oneflow_ai.core.target import Credential, ProviderLimits, Secret, Target, Timeouts

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PROVIDER_SECRET = "canary-provider-secret-7f3a"
PROMPT = "canary-prompt-91c4"


def target(provider: str = "acme", model: str = "acme-large", *, simulated: bool = False) -> Target:
    """A target of that provider."""
    return Target(
        place=f"{provider}/{model}",
        provider=provider,
        kind="openai",
        model=model,
        credential=Credential(f"{provider}#1", Secret(PROVIDER_SECRET)),
        adapter=cast(Adapter, None),
        base_url="http://127.0.0.1:9/v1",
        way=provider,
        headers=(("authorization", f"Bearer {PROVIDER_SECRET}"),),
        price=None,
        timeouts=Timeouts(),
        limits=ProviderLimits(),
        simulated=simulated,
    )


def call(number: int = 1, **changes: Any) -> Call:
    """Call number so-and-so, received that many seconds after noon."""
    made = Call(
        id=f"req-{number}",
        account=Account("key_1", "Ann's key"),
        dialect="openai",
        operation=Operation.CHAT,
        model="text",
        body={"messages": [{"role": "user", "content": PROMPT}]},
        stream=False,
        include_usage=False,
        received=NOON + timedelta(seconds=number),
        started_seconds=100.0,
        deadline_seconds=700.0,
        prompt_bytes=60,
    )
    return replace(made, **changes)


def success(number: int = 1, at: Target | None = None, **changes: Any) -> Exchange:
    """A call answered at the first attempt: half a second, ten tokens in, twenty out, 1,000 nano-USD."""
    place = at or target()
    return Exchange(
        call=call(number, **changes),
        attempts=[Attempt(place, 100.0, 100.5, "ok", 200)],
        outcome="ok",
        status=200,
        usage=Usage(input_tokens=10, output_tokens=20, cached_tokens=4),
        cost_nanos=1_000,
        served=place,
        model_actual="acme-large-2026-11",
        first_event_seconds=100.2,
        ended_seconds=100.5,
        price_version="2026-11-23",
    )


def failure(
    number: int = 1, outcome: str = "upstream_timeout", status: int = 504, message: str = "acme#1 did not answer"
) -> Exchange:
    """A call that failed at its only attempt."""
    return Exchange(
        call=call(number),
        attempts=[Attempt(target(), 100.0, 101.0, outcome, 0, message)],
        outcome=outcome,
        status=status,
        message=message,
        ended_seconds=101.0,
    )
