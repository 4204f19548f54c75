"""The answers of a batch: appended as they come, so that after a kill nothing that was answered is paid for again."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from oneflow_ai.cli.batch_lines import Prompts
from oneflow_ai.cli.failures import Refused, misuse
from oneflow_ai.cli.held_file import is_at, lock

STARTED_SUFFIX = ".started"
_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Done:
    """The last answer to a line: where it stands in the file, whether it is one, and what it cost in US dollars."""

    begin: int
    length: int
    mark: str
    ok: bool
    cost_usd: float


class Answers:
    """A file of answers that one process holds, and beside it one that tells which calls were begun.

    `done` has the last answer to each line by its number. `cut` counts calls that were under way when an earlier run
    ended: they are asked again, and their provider may bill them.
    """

    def __init__(
        self, path: Path, prompts: Prompts, settings: str, write: Callable[[int, memoryview], int] = os.write
    ) -> None:
        """Open or make the file; `settings` tells what lines without their own are asked with from another such.

        `write` is the disk's: it takes an open file's number, and gives how much it wrote.

        Raises `Refused` where the file is in use, or is no file of answers to these prompts with these settings.
        """
        self.path = path
        self._settings = settings
        self._write_some = write
        self.started_path = path.with_name(path.name + STARTED_SUFFIX)
        self.done: dict[int, Done] = {}
        self._started = -1
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, _MODE)
        try:
            if not lock(self._file) or not is_at(self._file, path):
                raise Refused(f"oneflow batch: {path} is in use: another batch writes to it")
            rows = self._read_all(prompts)
            self._started = os.open(self.started_path, os.O_RDWR | os.O_CREAT | os.O_APPEND, _MODE)
            begun = os.fstat(self._started).st_size
            if begun == 0:
                # A run that was completed forgot them; each answer was begun once.
                self._write_all(self._started, b"." * rows)
            self.cut = max(0, begun - rows)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """A call begins: said before it is sent, so that one which a kill cuts is known of."""
        os.write(self._started, b".")

    def add(self, number: int, mark: str, row: Mapping[str, Any]) -> None:
        """Keep the answer to a line. It is the system's at once: no kill of this process can lose it.

        Raises `OSError` where the disk does not take it; then nothing of it is in the file.
        """
        content = orjson.dumps({"line": number, "mark": mark, "settings": self._settings, **row}) + b"\n"
        begin = self._size
        try:
            self._write_all(self._file, content)
        except OSError:
            os.ftruncate(self._file, begin)
            raise
        self._size += len(content)
        self.done[number] = Done(begin, len(content), mark, row["status"] == "success", row["cost_usd"])

    def order(self) -> None:
        """Put the answers into the order of the prompts, the last to each, and forget which calls were begun."""
        draft = self.path.with_name(self.path.name + ".new")
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
        try:
            for _, one in sorted(self.done.items()):
                self._write_all(file, os.pread(self._file, one.length, one.begin))
            os.fsync(file)
        finally:
            os.close(file)
        draft.replace(self.path)
        self.started_path.unlink()

    def rows(self) -> Iterator[dict[str, Any]]:
        """The last answer to each line, in order; call it before `order`."""
        for _, one in sorted(self.done.items()):
            yield orjson.loads(os.pread(self._file, one.length, one.begin))

    def close(self) -> None:
        """Let go of the files. Harmless if repeated."""
        for descriptor in (self._file, self._started):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._started = -1

    def _read_all(self, prompts: Prompts) -> int:
        """Take in what is there; give how many answers that is, those that a later one replaced among them."""
        marks = {number: prompts[place].mark for place, number in enumerate(prompts.numbers)} if self._any() else {}
        rows = self._size = 0
        with open(self._file, "rb", closefd=False) as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    # The kill came in the middle of a line: its answer was not kept.
                    os.ftruncate(self._file, self._size)
                    break
                self._take(line, marks)
                rows += 1
                self._size += len(line)
        return rows

    def _any(self) -> bool:
        return os.fstat(self._file).st_size > 0

    def _take(self, line: bytes, marks: Mapping[int, str]) -> None:
        try:
            row = orjson.loads(line)
            number, mark, settings = row["line"], row["mark"], row["settings"]
            done = Done(self._size, len(line), mark, row["status"] == "success", row["cost_usd"])
        except (ValueError, TypeError, KeyError):
            raise misuse(f"oneflow batch: {self.path} is no file of answers: name another with -o") from None
        if marks.get(number) != mark:
            words = f"answers other prompts (line {number} is another now): name another file with -o"
            raise misuse(f"oneflow batch: {self.path} {words}")
        if done.ok and settings != self._settings:
            words = "was answered with another --model, --system, --max-tokens or --temperature: give those again"
            raise misuse(f"oneflow batch: {self.path} {words}, or name another file with -o")
        self.done[number] = done

    def _write_all(self, file: int, content: bytes) -> None:
        view = memoryview(content)
        while view:
            view = view[self._write_some(file, view) :]
