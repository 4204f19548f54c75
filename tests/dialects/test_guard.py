"""A quick look at a body refuses what a slow one refuses: keys that came twice, and integers beyond 64 bits."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from oneflow_ai.core.failure import Failure
from oneflow_ai.dialects.guard import INTEGER_LEAST, INTEGER_MOST, read_object

LETTERS = ("a", "b", "\u00e9", "\\u0061", "\\u0022", '\\"', "\\\\", "\\\\u0022", "\\n", "u0022", "0", "{", ":", ",")
INTEGERS = (INTEGER_LEAST - 1, INTEGER_LEAST, INTEGER_MOST, INTEGER_MOST + 1, 10**18, 10**19, 10**20, 10**21, 0, -7)
texts = st.lists(st.sampled_from(LETTERS), max_size=3).map(lambda letters: '"' + "".join(letters) + '"')
spaces = st.sampled_from(("", " ", "\n", "\t "))
numbers = st.one_of(st.sampled_from(INTEGERS), st.integers()).map(str) | st.sampled_from(
    ("1.5", "1e3", "-0", "0." + "1" * 20)
)


def containers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Lists and objects of these, written with spaces or without."""
    return st.one_of(
        st.tuples(spaces, st.lists(inner, max_size=3)).map(lambda found: "[" + ("," + found[0]).join(found[1]) + "]"),
        objects(inner),
    )


def objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Objects whose keys may come twice, written so or otherwise."""
    member = st.tuples(texts, spaces, inner).map(lambda found: f"{found[0]}:{found[1]}{found[2]}")
    return st.tuples(spaces, st.lists(member, max_size=4)).map(
        lambda found: "{" + ("," + found[0]).join(found[1]) + found[0] + "}"
    )


bodies = objects(st.recursive(st.one_of(texts, numbers, st.sampled_from(("true", "null"))), containers, max_leaves=8))


def code_of_a_slow_look(body: bytes) -> str | None:
    """What Python's own parser, asked about every key and every integer, finds wrong."""
    wrong: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> None:
        if len(found) != len({name for name, _ in found}):
            wrong.append("duplicate_key")

    def integer(digits: str) -> int:
        if not INTEGER_LEAST <= int(digits) <= INTEGER_MOST:
            wrong.append("invalid_number")
        return 0

    json.loads(body, object_pairs_hook=pairs, parse_int=integer)
    return wrong[0] if wrong else None


@given(bodies)
@example('{"a":"\\u0022", "a":1}')
@example('{"a": "\\\\u0022", "b": 18446744073709551616}')
@example('{"a\\"": 1,"a\\u0022": 2}')
@example('{"path": "C:\\\\u0022", "path": ""}')
def test_a_body_is_refused_exactly_as_by_a_slow_look(text: str) -> None:
    body = text.encode()
    assert code_of(body) == code_of_a_slow_look(body)


def code_of(body: bytes) -> str | None:
    """What the quick look refuses it for."""
    try:
        assert read_object(body) == json.loads(body)
    except Failure as failure:
        return failure.code
    return None
