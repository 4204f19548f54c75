"""`python -m oneflow_ai.setup_keys` is `oneflow keys setup`, as `setup_keys.py` beside the first edition was."""

from __future__ import annotations

import sys

from oneflow_ai.cli import app


def main() -> None:
    """Ask for each provider's key; what else stands on the command line are options of `oneflow keys setup`."""
    app(["keys", "setup", *sys.argv[1:]])


if __name__ == "__main__":
    main()
