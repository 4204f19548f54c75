"""`oneflow ask` for pictures, speech and transcripts: a file, a line that tells what it is, and clear refusals."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from oneflow_ai.cli.asking import SIMULATED
from tests.cli.place import Place, lines, serving


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, str]]:
    """A running server in demo mode: its place, which holds its first key, and its address."""
    place = Place(tmp_path_factory.mktemp("gateway"))
    with serving(place) as announced:
        yield place, announced["url"]


@pytest.fixture(params=["in process", "at a server"])
def there(
    request: pytest.FixtureRequest, gateway: tuple[Place, str], monkeypatch: pytest.MonkeyPatch
) -> tuple[Place, tuple[str, ...]]:
    """A place, and what to add to a command there so that it asks the one or the other."""
    place, url = gateway
    monkeypatch.chdir(place.directory)
    return place, ("--server", url) if request.param == "at a server" else ()


def test_a_picture_is_written_and_told_with_its_size(there: tuple[Place, tuple[str, ...]]) -> None:
    place, at = there
    at += ("-m", "openai/gpt-image-2", "--size", "1536x1024")
    result = place.run("ask", "A cat", "--task", "image", "-o", "cat.webp", *at)
    assert result.exit_code == 0, result.stderr
    content = (place.directory / "cat.webp").read_bytes()
    picture = Image.open(io.BytesIO(content))
    assert (picture.format, picture.size) == ("WEBP", (1536, 1024))
    assert result.stdout == f"cat.webp: 1536x1024 image/webp, {len(content):,} bytes\n"
    assert lines(result.stderr) == [SIMULATED]


def test_speech_is_written_and_not_played(there: tuple[Place, tuple[str, ...]]) -> None:
    place, at = there
    result = place.run("ask", "Hello", "--task", "speech", "-o", "hello.wav", "--voice", "alloy", *at)
    assert result.exit_code == 0, result.stderr
    content = (place.directory / "hello.wav").read_bytes()
    assert content[:4] == b"RIFF"
    assert result.stdout == f"hello.wav: audio/wav, {len(content):,} bytes\n"


def test_a_recording_is_written_down(there: tuple[Place, tuple[str, ...]]) -> None:
    place, at = there
    place.run("ask", "Hello to you all, " * 12, "--task", "speech", "-o", "talk.mp3")
    result = place.run("ask", "talk.mp3", "--task", "transcription", *at)
    assert result.exit_code == 0, result.stderr
    assert '"talk.mp3' in result.stdout
    for model in ("openai/whisper-1", "elevenlabs/scribe_v2"):
        made = place.run("ask", "talk.mp3", "--task", "transcription", "-m", model, "-o", "talk.srt", *at)
        assert made.exit_code == 0, made.stderr
        assert (place.directory / "talk.srt").read_text().startswith("1\n00:00:00,000 --> "), model


def test_json_tells_who_made_it_what_it_cost_and_where_it_is(there: tuple[Place, tuple[str, ...]]) -> None:
    place, at = there
    told = place.json("ask", "A cat", "--task", "image", "-o", "cat.png", *at)
    (file,) = told["files"]
    content = (place.directory / "cat.png").read_bytes()
    assert (file["file"], file["media_type"], file["bytes"]) == ("cat.png", "image/png", len(content))
    assert (file["width"], file["height"]) == Image.open(io.BytesIO(content)).size
    # Who makes nothing but pictures is asked before who does everything.
    assert (told["provider"], told["simulated"]) == ("stability", True)
    assert told["cost_usd"] > 0
    assert "media" not in told
    assert json.dumps(told)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("A cat", "--task", "image"), "--task image needs -o FILE"),
        (("Hello", "--task", "speech"), "--task speech needs -o FILE"),
        (("A cat", "--task", "image", "-o", "cat.gif"), "the file's name ends in one of .png, .jpg, .jpeg, .webp"),
        (("A cat", "--task", "image", "-o", "cat"), "the file's name ends in one of .png"),
        (("Hello", "--task", "speech", "-o", "hello.png"), "the file's name ends in one of .mp3, .opus"),
        (("A cat", "--task", "image", "-o", "no/where.png"), "its folder must exist"),
        (("A cat", "--task", "image", "-o", "cat.png", "--stream"), "leave out --stream or -o"),
        (("talk.wav", "--task", "transcription", "--stream"), "--stream is for --task text only"),
        (("A cat", "--task", "image", "-o", "cat.png", "--max-tokens", "9"), "--max-tokens is for --task text only"),
        (("Hello", "--size", "1x1"), "--size is for --task image only"),
        (("A cat", "--task", "image", "-o", "cat.png", "--voice", "alloy"), "--voice is for --task speech only"),
        (("none.wav", "--task", "transcription"), "writes a file down; none.wav is none"),
        (("-", "--task", "transcription"), "writes a file down; - is none"),
        ((" ", "--task", "image", "-o", "cat.png"), "the prompt is empty"),
        (("A cat", "--task", "embedding"), "served is text, image, speech, transcription"),
        (("A cat", "--task", "image", "-o", "cat.png", "--size", "banana"), "size is "),
        (("A cat", "--task", "image", "-o", "cat.png", "--size", ""), "size is "),
        (("A cat", "--task", "image", "-o", "cat.png", "--size", "0x0"), "size is "),
        (("Hello", "--task", "speech", "-o", "hello.mp3", "--voice", ""), "voice"),
    ],
)
def test_a_wrong_command_is_told_at_once(place: Place, arguments: tuple[str, ...], words: str) -> None:
    result = place.run("ask", *arguments)
    assert result.exit_code == 2
    (line,) = lines(result.stderr)
    assert words in line
    assert not list(place.directory.glob("*.png"))


def test_a_failure_is_one_line_and_writes_nothing(there: tuple[Place, tuple[str, ...]], tmp_path: Path) -> None:
    place, at = there
    file = tmp_path / "cat.png"
    for more, words, status in (
        (("-m", "nobody/has-this"), "(model_not_found)", 2),
        (("--size", "big"), "(invalid_value)", 2),
        (("-m", "anthropic/claude-haiku-5-5"), "(unsupported_operation)", 2),
        (("-m", "openai/sim-F24"), "(provider_auth_failed)", 1),
    ):
        result = place.run("ask", "A cat", "--task", "image", "-o", str(file), *more, *at)
        assert result.exit_code == status, words
        assert result.stdout == ""
        (line,) = lines(result.stderr)
        assert words in line
        assert not file.exists()


def test_what_is_no_gateway_is_told(place: Place) -> None:
    result = place.run("ask", "A cat", "--task", "image", "-o", "cat.png", "--server", "http://127.0.0.1:9")
    assert result.exit_code == 1
    assert "no server answers" in result.stderr
