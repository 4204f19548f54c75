"""The settings of a library that asks one provider, `sim`, at a simulator: what the tests of the library stand on."""

from __future__ import annotations

from pathlib import Path

from oneflow_ai.providers.table import TABLE
from oneflow_ai.settings import Loaded, load
from oneflow_ai.simulator import ThreadedSimulator
from tests.canaries import PROVIDER_KEY


def library_settings(
    simulator: ThreadedSimulator, home: Path, configuration: str, *, provider: str = "", prices: str = ""
) -> Loaded:
    """These settings; `provider` and `prices` are further lines of their tables, `configuration` further tables."""
    return loaded(
        home,
        f'[providers.sim]\nkind = "openai"\nbase_url = "{simulator.base_url}"\napi_key = "env:SIM_KEY"\n{provider}'
        f'[prices."sim/*"]\ninput_usd_per_million_tokens = 1\noutput_usd_per_million_tokens = 2\n{prices}'
        f"{configuration}",
    )


def loaded(home: Path, configuration: str) -> Loaded:
    """The settings of a whole configuration, written to the home."""
    file = home / "oneflow.toml"
    file.write_text(configuration)
    return load(file, {"SIM_KEY": PROVIDER_KEY, "ONEFLOW_HOME": str(home)}, home, kinds=TABLE)
