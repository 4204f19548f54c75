"""Citations of Gemini's answers: bytes become characters, at a cost that grows with the answer and no faster."""

from __future__ import annotations

import time
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.providers.gemini_answer import Answer
from oneflow_ai.providers.gemini_extras import Said, citations_in

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def _said(*texts: str) -> Said:
    said = Said()
    for text in texts:
        said.add(text)
    return said


def _citing(start: int, end: int, **fields: Any) -> dict[str, Any]:
    source = {"uri": "https://example.com", "startIndex": start, "endIndex": end, **fields}
    return {"citationMetadata": {"citationSources": [source]}}


@given(texts=st.lists(TEXT, max_size=5), times=st.sampled_from([1, 300]), share=st.floats(0, 1))
def test_a_byte_is_the_character_that_it_is_of(texts: list[str], times: int, share: float) -> None:
    texts = [text * times for text in texts]
    whole = "".join(texts).encode()
    place = int(share * len(whole))
    assert _said(*texts).characters(place) == len(whole[:place].decode("utf-8", "ignore"))
    assert _said(*texts).characters(len(whole) + 1) is None


def test_a_place_outside_of_the_answer_is_left_out() -> None:
    found = [citations_in(_citing(*place), _said("häuser"))[0] for place in ((0, 3), (0, 8), (2, 1), (-1, 2))]
    assert [orjson.loads(each).get("end") for each in found] == [2, None, None, None]


def test_many_citations_of_a_long_answer_take_no_longer_than_they_are() -> None:
    many = [{"uri": f"https://example.com/{at}", "startIndex": at, "endIndex": 8_000_000 - at} for at in range(4_096)]
    candidate = {"content": {"parts": [{"text": "ä" * 4_000_000}]}, "citationMetadata": {"citationSources": many}}
    began = time.monotonic()
    deltas = Answer("req_1").take({"candidates": [candidate]})
    assert len(deltas) == 1 + 4_096
    assert time.monotonic() - began < 1.0


def test_a_stream_that_cites_at_each_piece_takes_no_longer_than_it_is() -> None:
    answer = Answer("req_1")
    began = time.monotonic()
    for at in range(20_000):
        part = {"content": {"parts": [{"text": "ä" * 100}]}, **_citing(at, at + 50)}
        answer.take({"candidates": [part]})
    assert time.monotonic() - began < 3.0


def test_one_page_cited_many_times_is_not_written_out_without_bound() -> None:
    chunk = {"web": {"uri": "https://example.com/" + "x" * 1_000_000, "title": "A page"}}
    support = {"segment": {"endIndex": 1}, "groundingChunkIndices": [0] * 4_096}
    candidate = {"groundingMetadata": {"groundingChunks": [chunk], "groundingSupports": [support] * 4_096}}
    found = citations_in(candidate, _said("x"))
    assert len(found) <= 4_096
    assert sum(map(len, found)) < 1_000_000
