"""`oneflow simulator`: it listens where it says, and plays what it was asked to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.cli.place import SECONDS_MOST, Place, ended, first_line, lines

CHAT = {"model": "gpt-6-luna", "messages": [{"role": "user", "content": "Hi"}]}


async def ask(url: str, **fields: Any) -> tuple[int, Any]:
    """Sends one chat and gives status and body."""
    async with (
        aiohttp.ClientSession(headers={"authorization": "Bearer any"}) as session,
        session.post(f"{url}/chat/completions", json=CHAT | fields) as answer,
    ):
        return answer.status, await answer.json()


def test_it_answers_where_it_says_with_limits_and_a_control_port(place: Place) -> None:
    command = ("simulator", "--port", "0", "--control-port", "0", "--rpm", "1", "--fast", "--seed", "7", "--json")
    with ended(place.process(*command)) as process:
        wire, *_, control = [json.loads(first_line(process)) for _ in range(6)]
        statuses = [asyncio.run(ask(wire["url"]))[0] for _ in range(2)]
        assert statuses == [200, 429]
        assert wire["name"] == "OpenAI's wire"
        assert control["url"].endswith("/_sim/status")


def test_bursts_are_refused_when_told_so(place: Place) -> None:
    with ended(place.process("simulator", "--port", "0", "--burst", "2", "--concurrency", "5", "--fast")) as process:
        url = first_line(process).partition(": ")[2].strip()
        assert [asyncio.run(ask(url))[0] for _ in range(4)] == [200, 200, 429, 429]


@pytest.mark.parametrize("by", ["share", "script"])
def test_it_plays_the_fault_that_is_asked_for(place: Place, by: str) -> None:
    place.write('[[rule]]\nfault = "F23;status=503"\n', "faults.toml")
    asked = {"share": ("--fault", "F23;status=503=1"), "script": ("--script", "faults.toml")}[by]
    with ended(place.process("simulator", "--port", "0", "--fast", *asked)) as process:
        url = first_line(process).partition(": ")[2].strip()
        assert asyncio.run(ask(url))[0] == 503


def test_a_port_in_use_is_one_line_and_status_1(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        result = place.run("simulator", "--port", port)
    assert result.exit_code == 1
    (line,) = lines(result.stderr)
    assert line.startswith(f"oneflow simulator: cannot listen on 127.0.0.1:{port}: ")
    assert line.endswith("choose another with --port")


def test_a_bad_script_is_one_line_that_names_it(place: Place, tmp_path: Path) -> None:
    place.write('[[rule]]\nfault = "F999"\n', "faults.toml")
    result = place.run("simulator", "--script", "faults.toml")
    assert result.exit_code == 2
    (line,) = lines(result.stderr)
    assert line.startswith("oneflow simulator: faults.toml: rule[0]: fault 'F999'")


@pytest.mark.parametrize(("told", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "answering"])
def test_it_ends_well_when_it_is_told_to(place: Place, told: signal.Signals, status: int, busy: bool) -> None:
    with ended(place.process("simulator", "--port", "0", "--control-port", "0")) as process:
        url = first_line(process).partition(": ")[2].strip()
        with answering(url) if busy else contextlib.nullcontext():
            process.send_signal(told)
            _, errors = process.communicate(timeout=SECONDS_MOST)
    assert (process.returncode, errors) == (status, "")


@contextlib.contextmanager
def answering(url: str) -> Iterator[None]:
    """A client whose request the simulator has read and never answers."""
    parts = urlsplit(url)
    body = json.dumps(CHAT | {"model": "sim-F11"})
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=SECONDS_MOST)
    with contextlib.closing(connection):
        connection.request("POST", f"{parts.path}/chat/completions", body, {"authorization": "Bearer any"})
        # Its head comes, its body never does.
        assert connection.getresponse().status == 200
        yield
