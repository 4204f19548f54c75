"""`oneflow ask`: one answer, from the engine in this process or from a running server."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from oneflow_ai.cli.failures import misuse
from oneflow_ai.cli.spread import ChatOptions

PROMPT_CHARACTERS_MOST = 16 * 1024 * 1024
TASKS = ("text", "image", "speech", "transcription")
# What a file's name says of the form that is wanted; another name for a transcript is that of plain text.
FORMATS: Mapping[str, Mapping[str, str]] = {
    "image": {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"},
    "speech": {f".{name}": name for name in ("mp3", "opus", "aac", "flac", "wav", "pcm")},
    "transcription": {".srt": "srt", ".vtt": "vtt"},
}
# The options of one task alone, by their names here.
_OF_ONE = {"system": "text", "max_tokens": "text", "temperature": "text", "size": "image", "voice": "speech"}


@dataclass(frozen=True, slots=True)
class AskOptions(ChatOptions):
    """What `ask` takes beside the prompt."""

    model: Annotated[
        str | None,
        typer.Option("--model", "-m", metavar="MODEL", help="A route, PROVIDER/MODEL or a model id; else the task's."),
    ] = None
    stream: Annotated[bool, typer.Option("--stream", help="Print the answer as it comes.")] = False
    task: Annotated[str, typer.Option(metavar="TASK", help="What is wanted: text, image, speech or transcription.")] = (
        "text"
    )
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the answer into this file.")
    ] = None
    size: Annotated[str | None, typer.Option(metavar="WxH", help="A picture's width and height, 1024x1024.")] = None
    voice: Annotated[str | None, typer.Option(metavar="VOICE", help="Who speaks.")] = None

    @property
    def place(self) -> str:
        """The model or route that is asked."""
        return self.model or self.task

    def asked(self) -> dict[str, object]:
        """The options that go with the prompt."""
        found = {name: value for name in _OF_ONE if (value := getattr(self, name)) is not None}
        ending = self.output.suffix.lower() if self.output is not None else ""
        if form := FORMATS.get(self.task, {}).get(ending):
            found["output_format" if self.task == "image" else "response_format"] = form
        return found


def ask(
    prompt: Annotated[
        str,
        typer.Argument(
            metavar="PROMPT", help="What to ask, - reads it from standard input; or the file to write down."
        ),
    ],
    options: AskOptions,
) -> None:
    """Ask a model for text, a picture or speech, or to write a recording down."""
    _check(options)
    if options.task == "transcription":
        _check_recording(prompt)
        text = prompt
    else:
        text = prompt_of(prompt, "ask")
    if options.task in ("image", "speech"):
        from oneflow_ai.cli.media import make

        make(text, options)
    else:
        from oneflow_ai.cli.asking import answer

        answer(text, options)


def prompt_of(written: str, verb: str) -> str:
    """The prompt of a verb's command line, read from standard input where it is a dash; raises `Refused`."""
    text = _read(verb) if written == "-" else written
    if not text.strip():
        raise misuse(f"oneflow {verb}: the prompt is empty")
    return text


def _check(options: AskOptions) -> None:
    if options.task not in TASKS:
        raise misuse(f"oneflow ask: --task {options.task} is not served; served is {', '.join(TASKS)}")
    if options.stream and (options.as_json or options.output):
        other = "--json" if options.as_json else "-o"
        raise misuse(f"oneflow ask: --stream prints as it comes; leave out --stream or {other}")
    for name, task in _OF_ONE.items():
        if getattr(options, name) is not None and options.task != task:
            raise misuse(f"oneflow ask: --{name.replace('_', '-')} is for --task {task} only")
    if options.stream and options.task != "text":
        raise misuse("oneflow ask: --stream is for --task text only")
    _check_output(options)


def _check_output(options: AskOptions) -> None:
    file = options.output
    if options.task in ("image", "speech"):
        known = FORMATS[options.task]
        if file is None:
            raise misuse(f"oneflow ask: --task {options.task} needs -o FILE, to write the answer into")
        if file.suffix.lower() not in known:
            raise misuse(f"oneflow ask: -o {file}: the file's name ends in one of {', '.join(known)}")
    if file is not None and (file.is_dir() or not file.absolute().parent.is_dir()):
        raise misuse(f"oneflow ask: -o {file} is no file that can be written: its folder must exist")


def _check_recording(name: str) -> None:
    if name == "-" or not Path(name).is_file():
        raise misuse(f"oneflow ask: --task transcription writes a file down; {name} is none")


def _read(verb: str) -> str:
    try:
        text = sys.stdin.read(PROMPT_CHARACTERS_MOST + 1)
    except UnicodeDecodeError:
        raise misuse(f"oneflow {verb}: standard input is not UTF-8 text") from None
    if len(text) > PROMPT_CHARACTERS_MOST:
        raise misuse(f"oneflow {verb}: standard input is longer than {PROMPT_CHARACTERS_MOST} characters")
    return text
