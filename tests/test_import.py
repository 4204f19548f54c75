"""`import oneflow_ai` loads next to nothing, and the engine in process nothing of the server."""

import subprocess
import sys

import pytest

# Counted in a bare interpreter, on CPython 3.11 and 3.15; what is added must be worth every user's wait.
NAMES_MODULES_MOST = 60
ENGINE_MODULES_MOST = 860
SERVERS = {"alembic", "fastapi", "granian", "rich", "starlette", "typer", "uvicorn"}
ENGINES = {"aiohttp", "httptools", "orjson", "prometheus_client", "pydantic", "sqlalchemy", "structlog", "uvloop"}


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return set(told.stdout.split())


@pytest.mark.parametrize(
    ("statement", "most", "never"),
    [
        ("import oneflow_ai", NAMES_MODULES_MOST, SERVERS | ENGINES),
        ("from oneflow_ai import OneFlow", ENGINE_MODULES_MOST, SERVERS),
    ],
)
def test_an_import_loads_no_more_than_it_needs(statement: str, most: int, never: set[str]) -> None:
    found = loaded_by(statement)
    assert not {name.partition(".")[0] for name in found} & never
    assert len(found) <= most
