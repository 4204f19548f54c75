"""One running control plane for all tests of a module that change nothing."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.control.plane import Plane, running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plane]:
    """A gateway with the provider `sim`, and the route `text` to it."""
    home = tmp_path_factory.mktemp("home")
    async with running(home, configuration='[routes.text]\ntargets = ["sim/gpt-6-luna"]\n') as made:
        yield made
