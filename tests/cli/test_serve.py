"""`oneflow serve`: what it tells when it is ready can be pasted, its key is for eyes alone, its end is clean."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import resource
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection

import pytest

from oneflow_ai.app.serving import Started, connections_most
from oneflow_ai.cli.pid_file import FILE_NAME
from oneflow_ai.cli.welcome import curl_line, python_line, reachable, welcome
from oneflow_ai.core.target import Secret
from oneflow_ai.providers.table import TABLE
from oneflow_ai.settings import Loaded, load
from oneflow_ai.simulator import FAST, Pace, SimulatorOptions, ThreadedSimulator, run_in_thread
from oneflow_ai.stores.key_format import looks_valid
from tests.cli.place import SECONDS_MOST, Place, ended, first_line, lines, serving
from tests.needs import require

SHOWN_BYTES_MOST = 64 * 1024


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, list[str]]]:
    """A server whose standard output is a pipe, as it is told there; its folder has a name that a shell must quote."""
    directory = tmp_path_factory.mktemp("serve") / "it's a folder"
    directory.mkdir()
    place = Place(directory)
    with ended(place.process("serve", "--port", "0")) as process:
        assert process.stdout is not None
        said = [first_line(process)]
        while "openai" not in said[-1] or "import" not in said[-1]:
            said.append(process.stdout.readline())
        yield place, [line.rstrip("\n") for line in said]
        process.terminate()
        process.communicate(timeout=SECONDS_MOST)


def line_of(said: list[str], beginning: str) -> str:
    (line,) = [line for line in said if line.startswith(beginning)]
    return line


def test_the_mode_is_told(told: tuple[Place, list[str]]) -> None:
    _, said = told
    assert said[0].startswith("OneFlow ")
    assert "is ready at http://127.0.0.1:" in said[0]
    assert line_of(said, "  mode").endswith(
        "demo: no provider key found: the built-in simulator answers; every answer is marked"
    )
    assert line_of(said, "  docs").endswith("/api/docs")


def test_the_key_is_never_told_to_a_pipe(told: tuple[Place, list[str]]) -> None:
    place, said = told
    key = (place.home / "first-key").read_text().strip()
    assert looks_valid(key)
    assert key not in "\n".join(said)
    assert str(place.home / "first-key") in line_of(said, "  key")


def test_the_line_for_a_shell_answers(told: tuple[Place, list[str]]) -> None:
    require("curl")
    place, said = told
    done = subprocess.run(
        ["sh", "-c", line_of(said, "curl ")],
        env=place.environment,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=SECONDS_MOST,
        check=False,
    )
    answer = json.loads(done.stdout)
    assert answer["choices"][0]["message"]["content"].startswith('This is a simulated answer to "Hello"')


def test_the_line_for_python_answers(told: tuple[Place, list[str]]) -> None:
    place, said = told
    command = [sys.executable, "-c", line_of(said, "from openai")]
    done = subprocess.run(
        command, env=place.environment, capture_output=True, text=True, timeout=SECONDS_MOST, check=False
    )
    assert done.stdout.startswith('This is a simulated answer to "Hello"'), done.stderr


def loaded(place: Place, **variables: str) -> Loaded:
    return load(None, place.environment | variables, place.directory, kinds=TABLE)


def started(place: Place, url: str = "http://127.0.0.1:8000", *, keys_needed: bool = True) -> Started:
    key = Secret("of_the-key-itself")
    return Started(url, False, keys_needed, key, place.home / "first-key", 0.5)


def test_only_a_terminal_is_shown_the_key_itself(place: Place) -> None:
    assert "of_the-key-itself" in welcome(started(place), loaded(place), columns=80)
    assert "of_the-key-itself" not in welcome(started(place), loaded(place), columns=None)


def test_on_a_terminal_no_remark_is_broken_inside_a_word(place: Place) -> None:
    told = welcome(started(place), loaded(place, ONEFLOW_SERVER__AUTH="none"), columns=60)
    assert all(len(line) <= 60 or not line.startswith("  ") or " " not in line.strip() for line in lines(told))


def test_without_the_first_keys_file_the_lines_read_the_variable(place: Place) -> None:
    assert '"Authorization: Bearer $ONEFLOW_API_KEY"' in curl_line(started(place), "http://x")
    assert 'os.environ["ONEFLOW_API_KEY"]' in python_line(started(place), "http://x")
    compile(python_line(started(place), "http://x"), "line", "exec")


def test_without_keys_the_lines_carry_none(place: Place) -> None:
    assert "Authorization" not in curl_line(started(place, keys_needed=False), "http://x")
    assert 'api_key="none"' in python_line(started(place, keys_needed=False), "http://x")


@pytest.mark.parametrize(
    ("host", "url", "reached"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://0.0.0.0:8000", "http://127.0.0.1:8000"),  # noqa: S104 - read, never bound
        ("::", "http://[::]:8000", "http://[::1]:8000"),
    ],
)
def test_the_lines_reach_a_server_on_all_addresses(place: Place, host: str, url: str, reached: str) -> None:
    assert reachable(url, loaded(place, ONEFLOW_SERVER__HOST=host)) == reached


def test_the_providers_that_calls_go_to_are_named(place: Place, provider: ThreadedSimulator) -> None:
    file = place.simulated(provider.base_url, '[providers.own]\nkind = "ollama"\n[providers.groq]\n')
    said = [line.split() for line in lines(welcome(started(place), loaded(place), columns=None))]
    assert ["mode", "providers:", "sim,", "own"] in said
    assert ["config", str(file)] in said


def test_a_configuration_without_any_key_is_told_where_to_look(place: Place) -> None:
    place.write("")
    said = welcome(started(place), loaded(place), columns=None)
    assert "no provider has a key yet: calls are refused until one has; `oneflow doctor` tells how" in said


def test_an_address_in_use_is_one_line_and_status_1(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = place.run("serve", "--port", str(port))
    assert (result.exit_code, result.stdout) == (1, "")
    assert lines(result.stderr) == [
        f"oneflow: 127.0.0.1:{port} is in use: stop what listens there, or choose another with --port"
    ]


def test_an_address_of_another_machine_is_one_line_and_status_1(place: Place) -> None:
    result = place.run("serve", "--host", "192.0.2.1", "--port", "0")
    assert result.exit_code == 1
    assert lines(result.stderr) == ["oneflow: 192.0.2.1:0 is no address of this machine: choose another with --host"]


def test_a_route_that_leads_nowhere_keeps_it_from_starting(place: Place) -> None:
    place.write('[routes.text]\ntargets = ["no-such-model"]\n')
    result = place.run("serve", "--port", "0")
    assert result.exit_code == 2
    (line,) = lines(result.stderr)
    assert line.startswith("oneflow.toml:1: route text: target no-such-model: ")
    assert not (place.home / FILE_NAME).exists()


def test_a_home_that_cannot_be_made_is_one_line_and_status_1(place: Place) -> None:
    (place.directory / "home").write_text("a file where the folder should be")
    result = place.run("serve", "--port", "0")
    assert result.exit_code == 1
    (line,) = lines(result.stderr)
    assert str(place.home) in line


def test_a_server_announces_itself_and_a_second_one_of_the_same_home_leaves_it_its_file(place: Place) -> None:
    file = place.home / FILE_NAME
    with serving(place) as first:
        assert first.keys() == {"url", "version", "mode", "config", "key_file", "docs", "pid", "seconds"}
        assert first["mode"] == "demo"
        with serving(place) as second:
            assert second["url"] != first["url"]
            holder = json.loads(file.read_text())
            assert (holder["pid"], holder["url"]) == (first["pid"], first["url"])
        assert json.loads(file.read_text()) == holder
    assert not file.exists()


def test_ctrl_c_ends_it_cleanly(place: Place) -> None:
    with ended(place.process("serve", "--json", "--port", "0")) as process:
        first_line(process)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=SECONDS_MOST)
        assert (process.returncode, errors) == (0, "")


def test_calls_get_the_whole_of_a_drain_time_below_a_second(place: Place) -> None:
    slow = SimulatorOptions(pace=Pace(first_token_seconds=0.4, tokens_per_second=0.0, whole_seconds_most=0.4))
    with run_in_thread(slow) as provider, ThreadPoolExecutor(1) as pool:
        place.simulated(provider.base_url, '[server]\nauth = "none"\ndrain_seconds = 0.8\n')
        with serving(place) as announced:
            call = pool.submit(asked, int(announced["url"].rpartition(":")[2]))
            ends_seconds = time.monotonic() + SECONDS_MOST
            while not provider.do(lambda simulator: simulator.record.counts.in_flight):
                assert time.monotonic() < ends_seconds
                time.sleep(0.005)
        assert call.result(SECONDS_MOST) == 200


def test_another_engine_serves_and_ends_as_well(place: Place) -> None:
    with run_in_thread(SimulatorOptions(pace=FAST)) as provider:
        place.simulated(provider.base_url, '[server]\nengine = "granian"\nauth = "none"\n')
        with serving(place) as announced:
            assert asked(int(announced["url"].rpartition(":")[2])) == 200


@pytest.mark.parametrize("verb", [("serve", "--port", "0"), ("config", "check"), ("doctor",)])
def test_an_engine_that_is_not_installed_is_told_in_one_line(place: Place, verb: tuple[str, ...]) -> None:
    place.write('[server]\nengine = "granian"\n')
    code = "import sys; sys.modules['granian'] = None; from oneflow_ai.cli import main; main()"
    command = [sys.executable, "-c", code, *verb]
    done = subprocess.run(
        command,
        cwd=place.directory,
        env=place.environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_MOST,
        check=False,
    )
    assert done.returncode != 0
    (line,) = [line for line in (done.stderr + done.stdout).splitlines() if "granian" in line]
    assert "server.engine is granian, which is not installed: pip install 'oneflow-ai[granian]'" in line


def asked(port: int) -> int:
    """The status of one call's answer."""
    body = json.dumps({"model": "text", "messages": [{"role": "user", "content": "hi"}]})
    with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=SECONDS_MOST)) as connection:
        connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
        return connection.getresponse().status


