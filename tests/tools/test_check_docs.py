"""The check of the pages finds a dead link and a block that does not parse, and nothing else."""

from pathlib import Path

import pytest

from tools.check_docs import code_faults, link_faults, take_apart, unlisted


@pytest.mark.parametrize(
    ("language", "text", "sound"),
    [
        ("python", "a = 1", True),
        ("python", "answer = await client.text('a')", True),
        ("python", "a =", False),
        ("toml", "[server]\nport = 8000  # a comment", True),
        ("toml", "port 8000", False),
        ("json", '{"a": [1]}', True),
        ("json", '{"a": …}', False),
        ("sh", "curl -s localhost | head", True),
        ("sh", "if true; then", False),
        ("text", "if (", True),
        ("", "a", False),
    ],
)
def test_a_block_parses_as_its_language(language: str, text: str, sound: bool) -> None:
    page = take_apart(f"Words.\n\n```{language}\n{text}\n```\n")
    assert [fault.partition(":")[0] for fault in code_faults(page)] == ([] if sound else ["3"])


def test_an_indented_block_is_read_without_its_indent() -> None:
    (block,) = take_apart("- item\n\n  ```python\n  if a:\n      b\n  ```\n").blocks
    assert block.text == "if a:\n    b\n"


@pytest.mark.parametrize(
    ("line", "sound"),
    [
        ("[a](guide.md)", True),
        ("[a](guide.md#first-steps)", True),
        ("[a](guide.md#first-steps-1)", True),
        ("[a](guide.md#second)", False),
        ("[a](#here)", True),
        ("[a](#there)", False),
        ("[a](missing.md)", False),
        ("![a](missing.png)", False),
        ("[a](https://example.com/missing)", True),
        ("`[a](missing.md)`", True),
    ],
)
def test_a_relative_link_leads_somewhere(tmp_path: Path, line: str, sound: bool) -> None:
    (tmp_path / "guide.md").write_text("# `First` steps\n\n# First steps\n")
    text = f"# Here\n{line}\n"
    (tmp_path / "index.md").write_text(text)
    faults = list(link_faults(Path("index.md"), take_apart(text), tmp_path))
    assert [fault.partition(":")[0] for fault in faults] == ([] if sound else ["2"])


def test_each_page_is_listed_in_the_index() -> None:
    index = "[a](guide.md#start) and [b](reference/other.md), not (third.md)"
    assert list(unlisted(index, ["guide.md", "reference/other.md", "third.md"])) == ["third.md"]
