"""What every test may use, and what holds for all: a required need is not skipped over, no planted secret shows."""

from pathlib import Path

import pytest
from hypothesis import settings

from tests import canaries
from tests.needs import require, required

# A property test fails for what it finds, never for a busy machine.
settings.register_profile("oneflow", deadline=None)
settings.load_profile("oneflow")


def pytest_configure(config: pytest.Config) -> None:
    """Looks for leaks of planted secrets; refuses to start when ONEFLOW_TEST_REQUIRE names what no test knows."""
    canaries.pytest_configure(config)
    try:
        required()
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The folder of recordings and specifications beside the repository, or at ONEFLOW_TEST_SHARED."""
    return require("shared")
