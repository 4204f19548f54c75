"""What OneFlow keeps between runs: keys, history and the server's secret, in files that only their owner may read."""

from __future__ import annotations


class StoreRefused(Exception):
    """A store that cannot be used as it stands; the message says what is wrong and what to do, and holds no secret."""
