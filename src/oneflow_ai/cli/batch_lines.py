"""The prompts of a batch: checked whole before the first is sent, then read one by one, so that any number fits."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from oneflow_ai.cli.failures import misuse
from oneflow_ai.core.call import Account, Operation, Task
from oneflow_ai.core.failure import Failure
from oneflow_ai.dialects.envelope import Envelope
from oneflow_ai.dialects.plain import text_call

LINE_BYTES_MOST = 64 << 20
MISTAKES_MOST = 20
MARK_CHARACTERS = 16
# What a line is tried with: it is not called so.
_NOBODYS = Envelope("", Account(""), Operation.CHAT, datetime.fromtimestamp(0, UTC), 0.0, 0.0)
_OWN = {"id", "prompt", "model", "system", "options"}
_BATCH_API = {"custom_id", "method", "url", "body"}
# Said in a place of their own, or of no use here.
_NO_OPTIONS = ("model", "prompt", "messages", "system", "stream", "stream_options", "on_piece")
_CHAT_URL = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Asked:
    """What one line asks; `mark` tells its words from any other's."""

    id: str | None
    prompt: str | list[Any]
    model: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    mark: str = ""


class Prompts:
    """A file of prompts, held open; lines are numbered from 1, and an empty one asks nothing."""

    def __init__(self, path: Path) -> None:
        """Read the file and check every line; raises `Refused` naming the first mistakes, and `OSError`."""
        self._file = os.open(path, os.O_RDONLY)
        try:
            self._begins, self._lengths, self.numbers = array("Q"), array("Q"), array("Q")
            mistakes = [f"{path}:{number}: {words}" for number, words in self._check()]
        except BaseException:
            os.close(self._file)
            raise
        if mistakes:
            os.close(self._file)
            left = len(mistakes) - MISTAKES_MOST
            raise misuse(*mistakes[:MISTAKES_MOST], *([f"{path}: and {left:,} more"] if left > 0 else []))

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, place: int) -> Asked:
        """The prompt at a place, from 0."""
        return read(os.pread(self._file, self._lengths[place], self._begins[place]))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def _check(self) -> Iterator[tuple[int, str]]:
        ids: dict[str, int] = {}
        begin = 0
        with open(self._file, "rb", closefd=False) as lines:
            for number, line in enumerate(iter(lambda: lines.readline(LINE_BYTES_MOST + 1), b""), start=1):
                if len(line) > LINE_BYTES_MOST:
                    yield number, f"is longer than {LINE_BYTES_MOST} bytes"
                    return
                if line.strip():
                    try:
                        asked = read(line)
                    except ValueError as error:
                        yield number, str(error)
                    else:
                        if asked.id is not None and ids.setdefault(asked.id, number) != number:
                            yield number, f"has the id of line {ids[asked.id]}"
                    self.numbers.append(number)
                    self._begins.append(begin)
                    self._lengths.append(len(line))
                begin += len(line)


def read(line: bytes) -> Asked:
    """What a line asks: a text, an object with `prompt`, or a line of OpenAI's batch API. Raises `ValueError`."""
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise ValueError('is no JSON: write "a prompt", or {"prompt": "a prompt"}') from None
    if isinstance(said, str):
        said = {"prompt": said}
    if not isinstance(said, dict):
        raise ValueError("is neither a text nor an object")
    found = _of_batch_api(said) if "body" in said else _of_own(said)
    if not found.prompt:
        raise ValueError("prompt is missing")
    _check_chat(found)
    # The same line written another way asks the same.
    mark = hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()[:MARK_CHARACTERS]
    return Asked(found.id, found.prompt, found.model, found.options, mark)


def _check_chat(asked: Asked) -> None:
    """Raises `ValueError` for what would be refused as it is called."""
    options = {name: value for name, value in asked.options.items() if name != "timeout_seconds"}
    try:
        text_call(asked.prompt, options, _NOBODYS, model=asked.model or Task.TEXT.value, stream=False)
    except Failure as failure:
        raise ValueError(failure.message) from None


def _of_own(said: dict[str, Any]) -> Asked:
    _known(said, _OWN)
    options = dict(_typed(said, "options", dict, {}))
    for name in _NO_OPTIONS:
        if name in options:
            raise ValueError(f"options: {name} is no option")
    if (system := _typed(said, "system", str, None)) is not None:
        options["system"] = system
    return Asked(_typed(said, "id", str, None), _prompt(said, "prompt"), _typed(said, "model", str, None), options)


def _of_batch_api(said: dict[str, Any]) -> Asked:
    _known(said, _BATCH_API)
    if said.get("url", _CHAT_URL) != _CHAT_URL:
        raise ValueError(f"url: {_CHAT_URL} is served")
    options = dict(_typed(said, "body", dict, {}))
    prompt, model = _prompt(options, "messages"), _typed(options, "model", str, None)
    options = {name: value for name, value in options.items() if name not in _NO_OPTIONS}
    return Asked(_typed(said, "custom_id", str, None), prompt, model, options)


def _known(said: dict[str, Any], names: set[str]) -> None:
    for name in said:
        if name not in names:
            raise ValueError(f"{name} is not known here: a line has {', '.join(sorted(names))}")


def _prompt(said: dict[str, Any], name: str) -> str | list[Any]:
    prompt: Any = said.get(name, "")
    if not isinstance(prompt, str | list):
        raise ValueError(f"{name} is a text or a list of messages")
    return prompt


def _typed(said: dict[str, Any], name: str, kind: Callable[..., Any], default: Any) -> Any:
    value = said.get(name)
    if value is None:
        return default
    if type(value) is not kind:
        raise ValueError(f"{name} is {'a text' if kind is str else 'an object'}")
    return value
