"""The line of every key, in any TOML that `tomllib` reads."""

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.settings.lines import key_lines, line_of

TEXT = '''# a comment with [brackets] and "quotes
[server] # and one behind

  port = 8000
hosts = [ # ] no end
  "a", # "
  "b]",
]
"quoted key"."x.y" = 1
limits.rate = { a = 1, b = "}" }

[ providers . "my proxy" ]
kind = \'openai\\'
note = """
[not.a.table]
key = 1 \\"""
"""
last = \'\'\'
[nor.this]\'\'\'\'\'

[[routes.text.targets]]
target = "a"
[routes.text.targets.headers]
x = "1"
[[routes.text.targets]]
target = "b"'''


def test_every_key_has_its_line() -> None:
    assert dict(key_lines(TEXT)) == {
        ("server",): 2,
        ("server", "port"): 4,
        ("server", "hosts"): 5,
        ("server", "quoted key"): 9,
        ("server", "quoted key", "x.y"): 9,
        ("server", "limits"): 10,
        ("server", "limits", "rate"): 10,
        ("providers",): 12,
        ("providers", "my proxy"): 12,
        ("providers", "my proxy", "kind"): 13,
        ("providers", "my proxy", "note"): 14,
        ("providers", "my proxy", "last"): 18,
        ("routes",): 21,
        ("routes", "text"): 21,
        ("routes", "text", "targets"): 21,
        ("routes", "text", "targets", 0): 21,
        ("routes", "text", "targets", 0, "target"): 22,
        ("routes", "text", "targets", 0, "headers"): 23,
        ("routes", "text", "targets", 0, "headers", "x"): 24,
        ("routes", "text", "targets", 1): 25,
        ("routes", "text", "targets", 1, "target"): 26,
    }


def test_what_has_no_line_of_its_own_is_where_its_key_is() -> None:
    lines = key_lines("\n[a]\nb = [1, {c = 2}]\n")
    assert line_of(lines, ("a", "b", 1, "c")) == 3
    assert line_of(lines, ("a", "z")) == 2
    assert line_of(lines, ("z",)) is None


KEYS = st.sampled_from(["a", "b-c", "1", '"q.r"', "'l it'", '"\\u00e9"', '""'])
VALUES = st.sampled_from(
    [
        "1",
        "true # [x]",
        '"a # b"',
        "'\"'",
        '"\\""',
        '"""\n[t]\nk = 1\n"""',
        '"""a\\\n  b"""""',
        "'''\n[[t]]\n'''",
        "[1, # ]\n 2]",
        "[[1], ['[', {a = \"]\"}]]",
        '{ a = 1, "b=" = [ "}" ] }',
        "1979-05-27T07:32:00Z",
        "0x1f",
    ]
)
BLANKS = st.sampled_from(["", "\n", "# [c]\n", "\t\n", "\r\n"])
STATEMENTS = st.one_of(
    st.tuples(st.just("key"), st.lists(KEYS, min_size=1, max_size=3), VALUES),
    st.tuples(st.just("table"), st.lists(KEYS, min_size=1, max_size=3), st.just("")),
    st.tuples(st.just("array"), st.lists(KEYS, min_size=1, max_size=2), st.just("")),
)


@given(st.lists(st.tuples(BLANKS, STATEMENTS), max_size=8))
def test_no_key_of_any_file_is_missed_or_made_up(parts: list[tuple[str, Any]]) -> None:
    """Paths are those of the parsed tree, outside lists and inline tables, and the line named holds the key."""
    text, expected = "", {}
    for blank, (sort, keys, value) in parts:
        statement = {"key": "{} = ", "table": "[{}]", "array": "[[{}]]"}[sort].format(" . ".join(keys)) + value + "\n"
        try:
            tomllib.loads(text + blank + statement)
        except tomllib.TOMLDecodeError:
            continue
        expected[(text + blank).count("\n") + 1] = keys[-1]
        text += blank + statement
    tree, lines = tomllib.loads(text), key_lines(text)
    for path, line in lines.items():
        node: Any = tree
        for part in path:
            node = node[part]
        assert line in expected
    ends = {line: next(iter(tomllib.loads(f"{key} = 1"))) for line, key in expected.items()}
    found = {line: {part for path, at in lines.items() if at == line for part in path} for line in ends}
    assert all(ends[line] in found[line] for line in ends)
