"""The page of the command line: each of its commands runs as it stands, and each verb has one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from oneflow_ai.cli import app
from tests.cli.place import Place, ended, first_line, serving
from tests.house.documented import verbs
from tools.check_docs import take_apart

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "command-line.md"
COMMAND: Any = typer.main.get_command(app)
DOCUMENTED_SERVER = "http://127.0.0.1:8000"
# What a page's earlier line has written.
RECORDING = b"ID3" + bytes(4_000)
LASTING = {"serve", "simulator"}
# What a machine with nothing set up answers: no key of that id, no server to reload, no budget to take away, no key.
FAILING = {
    "oneflow tokens revoke key_0Gd3oYb4pLq2K",
    "oneflow config reload",
    "oneflow budget remove all daily",
    "oneflow keys setup",
    "oneflow keys set openai",
    "oneflow keys rotate openai",
    "oneflow keys remove openai#2",
}


def blocks(language: str) -> list[str]:
    page = take_apart(PAGE.read_text(encoding="utf-8"))
    return [block.text for block in page.blocks if block.language == language]


def commands() -> list[str]:
    return [line for text in blocks("sh") for line in text.splitlines()]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address and the key of a running server."""
    place = Place(tmp_path_factory.mktemp("documented"))
    with serving(place) as announced:
        yield announced["url"], (place.home / "first-key").read_text().strip()


def test_every_verb_has_an_example() -> None:
    shown = {tuple(part for part in shlex.split(line) if part.isalpha()) for line in commands()}
    for verb in (*verbs(COMMAND, "oneflow"), "oneflow providers"):
        words = tuple(verb.split())
        assert any(words == example[: len(words)] or words[1:] == example[-len(words[1:]) :] for example in shown), verb


@pytest.mark.parametrize("line", [line for line in commands() if shlex.split(line)[1] not in LASTING])
def test_a_documented_command_runs(place: Place, server: tuple[str, str], line: str) -> None:
    url, key = server
    text = None
    (prompts,) = blocks("jsonl")
    place.write(prompts, "prompts.jsonl")
    if piped := re.fullmatch(r'echo "(.*)" \| (.*)', line):
        text, line = piped.groups()
    arguments = shlex.split(line.partition(" > ")[0].replace(DOCUMENTED_SERVER, url))[1:]
    if arguments[0] == "ask" and "--max-tokens" not in arguments and "--task" not in arguments:
        arguments += ["--max-tokens", "1"]
    (place.directory / "evening.mp3").write_bytes(RECORDING)
    variables = {"ONEFLOW_API_KEY": key, "ONEFLOW_SERVER__PORT": "0"}
    result = place.run(*arguments, text=text, **variables)
    assert result.exit_code == (1 if line in FAILING else 0), result.output


@pytest.mark.parametrize("line", [line for line in commands() if shlex.split(line)[1] in LASTING])
def test_a_documented_command_that_lasts_starts(place: Place, line: str) -> None:
    place.write('[[rule]]\nfault = "F23"\n', "faults.toml")
    words = shlex.split(line)[1:]
    # Any free port in place of the page's, which may be taken here.
    words = [
        "0" if before in ("--port", "--control-port") else word
        for before, word in zip(["", *words], words, strict=False)
    ]
    with ended(place.process(*words, *([] if "--port" in words else ["--port", "0"]))) as process:
        assert "http://127.0.0.1:" in first_line(process)
