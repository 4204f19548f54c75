"""What `oneflow serve` tells when it is ready: where it is, how it is set up, and lines to paste that try it."""

from __future__ import annotations

import json
import os
import shlex
import textwrap
from pathlib import Path

import typer

from oneflow_ai.app.serving import Started
from oneflow_ai.core.version import VERSION
from oneflow_ai.providers.table import TABLE
from oneflow_ai.settings import Loaded, configured_providers, credentials

_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - read, never bound
_INDENT = 10
_DEMO = "demo: no provider key found: the built-in simulator answers; every answer is marked"
_DEMO_ASKED = "demo: the built-in simulator answers for every provider; every answer is marked"
_NO_PROVIDER = "no provider has a key yet: calls are refused until one has; `oneflow doctor` tells how"


def welcome(started: Started, loaded: Loaded, columns: int | None) -> str:
    """Several lines for people; `columns` is the width of their terminal, None where there is none.

    A terminal alone is shown the key itself, and only where it was made just now.
    """
    url = reachable(started.url, loaded)
    rows = [
        ("mode", _mode(started, loaded)),
        ("config", str(loaded.file) if loaded.file else "none: defaults"),
        ("docs", f"{url}/api/docs"),
        ("key", _key(started)),
    ]
    if columns is not None and started.first_key is not None:
        rows.append(("", started.first_key.reveal()))
    stop = "; Ctrl-C stops it" if columns is not None else ""
    lines = [typer.style(f"OneFlow {VERSION} is ready at {started.url}", bold=True), ""]
    lines[0] += f" ({started.seconds:.2f} s{stop})"
    lines += [line for name, text in rows for line in _row(name, text, columns)]
    lines += ["", "Try it from a shell:", "", curl_line(started, url), ""]
    lines += ["or from Python (pip install openai):", "", python_line(started, url), ""]
    return "\n".join(lines)


def welcome_line(started: Started, loaded: Loaded) -> str:
    """One line of JSON for programs; never the key."""
    url = reachable(started.url, loaded)
    return json.dumps(
        {
            "url": started.url,
            "version": VERSION,
            "mode": "demo" if started.demo else "normal",
            "config": str(loaded.file) if loaded.file else None,
            "key_file": str(started.key_file) if started.keys_needed else None,
            "docs": f"{url}/api/docs",
            "pid": os.getpid(),
            "seconds": round(started.seconds, 3),
        }
    )


def reachable(url: str, loaded: Loaded) -> str:
    """The address by which this machine itself reaches a server that may listen on all of its addresses."""
    host = loaded.settings.server.host
    return (
        url.replace(f"//{f'[{host}]' if ':' in host else host}:", f"//{_ANY_ADDRESS[host]}:")
        if host in _ANY_ADDRESS
        else url
    )


def curl_line(started: Started, url: str) -> str:
    """A line for a shell that asks one question, with the key read from its file."""
    key = f' -H "Authorization: Bearer {_shell_key(started.key_file)}"' if started.keys_needed else ""
    body = '{"model":"text","messages":[{"role":"user","content":"Hello"}]}'
    return f"curl {url}/v1/chat/completions{key} -H 'Content-Type: application/json' -d '{body}'"


def python_line(started: Started, url: str) -> str:
    """A line of Python that asks one question, with the key read from its file."""
    key = '"none"'
    if started.keys_needed:
        file = started.key_file
        key = f"open({str(file)!r}).read().strip()" if file.exists() else 'os.environ["ONEFLOW_API_KEY"]'
    imports = "import os; from openai import OpenAI" if key.startswith("os.") else "from openai import OpenAI"
    ask = 'chat.completions.create(model="text", messages=[{"role": "user", "content": "Hello"}])'
    return f'{imports}; print(OpenAI(base_url="{url}/v1", api_key={key}).{ask}.choices[0].message.content)'


def _row(name: str, text: str, columns: int | None) -> list[str]:
    indented = f"{f'  {name}':<{_INDENT}}"
    if columns is None:
        return [indented + text]
    return textwrap.wrap(
        text,
        columns,
        initial_indent=indented,
        subsequent_indent=" " * _INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _mode(started: Started, loaded: Loaded) -> str:
    names = _usable(loaded)
    if started.demo:
        return _DEMO_ASKED if names or loaded.file is not None else _DEMO
    return f"providers: {', '.join(names)}" if names else _NO_PROVIDER


def _usable(loaded: Loaded) -> list[str]:
    """The providers that calls can go to: those with a key, and those set up that need none."""
    return [
        name
        for name, row in configured_providers(loaded).items()
        if credentials(loaded, name) or (name in loaded.settings.providers and not TABLE[row.kind].key_required)
    ]


def _key(started: Started) -> str:
    if not started.keys_needed:
        return 'none is needed (auth = "none")'
    if started.first_key is not None:
        return f"the first one was made just now, in {started.key_file}"
    if started.key_file.exists():
        return f"in {started.key_file}"
    return "`oneflow tokens create NAME` makes one; put it into ONEFLOW_API_KEY"


def _shell_key(file: Path) -> str:
    if not file.exists():
        return "$ONEFLOW_API_KEY"
    home = Path.home()
    if file.is_relative_to(home):
        return f"$(cat ~/{shlex.quote(str(file.relative_to(home)))})"
    return f"$(cat {shlex.quote(str(file))})"
