"""Forms as they arrive: cut anywhere, too large, broken; files on the disk leave nothing behind."""

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneflow_ai.core.failure import Failure
from oneflow_ai.core.form import Form
from oneflow_ai.core.order import Content
from oneflow_ai.edge.form import FIELDS_BYTES_MOST, PARTS_MOST, FormReader, boundary_of
from oneflow_ai.edge.spool import KEPT_BYTES_MOST
from oneflow_ai.providers.form import FormBody

BOUNDARY = "b-1"
FIELDS = [("model", "m"), ("prompt", "zwei\r\nZeilen"), ("tags[]", "a"), ("tags[]", "b"), ("empty", "")]
FILES = [("file", Content(b"sound\r\n--b-", "talk.wav", "audio/wav")), ("mask", Content(b"", 'a"b.png', "image/png"))]


def written(fields: list[tuple[str, str]] = FIELDS, files: list[tuple[str, Content]] | None = None) -> bytes:
    body = FormBody(BOUNDARY, fields, FILES if files is None else files)
    content = b"".join(body.pieces())
    assert len(content) == body.size_bytes
    return content


async def reading(
    pieces: list[bytes], folder: Path | None = None, bytes_most: int = 1 << 30
) -> tuple[FormReader, Form]:
    reader = FormReader(BOUNDARY.encode(), folder, bytes_most)
    for piece in pieces:
        await reader.feed(piece)
    return reader, reader.form()


def read(pieces: list[bytes], folder: Path | None = None) -> Form:
    return asyncio.run(reading(pieces, folder))[1]


def shown(form: Form) -> tuple[object, object]:
    files = [(name, file.name, file.media_type, b"".join(file.pieces())) for name, file in form.files]
    return list(form.fields), files


def test_what_is_written_is_read_again_wherever_it_is_cut() -> None:
    content = written()
    whole = shown(read([content]))
    assert whole == (
        FIELDS,
        [("file", "talk.wav", "audio/wav", b"sound\r\n--b-"), ("mask", "a%22b.png", "image/png", b"")],
    )
    for cut in range(len(content)):
        assert shown(read([content[:cut], content[cut:]])) == whole
    assert shown(read([content[place : place + 1] for place in range(len(content))])) == whole


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=2_000), st.integers(1, 500))
def test_any_content_of_a_file_comes_through(content: bytes, size: int) -> None:
    sent = written([], [("file", Content(content, "a", "audio/mpeg"))])
    form = read([sent[start : start + size] for start in range(0, len(sent), size)])
    assert b"".join(form.files[0][1].pieces()) == content


def test_a_large_file_waits_on_the_disk_without_a_name(tmp_path: Path) -> None:
    content = os.urandom(3 * KEPT_BYTES_MOST + 7)
    sent = written([("model", "m")], [("file", Content(content, "a", "audio/mpeg"))])

    async def arriving() -> None:
        before = len(os.listdir("/proc/self/fd"))
        reader, form = await reading([sent[start : start + 60_000] for start in range(0, len(sent), 60_000)], tmp_path)
        assert form.kept_bytes <= KEPT_BYTES_MOST + 60_000
        [(_, file)] = form.files
        assert file.size_bytes == len(content)
        # As often as it is asked for.
        assert b"".join(file.pieces()) == b"".join(file.pieces()) == content
        assert os.listdir(tmp_path) == []
        reader.close()
        reader.close()
        assert len(os.listdir("/proc/self/fd")) == before
        with pytest.raises(OSError, match="gone"):
            next(file.pieces())

    asyncio.run(arriving())


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    sent = written([], [("file", Content(bytes(2 * KEPT_BYTES_MOST), "a", "audio/mpeg"))])
    with pytest.raises(Failure) as refused:
        read([sent], tmp_path / "missing")
    assert refused.value.code == "storage_unavailable"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "malformed_request"), (b"--other\r\n", "malformed_request"), (b"{}", "malformed_request"),
        (written()[:-8], "malformed_request"), (b"--b-1\r\n\r\nx\r\n--b-1--\r\n", "malformed_request"),
        (b"--b-1\r\ncontent-disposition: form-data\r\n\r\nx\r\n--b-1--\r\n", "malformed_request"),
        (b"--b-1\r\ncontent-disposition: file; name=a\r\n\r\nx\r\n--b-1--\r\n", "malformed_request"),
        (b'--b-1\r\ncontent-disposition: form-data; name="a"\r\n\r\n\xff\r\n--b-1--\r\n', "invalid_unicode"),
        (b"--b-1\r\n" + b"x: y\r\n" * 100 + b"\r\n\r\n--b-1--\r\n", "malformed_request"),
        (b"--b-1\r\nx: " + b"y" * 10_000 + b"\r\n\r\n\r\n--b-1--\r\n", "malformed_request"),
        (written([("a", "b")] * (PARTS_MOST + 1), []), "too_many_items"),
        (written([("a", "b" * (FIELDS_BYTES_MOST + 1))], []), "request_too_large"),
    ],
)  # fmt: skip
def test_what_is_no_sound_form_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(Failure) as refused:
        read([content])
    assert refused.value.code == code
    assert "\xff" not in refused.value.message


def test_a_form_that_is_too_large_is_refused_as_it_comes() -> None:
    with pytest.raises(Failure) as refused:
        asyncio.run(reading([written()], bytes_most=20))
    assert refused.value.code == "request_too_large"


def test_a_path_is_no_part_of_a_files_name() -> None:
    named = b'form-data; name="file"; filename="C:\\secret\\..\\talk.wav"'
    [(_, file)] = read([b"--b-1\r\ncontent-disposition: %b\r\n\r\nx\r\n--b-1--\r\n" % named]).files
    assert (file.name, file.media_type) == ("talk.wav", "application/octet-stream")


@pytest.mark.parametrize(
    "kind", [b"multipart/form-data", b"multipart/form-data; boundary=", b"multipart/form-data; boundary=" + b"x" * 71]
)
def test_a_form_without_a_sound_boundary_is_refused(kind: bytes) -> None:
    with pytest.raises(Failure):
        boundary_of(kind)


def test_what_is_no_form_has_no_boundary() -> None:
    assert boundary_of(b"application/json") is boundary_of(b"") is None
    assert boundary_of(b'Multipart/Form-Data; boundary="a b"') == b"a b"
