"""The README's lines do as pasted what it says they do."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from oneflow_ai.cli.configured import compiled, load_settings
from tests.cli.place import SECONDS_MOST, Place, serving
from tests.needs import require

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8000"


def blocks(language: str) -> list[str]:
    """The README's blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def block(language: str, word: str) -> str:
    """The one block of a language that has a word in it."""
    (found,) = [each for each in blocks(language) if word in each]
    return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Mapping[str, str], str]]:
    """A person's folder with a server of no configuration at work, its variables, and its address."""
    place = Place(tmp_path_factory.mktemp("person"))
    home = {"ONEFLOW_HOME": str(place.directory / ".local/share/oneflow")}
    with serving(place, **home) as announced:
        yield place, {**place.environment, **home}, announced["url"]


def pasted(world: tuple[Place, Mapping[str, str], str], *command: str) -> str:
    """What a command line prints there, its last part being pasted lines."""
    place, environment, url = world
    # The server listens at a free port, not at the usual one.
    line = [*command[:-1], command[-1].replace(ADDRESS, url)]
    done = subprocess.run(
        line, cwd=place.directory, env=environment, capture_output=True, text=True, timeout=SECONDS_MOST, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_answer_comes_by_curl(world: tuple[Place, Mapping[str, str], str]) -> None:
    require("curl")
    assert "haiku about AI" in pasted(world, "sh", "-c", block("sh", "curl"))


@pytest.mark.parametrize("word", ["from openai import", "from oneflow_ai import"])
def test_the_lines_of_python_answer(world: tuple[Place, Mapping[str, str], str], word: str) -> None:
    told = pasted(world, sys.executable, "-c", block("python", word))
    assert "haiku about AI" in told
    assert "Count to five" in told


def test_the_command_line_answers(world: tuple[Place, Mapping[str, str], str]) -> None:
    (line,) = re.findall(r"`\.venv/bin/oneflow (ask .+?)`", README)
    assert "haiku about AI" in pasted(world, "sh", "-c", f"{sys.executable} -m oneflow_ai {line}")


def test_the_official_client_is_installed_before_it_is_used() -> None:
    assert 0 < README.index(".venv/bin/pip install openai\n") < README.index("from openai import")


def test_the_configuration_is_sound_and_its_route_leads_to_each_target(place: Place) -> None:
    (text,) = blocks("toml")
    file = place.write(text)
    keys = dict.fromkeys(re.findall(r"env:(\w+)", text), "sk-of-nobody")
    found = compiled(load_settings(file, {**keys, "ONEFLOW_HOME": str(place.home)}))
    targets = tomllib.loads(text)["routes"]["chat"]["targets"]
    assert [target.place for target in found.snapshot.routes["chat"].targets] == targets
    assert all(target.price is not None for target in found.snapshot.routes["chat"].targets)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty folder."""
    return Place(tmp_path)
