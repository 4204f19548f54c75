"""What every refusal has in common, as one assertion: the answer, the connection after it, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.app.edge.front import Front
from tests.app.edge.heads import BODY, get, post
from tests.app.edge.wire import Answer, Wire, connected

CANARY = b"canary7f3a"
_FOLLOWER = post()


@dataclass(frozen=True, slots=True)
class Refusal:
    """The status (or one of several), the code (None: not told), and whether the connection is closed."""

    status: int | tuple[int, ...]
    code: str | None
    closed: bool = True

    @property
    def statuses(self) -> tuple[int, ...]:
        return self.status if isinstance(self.status, tuple) else (self.status,)


async def assert_refused(front: Front, content: bytes, refusal: Refusal, method: str = "GET") -> Answer:
    """Send it, a good request right behind it; the bytes behind a refusal that closes are no request."""
    front.simulator.record.clear()
    async with connected(front.port) as wire:
        wire.send(content + _FOLLOWER)
        answer = await wire.answer(method)
        assert_told(answer, refusal, method)
        if refusal.closed:
            await assert_closed(wire, answer)
        else:
            after = await wire.answer()
            assert after.status == 200, f"{answer}, then {after}"
    await assert_serving(front)
    assert front.calls == (1 if refusal.closed else 2), f"{answer}, and {front.calls} calls"
    return answer


def assert_told(answer: Answer, refusal: Refusal, method: str = "GET") -> None:
    """The answer is the refusal, in its shape, with an id and without a word of what was sent."""
    assert answer.status in refusal.statuses, answer
    assert answer.interim == (), answer
    assert CANARY not in answer.body
    if refusal.code is None or method == "HEAD":
        return
    assert answer.code == refusal.code, answer
    assert answer.json["error"].keys() == {"message", "type", "param", "code"}
    assert answer.header("content-type") == "application/json"
    assert [each[:4] for each in answer.all("x-request-id")] == ["req_"], f"{answer} without an id"


async def assert_closed(wire: Wire, answer: Answer) -> None:
    """The answer says that the connection closes, and it does, in order and without another byte."""
    assert answer.header("connection") == "close", answer
    assert await wire.over() == ("eof", b"")


async def assert_serving(front: Front) -> None:
    """The gateway serves another client. What it had begun before has reached the provider by then."""
    async with connected(front.port) as wire:
        wire.send(post(body=BODY))
        assert (await wire.answer()).status == 200
    await front.settled()


async def assert_usable(wire: Wire) -> None:
    """The connection serves another request."""
    wire.send(get())
    assert (await wire.answer()).status == 200
