"""Whether a call may run: what it may cost at most, held with every meter or with none."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import timedelta

from oneflow_ai.core.call import Call, Operation, Task
from oneflow_ai.core.events import Usage
from oneflow_ai.core.failure import MODEL_NOT_PRICED, Failure
from oneflow_ai.core.order import Order
from oneflow_ai.core.ports import Meter
from oneflow_ai.core.price import Price
from oneflow_ai.core.target import Target
from oneflow_ai.core.value import value
from oneflow_ai.policy.order import most_ordered, picture_tokens
from oneflow_ai.policy.price import Bound, Top, covers, most_of, quote, tops
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
        held = 0
        try:
            for meter in self._meters:
                await meter.hold(call, tokens, nanos)
                held += 1
        except BaseException:
            for meter in self._meters[:held]:
                with contextlib.suppress(Exception):
                    await meter.void(call)
            raise
        return admitted

    async def settle(self, call: Call, usage: Usage | None, nanos: int) -> None:
        """The call used something: turn its holds into that. None: nothing that its owner pays for.

        Every meter lets go, whatever became of the one before; then the first fault is raised.
        """
        fault: Exception | None = None
        for meter in self._meters:
            try:
                if usage is None:
                    await meter.void(call)
                else:
                    await meter.settle(call, usage, nanos)
            except Exception as error:  # noqa: BLE001 - a fault of one meter must not keep the others' holds
                fault = fault or error
        if fault is not None:
            raise fault

    async def void(self, call: Call) -> None:
        """The call used nothing that its owner pays for."""
        await self.settle(call, None, 0)

    def _bound(self, call: Call, targets: Sequence[Target]) -> Admitted:
        """The targets that have a price, and the most that the dearest of them takes and costs."""
        if call.operation.free:
            return Admitted(targets, 0, 0)
        if call.started_seconds >= self._tops_until_seconds:
            self._tops.clear()
            self._tops_until_seconds = call.started_seconds + PRICE_SECONDS
        if call.order is not None:
            return _bound_of_order(call, call.order, targets)
        asked, answers, media = call.output_most_tokens, call.answers, call.media
        embeds = call.operation is Operation.EMBEDDING
        other_tokens = media.sound_bytes // SOUND_BYTES_PER_TOKEN + media.files * FILE_TOKENS
        input_tokens = input_tokens_bound(call.prompt_bytes, images=media.pictures, other_tokens=other_tokens)
        tokens = nanos = 0
        unpriced = False
        for target in targets:
            price = target.price
            if price is None:
                unpriced = True
                continue
            found = self._tops.get(price.version) or self._tops_of(price, call)
            if not found:
                unpriced = True
                continue
            output_tokens = 0 if embeds else (asked or target.output_most_tokens or OUTPUT_TOKENS_UNKNOWN) * answers
            tokens = max(tokens, input_tokens + output_tokens)
            dearest = input_tokens
            if media.files:
                # Nobody knows what a file holds that stands elsewhere, but that the model takes no more than it can.
                dearest = max(input_tokens, target.context_window_tokens or CONTEXT_UNKNOWN)
            nanos = max(nanos, most_of(found, dearest, output_tokens))
        return Admitted(_priced(targets, call.operation.task) if unpriced else targets, tokens, nanos)

    def _tops_of(self, price: Price, call: Call) -> tuple[Top, ...]:
        """What bounds the cost at this price, for now and for the end of a while: for so long it is remembered.

        Nothing where the price does not tell what tokens cost.
        """
        if not covers(price, call.operation.task):
            return ()
        if len(self._tops) >= PRICES_REMEMBERED:
            self._tops.clear()
        later = call.received + timedelta(seconds=PRICE_SECONDS)
        found = self._tops[price.version] = tops(price, (call.received, later))
        return found


def _bound_of_order(call: Call, order: Order, targets: Sequence[Target]) -> Admitted:
    """The same for pictures, speech and transcripts, which are not only counted in tokens."""
    input_tokens = input_tokens_bound(call.prompt_bytes)
    priced = _priced(targets, call.operation.task)
    moments = call.received, call.received + timedelta(seconds=PRICE_SECONDS)
    bounds: dict[int, Bound] = {}
    nanos = 0
    for target in priced:
        assert target.price is not None
        image_tokens = picture_tokens(call, target)
        bound = bounds.get(image_tokens)
        if bound is None:
            bound = bounds[image_tokens] = most_ordered(order, input_tokens, image_tokens)
        nanos = max(nanos, *(quote(target.price, bound, at) for at in moments))
    return Admitted(priced, input_tokens + max(bound.output_tokens for bound in bounds.values()), nanos)


def _priced(targets: Sequence[Target], task: Task) -> list[Target]:
    priced = [target for target in targets if target.price is not None and covers(target.price, task)]
    if not priced:
        name, what = targets[0].place, "" if targets[0].price is None else f" for {task.value}"
        words = f'{name} has no price{what}; set [prices."{name}"] in the configuration (zero is a price)'
        raise Failure(MODEL_NOT_PRICED, words, param="model")
    return priced
