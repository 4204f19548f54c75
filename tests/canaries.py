"""Marked secrets that the suite plants, and what fails a test in whose output, log or files one of them shows.

Nothing in them looks like a key, so that no masking of key-like text hides a leak from the tests.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path

import pytest

MARK = "cnry7Qz"
"""What every planted secret begins with, and nothing else holds."""

VARIABLE = "ONEFLOW_TEST_CANARY"
# Where a provider's key may lie as itself: what a user wrote it into.
KEEPERS = frozenset({".api_keys.json"})
FILE_BYTES_MOST = 64 << 20
_AROUND = 60


def planted(of: str) -> str:
    """A secret of this name: may be sent to a provider or typed by a client, and must show nowhere."""
    return f"{MARK}.{of}"


PROVIDER_KEY = planted("provider")


def unleaked(*told: str | bytes | Mapping[str, str]) -> None:
    """Fail where one of these shows a planted secret: what a program printed, what a client was answered."""
    found = [leak for each in told for leak in leaks("answered or printed", _text(each))]
    assert not found, found


def leaks(where: str, text: str) -> Iterator[str]:
    """Yields where a text shows a planted secret, with what stands before it."""
    at = text.find(MARK)
    if at >= 0:
        yield f"{where}: …{text[max(at - _AROUND, 0) : at]!r} and a planted secret"


def leaks_in_files(folder: Path) -> Iterator[str]:
    """Yields each file below a folder that holds a planted secret and is none that a user keeps keys in."""
    for path in sorted(folder.rglob("*")):
        if path.name in KEEPERS or path.is_symlink() or not path.is_file():
            continue
        # What has gone meanwhile, as a database's journal does when it is closed, shows nothing.
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            yield from leaks(str(path), _text(file.read(FILE_BYTES_MOST)))


def _text(told: str | bytes | Mapping[str, str]) -> str:
    if isinstance(told, bytes):
        return told.decode("latin-1")
    return told if isinstance(told, str) else "\n".join(f"{name}: {value}" for name, value in told.items())


class Canaries:
    """The plug-in: a test whose captured output or log, or whose folder, shows a planted secret is an error."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Look once all of a test is over, its fixtures too."""
        report = yield
        if call.when == "teardown" and (found := [*_leaks_of(report.sections), *_leaks_of_folder(item)]):
            report.outcome = "failed"
            report.longrepr = "\n".join(["a planted secret shows:", *found])
        return report


def _leaks_of(sections: Iterable[tuple[str, str]]) -> Iterator[str]:
    for title, text in sections:
        yield from leaks(title, text)


def _leaks_of_folder(item: pytest.Item) -> Iterator[str]:
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if isinstance(folder, Path) and folder.is_dir():
        yield from leaks_in_files(folder)


def pytest_configure(config: pytest.Config) -> None:
    """Plant a secret in the environment, which nothing may tell of, and look for leaks from now on."""
    os.environ.setdefault(VARIABLE, planted("environment"))
    config.pluginmanager.register(Canaries(), "canaries")
