"""The check of the tree knows what has no place in it."""

from pathlib import Path

import pytest

from tools.check_secrets import own_shapes
from tools.check_tree import complaints

SLASH = "/"


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("# TO" + "DO: later", 1),
        ("see FIX" + "ME", 1),
        ("todo lists are fine", 0),
        ("path = " + SLASH.join(["", "home", "alice", "a"]), 1),
        ("path = " + SLASH.join(["", "tmp", "a"]), 1),
        ("open " + SLASH.join(["", "Users", "alice"]), 1),
        ("https://example.com/home/alice", 0),
        ("{base}/work/1", 0),
        ("pip install --index" + "-url x", 1),
        ("uv pip compile --no-emit-index" + "-url", 0),
        ("https://py" + "pi.org/simple", 1),
    ],
)
def test_what_has_no_place_is_found(line: str, number: int) -> None:
    assert len(list(complaints(Path("a.md"), [(1, line)]))) == number


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("key = sk-ant-" + "api03-" + "a" * 93, 1),
        ("key = sk_" + "0" * 48, 1),
        ("key = of_" + "a" * 49, 1),
        ("key = of_" + "a" * 49 + "  # pragma: allowlist secret", 0),
        ("key = of_short", 0),
        ("key = env:OPENAI_API_KEY", 0),
    ],
)
def test_a_key_of_known_shape_is_found(line: str, number: int) -> None:
    assert len(list(own_shapes(Path("a.md"), [(1, line)]))) == number
