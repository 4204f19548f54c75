"""The command line as a whole: help everywhere, one line for each mistake, exit statuses, nothing heavy loaded."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import pytest
import typer

from oneflow_ai.cli import app
from oneflow_ai.cli.failures import Refused, guarded
from oneflow_ai.core.version import VERSION
from tests.cli.place import SECONDS_MOST, Place, ended, first_line, lines
from tests.house.documented import verbs

COMMAND: Any = typer.main.get_command(app)
VERBS = [verb.split()[1:] for verb in verbs(COMMAND, "oneflow")]
HEAVY = ("aiohttp", "alembic", "fastapi", "oneflow_ai.settings", "rich", "sqlalchemy", "uvicorn")


@pytest.mark.parametrize("verb", [[], ["providers"], ["config"], ["tokens"], *VERBS], ids=" ".join)
def test_every_verb_has_help_with_an_example(place: Place, verb: list[str]) -> None:
    result = place.run(*verb, "--help")
    assert result.exit_code == 0
    assert f"Example: {' '.join(['oneflow', *verb])}" in result.stdout
    assert all(len(line) <= 80 for line in lines(result.stdout))


@pytest.mark.parametrize("verb", [["providers"], *VERBS], ids=" ".join)
def test_every_verb_prints_json_when_asked(place: Place, verb: list[str]) -> None:
    assert "--json" in place.run(*verb, "--help").stdout


MISUSES = [
    (["nope"], "no such command 'nope'; see oneflow --help"),
    (["modles"], "Did you mean 'models'"),
    (["--nope"], "no such option"),
    (["ask"], "missing argument 'PROMPT'; see oneflow ask --help"),
    (["ask", "hi", "--bogus"], "no such option: --bogus; see oneflow ask --help"),
    (["ask", " "], "the prompt is empty"),
    (["ask", "hi", "--task", "dance"], "--task dance is not served; served is text, image, speech, transcription"),
    (["ask", "hi", "--stream", "--json"], "leave out --stream or --json"),
    (["ask", "hi", "--stream", "-o", "x"], "leave out --stream or -o"),
    (["ask", "hi", "-o", "no/such/folder"], "its folder must exist"),
    (["ask", "hi", "--temperature", "3"], "--temperature"),
    (["ask", "hi", "--max-tokens", "0"], "--max-tokens"),
    (["ask", "hi", "--server", "127.0.0.1:8000"], "--server is the address of a server"),
    (["ask", "hi", "--server", "http://u:p@127.0.0.1:8000"], "--server is the address of a server"),
    (["ask", "hi", "--server", "http://127.0.0.1:99999999"], "--server is the address of a server"),
    (["ask", "hi", "--server", "http://127.0.0.1:8000/api"], "--server is the address of a server"),
    (["serve", "--port", "x"], "should be a valid integer"),
    (["serve", "--port", "65536"], "--port"),
    (["serve", "--host", "http://x"], "ONEFLOW_SERVER__HOST: server.host: must be a host name"),
    (["models", "--provider", "nope"], "there is no provider nope; known are openai"),
    (["models", "--config", "nope.toml"], "nope.toml: cannot be read"),
    (["providers", "nope"], "no such command 'nope'; see oneflow providers --help"),
    (["providers", "best", "nope"], "'nope' is not one of 'text'"),
    (["providers", "check", "nope"], "there is no provider nope"),
    (["simulator", "--fault", "F23"], "is no fault and a share"),
    (["simulator", "--fault", "F23=2"], "is no fault and a share"),
    (["simulator", "--fault", "F99=0.1"], "the ids are F1 to"),
    (["simulator", "--script", "nope.toml"], "nope.toml"),
    (["tokens", "create"], "missing argument 'NAME'"),
    (["tokens", "create", ""], "a key's name is 1 to 100"),
    (["tokens", "create", "ci", "--days", "0"], "--days"),
    (["tokens", "create", "ci", "--concurrency", "1" + "0" * 30], "a limit is at most"),
]


@pytest.mark.parametrize(("arguments", "words"), MISUSES, ids=[" ".join(row[0])[:40] for row in MISUSES])
def test_misuse_is_one_line_and_status_2(place: Place, arguments: list[str], words: str) -> None:
    result = place.run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = lines(result.stderr)
    assert words in line


@pytest.mark.parametrize("group", [[], ["config"], ["tokens"]], ids=" ".join)
def test_a_group_without_a_verb_shows_its_help_as_misuse(place: Place, group: list[str]) -> None:
    result = place.run(*group)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Commands:" in result.stderr


def test_a_mistake_in_the_configuration_ends_every_verb_that_reads_it(place: Place) -> None:
    place.write('[server]\nport = 70000\nhots = ["x"]\n')
    told = ["oneflow.toml:2: server.port: must be at most 65535", "oneflow.toml:3: server.hots: unknown key"]
    verbs = (["ask", "hi"], ["models"], ["providers"], ["config", "show"], ["serve"], ["tokens", "list"])
    for verb in verbs:
        result = place.run(*verb)
        assert result.exit_code == 2, verb
        assert [line[: len(words)] for line, words in zip(lines(result.stderr), told, strict=True)] == told, verb


def test_the_light_verbs_load_nothing_heavy(place: Place) -> None:
    """Two thirds of a second would be lost on what `version` and `--help` do not need."""
    script = (
        "import sys\nfrom oneflow_ai.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\nassert not loaded, loaded\n"
    )
    for arguments in (["version"], ["--help"], ["serve", "--help"]):
        command = [sys.executable, "-c", script, *arguments]
        done = subprocess.run(
            command, env=place.environment, capture_output=True, text=True, timeout=SECONDS_MOST, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_the_version_is_told_alone_and_with_those_of_its_parts(place: Place) -> None:
    assert place.run("--version").stdout == f"{VERSION}\n"
    told = place.json("version")
    assert told["oneflow"] == VERSION
    assert told["python"].startswith(".".join(map(str, sys.version_info[:3])))
    assert {"sqlite", "aiohttp", "pydantic"} <= told.keys()
    assert f"oneflow    {VERSION}" in place.run("version").stdout


def test_a_fault_of_the_program_is_one_line(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    assert guarded(lambda: 1 // 0) == 1
    (line,) = lines(capsys.readouterr().err)
    assert "ZeroDivisionError" in line
    assert "Traceback" not in line


def test_a_fault_of_the_program_shows_where_when_it_is_debugged(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {**place.environment, "ONEFLOW_SERVER__LOG_LEVEL": "debug"}.items():
        monkeypatch.setenv(name, value)
    assert guarded(lambda: 1 // 0) == 1
    assert "Traceback" in capsys.readouterr().err


SYSTEM_ERRORS = [
    (OSError(28, "No space left on device"), "oneflow: No space left on device"),
    (PermissionError(13, "Permission denied", "/a/file"), "oneflow: /a/file: Permission denied"),
]


@pytest.mark.parametrize(("error", "line"), SYSTEM_ERRORS, ids=["without a file", "with a file"])
def test_what_the_system_refuses_is_one_line(error: OSError, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> None:
        raise error

    assert guarded(refuse) == 1
    assert capsys.readouterr().err == f"{line}\n"


def test_no_line_of_an_error_can_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> None:
        raise Refused("red \x1b[31m and\ntwo lines")

    assert guarded(refuse) == 1
    assert capsys.readouterr().err == "red ␛[31m and two lines\n"


def test_ctrl_c_is_silent_and_status_130(place: Place) -> None:
    with ended(place.process("simulator", "--port", "0")) as process:
        for wire in ("OpenAI's", "Anthropic's", "Gemini's", "Stability's", "ElevenLabs'"):
            assert first_line(process).startswith(f"{wire} wire: http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=SECONDS_MOST)
        assert (process.returncode, out, errors) == (130, "", "")


def test_a_reader_that_goes_away_is_nobodys_fault(place: Place) -> None:
    with ended(place.process("models")) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.wait(timeout=SECONDS_MOST)
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode == 1
