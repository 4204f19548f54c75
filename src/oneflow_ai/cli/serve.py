"""`oneflow serve`: the gateway as a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from oneflow_ai.cli.spread import Common


@dataclass(frozen=True, slots=True)
class ServeOptions(Common):
    """What `serve` takes; every other setting is in the configuration, or in a variable."""

    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Address to listen on (server.host).")] = None
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, metavar="PORT", help="Port to listen on; 0: any (server.port).")
    ] = None
    demo: Annotated[bool, typer.Option("--demo", help="Let the built-in simulator answer for every provider.")] = False

    def overrides(self) -> dict[str, str]:
        """The options that are settings, as the variables that set them."""
        asked = {"ONEFLOW_SERVER__HOST": self.host, "ONEFLOW_SERVER__PORT": self.port}
        return {variable: str(value) for variable, value in asked.items() if value is not None}


def serve(options: ServeOptions) -> None:
    """Serve the gateway until Ctrl-C or SIGTERM.

    Every setting of oneflow.toml can also be set by a variable, such as ONEFLOW_SERVER__LOG_LEVEL=debug.
    """
    from oneflow_ai.cli.hosting import host

    host(options)
