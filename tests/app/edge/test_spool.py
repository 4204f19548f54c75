"""A file on the disk whose call ends while it is written, and a disk that is almost full."""

import asyncio
import os
import threading
from pathlib import Path

import pytest

from oneflow_ai.edge.spool import FREE_BYTES_LEAST, KEPT_BYTES_MOST, Spool

CONTENT = bytes(KEPT_BYTES_MOST + 1)


def open_numbers() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


async def test_a_file_closed_while_it_is_written_is_closed_by_who_writes_it(tmp_path: Path) -> None:
    entered, go_on = threading.Event(), threading.Event()
    open_while_written: list[bool] = []

    def slowly(file: int, content: memoryview) -> int:
        entered.set()
        assert go_on.wait(5.0)
        # Its number would be that of another file, had it been closed meanwhile.
        open_while_written.append(os.path.exists(f"/proc/self/fd/{file}"))
        return len(content)

    before = open_numbers()
    spool = Spool(tmp_path, "a", "audio/mpeg", write=slowly)
    spool.add(CONTENT)
    writing = asyncio.ensure_future(spool.relieve())
    assert await asyncio.to_thread(entered.wait, 5.0)
    spool.close()
    go_on.set()
    await writing
    assert open_while_written == [True]
    assert len(open_numbers()) == len(before)
    with pytest.raises(OSError, match="gone"):
        next(spool.pieces())


async def test_a_file_closed_before_it_is_written_is_not_made(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "missing", "a", "audio/mpeg")
    spool.add(CONTENT)
    writing = spool.relieve()
    spool.close()
    await writing


async def test_short_writes_are_gone_on_with(tmp_path: Path) -> None:
    content = os.urandom(KEPT_BYTES_MOST + 1)
    spool = Spool(tmp_path, "a", "audio/mpeg", write=lambda file, view: os.write(file, view[:100_000]))
    spool.add(content)
    await spool.relieve()
    assert b"".join(spool.pieces()) == content
    spool.close()


@pytest.mark.parametrize(("more_bytes", "fits"), [(0, True), (-1, False)])
async def test_some_of_the_disk_is_left_free(tmp_path: Path, more_bytes: int, fits: bool) -> None:
    before = open_numbers()
    free_bytes = FREE_BYTES_LEAST + len(CONTENT) + more_bytes
    spool = Spool(tmp_path, "a", "audio/mpeg", free_bytes=lambda _: free_bytes)
    spool.add(CONTENT)
    if fits:
        await spool.relieve()
        assert spool.kept_bytes == 0
    else:
        with pytest.raises(OSError, match="almost full"):
            await spool.relieve()
    spool.close()
    assert len(open_numbers()) == len(before)


async def test_an_error_of_the_disk_as_it_closes_is_nobody_s_failure(tmp_path: Path) -> None:
    numbers: list[int] = []

    def noting(file: int, content: memoryview) -> int:
        numbers.append(file)
        return len(content)

    spool = Spool(tmp_path, "a", "audio/mpeg", write=noting)
    spool.add(CONTENT)
    await spool.relieve()
    # To close what is closed is an error, as it is when the disk fails (close(2): EIO, ENOSPC).
    os.close(numbers[0])
    spool.close()
    assert spool.size_bytes == len(CONTENT)
