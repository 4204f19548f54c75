"""What some tests need beyond the packages, and how it is found; a missing one skips the test, or fails it on request.

`ONEFLOW_TEST_REQUIRE=shared,nginx` names what must not be missing: then its absence is a failure, not a skip.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
REQUIRED_VARIABLE = "ONEFLOW_TEST_REQUIRE"


def _shared() -> Path | None:
    folder = Path(os.environ.get("ONEFLOW_TEST_SHARED") or ROOT.parent / "shared")
    return folder if (folder / "recordings").is_dir() else None


def _program(*names: str) -> Callable[[], Path | None]:
    def find() -> Path | None:
        found = next(filter(None, map(shutil.which, names)), None)
        return Path(found) if found else None

    return find


NEEDS: Mapping[str, Callable[[], Path | None]] = {
    "browser": _program("chromium", "chromium-browser", "google-chrome"),
    "cc": _program("cc", "gcc", "clang"),
    "curl": _program("curl"),
    "nginx": _program("nginx"),
    "postgres": _program("postgres", "pg_ctl"),
    "redis": _program("valkey-server", "redis-server"),
    "shared": _shared,
}


def required(environment: Mapping[str, str] = os.environ) -> frozenset[str]:
    """Gives the needs that must be met; raises `ValueError` for a name that no test knows."""
    names = frozenset(filter(None, (name.strip() for name in environment.get(REQUIRED_VARIABLE, "").split(","))))
    if unknown := names - NEEDS.keys():
        known = ", ".join(sorted(NEEDS))
        raise ValueError(f"{REQUIRED_VARIABLE} names {', '.join(sorted(unknown))}; known are {known}")
    return names


def require(name: str) -> Path:
    """Gives where the need is; without it the test, or the module at its head, is skipped or failed."""
    found = NEEDS[name]()
    if found is not None:
        return found
    if name in required():
        pytest.fail(f"{name} is missing and {REQUIRED_VARIABLE} names it", pytrace=False)
    pytest.skip(f"needs {name}, which is not here", allow_module_level=True)
