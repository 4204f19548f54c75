"""The source files as the house rules see them: parsed once, with their dotted names."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "oneflow_ai"
PURE = ("core", "policy", "providers", "dialects")


@dataclass(frozen=True, slots=True)
class Module:
    """One file: its path from the root, its text, its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def parts(self) -> tuple[str, ...]:
        """The dotted name below the package: `("flow", "engine")`; `()` for the package itself."""
        names = Path(self.path).with_suffix("").parts
        below = names[names.index(PACKAGE) + 1 :] if PACKAGE in names else names
        return below[:-1] if below and below[-1] == "__init__" else below

    @property
    def top(self) -> str:
        """The first word of that name: `flow`; empty for the package itself."""
        return self.parts[0] if self.parts else ""


def module(text: str, path: str = f"src/{PACKAGE}/flow/sample.py") -> Module:
    """Makes a module of a text, as if it stood at that path."""
    return Module(path, text, ast.parse(text, path))


@cache
def modules(folder: str = f"src/{PACKAGE}") -> tuple[Module, ...]:
    """Gives the modules of a folder of the repository, in order; none when there is no such folder."""
    found = sorted((ROOT / folder).rglob("*.py"))
    return tuple(module(path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix()) for path in found)


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yields line and dotted name of everything imported; `from a import b` is `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module or ''}.{alias.name}") for alias in node.names)


def dotted(node: ast.expr) -> str:
    """Gives `a.b.c` for such an expression, else an empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (left := dotted(node.value)):
        return f"{left}.{node.attr}"
    return ""


def docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    """Yields the constants that are docstrings, of attributes and constants too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value
