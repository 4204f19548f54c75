"""What looks like a key is hidden wherever text of others is kept."""

from __future__ import annotations

import re

HIDDEN = "***"

# Keys of this server and of providers, what follows "Bearer", and any long run without a break.
_KEY_LIKE = re.compile(r"\b(?:of_|sk[-_]|pk[-_])[\w-]{12,}|(?i:\bbearer\s+)\S+|[\w+/=-]{40,}", re.ASCII)


def masked(text: str) -> str:
    """The text, with a mark in place of all that looks like a key."""
    return _KEY_LIKE.sub(HIDDEN, text)
