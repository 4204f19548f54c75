"""A folder to run the command line in, and the ways to run it: in this process, as a process, as a running server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from oneflow_ai.cli import app
from tests.canaries import VARIABLE, planted, unleaked

SECONDS_MOST = 30.0
SIMULATED_KEY = planted("simulator")
PLANTED = {"SIM_KEY": SIMULATED_KEY, VARIABLE: planted("environment")}


@dataclass(frozen=True, slots=True)
class Place:
    """A working directory with a home inside it, and the variables that make it the whole world of a command."""

    directory: Path

    @property
    def home(self) -> Path:
        return self.directory / "home"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
        return {**kept, "HOME": str(self.directory), "ONEFLOW_HOME": str(self.home), **PLANTED}

    def write(self, text: str, name: str = "oneflow.toml") -> Path:
        """Writes a file and gives its path."""
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        return path

    def simulated(self, base_url: str, more: str = "") -> Path:
        """Writes a configuration with one provider, `sim`, at a simulator, which nobody asks for its models unasked."""
        return self.write(
            "[models]\nrefresh_hours = 0\n"
            f'[providers.sim]\nkind = "openai"\nbase_url = "{base_url}"\napi_key = "env:SIM_KEY"\n'
            f'[routes.text]\ntargets = ["sim/gpt-6-luna"]\n{more}'
        )

    def run(self, *arguments: str, text: str | None = None, **variables: str) -> Result:
        """Runs one command line in this process."""
        cleared = {name: None for name in os.environ if name.endswith("_API_KEY") or name.startswith("ONEFLOW_")}
        world: Mapping[str, str | None] = {**cleared, **self.environment, **variables}
        result = CliRunner().invoke(app, list(arguments), input=text, env=world, catch_exceptions=False)
        unleaked(result.output)
        return result

    def json(self, *arguments: str, **variables: str) -> Any:
        """Runs one command line with `--json` and gives what it prints; it must succeed."""
        result = self.run(*arguments, "--json", **variables)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def process(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Starts one command line as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "oneflow_ai", *arguments],
            cwd=self.directory,
            env=self.environment | options.pop("variables", {}),
            text=True,
            stdin=subprocess.DEVNULL,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options,
        )


def lines(text: str) -> list[str]:
    """The lines of what was printed."""
    return text.splitlines()


def first_line(process: subprocess.Popen[str]) -> str:
    """The first line that a process prints, with what it told on standard error when there is none."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        assert process.stderr is not None
        raise AssertionError(process.stderr.read())
    return line


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that is ended by force, if it has not ended by then, and its pipes closed."""
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


@contextmanager
def serving(place: Place, *options: str, **variables: str) -> Iterator[dict[str, Any]]:
    """A running `oneflow serve`; gives what it announced. It must end well when it is told to."""
    with ended(place.process("serve", "--json", "--port", "0", *options, variables=variables)) as process:
        yield json.loads(first_line(process))
        process.terminate()
        _, errors = process.communicate(timeout=SECONDS_MOST)
        assert process.returncode == 0, errors
        unleaked(errors)
