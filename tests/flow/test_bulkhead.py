"""Bulkheads: one provider holds its part of the calls at most, and what left is not counted."""

from __future__ import annotations

import pytest

from oneflow_ai.core.failure import Failure
from oneflow_ai.flow.bulkhead import Bulkheads


def test_one_provider_among_several_holds_four_fifths_at_most() -> None:
    bulkheads = Bulkheads()
    bulkheads.fit(10, 2)
    for _ in range(8):
        bulkheads.enter("a")
    with pytest.raises(Failure, match="a holds 8 calls already") as caught:
        bulkheads.enter("a")
    bulkheads.leave("a")
    assert caught.value.code == "overloaded"
    bulkheads.enter("b")
    bulkheads.leave("a")
    bulkheads.enter("a")
    assert (bulkheads.open("a"), bulkheads.open("b")) == (8, 1)


def test_the_only_provider_may_hold_all() -> None:
    bulkheads = Bulkheads()
    bulkheads.fit(2, 1)
    for _ in range(5):
        bulkheads.enter("a")
    assert bulkheads.open("a") == 5


def test_a_provider_that_nobody_is_at_is_forgotten() -> None:
    bulkheads = Bulkheads()
    bulkheads.enter("a")
    bulkheads.leave("a")
    assert (bulkheads.open("a"), bulkheads._open) == (0, {})
