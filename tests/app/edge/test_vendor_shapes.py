"""An error on a vendor's own address has that vendor's shape, whatever is wrong, and whether the address is served."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from oneflow_ai.dialects.table import told_at
from oneflow_ai.edge import EdgeLimits
from tests.app.gateway import KEY, Gateway, Reply, running

FORM, JSON = "multipart/form-data; boundary=b", "application/json"
SMALL = EdgeLimits(body_bytes_most=64, upload_bytes_most=64)
Code = Callable[[Any], str]


def stability(told: Any) -> str:
    assert set(told) == {"id", "name", "errors", "code"}
    assert told["id"] and told["name"] and all(told["errors"])
    return str(told["code"])


def stability_v1(told: Any) -> str:
    assert set(told) == {"id", "name", "message", "code"}
    assert told["id"] and told["name"] and told["message"]
    return str(told["code"])


def elevenlabs(told: Any) -> str:
    assert set(told) == {"detail"}
    assert set(told["detail"]) == {"status", "message", "code"}
    assert told["detail"]["message"]
    return str(told["detail"]["code"])


def anthropic(told: Any) -> str:
    assert told["type"] == "error"
    assert told["error"]["message"]
    return str(told["error"]["type"])


def openai(told: Any) -> str:
    assert set(told["error"]) == {"message", "type", "param", "code"}
    return str(told["error"]["code"])


UNSERVED: list[tuple[str, Code]] = [
    ("/v2beta/stable-image/upscale/fast", stability),
    ("/v2beta/stable-image/generate/core/", stability),
    ("/v2beta/results/1", stability),
    ("/v2beta/", stability),
    ("/v1/generation/stable-diffusion-xl-1024-v1-0/text-to-image", stability_v1),
    ("/v1/engines/list", stability_v1),
    ("/v1/user/balance", stability_v1),
    ("/v1/user/account", stability_v1),
    ("/v1/history", elevenlabs),
    ("/v1/user", elevenlabs),
    ("/v1/voices/settings/default", elevenlabs),
    ("/v1/sound-generation", elevenlabs),
    ("/v1/text-to-speech/alloy/nothing", elevenlabs),
    ("/v2/voices/alloy", elevenlabs),
    ("/v1/messages/batches", anthropic),
    ("/v1/historical", openai),
    ("/v2/other", openai),
    ("/v1/nothing", openai),
]
PICTURES, SPEECH, TRANSCRIPTS, VOICES = (
    "/v2beta/stable-image/generate/core", "/v1/text-to-speech/alloy", "/v1/speech-to-text", "/v1/voices",
)  # fmt: skip


async def sent(
    gateway: Gateway, method: str, path: str, body: bytes = b"", kind: str = "", *, key: str | None = KEY
) -> Reply:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    if kind:
        headers["content-type"] = kind
    async with gateway.session.request(method, gateway.url + path, data=body or None, headers=headers) as answer:
        return Reply(
            answer.status, {name.lower(): value for name, value in answer.headers.items()}, await answer.read()
        )


async def test_what_is_not_served_is_told_in_its_vendors_shape(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        for path, code in UNSERVED:
            for method in ("GET", "POST"):
                reply = await sent(gateway, method, path, b"{}" if method == "POST" else b"", JSON)
                assert reply.status == 404, (method, path)
                assert code(reply.json) in ("unknown_url", "not_found_error"), (method, path)


@dataclass(frozen=True)
class Wrong:
    """A request that something is wrong with, and what is told of it; `code` is empty for any."""

    method: str
    path: str
    status: int
    code: str
    kind: str = ""
    body: bytes = b""
    key: str | None = KEY


WRONG: list[tuple[Code, Wrong]] = [
    (stability, Wrong("POST", PICTURES, 401, "missing_api_key", FORM, b"x", key=None)),
    (stability, Wrong("POST", PICTURES, 401, "invalid_api_key", FORM, b"x", key="of_wrong")),
    (stability, Wrong("GET", PICTURES, 405, "method_not_allowed")),
    (stability, Wrong("POST", PICTURES, 413, "request_too_large", FORM, bytes(65))),
    (stability, Wrong("POST", PICTURES, 415, "unsupported_media_type", JSON, b"{}")),
    (stability, Wrong("POST", PICTURES, 400, "", FORM, b"no form")),
    (elevenlabs, Wrong("POST", SPEECH, 401, "missing_api_key", JSON, b"{}", key=None)),
    (elevenlabs, Wrong("DELETE", SPEECH, 405, "method_not_allowed")),
    (elevenlabs, Wrong("POST", SPEECH, 413, "request_too_large", JSON, bytes(65))),
    (elevenlabs, Wrong("POST", SPEECH, 415, "unsupported_media_type", "text/plain", b"{}")),
    (elevenlabs, Wrong("POST", SPEECH, 400, "invalid_json", JSON, b"{")),
    (elevenlabs, Wrong("POST", TRANSCRIPTS, 415, "unsupported_media_type", JSON, b"{}")),
    (elevenlabs, Wrong("GET", VOICES, 401, "missing_api_key", key=None)),
    (elevenlabs, Wrong("PUT", VOICES, 405, "method_not_allowed")),
    (elevenlabs, Wrong("DELETE", "/v1/voices/alloy", 405, "method_not_allowed")),
    (elevenlabs, Wrong("GET", "/v1/voices/zzz", 404, "voice_not_found")),
    (elevenlabs, Wrong("GET", "/v2/voices?page_size=abc", 400, "invalid_type")),
    (elevenlabs, Wrong("GET", "/v2/voices?page_size=101", 400, "invalid_value")),
]


@pytest.mark.parametrize(("code", "wrong"), WRONG, ids=lambda one: str(getattr(one, "path", "")))
async def test_what_is_wrong_with_a_request_is_told_in_its_vendors_shape(
    tmp_path: Path, code: Code, wrong: Wrong
) -> None:
    async with running(tmp_path, providers={"openai": ""}, limits=SMALL) as gateway:
        reply = await sent(gateway, wrong.method, wrong.path, wrong.body, wrong.kind, key=wrong.key)
        assert (reply.status, code(reply.json)) == (wrong.status, wrong.code or code(reply.json))
        assert gateway.simulator.record.counts.requests == 0


@pytest.mark.parametrize("path", [b"/v1/chat/completions", b"/v1/audio/speech"])
def test_openais_own_addresses_are_its_own(path: bytes) -> None:
    teller = told_at(path)
    assert teller is not None and teller.DIALECT == "openai"
    assert told_at(b"/v1/models") is None
