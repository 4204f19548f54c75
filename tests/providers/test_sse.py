"""Event streams split into the same events wherever their bytes are cut (F33), within bounds (F34)."""

import random
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneflow_ai.providers.sse import EVENT_BYTES_MOST, EventSplitter

STREAMS = 500
CHUNKINGS = 20
CHUNKINGS_PROVED = 1_000
_ENDS = st.sampled_from(["\n", "\r", "\r\n"])
_TEXT = st.text(st.sampled_from('ab :\x00{}"é漢😀\ufeff'), max_size=8)
_FIELDS = st.sampled_from(
    ["data:", "data: ", "data:  ", "event: ", "id: ", "retry: ", ":", "datas: ", "da", "data", ""]
)
_LINES = st.tuples(st.one_of(_FIELDS, st.just(""), st.just("data: ")), _TEXT, _ENDS).map("".join)
_BODY = st.lists(st.one_of(_LINES, _ENDS, _ENDS), max_size=30).map("".join)
_STREAMS = st.tuples(st.sampled_from(["", "\ufeff", "\ufeff\ufeff"]), _BODY).map("".join)


def reference(body: bytes) -> list[bytes]:
    """The standard's own algorithm, line by line; what no blank line ended is dropped."""
    *lines, _ = re.split(rb"\r\n|\r|\n", body.removeprefix(b"\xef\xbb\xbf"))
    found, data = [], []
    for line in lines:
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        if not line and data:
            found.append(b"\n".join(data))
            data = []
    return found


def split(chunks: list[bytes]) -> list[bytes]:
    splitter = EventSplitter()
    return [event for chunk in chunks for event in splitter.feed(chunk)]


def chunked(body: bytes, chance: random.Random) -> list[bytes]:
    """The body in chunks of random size: many small ones or few large."""
    most = chance.choice((1, 2, 3, 7, 40, len(body) + 1))
    chunks, place = [], 0
    while place < len(body):
        size = chance.randint(0, most)
        chunks.append(body[place : place + size])
        place += size
    return chunks


def same_however_cut(text: str, seed: int, chunkings: int) -> None:
    body, chance = text.encode(), random.Random(seed)
    expected = reference(body)
    assert split([body]) == expected
    assert split([body[place : place + 1] for place in range(len(body))]) == expected
    for _ in range(chunkings):
        chunks = chunked(body, chance)
        assert split(chunks) == expected, chunks


@settings(max_examples=STREAMS)
@given(_STREAMS, st.integers(0, 1 << 32))
def test_any_chunking_gives_the_standards_events(text: str, seed: int) -> None:
    same_however_cut(text, seed, CHUNKINGS)


@pytest.mark.prove
@pytest.mark.timeout(1_200)
@settings(max_examples=STREAMS)
@given(_STREAMS, st.integers(0, 1 << 32))
def test_a_thousand_chunkings_give_the_standards_events(text: str, seed: int) -> None:
    same_however_cut(text, seed, CHUNKINGS_PROVED)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_an_event_is_given_as_soon_as_its_blank_line_is_there(end: bytes) -> None:
    splitter = EventSplitter()
    assert splitter.feed(b"data: a" + end + end) == [b"a"]
    assert splitter.feed(b"data: b" + end + end) == [b"b"]


@pytest.mark.parametrize(
    ("body", "rest"),
    [
        (b"", None),
        (b": comment", None),
        (b"data: a\n\n", None),
        (b"data: a\n\ndata: b", b"b"),
        (b"data: a\n\nevent: x\ndata: b\r\ndata: c\n", b"b\nc"),
        (b"\xef\xbb\xbfdata: b", b"b"),
        (b"\xef\xbb", None),
    ],
)
def test_what_no_blank_line_ended_is_given_at_the_close(body: bytes, rest: bytes | None) -> None:
    for chunks in ([body], [body[place : place + 1] for place in range(len(body))]):
        splitter = EventSplitter()
        for chunk in chunks:
            splitter.feed(chunk)
        assert splitter.close() == rest
        assert splitter.close() is None


@pytest.mark.parametrize("before", [b"", b"data: first\n\n"])
@pytest.mark.parametrize("excess", [0, 1])
def test_an_event_has_a_largest_size_however_it_is_cut(excess: int, before: bytes) -> None:
    assert EVENT_BYTES_MOST == 1 << 20
    block = b"data: " + b"x" * (EVENT_BYTES_MOST - len(b"data: ") + excess)
    body = before + block + b"\n\ndata: last\n\n"
    end = len(before + block)
    for ends in ([len(body)], [end, len(body)], [end + 1, len(body)], [*range(4_099, len(body), 4_099), len(body)]):
        splitter = EventSplitter()
        found = [event for start, stop in pairwise([0, *ends]) for event in splitter.feed(body[start:stop])]
        assert splitter.overflow == bool(excess)
        assert found == ([b"first"] if before else []) + ([] if excess else [block[6:], b"last"])
        assert splitter.close() is None


def test_an_endless_line_is_kept_within_the_largest_size() -> None:
    splitter = EventSplitter()
    fed = 0
    while not splitter.overflow:
        assert splitter.feed(b"x" * 65_536) == []
        fed += 65_536
    assert fed <= EVENT_BYTES_MOST + 65_537
    assert splitter.feed(b"\n\ndata: a\n\n") == splitter.feed(b"data: b\n\n") == []


def test_lines_that_drip_in_cost_no_more_than_their_length() -> None:
    """A line of two bytes a read, a mebibyte in all: rejoining the waiting bytes each time would take hours."""
    splitter = EventSplitter()
    for _ in range(EVENT_BYTES_MOST // 2):
        splitter.feed(b":\n")
    assert not splitter.overflow
    assert splitter.feed(b"\ndata: a\n\n") == [b"a"]
