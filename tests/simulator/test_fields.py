"""Checks of fields, and the parts that all wires share: seals, memory, vectors, replies."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.simulator.fields import (
    MISSING,
    TYPE,
    UNKNOWN,
    VALUE,
    Check,
    Wrong,
    anything,
    boolean,
    bracketed,
    dotted,
    integer,
    listed,
    mapping,
    nullable,
    number,
    one_of,
    record,
    tagged,
    text,
    text_or,
)
from oneflow_ai.simulator.memory import CACHED_SECONDS, CACHED_TOKENS_LEAST, Memory
from oneflow_ai.simulator.reply import (
    JSON_OBJECT,
    LENGTH,
    NONE,
    PLAIN_TEXT,
    REQUIRED,
    STOP,
    STOP_SEQUENCE,
    TOOL_CALLS,
    Question,
    reply,
)
from oneflow_ai.simulator.seals import seal, unseal
from oneflow_ai.simulator.text import tokens
from oneflow_ai.simulator.vectors import vector

INNER = tagged("type", {"a": record({"type": text(), "n": integer(1, 3)}, ("n",)), "b": record({"type": text()})}, "b")
SHAPE = record(
    {
        "name": text(1, 3, r"[a-z]+"),
        "share": number(0, 1),
        "on": boolean,
        "kind": nullable(one_of("x", "y")),
        "items": text_or(listed(INNER, 1, 2)),
        "map": mapping(integer(), 2),
        "any": anything,
    },
    ("name",),
)


@pytest.mark.parametrize(
    "value",
    [
        {"name": "abc"},
        {"name": "a", "share": 1, "on": False, "kind": None, "items": "text", "map": {}, "any": object},
        {"name": "a", "share": 0.5, "kind": "y", "items": [{"type": "a", "n": 3}, {}], "map": {"k": 1}},
    ],
)
def test_what_fits_passes(value: Any) -> None:
    SHAPE(value, ())


@pytest.mark.parametrize(
    ("value", "where", "sort"),
    [
        ([], "", TYPE),
        ({}, "name", MISSING),
        ({"name": 3}, "name", TYPE),
        ({"name": ""}, "name", VALUE),
        ({"name": "abcd"}, "name", VALUE),
        ({"name": "A"}, "name", VALUE),
        ({"name": "a", "more": 1}, "more", UNKNOWN),
        ({"name": "a", "share": 1.5}, "share", VALUE),
        ({"name": "a", "share": -1}, "share", VALUE),
        ({"name": "a", "share": True}, "share", TYPE),
        ({"name": "a", "on": 1}, "on", TYPE),
        ({"name": "a", "kind": "z"}, "kind", VALUE),
        ({"name": "a", "kind": 1}, "kind", TYPE),
        ({"name": "a", "items": 1}, "items", TYPE),
        ({"name": "a", "items": []}, "items", VALUE),
        ({"name": "a", "items": [{}, {}, {}]}, "items", VALUE),
        ({"name": "a", "items": [{}, {"type": "c"}]}, "items.1.type", VALUE),
        ({"name": "a", "items": [{"type": "a"}]}, "items.0.n", MISSING),
        ({"name": "a", "items": [{"type": "a", "n": 4}]}, "items.0.n", VALUE),
        ({"name": "a", "items": [{"type": "a", "n": 1.5}]}, "items.0.n", TYPE),
        ({"name": "a", "map": {"k": "v"}}, "map.k", TYPE),
        ({"name": "a", "map": {"a": 1, "b": 2, "c": 3}}, "map", VALUE),
    ],
)
def test_what_is_wrong_is_told_with_its_place(value: Any, where: str, sort: str) -> None:
    with pytest.raises(Wrong) as wrong:
        SHAPE(value, ())
    assert (dotted(wrong.value.path), wrong.value.sort) == (where, sort)


def test_a_tag_may_be_needed() -> None:
    check: Check = tagged("type", {"a": anything})
    with pytest.raises(Wrong) as wrong:
        check({}, ("x", 0))
    assert (bracketed(wrong.value.path), wrong.value.sort) == ("x[0].type", MISSING)


# ---- seals


@given(content=st.text(max_size=200), wire=st.sampled_from(["one", "two"]))
def test_a_seal_gives_its_content_back_to_its_own_wire_only(content: str, wire: str) -> None:
    sealed = seal(wire, content)
    assert unseal(wire, sealed) == content
    assert unseal("three", sealed) is None
    assert content not in sealed or len(content) < 5


@given(content=st.text(max_size=50), place=st.integers(0, 200), letter=st.sampled_from("AZaz09"))
def test_a_seal_that_was_changed_is_none(content: str, place: int, letter: str) -> None:
    sealed = seal("wire", content)
    changed = sealed[: place % len(sealed)] + letter + sealed[place % len(sealed) + 1 :]
    # the last letters of base64 may say the same in several ways
    assert unseal("wire", changed) in ((None, content) if changed != sealed else (content,))


@given(junk=st.text(max_size=80))
def test_what_is_no_seal_is_none(junk: str) -> None:
    assert unseal("wire", junk) is None


# ---- memory


def test_a_long_beginning_is_remembered_in_steps_for_five_minutes() -> None:
    memory, long = Memory(), b"x" * (4 * CACHED_TOKENS_LEAST + 700)
    assert memory.seen("a", long, 0) == 0
    assert memory.seen("a", long + b"more", 10) == CACHED_TOKENS_LEAST + 128
    assert memory.seen("b", long, 10) == 0
    assert memory.seen("a", long, 10 + CACHED_SECONDS) == 0
    assert memory.seen("a", b"short", 10) == 0


def test_a_marked_beginning_is_known_exactly() -> None:
    memory = Memory()
    assert [memory.marked("a", b"x", at, 300) for at in (0, 299, 600)] == [False, True, False]
    assert not memory.marked("a", b"xy", 600, 300)


def test_stored_documents_are_bounded() -> None:
    memory = Memory()
    for name in ("a", "b"):
        memory.store("owner", name, {"text": "x" * (20 << 20)})
    assert memory.stored("owner", "a") is None
    assert memory.stored("owner", "b") is not None
    assert memory.stored("owner", "c") is None


# ---- vectors


@given(words=st.text(min_size=1, max_size=60), dimensions=st.integers(1, 300))
def test_a_vector_is_always_the_same_and_of_length_one(words: str, dimensions: int) -> None:
    found = vector(words, dimensions)
    assert found == vector(words, dimensions)
    assert len(found) == dimensions
    assert math.isclose(math.hypot(*found), 1.0, abs_tol=1e-5)


def _near(one: str, other: str) -> float:
    return sum(a * b for a, b in zip(vector(one, 256), vector(other, 256), strict=True))


def test_texts_with_common_words_are_nearer() -> None:
    assert _near("the bees fly home", "bees fly to the home") > 0.6 > _near("the bees fly home", "taxes are due")


# ---- replies


def test_a_reply_is_bounded_with_its_thoughts() -> None:
    said = reply(Question("Hello", thought_tokens=16, tokens_most=20))
    assert (said.finish, said.thought_tokens, tokens(said.text), said.tokens) == (LENGTH, 16, 4, 20)
    cut = reply(Question("Hello", thought_tokens=16, tokens_most=10))
    assert (cut.text, cut.thought_tokens, cut.finish) == ("", 10, LENGTH)
    assert reply(Question("Hello")).finish == STOP


def test_the_first_stop_sequence_ends_a_reply() -> None:
    said = reply(Question("Hello", stops=("answer", "simulated", "nowhere")))
    assert (said.text, said.finish, said.stop) == ("This is a ", STOP_SEQUENCE, "simulated")


def test_a_begun_answer_is_continued() -> None:
    whole = reply(Question("Hello")).text
    assert reply(Question("Hello", begun=whole[:20])).text == whole[20:]


TOOLS = {"get_weather": {"type": "object"}, "get_news": {"type": "object"}, "note": PLAIN_TEXT}


@pytest.mark.parametrize(
    ("question", "names"),
    [
        (Question("get weather and get news", tools=TOOLS), ["get_weather", "get_news"]),
        (Question("get weather and get news", tools=TOOLS, parallel=False), ["get_weather"]),
        (Question("Hello", tools=TOOLS, choice=REQUIRED), ["get_weather"]),
        (Question("Hello", tools=TOOLS, choice=REQUIRED, allowed=["note"]), ["note"]),
        (Question("Hello", tools=TOOLS, choice=REQUIRED, allowed=["no tool"]), []),
        (Question("get news", tools=TOOLS, choice=NONE), []),
        (Question("get news", tools=TOOLS, results=("done",), called=frozenset({"get_news"})), []),
        (
            Question("get weather and get news", ("done",), frozenset({"get_weather"}), tools=TOOLS, parallel=False),
            ["get_news"],
        ),
    ],
)
def test_tools_are_called_as_the_question_says(question: Question, names: list[str]) -> None:
    said = reply(question)
    assert [call.name for call in said.calls] == names
    assert said.finish == (TOOL_CALLS if names else STOP)


def test_a_preface_goes_before_calls_that_nobody_forced() -> None:
    asked = {"tools": TOOLS, "preface": "Wait."}
    assert reply(Question("get news", **asked)).text == "Wait."  # type: ignore[arg-type]  # the fields have their types
    assert reply(Question("get news", choice=REQUIRED, **asked)).text == ""  # type: ignore[arg-type]  # the same


def test_any_object_is_json() -> None:
    assert reply(Question("Hello", form=JSON_OBJECT)).text.startswith('{"answer":')
