"""Whether a call may run: what it may cost at most, held with every meter or with none."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.events import Usage
from oneflow_ai.core.failure import MODEL_NOT_PRICED, Failure
from oneflow_ai.core.ports import Meter
from oneflow_ai.core.price import Price
from oneflow_ai.core.target import Target
from oneflow_ai.core.value import value
from oneflow_ai.policy.price import Top, most_of, tops
from oneflow_ai.policy.usage import input_tokens_bound

# What an answer may hold where neither the request nor the catalogue sets a bound.
OUTPUT_TOKENS_UNKNOWN = 32_768
CONTEXT_UNKNOWN = 1 << 20
# What a file that stands elsewhere is taken to hold of a key's tokens: some ten pages (a page is up to 3,000 tokens:
# platform.claude.com/docs/en/build-with-claude/pdf-support, 2026-11-26).
FILE_TOKENS = 30_000
# A second of sound is 10 tokens to OpenAI and 32 to Gemini (ai.google.dev/gemini-api/docs/audio, 2026-11-26), and some
# 2,700 characters of base64 at the least that is understood, 16 kbit/s.
SOUND_BYTES_PER_TOKEN = 80
# A price may change with the hour: its bounds are worked out anew after this.
PRICE_SECONDS = 60.0
PRICES_REMEMBERED = 4_096


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
        self._tops: dict[str, tuple[Top, ...]] = {}
        self._tops_until_seconds = 0.0

    async def hold(self, call: Call, targets: Sequence[Target]) -> Admitted:
        """Hold the dearest of the targets; raises `Failure` naming the scope that has not enough."""
        admitted = self._bound(call, targets)
        tokens, nanos = admitted.tokens, admitted.nanos
        held: list[Meter] = []
        try:
            for meter in self._meters:
                await meter.hold(call, tokens, nanos)
                held.append(meter)
        except BaseException:
            for meter in held:
                with contextlib.suppress(Exception):
                    await meter.void(call)
            raise
        return admitted

    async def settle(self, call: Call, usage: Usage, nanos: int) -> None:
        """The call used something: turn its holds into that."""
        await self._each(lambda meter: meter.settle(call, usage, nanos))

    async def void(self, call: Call) -> None:
        """The call used nothing that its owner pays for."""
        await self._each(lambda meter: meter.void(call))

    async def _each(self, let_go: Callable[[Meter], Awaitable[None]]) -> None:
        """Every meter lets go, whatever became of the one before; then the first fault is raised."""
        fault: Exception | None = None
        for meter in self._meters:
            try:
                await let_go(meter)
            except Exception as error:  # noqa: BLE001 - a fault of one meter must not keep the others' holds
                fault = fault or error
        if fault is not None:
            raise fault

    def _bound(self, call: Call, targets: Sequence[Target]) -> Admitted:
        """The targets that have a price, and the most that the dearest of them takes and costs."""
        if call.operation.free:
            return Admitted(targets, 0, 0)
        asked, answers = call.output_most_tokens, call.answers
        embeds = call.operation is Operation.EMBEDDING
        media = call.media
        other_tokens = media.sound_bytes // SOUND_BYTES_PER_TOKEN + media.files * FILE_TOKENS
        input_tokens = input_tokens_bound(call.prompt_bytes, images=media.pictures, other_tokens=other_tokens)
        priced: list[Target] = []
        tokens = nanos = 0
        for target in targets:
            if target.price is not None:
                priced.append(target)
                output_tokens = 0 if embeds else (asked or target.output_most_tokens or OUTPUT_TOKENS_UNKNOWN) * answers
                tokens = max(tokens, input_tokens + output_tokens)
                # Nobody knows what a file holds that stands elsewhere, but that the model takes no more than it can.
                window_tokens = (target.context_window_tokens or CONTEXT_UNKNOWN) if media.files else 0
                dearest = max(input_tokens, window_tokens)
                nanos = max(nanos, most_of(self._tops_of(target.price, call), dearest, output_tokens))
        if not priced:
            name = targets[0].place
            words = f'{name} has no price; set [prices."{name}"] in the configuration (zero is a price)'
            raise Failure(MODEL_NOT_PRICED, words, param="model")
        return Admitted(priced, tokens, nanos)

    def _tops_of(self, price: Price, call: Call) -> tuple[Top, ...]:
        """What bounds the cost at this price; worked out once for a while, for now and for the end of the while."""
        if call.started_seconds >= self._tops_until_seconds or len(self._tops) >= PRICES_REMEMBERED:
            self._tops.clear()
            self._tops_until_seconds = call.started_seconds + PRICE_SECONDS
        found = self._tops.get(price.version)
        if found is None:
            later = call.received + timedelta(seconds=PRICE_SECONDS)
            found = self._tops[price.version] = tops(price, (call.received, later))
        return found
