"""A running `oneflow serve` for the official clients: started on a port of its own, stopped as an operator would."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

READY_SECONDS_MOST = 20.0


@contextlib.contextmanager
def serving(home: Path, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Start it in this folder, without anybody's provider keys but those of `environment`: its address, and a key."""
    log = home / "output"
    own = {name: text for name, text in os.environ.items() if not name.endswith("_API_KEY")}
    own |= {"ONEFLOW_HOME": str(home), "ONEFLOW_SERVER__PORT": "0", "ONEFLOW_SERVER__DRAIN_SECONDS": "1", **environment}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "oneflow_ai", "serve"], cwd=home, env=own, stdout=output, stderr=output
        )
        try:
            yield _address(process, log), (home / "first-key").read_text().strip()
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0, log.read_text()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + READY_SECONDS_MOST
    while time.monotonic() < until and process.poll() is None:
        found = [word for word in log.read_text().split() if word.startswith("http://127.0.0.1:")]
        if found:
            address = found[0].split("/v1")[0].rstrip("/")
            with urllib.request.urlopen(address + "/health/ready", timeout=5) as answer:  # noqa: S310 - our own http address
                assert answer.status == 200
            return address
        time.sleep(0.02)
    raise AssertionError(f"the server did not start: {log.read_text()}")
