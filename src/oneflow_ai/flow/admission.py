"""Whether a call may run: what it may cost at most, held with every meter or with none."""

from __future__ import annotations

from collections.abc import Sequence

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import Usage
from oneflow_ai.core.failure import MODEL_NOT_PRICED, Failure
from oneflow_ai.core.ports import Meter
from oneflow_ai.core.target import Target
from oneflow_ai.core.value import value
from oneflow_ai.policy.price import Bound, quote
from oneflow_ai.policy.usage import input_tokens_bound

# What an answer may hold where neither the request nor the catalogue sets a bound.
OUTPUT_TOKENS_UNKNOWN = 32_768


@value
class Admitted:
    """A call that was let in: the targets that have a price, and what is held for it."""

    targets: Sequence[Target]
    tokens: int
    nanos: int


class Admission:
    """Holds every meter for a call, all or none, and lets go of them once."""

    def __init__(self, meters: Sequence[Meter]) -> None:
        self._meters = tuple(meters)

    async def hold(self, call: Call, targets: Sequence[Target]) -> Admitted:
        """Hold the dearest of the targets; raises `Failure` naming the scope that has not enough."""
        priced = [target for target in targets if target.price is not None]
        if not priced:
            name = targets[0].place
            words = f'{name} has no price; set [prices."{name}"] in the configuration (zero is a price)'
            raise Failure(MODEL_NOT_PRICED, words, param="model")
        tokens, nanos = _bound(call, priced)
        held: list[Meter] = []
        try:
            for meter in self._meters:
                await meter.hold(call, tokens, nanos)
                held.append(meter)
        except BaseException:
            for meter in held:
                await meter.void(call)
            raise
        return Admitted(priced, tokens, nanos)

    async def settle(self, call: Call, usage: Usage, nanos: int) -> None:
        """The call used something: turn its holds into that."""
        for meter in self._meters:
            await meter.settle(call, usage, nanos)

    async def void(self, call: Call) -> None:
        """The call used nothing that its owner pays for."""
        for meter in self._meters:
            await meter.void(call)


def _bound(call: Call, targets: Sequence[Target]) -> tuple[int, int]:
    body = call.body
    asked = body.get("max_completion_tokens") or body.get("max_tokens")
    answers = body.get("n") or 1
    input_tokens = input_tokens_bound(call.prompt_bytes)
    tokens = nanos = 0
    for target in targets:
        output_tokens = asked or target.output_most_tokens or OUTPUT_TOKENS_UNKNOWN
        bound = Bound(input_tokens=input_tokens, output_tokens=output_tokens, n=answers)
        price = target.price
        assert price is not None
        tokens = max(tokens, input_tokens + output_tokens * answers)
        nanos = max(nanos, quote(price, bound, call.received))
    return tokens, nanos
