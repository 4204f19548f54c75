"""A resolver that answers as it is told: names that do not exist, fail, hang or lead elsewhere (F1, F2)."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Mapping, Sequence

NXDOMAIN, SERVFAIL, SILENT = "nxdomain", "servfail", "silent"
"""What a name may come to instead of addresses: it does not exist, its servers fail, they never answer."""

_ERRORS = {
    NXDOMAIN: (socket.EAI_NONAME, "Name or service not known"),
    SERVFAIL: (socket.EAI_AGAIN, "Temporary failure in name resolution"),
}


class Names:
    """The addresses of each name, or one of the words above; a name it does not hold does not exist.

    `answers` may be changed at any time, as a rebinding name does; `asked` counts how often each was looked up,
    `doubted` how often nobody answered where it led.
    """

    def __init__(self, answers: Mapping[str, Sequence[str] | str]) -> None:
        self.answers = dict(answers)
        self.asked: Counter[str] = Counter()
        self.doubted: Counter[str] = Counter()

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a host; raises `OSError` as the system's resolver does."""
        self.asked[host] += 1
        found = self.answers.get(host, NXDOMAIN)
        if not isinstance(found, str):
            return tuple(found)
        if found == SILENT:
            await asyncio.Event().wait()
        raise socket.gaierror(*_ERRORS[found])

    def doubt(self, host: str, port: int) -> None:
        """Nobody accepted a connection at what was given; nothing is kept that could be let go."""
        del port
        self.doubted[host] += 1
