"""Whatever goes wrong at a provider of sound, its client is told so, or gets the sound, and nothing stays behind."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from oneflow_ai.core.failure import KINDS
from oneflow_ai.simulator.faults.table import ROWS
from tests.app.gateway import Gateway, Reply, running
from tests.simulator.forms import TYPED, form

VOICE = "JBFqnCBsd6RMkjVDRZzb"
ENDINGS = ("", "/stream", "/with-timestamps", "/stream/with-timestamps")
WAV = ("bees.wav", b"RIFF" + bytes(16_000), "audio/wav")
# Those that are no request's have tests of their own; F37 is an answer of 200 MiB, which would flow through.
FAULTS = tuple(row.id for row in ROWS if row.play is not None and row.id != "F37")
PROVIDER = 'kind = "{kind}"\nfirst_event_seconds = 1\nidle_seconds = 1\ntimeout_seconds = 4'
Seen = dict[tuple[str, str, str], Reply]


async def _speech(gateway: Gateway, fault: str, ending: str) -> Reply:
    place = f"p{FAULTS.index(fault)}"
    body: dict[str, Any] = {"text": "Bees dance. " * 8, "model_id": f"{place}/sim-{fault};times=9{len(ending)}"}
    return await gateway.post(f"/v1/text-to-speech/{VOICE}{ending}", json.dumps(body).encode())


async def _transcript(gateway: Gateway, fault: str, path: str) -> Reply:
    field = "model" if "audio" in path else "model_id"
    body = form({field: f"p{FAULTS.index(fault)}/sim-{fault};times=8{len(path)}", "file": WAV})
    return await gateway.post(path, body, TYPED)


async def _all(home: Path) -> Seen:
    providers = {f"p{number}": PROVIDER.format(kind="elevenlabs") for number in range(len(FAULTS))}
    async with running(home, providers=providers, configuration="[retry]\nattempts = 1\n") as gateway:
        asked = [(fault, "speech", ending) for fault in FAULTS for ending in ENDINGS]
        asked += [
            (fault, "text", path) for fault in FAULTS for path in ("/v1/speech-to-text", "/v1/audio/transcriptions")
        ]
        makers = {"speech": _speech, "text": _transcript}
        replies = await asyncio.gather(*(makers[sort](gateway, fault, where) for fault, sort, where in asked))
        await gateway.quiet()
    return dict(zip(asked, replies, strict=True))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return asyncio.run(_all(tmp_path_factory.mktemp("sound")))


def _code(reply: Reply) -> str:
    told = reply.json
    return str(told["detail"]["code"] if "detail" in told else told["error"]["code"])


def test_nothing_is_a_fault_of_the_gateways(seen: Seen) -> None:
    told = {case: _code(reply) for case, reply in seen.items() if reply.status != 200}
    assert {case: code for case, code in told.items() if code == "internal_error"} == {}
    # A provider's own names for what it refuses are passed on.
    assert {code for code in told.values() if code not in KINDS} <= {"invalid_request", "request_error"}, told


def test_times_that_are_cut_or_are_none_are_never_told_as_a_whole_answer(seen: Seen) -> None:
    whole = {
        (fault, where): reply.body.rstrip()
        for (fault, _, where), reply in seen.items()
        if where.endswith("/with-timestamps") and reply.status == 200 and not reply.broken
    }
    assert whole
    assert {case for case, body in whole.items() if not body.endswith(b"}")} == set()
    assert {case for case, body in whole.items() if b'"audio_base64"' not in body[:100]} == set()
