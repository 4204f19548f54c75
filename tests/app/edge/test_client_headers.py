"""What becomes of a client's headers: its own id is kept if it is one, and nothing else goes on to the provider."""

from __future__ import annotations

import pytest

from tests.app.edge.front import Front
from tests.app.edge.heads import BODY, chat, get, post
from tests.app.edge.refusal import CANARY
from tests.app.edge.wire import connected

pytestmark = pytest.mark.asyncio(loop_scope="module")

IDS = [b"a", b"0", b"req_1", b"A-b_C-9", b"_", b"-", b"x" * 64, b"01234567-89ab-cdef-0123-456789abcdef"]
NO_IDS = {
    "empty": b"",
    "65 characters": b"x" * 65,
    "10 KB": b"x" * 10_000,
    "a space": b"canary7f3a b",
    "a dot": b"canary7f3a.b",
    "a colon": b"canary7f3a:b",
    "a slash": b"canary7f3a/b",
    "a line break, encoded": b"canary7f3a%0d%0aset-cookie:a",
    "a line break, escaped": b"canary7f3a\\r\\nset-cookie:a",
    "markup": b"<canary7f3a>",
    "quotes": b"'canary7f3a'",
    "beyond ASCII": "canary7f3aä".encode(),
    "not UTF-8": b"canary7f3a\xff",
    "digits of another script": "٣".encode(),
    "a list": b"canary7f3a, b",
}
BROKEN = [
    b"canary7f3a\r\n set-cookie: a",
    b"canary7f3a\nset-cookie: a",
    b"canary7f3a\rset-cookie: a",
    b"canary7f3a\x00",
]
KEPT_FROM_PROVIDERS = {
    b"connection": b"x-secret",
    b"x-secret": CANARY,
    b"keep-alive": b"timeout=" + CANARY,
    b"te": CANARY,
    b"trailer": CANARY,
    b"proxy-authorization": CANARY,
    b"proxy-authenticate": CANARY,
    b"proxy-connection": CANARY,
    b"upgrade-insecure-requests": CANARY,
    b"x-forwarded-for": b"10.0.0.1, " + CANARY,
    b"x-forwarded-host": CANARY,
    b"x-forwarded-proto": CANARY,
    b"forwarded": b"for=" + CANARY,
    b"x-real-ip": CANARY,
    b"via": b"1.1 " + CANARY,
    b"cookie": b"a=" + CANARY,
    b"origin": b"http://localhost",
    b"referer": b"http://localhost/" + CANARY,
    b"openai-organization": CANARY,
    b"x-anything": CANARY,
}


@pytest.mark.parametrize("sent", IDS, ids=lambda sent: sent.decode()[:20])
async def test_an_id_of_the_clients_own_is_kept(front: Front, sent: bytes) -> None:
    """For an answer, a stream, a list and a refusal."""
    header = b"x-request-id: " + sent
    requests = (post(header), post(header, body=chat(stream=True)), get(b"/v1/models", header), get(b"/v1/no", header))
    async with connected(front.port) as wire:
        for request in requests:
            wire.send(request)
            assert (await wire.answer()).all("x-request-id") == [sent.decode()]


@pytest.mark.parametrize("name", NO_IDS)
async def test_what_is_no_id_is_replaced(front: Front, name: str) -> None:
    header = b"x-request-id: " + NO_IDS[name]
    async with connected(front.port) as wire:
        for request in (post(header), post(header, body=chat(stream=True)), get(b"/v1/no", header)):
            wire.send(request)
            answer = await wire.answer()
            (own,) = answer.all("x-request-id")
            assert own.startswith("req_")
            assert answer.header("set-cookie") is None
            assert not any(CANARY.decode() in value for _, value in answer.headers)


async def test_two_ids_are_none(front: Front) -> None:
    async with connected(front.port) as wire:
        wire.send(post(b"x-request-id: one", b"x-request-id: two"))
        (own,) = (await wire.answer()).all("x-request-id")
        assert own.startswith("req_")


@pytest.mark.parametrize("sent", BROKEN, ids=repr)
async def test_a_line_break_in_a_header_is_never_given_back(front: Front, sent: bytes) -> None:
    async with connected(front.port) as wire:
        wire.send(post(b"x-request-id: " + sent))
        assert (await wire.answer()).status == 400
        await wire.over()
        assert CANARY not in wire.raw
    await front.settled()
    assert front.calls == 0


async def test_an_id_used_twice_is_recorded_twice(front: Front) -> None:
    """The client's id must not be what the record is kept under: who repeats it would be charged once."""
    before = len(await front.outcomes())
    async with connected(front.port) as wire:
        for _ in range(2):
            wire.send(post(b"x-request-id: the-same"))
            assert (await wire.answer()).status == 200
    assert len(await front.outcomes()) == before + 2


async def test_no_header_of_the_client_reaches_the_provider(front: Front) -> None:
    headers = [name + b": " + value for name, value in KEPT_FROM_PROVIDERS.items()]
    async with connected(front.port) as wire:
        wire.send(post(*headers, body=BODY))
        assert (await wire.answer()).status == 200
    (attempt,) = front.simulator.record.attempts()
    assert not KEPT_FROM_PROVIDERS.keys() - {b"connection"} & {name.lower() for name, _ in attempt.headers}
    assert not any(CANARY in value or b"x-secret" in value for _, value in attempt.headers)
