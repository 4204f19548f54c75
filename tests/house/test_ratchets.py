"""A ratchet turns one way: over the number needs an entry, and an entry that is no longer needed must go."""

import pytest

from tests.house.ratchets import Entry, over

ENTRY = Entry("lines", "a.py", 450, "generated from the published table")


@pytest.mark.parametrize(
    ("length", "entries", "faults"),
    [
        (400, (), 0),
        (401, (), 1),
        (450, (ENTRY,), 0),
        (451, (ENTRY,), 1),
        (449, (ENTRY,), 1),
        (450, (Entry("lines", "a.py", 450, ""),), 1),
        (401, (Entry("other", "a.py", 450, "of another measure altogether"),), 1),
    ],
)
def test_a_place_is_held_to_its_number(length: int, entries: tuple[Entry, ...], faults: int) -> None:
    assert len(over("lines", 400, {"a.py": length}, entries)) == faults


def test_an_entry_for_a_place_that_is_gone_must_go() -> None:
    assert over("lines", 400, {}, (ENTRY,)) == ["a.py: the entry says 450 lines, it is 0: take it down"]
