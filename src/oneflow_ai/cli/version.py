"""`oneflow version`: what runs here, for people and for reports of faults."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from oneflow_ai.cli.output import say, say_json
from oneflow_ai.core.version import VERSION
from oneflow_ai.stores.driver import sqlite_module

LIBRARIES = ("aiohttp", "fastapi", "httptools", "msgspec", "orjson", "pydantic", "sqlalchemy", "uvicorn", "uvloop")


def show_version(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print the versions of what runs here."""
    python = f"{platform.python_version()} ({platform.python_implementation()})"
    found = {"oneflow": VERSION, "python": python, "sqlite": sqlite_module().sqlite_version}
    found["system"] = f"{platform.system()} {platform.machine()}"
    found |= {name: installed for name in LIBRARIES if (installed := _installed(name)) is not None}
    if as_json:
        say_json(found)
    else:
        say("\n".join(f"{name:<11}{text}" for name, text in found.items()))


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
