"""The gateway that the official clients and the frameworks talk to."""

from collections.abc import Iterator

import pytest

from tests.clients.everywhere import Gateway, running


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One in front of every wire."""
    with running(tmp_path_factory.mktemp("everywhere")) as found:
        yield found
