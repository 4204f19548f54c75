"""Processes that a benchmark starts, and what the system tells of them: CPU, memory, open files. Linux's /proc only."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

ROOT = Path(__file__).resolve().parents[1]
STOP_SECONDS_MOST = 8.0
READY_SECONDS_MOST = 60.0
_POLL_SECONDS = 0.005
_PROBE_SECONDS = 2.0
# Linux's word for the processor time of a whole process, threads that ended included (kernel/time/posix-cpu-timers.c).
_SCHED_CLOCK = 2


@dataclass(frozen=True, slots=True)
class Memory:
    """What a process tree holds, in megabytes of 10^6 bytes: resident, and its proportional share of what is shared."""

    resident_megabytes: float
    proportional_megabytes: float


class Child:
    """A process of ours, in a group of its own; leaving the context ends it, politely and then not.

    Raises `RuntimeError` when there is no such program.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        core: int | None = None,
        log: IO[bytes] | None = None,
        environment: Mapping[str, str] | None = None,
        folder: Path = ROOT,
    ) -> None:
        self._name = " ".join(command[-2:])
        try:
            with _pinned(core):
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE if log is None else log,
                    stderr=log,
                    env=None if environment is None else {**os.environ, **environment},
                    cwd=folder,
                    start_new_session=True,
                )
        except OSError as error:
            raise RuntimeError(f"{command[0]} cannot be run: {error.strerror}") from None

    @property
    def pid(self) -> int:
        """Its id, which is also that of its group."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def line(self) -> str:
        """The next line that it prints, empty at its end; only for a process without a log."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode().strip()

    def ask(self, text: str, within_seconds: float) -> str:
        """Hand it its whole input and give its whole output. Raises `RuntimeError` when it fails or takes too long."""
        try:
            output, _ = self._process.communicate(text.encode(), within_seconds)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{self._name} did not end in {within_seconds:.0f} s") from None
        if self._process.returncode:
            raise RuntimeError(f"{self._name} ended with status {self._process.returncode}")
        return output.decode()

    def stop(self) -> None:
        """End it and what it started. Harmless if repeated."""
        if self.running:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS_MOST)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(STOP_SECONDS_MOST)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@contextlib.contextmanager
def _pinned(core: int | None) -> Iterator[None]:
    """Whoever is started meanwhile runs on that core alone."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cores() -> tuple[int | None, int | None]:
    """The core of the generator and the double, and that of what is measured; two times None with a single core."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    ours = sorted(os.sched_getaffinity(0))
    return (ours[0], ours[1]) if len(ours) > 1 else (None, None)


def tree(root: int) -> list[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (parent := _parent(entry)) is not None:
            children.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def _parent(entry: Path) -> int | None:
    with contextlib.suppress(OSError):
        text = (entry / "stat").read_text()
        return int(text[text.rindex(")") + 2 :].split()[1])
    return None


def cpu_seconds(pids: Sequence[int]) -> float:
    """Processor time that these processes have used, to the nanosecond; 0 for one that is gone."""
    seconds = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            seconds += time.clock_gettime((~pid << 3) | _SCHED_CLOCK)
    return seconds


def machine_cpu_seconds() -> float:
    """Processor time that everything on this machine has used, in the system's ticks."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    idle, waiting = int(words[3]), int(words[4])
    return (sum(map(int, words[:8])) - idle - waiting) / os.sysconf("SC_CLK_TCK")


def memory(root: int) -> Memory:
    """What a process tree holds."""
    kibibytes = {"Rss": 0, "Pss": 0}
    for pid in tree(root):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                name, _, rest = line.partition(":")
                if name in kibibytes:
                    kibibytes[name] += int(rest.split()[0])
    return Memory(kibibytes["Rss"] * 1024 / 1e6, kibibytes["Pss"] * 1024 / 1e6)


def open_files(root: int) -> int:
    """How many files and sockets a process tree has open."""
    count = 0
    for pid in tree(root):
        with contextlib.suppress(OSError):
            count += len(os.listdir(f"/proc/{pid}/fd"))
    return count


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str) -> tuple[int, bytes]:
    """Status and body of a GET on the loopback; raises `OSError`."""
    with socket.create_connection(("127.0.0.1", port), _PROBE_SECONDS) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n".encode())
        answer = b""
        while not _complete(answer) and (piece := connection.recv(1 << 16)):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1."):
        raise OSError(f"port {port} does not speak HTTP")
    return int(head.split(b" ", 2)[1]), body


def _complete(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return bool(found) and len(body) >= int(rest.split(b"\r\n", 1)[0])


def seconds_to_ready(child: Child, port: int, path: str, ready: Sequence[int], began_seconds: float) -> float:
    """Wait until a GET answers with one of these statuses; give the seconds since the start. Raises `RuntimeError`."""
    while True:
        with contextlib.suppress(OSError):
            if get(port, path)[0] in ready:
                return time.monotonic() - began_seconds
        if not child.running:
            raise RuntimeError("it ended before it was ready")
        if time.monotonic() - began_seconds > READY_SECONDS_MOST:
            raise RuntimeError(f"it was not ready in {READY_SECONDS_MOST:.0f} s")
        time.sleep(_POLL_SECONDS)
