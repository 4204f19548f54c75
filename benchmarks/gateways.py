"""What is measured: OneFlow with everything on, nginx as a plain reverse proxy; how each is set up and started."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.processes import Child, cpu_seconds, free_port, seconds_to_ready, tree

COMMAND = (sys.executable, "-m", "oneflow_ai")
PROVIDER_KEY = "sk-benchmark"
_WIDE = 1_000_000_000

# Each limit is set, so that all the arithmetic runs, and none is reached.
_ONEFLOW = f"""
[server]
port = {{port}}

[limits]
requests_per_minute = {_WIDE}
tokens_per_minute = {_WIDE}
concurrency = 10000

[providers.openai]
base_url = "{{base_url}}"
{{more}}api_key = "env:OPENAI_API_KEY"
requests_per_minute = {_WIDE}
tokens_per_minute = {_WIDE}
concurrency = 10000
"""

_NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log stderr error;
worker_rlimit_nofile 65536;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
  client_max_body_size 64m;
  client_body_buffer_size 256k;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream provider {{
    server 127.0.0.1:{provider_port};
    keepalive 512;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer {key}";
      proxy_buffering off;
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that answers: its process, its port, the headers a caller needs, and what it took to be ready."""

    name: str
    child: Child
    port: int
    headers: Mapping[str, str]
    ready_seconds: float
    ready_cpu_seconds: float


class Gateway(Protocol):
    """Something to measure."""

    @property
    def name(self) -> str:
        """What it is called in tables."""

    def running(self) -> contextlib.AbstractContextManager[Running]:
        """Start it, ready to answer; leaving the context ends it. Raises `RuntimeError` with what it said."""


@dataclass(frozen=True, slots=True)
class OneFlow:
    """OneFlow with keys, limits, prices, history and metrics on, in one folder: the second start finds the first's.

    With `ca_file` it asks its provider over TLS, and trusts whom that file names.
    """

    folder: Path
    provider_port: int
    core: int | None
    command: Sequence[str] = COMMAND
    name: str = "oneflow"
    ca_file: Path | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator[Running]:
        """Start it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        file = self.folder / "oneflow.toml"
        file.write_text(oneflow_toml(port=port, provider_port=self.provider_port, ca_file=self.ca_file))
        environment = {"ONEFLOW_HOME": str(self.folder), "OPENAI_API_KEY": PROVIDER_KEY}
        command = [*self.command, "serve", "--config", str(file)]
        with _started(self.name, command, self.folder, environment, self.core) as (child, began_seconds):
            seconds = seconds_to_ready(child, port, "/health/ready", (200,), began_seconds)
            key = (self.folder / "first-key").read_text().strip()
            yield _running(self.name, child, port, key, seconds)

    def rows(self) -> int:
        """How many calls its history holds; ask when it does not run."""
        with contextlib.closing(sqlite3.connect(f"file:{self.folder / 'oneflow.db'}?mode=ro", uri=True)) as database:
            count: int = database.execute("SELECT count(*) FROM requests").fetchone()[0]
            return count


@dataclass(frozen=True, slots=True)
class Nginx:
    """nginx with one worker: it passes requests on with another key, over kept connections, and answers unbuffered."""

    folder: Path
    provider_port: int
    core: int | None
    name: str = "nginx"

    @contextlib.contextmanager
    def running(self) -> Iterator[Running]:
        """Start it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        file = self.folder / "nginx.conf"
        text = _NGINX.format(folder=self.folder, port=port, provider_port=self.provider_port, key=PROVIDER_KEY)
        file.write_text(text)
        command = [nginx_path() or "nginx", "-e", "stderr", "-p", str(self.folder), "-c", str(file)]
        with _started(self.name, command, self.folder, None, self.core) as (child, began_seconds):
            seconds = seconds_to_ready(child, port, "/counts", (200,), began_seconds)
            yield _running(self.name, child, port, "of_anything", seconds)


def oneflow_toml(*, port: int, provider_port: int, ca_file: Path | None = None) -> str:
    """The configuration that OneFlow is measured with."""
    scheme, more = ("http", "") if ca_file is None else ("https", f'ca_file = "{ca_file}"\n')
    return _ONEFLOW.format(port=port, base_url=f"{scheme}://127.0.0.1:{provider_port}/v1", more=more)


def nginx_path() -> str | None:
    """Where nginx is, if it is installed."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/sbin")


def _running(name: str, child: Child, port: int, key: str, seconds: float) -> Running:
    headers = {"authorization": f"Bearer {key}"}
    return Running(name, child, port, headers, seconds, cpu_seconds(tree(child.pid)))


@contextlib.contextmanager
def _started(
    name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None, core: int | None
) -> Iterator[tuple[Child, float]]:
    path = folder / "log"
    with path.open("ab") as log:
        began_seconds = time.monotonic()
        with Child(command, core=core, log=log, environment=environment, folder=folder) as child:
            try:
                yield child, began_seconds
            except RuntimeError as error:
                raise RuntimeError(f"{name}: {error}\n{path.read_text(errors='replace')[-2_000:]}") from error
