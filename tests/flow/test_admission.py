"""Admission: every meter or none is held, and each lets go whatever another does."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import Usage
from oneflow_ai.core.failure import INSUFFICIENT_QUOTA, MODEL_NOT_PRICED, Failure
from oneflow_ai.core.media import Media
from oneflow_ai.core.price import UNITS, flat_price, free
from oneflow_ai.core.target import Target
from oneflow_ai.flow.admission import FILE_TOKENS, Admission
from oneflow_ai.policy.usage import IMAGE_INPUT_TOKENS_MOST
from tests.policy.places import target
from tests.ports.calls import call

TARGETS: list[Target] = [replace(target(), price=free())]


@dataclass
class Ledger:
    """A meter that writes down what it is told, and fails at what it is made to fail at."""

    fails_at: str = ""
    told: list[str] = field(default_factory=list)

    async def hold(self, call: Call, tokens: int, nanos: int) -> None:
        if self.fails_at == "refuse":
            raise Failure(INSUFFICIENT_QUOTA, "nothing is left", param="wallet")
        self._tell("hold")

    async def settle(self, call: Call, usage: Usage, nanos: int) -> None:
        self._tell("settle")

    async def void(self, call: Call) -> None:
        self._tell("void")

    def _tell(self, what: str) -> None:
        self.told.append(what)
        if what == self.fails_at:
            raise OSError(what)


async def test_a_meter_that_refuses_lets_those_before_it_go() -> None:
    first, second, third = Ledger(), Ledger("refuse"), Ledger()
    with pytest.raises(Failure) as caught:
        await Admission([first, second, third]).hold(call(), TARGETS)
    assert caught.value.param == "wallet"
    assert (first.told, second.told, third.told) == (["hold", "void"], [], [])


@pytest.mark.parametrize("what", ["settle", "void"])
async def test_a_meter_that_fails_keeps_no_other_from_letting_go(what: str) -> None:
    meters = [Ledger(what), Ledger(), Ledger(what)]
    admission = Admission(meters)
    await admission.hold(call(), TARGETS)
    with pytest.raises(OSError, match=what):
        await (admission.settle(call(), Usage(), 0) if what == "settle" else admission.void(call()))
    assert all(meter.told == ["hold", what] for meter in meters)


async def test_a_fault_while_letting_go_does_not_hide_the_refusal() -> None:
    with pytest.raises(Failure, match="nothing is left"):
        await Admission([Ledger("void"), Ledger("refuse")]).hold(call(), TARGETS)


async def test_what_stands_elsewhere_is_bound_by_what_the_model_takes_and_sound_by_its_length() -> None:
    place = replace(target(), price=flat_price(dict.fromkeys(UNITS, 1_000)), context_window_tokens=200_000)
    admission = Admission([])
    text = await admission.hold(call(), [place])
    for media, most in ((Media(files=1), 200_000), (Media(files=2), 200_000)):
        held = await admission.hold(replace(call(), media=media), [place])
        assert held.tokens == text.tokens + media.files * FILE_TOKENS
        assert held.nanos > text.nanos and held.nanos >= most // 1_000
    sound = await admission.hold(replace(call(), media=Media(sound_bytes=80_000)), [place])
    assert sound.tokens == text.tokens + 1_000
    pictures = await admission.hold(replace(call(), media=Media(pictures=2)), [place])
    assert pictures.tokens == text.tokens + 2 * IMAGE_INPUT_TOKENS_MOST


async def test_only_targets_that_have_a_price_are_admitted_and_all_of_them_as_they_are() -> None:
    priced, unpriced = TARGETS[0], replace(target("other/model"), price=None)
    assert (await Admission([]).hold(call(), [unpriced, priced, unpriced])).targets == [priced]
    assert (await Admission([]).hold(call(), TARGETS)).targets == TARGETS
    with pytest.raises(Failure) as caught:
        await Admission([]).hold(call(), [unpriced])
    assert caught.value.kind is MODEL_NOT_PRICED


@pytest.mark.parametrize("kind", ["characters", "images", "audio_hours", "web_searches"])
async def test_a_price_of_something_else_is_none_for_a_chat(kind: str) -> None:
    spoken = replace(target("other/model"), price=flat_price({kind: 1_000}))
    with pytest.raises(Failure, match="other/model has no price for text") as caught:
        await Admission([]).hold(call(), [spoken])
    assert caught.value.kind is MODEL_NOT_PRICED
    held = await Admission([]).hold(call(), [spoken, TARGETS[0]])
    assert (held.targets, held.tokens) == ([TARGETS[0]], (await Admission([]).hold(call(), [TARGETS[0]])).tokens)


@pytest.mark.parametrize("kind", ["input", "output", "requests"])
async def test_a_price_of_tokens_or_of_each_call_is_one_for_a_chat(kind: str) -> None:
    priced = replace(target("other/model"), price=flat_price({kind: 0}))
    assert (await Admission([]).hold(call(), [priced])).targets == [priced]
