"""The providers' own specifications, read from the shared folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

# What the C library does in seconds takes minutes without it; PyYAML has no wheel with it for the newest Pythons.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def openai_specification(shared_folder: Path) -> dict[str, Any]:
    """OpenAI's, read anew for each who asks: it may be changed, and is large, so ask once in a module."""
    text = (shared_folder / "specs" / "openai-openapi.yaml").read_text("utf-8")
    found: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506 - either of the two is a safe loader
    return found
