"""What keeps tests from every machine but this one."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from oneflow_ai.core.ports import HttpAnswer, HttpRequest, Mark, Upstream


def loopback_only(url: str) -> None:
    """Refuse any address but this machine's own: what tests put before every real connection.

    Raises `RuntimeError` naming the host. Only `localhost` and literal loopback addresses pass; no name is resolved.
    """
    host = urlsplit(url).hostname or ""
    try:
        own = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        own = False
    if not own:
        raise RuntimeError(f"a test may not connect to {host or url!r}: only this machine's own addresses")


class NoRealProviders:
    """An `Upstream` around another that lets nothing through but to this machine."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def send(self, request: HttpRequest, until_seconds: float, mark: Mark | None = None) -> HttpAnswer:
        """Send a request to this machine; raises `RuntimeError` for any other."""
        loopback_only(request.url)
        return await self._upstream.send(request, until_seconds, mark)

    async def close(self) -> None:
        """Close every connection."""
        await self._upstream.close()
