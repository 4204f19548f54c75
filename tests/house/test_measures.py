"""The measures count what they say."""

from textwrap import dedent

import pytest

from tests.house import measures
from tests.house.source import module

SAMPLE = '''
"""A module."""

LIMIT = 3  # a fact


class Engine:
    """A class."""

    async def serve(
        self,
        call,
    ):
        """Two lines
        that say what."""
        # why

        if call:
            return """a text
            of two lines"""

        def inner():
            """One line."""
            return LIMIT

        return inner


def short(): return 1
'''


def test_a_body_counts_its_lines_of_code_only() -> None:
    lengths = dict(measures.function_lengths(module(SAMPLE)))
    place = "src/oneflow_ai/flow/sample.py:"
    assert lengths == {f"{place}Engine.serve": 6, f"{place}Engine.serve.inner": 1, f"{place}short": 1}


def test_a_module_counts_all_its_lines() -> None:
    assert list(measures.module_lengths(module("a = 1\n\n# b\n"))) == [("src/oneflow_ai/flow/sample.py", 3)]


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("def a(): pass  # noqa: C901 - a table of one", 1),
        ("def a(): pass  # noqa: S101, PLR0913 - the wire's own", 1),
        ("def a(): pass  # noqa: S101 - not these", 0),
        ('text = "# noqa: C901"', 0),
    ],
)
def test_a_silenced_limit_is_a_comment_with_its_code(line: str, number: int) -> None:
    assert dict(measures.silenced(module(line))) == {"src/oneflow_ai/flow/sample.py": number}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Mock()", 1),
        ("mock.MagicMock(name='a')", 1),
        ("with mock.patch('a.b') as b: pass", 1),
        ("with patch.object(a, 'b'): pass", 1),
        ("@patch\ndef test_a(): pass", 1),
        ("@patch('a.b')\ndef test_a(b): pass", 1),
        ("mocker.patch('a.b')", 1),
        ("monkeypatch.setattr(a, 'b', 1)", 1),
        ("monkeypatch.setenv('A', '1')", 0),
        ("client.patch('/api/keys/1')", 0),
        ("mocked = Mocking()", 0),
    ],
)
def test_a_mock_is_known_by_its_call(text: str, number: int) -> None:
    assert measures.mocks(module(text)) == number


def test_a_table_of_cases_is_one_test() -> None:
    text = dedent(
        """
        @pytest.mark.parametrize("a", [1, 2, 3])
        def test_table(a): pass

        class TestEngine:
            async def test_serves(self): pass

        def helper(): pass
        """
    )
    assert measures.tests(module(text)) == 2
