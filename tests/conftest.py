"""What every test may use: the shared folder, and the promise that a required need is not skipped over."""

from pathlib import Path

import pytest
from hypothesis import settings

from tests.needs import require, required

# A property test fails for what it finds, never for a busy machine.
settings.register_profile("oneflow", deadline=None)
settings.load_profile("oneflow")


def pytest_configure() -> None:
    """Refuses to start when ONEFLOW_TEST_REQUIRE names what no test knows."""
    try:
        required()
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The folder of recordings and specifications beside the repository, or at ONEFLOW_TEST_SHARED."""
    return require("shared")
