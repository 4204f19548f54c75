"""Forms are read as they come, however they are cut, and the record shows their parts."""

from __future__ import annotations

import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.simulator import Simulator
from oneflow_ai.simulator.form import NUMBER, TRUTH, WHOLE, Form, form_of, typed
from tests.simulator.forms import BOUNDARY, TYPED, form, send
from tests.simulator.raw import once

CONTENT = b"\r\n--almost\r\n" + bytes(range(256)) * 20
BODY = form({"model": "whisper-1", "empty": "", "tags[]": "a", "file": ("a b.wav", CONTENT, "audio/wav")})


def read(*pieces: bytes) -> Form:
    """A form read in those pieces."""
    made = form_of(TYPED["content-type"].encode())
    assert made is not None
    for piece in pieces:
        made.feed(piece)
    return made


@given(st.lists(st.integers(0, len(BODY)), max_size=20))
def test_a_form_is_the_same_however_it_is_cut(places: list[int]) -> None:
    cuts = [0, *sorted(places), len(BODY)]
    made = read(*[BODY[start:end] for start, end in itertools.pairwise(cuts)])
    assert made.whole
    assert made.document == {"model": "whisper-1", "empty": "", "tags": ["a"]}
    (file,) = made.files("file")
    assert (file.filename, file.media_type, file.size_bytes) == ("a b.wav", "audio/wav", len(CONTENT))
    assert file.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert file.beginning == CONTENT[:4_096]


@pytest.mark.parametrize("end", [0, 10, len(BODY) // 2, len(BODY) - 5])
def test_half_a_form_is_not_whole(end: int) -> None:
    assert not read(BODY[:end]).whole


def test_a_head_without_end_is_given_up() -> None:
    made = read(f"--{BOUNDARY}\r\n".encode(), *[b"a" * 1_024] * 40)
    assert (made.whole, made.parts) == (False, [])


@pytest.mark.parametrize("told", [b"", b"application/json", b"multipart/form-data", b"multipart/form-data; boundary="])
def test_another_body_is_no_form(told: bytes) -> None:
    assert form_of(told) is None


def test_a_boundary_may_stand_in_quotes() -> None:
    assert form_of(b'Multipart/Form-Data; charset=utf-8; boundary="a b"') is not None


def test_texts_become_what_they_stand_for() -> None:
    kinds = {"n": WHOLE, "share": NUMBER, "on": TRUTH, "odd": WHOLE}
    told = {"n": "2", "share": "0.5", "on": "true", "odd": "x", "else": "1"}
    assert typed(told, kinds) == {"n": 2, "share": 0.5, "on": True, "odd": "x", "else": "1"}


async def test_the_record_shows_the_parts(simulator: Simulator) -> None:
    await send(simulator, "/v1/audio/transcriptions", {"model": "whisper-1", "file": ("a.wav", b"RIFF", "audio/wav")})
    (attempt,) = simulator.record.attempts("whisper-1")
    text, file = attempt.as_json()["parts"]
    assert text == {"name": "model", "bytes": 9, "text": "whisper-1"}
    assert (file["filename"], file["bytes"], file["media_type"]) == ("a.wav", 4, "audio/wav")
    assert file["sha256"] == hashlib.sha256(b"RIFF").hexdigest()
    assert attempt.body_bytes == len(form({"model": "whisper-1", "file": ("a.wav", b"RIFF", "audio/wav")}))


async def test_a_form_that_ends_early_is_refused(simulator: Simulator) -> None:
    for path in ("/v1/audio/transcriptions", "/v1/images/edits"):
        seen = await once(simulator, BODY[:-8], path=path, headers=TYPED)
        assert (seen.status, seen.json["error"]["code"]) == (400, "invalid_json")
