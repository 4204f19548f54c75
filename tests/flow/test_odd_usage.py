"""What odd reports of usage cost, from the provider's bytes to the record: what is believed, or an estimate (P7)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from oneflow_ai.core.call import Account
from oneflow_ai.core.events import Usage
from oneflow_ai.core.price import UNITS, flat_price, free
from oneflow_ai.core.record import Exchange
from oneflow_ai.core.target import Target
from oneflow_ai.policy import price
from oneflow_ai.policy.usage import believable
from oneflow_ai.testing import ListeningClient, Scripted, SeededChance, VirtualClock, run_virtual
from tests.flow.test_engine import Office
from tests.providers import test_bedrock_usage, test_gemini_usage, test_openai_usage
from tests.wire.own_prompts import call_with, prompt
from tests.wire.requests import target_of

MISSING = object()
SHAPES_LEAST = 40
# A price of its own for each unit, so that none is taken for another.
PRICED = flat_price({unit: 1_000_000 * (number + 2) for number, unit in enumerate(UNITS)})

NO_COUNTS: Mapping[str, Any] = {
    "missing": MISSING, "null": None, "negative": -1, "float": 1.0, "fraction": 0.5, "text": "5", "bool": True,
    "list": [], "object": {}, "too large": (1 << 53) + 1, "far too large": 10**30,
}  # fmt: skip


def _anthropic(**odd: Any) -> dict[str, Any]:
    found = {"input_tokens": 100, "output_tokens": 40, **odd}
    return {name: value for name, value in found.items() if value is not MISSING}


def _anthropic_shapes() -> dict[str, tuple[Any, dict[str, Any] | None]]:
    sound = {"input_tokens": 100, "output_tokens": 40}
    shapes: dict[str, tuple[Any, dict[str, Any] | None]] = {
        "no usage": (MISSING, None),
        "null": (None, None),
        "a list": ([], None),
        "a text": ("100", None),
        "empty": ({}, None),
        "sound": (_anthropic(), sound),
        "zero": (_anthropic(input_tokens=0, output_tokens=0), {"input_tokens": 0, "output_tokens": 0}),
        "cache": (
            _anthropic(cache_read_input_tokens=50, cache_creation_input_tokens=7),
            {"input_tokens": 157, "output_tokens": 40, "cached_tokens": 50, "cache_write_tokens": 7},
        ),
        "an hour above its whole": (
            _anthropic(cache_creation_input_tokens=2, cache_creation={"ephemeral_1h_input_tokens": 3}),
            {
                "input_tokens": 102,
                "output_tokens": 40,
                "cache_write_tokens": 2,
                "cache_write_1h_tokens": 2,
                "odd": True,
            },
        ),
        "thoughts above their whole": (
            _anthropic(output_tokens_details={"thinking_tokens": 41}),
            {**sound, "reasoning_tokens": 40, "odd": True},
        ),
    }
    for name, odd in NO_COUNTS.items():
        shapes[f"input {name}"] = (_anthropic(input_tokens=odd), None)
        shapes[f"output {name}"] = (_anthropic(output_tokens=odd), None)
        nothing = odd is MISSING or odd is None
        shapes[f"cache {name}"] = (
            _anthropic(cache_read_input_tokens=odd),
            sound if nothing else {**sound, "odd": True},
        )
    return shapes


def _whole(around: Mapping[str, Any], field: str, usage: Any) -> bytes:
    # By their identity: each table has a mark of its own for what is not there.
    missing = type(usage) is object
    return json.dumps(dict(around) if missing else {**around, field: usage}).encode()


OPENAI = {
    "id": "c", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}],
}  # fmt: skip
ANTHROPIC = {
    "id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
    "content": [{"type": "text", "text": "Hello"}],
}  # fmt: skip
GEMINI = {"candidates": [{"content": {"parts": [{"text": "Hello"}]}, "finishReason": "STOP"}]}
BEDROCK = {"output": {"message": {"role": "assistant", "content": [{"text": "Hello"}]}}, "stopReason": "end_turn"}

PROVIDERS: Mapping[str, tuple[str, Mapping[str, Any], str, Mapping[str, tuple[Any, dict[str, Any] | None]]]] = {
    "openai": ("gpt-6-luna", OPENAI, "usage", test_openai_usage.SHAPES),
    "anthropic": ("claude-haiku-5-5", ANTHROPIC, "usage", _anthropic_shapes()),
    "gemini": ("gemini-3.8-flash", GEMINI, "usageMetadata", test_gemini_usage.SHAPES),
    "bedrock": ("amazon.nova-lite-v1:0", BEDROCK, "usage", test_bedrock_usage.SHAPES),
}

# Believable for a call of this size to nobody, though a model's window may hold as much.
BEYOND_THE_HOLD: Mapping[str, Mapping[str, int]] = {
    "openai": {"prompt_tokens": 1 << 26, "completion_tokens": 0},
    "anthropic": {"input_tokens": 1 << 26, "output_tokens": 0},
    "gemini": {"promptTokenCount": 1 << 26, "candidatesTokenCount": 0},
    "bedrock": {"inputTokens": 1 << 26, "outputTokens": 0},
}


def billed(target: Target, body: bytes) -> Exchange:
    """The record of a call that is answered so."""

    async def run(clock: VirtualClock, chance: SeededChance) -> Exchange:
        office = Office(clock, Scripted(steps=(body,)), target)
        client = ListeningClient()
        await office.engine.serve(call_with(prompt()), client)
        assert client.failure is None
        (record,) = office.records
        return record

    return run_virtual(run)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_odd_usage_is_billed_for_more_or_less_than_is_believed(provider: str) -> None:
    model, around, field, shapes = PROVIDERS[provider]
    assert len(shapes) >= SHAPES_LEAST
    target = replace(target_of(provider, model=model), price=PRICED)
    estimate = billed(target, _whole(around, field, MISSING))
    assert estimate.estimated and estimate.cost_nanos > 0
    held_nanos = billed(target, _whole(around, field, BEYOND_THE_HOLD[provider])).cost_nanos
    wrong = {}
    for name, (usage, believed) in shapes.items():
        record = billed(target, _whole(around, field, usage))
        told = record.usage
        assert told is not None
        if believed is None or not believable(Usage(**believed)):
            # Its own length is part of an answer's estimate.
            near = abs(record.cost_nanos - estimate.cost_nanos) < estimate.cost_nanos
            right = near and record.estimated and (told.source, told.odd) == ("estimated", believed is not None)
        elif (cost_nanos := price.used(PRICED, Usage(**believed), record.call.received)) > held_nanos:
            right = (record.cost_nanos, told.source, told.odd) == (held_nanos, "capped", True)
        else:
            right = (record.cost_nanos, record.estimated, told.odd) == (cost_nanos, False, believed.get("odd", False))
        if not right:
            wrong[name] = (record.cost_nanos, told)
    assert wrong == {}


def test_a_usage_that_costs_more_than_was_held_is_charged_as_held_and_odd() -> None:
    target = replace(target_of("openai"), price=PRICED)
    record = billed(target, _whole(OPENAI, "usage", {"prompt_tokens": 1 << 26, "completion_tokens": 0}))
    again = billed(target, _whole(OPENAI, "usage", {"prompt_tokens": 1 << 25, "completion_tokens": 0}))
    assert record.usage is not None
    assert (record.usage.source, record.usage.odd, record.estimated) == ("capped", True, True)
    assert record.cost_nanos == again.cost_nanos > 0


def test_an_absurd_usage_does_not_bar_its_key() -> None:
    account = Account("key-1", tokens_per_minute=100_000)

    async def run(clock: VirtualClock, chance: SeededChance) -> None:
        absurd = _whole(OPENAI, "usage", {"prompt_tokens": 1 << 53, "completion_tokens": 0})
        office = Office(clock, Scripted(steps=(absurd,)), replace(target_of("openai"), price=free()))
        for number in range(2):
            client = ListeningClient()
            await office.engine.serve(replace(call_with(prompt()), id=f"req_{number}", account=account), client)
            assert client.failure is None

    run_virtual(run)
