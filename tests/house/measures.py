"""The four numbers under a ratchet, measured: length of modules and functions, silenced complexity, mocks in tests."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator

from tests.house.source import Module, docstrings, dotted

_SILENT = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}
_SILENCED = re.compile(r"#\s*noqa:[^#]*\b(C901|PLR0913)\b")
_MOCKS = {"AsyncMock", "MagicMock", "Mock", "NonCallableMock", "PropertyMock", "create_autospec", "mock_open", "patch"}


def code_lines(module: Module) -> set[int]:
    """Gives the numbers of the lines that hold code: not blank, not comment, not docstring."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type not in _SILENT:
            lines.update(range(token.start[0], token.end[0] + 1))
    for text in docstrings(module.tree):
        lines.difference_update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return lines


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yields every function with its qualified name: `Engine.serve`, `outer.inner`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{prefix}{node.name}", node
            yield from functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.ClassDef):
            yield from functions(node, f"{prefix}{node.name}.")
        elif not isinstance(node, ast.expr):
            yield from functions(node, prefix)


def module_lengths(module: Module) -> Iterator[tuple[str, int]]:
    """Yields the module's place and its number of lines, all counted."""
    yield module.path, len(module.text.splitlines())


def function_lengths(module: Module) -> Iterator[tuple[str, int]]:
    """Yields each function's place and the lines of code in its body."""
    lines = code_lines(module)
    for name, node in functions(module.tree):
        first, last = node.body[0].lineno, node.body[-1].end_lineno or node.body[-1].lineno
        yield f"{module.path}:{name}", sum(1 for line in range(first, last + 1) if line in lines)


def silenced(module: Module) -> Iterator[tuple[str, int]]:
    """Yields the module's place and how often it tells the linter to look away from complexity or parameters."""
    comments = (
        token.string
        for token in tokenize.generate_tokens(io.StringIO(module.text).readline)
        if token.type == tokenize.COMMENT
    )
    yield module.path, sum(1 for comment in comments if _SILENCED.search(comment))


def mocks(module: Module) -> int:
    """Gives how often a test module reaches for a mock, or sets an attribute that is not its own."""
    names = [dotted(node.func) for node in ast.walk(module.tree) if isinstance(node, ast.Call)]
    decorators = [
        dotted(each)
        for _, node in functions(module.tree)
        for each in node.decorator_list
        if not isinstance(each, ast.Call)
    ]
    return sum(1 for name in (*names, *decorators) if _is_mock(name))


def _is_mock(name: str) -> bool:
    first, _, rest = name.partition(".")
    known = {first, rest} if first in {"mock", "mocker"} else {first}
    return bool(known & _MOCKS) or name in {"monkeypatch.setattr", "mocker.patch.object", "mock.patch.object"}


def tests(module: Module) -> int:
    """Gives how many tests a module holds; a table of cases counts once."""
    return sum(1 for name, _ in functions(module.tree) if name.rpartition(".")[2].startswith("test_"))
