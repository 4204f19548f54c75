"""Golden exchanges of Stability's wire: whole, byte by byte and cut at every point, they give the same events."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from oneflow_ai.core.events import Blob, Decoder, End, Raw, Usage
from oneflow_ai.core.failure import KINDS
from oneflow_ai.providers import stability_v1
from oneflow_ai.providers.base import WholeDecoder
from oneflow_ai.providers.stability_answer import PictureDecoder
from oneflow_ai.providers.stability_failure import failure_of
from tests.wire.decoding import events_of, pieces, shown_failure, single_bytes
from tests.wire.golden import assert_failure, body_of, files, golden

WIRE = "stability"
DECODERS: dict[str, Callable[[dict[str, Any]], Decoder]] = {
    "picture": lambda file: PictureDecoder(file["response"]["headers"], raw=False),
    "json": lambda file: PictureDecoder(file["response"]["headers"], raw=True),
    "artifacts": lambda file: WholeDecoder(stability_v1.read),
}


def decoded(decoder: Decoder, chunks: Sequence[bytes]) -> dict[str, Any]:
    """What a decoder makes of these chunks, as plain values."""
    events = events_of(decoder, chunks)
    end = events[-1]
    assert isinstance(end, End)
    return {
        "pictures": [[one.media_type, b64encode(one.content).decode()] for one in events if isinstance(one, Blob)],
        "raw": b"".join(one.content for one in events if isinstance(one, Raw)).decode(),
        "usage": next((one for one in events if isinstance(one, Usage)), None),
        "end": {"chunk": end.chunk, "failure": None if end.failure is None else shown_failure(end.failure)},
    }


@pytest.mark.parametrize("file", golden(WIRE, *DECODERS))
def test_every_cut_gives_the_same_events(file: dict[str, Any]) -> None:
    expected, body = file["expected"], body_of(file)
    wanted = {**expected, "usage": None if expected["usage"] is None else Usage(**expected["usage"])}
    ways = [[body], single_bytes(body), *(pieces(body, [cut]) for cut in range(1, len(body)))]
    for chunks in ways:
        assert decoded(DECODERS[file["kind"]](file), chunks) == wanted


@pytest.mark.parametrize("file", golden(WIRE, "failure"))
def test_an_unsuccessful_answer_gives_its_failure(file: dict[str, Any]) -> None:
    assert_failure(file, failure_of)


def test_every_file_is_run() -> None:
    assert len(golden(WIRE, *DECODERS, "failure")) == len(files(WIRE)) > 60


QUOTED = {
    "core-400": "upstream_rejected",
    "core-402": "provider_quota_exhausted",
    "core-403-moderation": "upstream_rejected",
    "core-413": "upstream_rejected",
    "core-422-language": "upstream_rejected",
    "core-429": "upstream_rate_limited",
    "core-500": "upstream_error",
    "v1-404-engine-gone": "upstream_model_not_found",
}


@pytest.mark.parametrize("name", QUOTED)
def test_quoted_errors_are_understood(shared_folder: Path, name: str) -> None:
    answer = quoted(shared_folder, name)
    failure = failure_of(answer["status"], answer["headers"], answer["body"].encode())
    assert failure.kind is KINDS[QUOTED[name]]
    assert failure.message


@pytest.mark.parametrize("name", ["core-200-json", "core-200-json-content-filtered", "v1-sdxl-200-json"])
def test_quoted_pictures_decode_however_they_are_cut(shared_folder: Path, name: str) -> None:
    answer = quoted(shared_folder, name)
    body = answer["body"].encode()

    def fresh() -> Decoder:
        return WholeDecoder(stability_v1.read) if name.startswith("v1") else PictureDecoder({}, raw=False)

    whole = decoded(fresh(), [body])
    if name.endswith("filtered"):
        assert whole["end"]["failure"]["code"] == "content_moderation"
    else:
        [[media_type, picture]] = whole["pictures"]
        assert (media_type, b64decode(picture)[:4], whole["usage"]) == ("image/png", b"\x89PNG", Usage(images=1))
    for cut in range(1, len(body)):
        assert decoded(fresh(), pieces(body, [cut])) == whole


def test_every_quoted_answer_is_read(shared_folder: Path) -> None:
    assert len(list((shared_folder / "recordings" / "_quoted" / WIRE).glob("*.json"))) == len(QUOTED) + 3


def quoted(shared_folder: Path, name: str) -> dict[str, Any]:
    """An answer that was put together from documents."""
    file = shared_folder / "recordings" / "_quoted" / WIRE / f"{name}.json"
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))["response"]
    return found
