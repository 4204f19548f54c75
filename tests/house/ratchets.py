"""The numbers that may only fall, and the places that are over them today, each with its reason.

An entry is raised or added only with a reason that a reader can weigh; a place that got better takes its entry down.
"""

from dataclasses import dataclass

MODULE_LINES_MOST = 400
FUNCTION_LINES_MOST = 40
SILENCED_MOST = 0
MOCKS_PER_100_TESTS_MOST = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """One place that is over a number: what is measured, where, how much it is now, and why it may be."""

    measure: str
    place: str
    now: int
    why: str


ENTRIES: tuple[Entry, ...] = (
    Entry(
        "silenced limits",
        "src/oneflow_ai/manager/book.py",
        1,
        "`create_request` has the eight parameters that the first edition published, in their order",
    ),
)


def over(measure: str, most: int, measured: dict[str, int], entries: tuple[Entry, ...] = ENTRIES) -> list[str]:
    """Gives what is wrong: a place over the number without an entry, an entry that is too high, or one of no use."""
    known = {entry.place: entry for entry in entries if entry.measure == measure}
    faults = [
        f"{place}: {number} {measure}, at most {known[place].now if place in known else most}"
        for place, number in measured.items()
        if number > (known[place].now if place in known else most)
    ]
    faults += [
        f"{place}: the entry says {entry.now} {measure}, it is {measured.get(place, 0)}: take it down"
        for place, entry in known.items()
        if measured.get(place, 0) < entry.now
    ]
    faults += [f"{entry.place}: an entry needs a reason" for entry in known.values() if len(entry.why.split()) < 3]
    return sorted(faults)