@pytest.mark.parametrize(
    ("files", "calls", "clients"),
    [(1_024, 1_000, 512), (20_000, 1_000, 17_744), (20_000, 100_000, 10_000), (1 << 20, 1_000, 65_536), (1, 1, 1)],
)
def test_so_many_clients_as_leave_files_for_their_calls(files: int, calls: int, clients: int) -> None:
    assert connections_most(files, calls) == clients


def test_clients_that_ask_nothing_keep_nobody_out(place: Place) -> None:
    """With files for 128, and 160 clients that say nothing, whoever asks is answered; before, nobody was."""
    limit = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (64, 128))
    process = place.process(
        "serve", "--json", "--port", "0", preexec_fn=limit, variables={"ONEFLOW_SERVER__AUTH": "none"}
    )
    with ended(process), contextlib.ExitStack() as silent:
        port = int(json.loads(first_line(process))["url"].rpartition(":")[2])
        for _ in range(160):
            silent.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert asked(port) == 200
        assert asked(port) == 200
        process.terminate()
        told = process.communicate(timeout=SECONDS_MOST)
        assert "Too many open files" not in "".join(told)


def test_a_terminal_is_shown_the_first_key_and_ends_the_server_when_it_is_closed(place: Place) -> None:
    main, side = pty.openpty()
    try:
        process = place.process("serve", "--port", "0", stdout=side, stderr=side, preexec_fn=lambda: _adopt(side))
    finally:
        os.close(side)
    with ended(process):
        shown = _shown_until(main, b"import OpenAI")
        key = (place.home / "first-key").read_text().strip()
        assert key in shown
        assert "Ctrl-C stops it" in shown
        os.close(main)
        # Python's own status when it cannot write to its closed terminal any more is 120.
        assert process.wait(timeout=SECONDS_MOST) in (0, 120)
    assert not (place.home / FILE_NAME).exists()


def _adopt(terminal: int) -> None:
    """Make a terminal the controlling one of a new session, as a terminal window does for its shell."""
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


def _shown_until(terminal: int, mark: bytes) -> str:
    shown, until = b"", time.monotonic() + SECONDS_MOST
    while mark not in shown and len(shown) < SHOWN_BYTES_MOST and time.monotonic() < until:
        shown += os.read(terminal, 4_096)
    return shown.decode()
