"""What users meet by name, found by asking the code, so that a test can look each name up in the documentation."""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, get_args, get_origin

import typer
from packaging.requirements import Requirement

from tests.house.source import ROOT, Module, dotted, modules

_CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_ROUTING = {"add_api_route", "api_route", "delete", "get", "head", "patch", "post", "put"}
_METRIC = re.compile(r'"(oneflow_[a-z0-9_]+)"')


def setting_names() -> Iterator[str]:
    """Yields every setting by its dotted path, `server.port`; a table whose name the user chooses is `NAME`."""
    yield from fields(import_module("oneflow_ai.settings.tables").Settings)


def fields(model: Any, prefix: str = "") -> Iterator[str]:
    """Yields the dotted path of every leaf of a pydantic model."""
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        below = list(_models(field.annotation, path))
        for inner_path, inner in below:
            yield from fields(inner, f"{inner_path}.")
        if not below:
            yield path


def _models(annotation: Any, path: str) -> Iterator[tuple[str, Any]]:
    if hasattr(annotation, "model_fields"):
        yield path, annotation
        return
    keyed = get_origin(annotation) in (dict, Mapping)
    for inner in get_args(annotation):
        yield from _models(inner, f"{path}.NAME" if keyed else path)


def dependency_names() -> Iterator[str]:
    """Yields every package that installing OneFlow brings by its own declaration."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    yield from (Requirement(declared).name for declared in project["dependencies"])


def failure_codes() -> Iterator[str]:
    """Yields the code of every way to fail."""
    yield from import_module("oneflow_ai.core.failure").KINDS


def metric_names() -> Iterator[str]:
    """Yields every metric's name, as written in the module that makes them."""
    (metrics,) = (each for each in modules() if each.parts == ("telemetry", "metrics"))
    yield from (found[1] for found in _METRIC.finditer(metrics.text))


def data_routes() -> Iterator[str]:
    """Yields every path of the data plane."""
    yield from (path for _, path in import_module("oneflow_ai.edge.addresses").ROUTES)


def control_routes() -> Iterator[str]:
    """Yields every path of the control plane, as its modules write them."""
    yield from (path for each in modules() if each.top == "control" for path in routes(each))


def routes(module: Module) -> Iterator[str]:
    """Yields the paths given to `.get("/a")` and its like, after the `prefix` of the router if the module makes one."""
    calls = [node for node in ast.walk(module.tree) if isinstance(node, ast.Call)]
    prefixes = [_text(word.value) for call in calls for word in call.keywords if word.arg == "prefix"]
    for call in calls:
        verb = dotted(call.func).rpartition(".")[2]
        path = _text(call.args[0]) if call.args else ""
        if verb in _ROUTING and path.startswith("/"):
            yield from (f"{prefix}{path}".removesuffix("/") or "/" for prefix in prefixes or [""])


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def verb_names() -> Iterator[str]:
    """Yields every verb of the command line as it is typed: `oneflow providers best`."""
    (app,) = (each for each in vars(import_module("oneflow_ai.cli")).values() if isinstance(each, typer.Typer))
    yield from verbs(typer.main.get_command(app), "oneflow")


def verbs(command: Any, typed: str) -> Iterator[str]:
    """Yields a command's name as it is typed, or those of the commands below it."""
    below = getattr(command, "commands", {})
    for name, each in below.items():
        if not each.hidden:
            yield from verbs(each, f"{typed} {name}")
    if not below:
        yield typed


@dataclass(frozen=True, slots=True)
class Documented:
    """One sort of name: what it is, the module that has it, how to list it."""

    what: str
    module: str
    names: Callable[[], Iterator[str]]


SORTS = (
    Documented("dependency", "", dependency_names),
    Documented("setting", "settings/tables", setting_names),
    Documented("failure code", "core/failure", failure_codes),
    Documented("metric", "telemetry/metrics", metric_names),
    Documented("route of the data plane", "edge/application", data_routes),
    Documented("route of the control plane", "control", control_routes),
    Documented("verb", "cli", verb_names),
)


def documentation() -> str:
    """Gives the text of every page under docs, and of the README."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)


def undocumented(names: set[str], text: str) -> list[str]:
    """Gives the names that do not stand in the text as code, `whole`, in order: a word in passing explains nothing."""
    code = "\n".join(_CODE.findall(text))
    return sorted(name for name in names if not re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w/-])", code))
