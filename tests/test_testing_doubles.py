"""The shipped provider and client keep their word: tests lean on what they count and keep."""

import asyncio
import math

import pytest

from oneflow_ai.core.events import Delta, End, Event
from oneflow_ai.core.failure import UPSTREAM_CLOSED, UPSTREAM_TIMEOUT, Failure
from oneflow_ai.core.ports import Chance, Client, Clock, Head, HttpRequest, Upstream
from oneflow_ai.core.record import Exchange
from oneflow_ai.core.target import ProviderLimits, Timeouts
from oneflow_ai.testing import (
    NEVER,
    ListeningClient,
    NoRealProviders,
    Scripted,
    ScriptedUpstream,
    SeededChance,
    StepClock,
    VirtualClock,
    loopback_only,
    run_virtual,
)
from tests.ports.calls import call, target

REQUEST = HttpRequest("POST", "http://127.0.0.1:9/v1/chat/completions", (), b"{}", Timeouts(), "openai")
HEAD = Head(target(ProviderLimits()), attempts=1)
TEXT = Delta("text", "hello")


def conforming(clock: Clock, chance: Chance, upstream: Upstream, client: Client) -> None:
    """Accepts what keeps the ports, by its types."""


def test_the_doubles_keep_the_ports() -> None:
    clock = StepClock()
    conforming(clock, SeededChance(1), ScriptedUpstream([], clock), ListeningClient())
    conforming(clock, SeededChance(1), NoRealProviders(ScriptedUpstream([], clock)), ListeningClient())


async def read_all(
    upstream: ScriptedUpstream, until_seconds: float = 100.0, chunks: list[bytes] | None = None
) -> list[bytes]:
    """Send a request and give the chunks of its answer, also in `chunks`."""
    chunks = [] if chunks is None else chunks
    answer = await upstream.send(REQUEST, until_seconds)
    try:
        while chunk := await answer.read(until_seconds):
            chunks.append(chunk)
    finally:
        answer.close()
    return chunks


def test_a_scripted_provider_answers_in_order_and_keeps_what_it_was_sent() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        upstream = ScriptedUpstream([Scripted(steps=(b"a", b"b")), Scripted(429, {"Retry-After": "2"})], clock)
        assert await read_all(upstream) == [b"a", b"b"]
        answer = await upstream.send(REQUEST, 1.0)
        assert (answer.status, dict(answer.headers)) == (429, {"retry-after": "2"})
        assert upstream.requests == [REQUEST, REQUEST]
        with pytest.raises(AssertionError, match="no answer left for POST http"):
            await upstream.send(REQUEST, 1.0)

    run_virtual(story)


def test_a_scripted_provider_may_answer_by_the_request() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        upstream = ScriptedUpstream(lambda request: Scripted(steps=(request.body,)), clock)
        assert await read_all(upstream) == [b"{}"]
        await upstream.close()
        with pytest.raises(RuntimeError, match="closed"):
            await upstream.send(REQUEST, 1.0)

    run_virtual(story)


def test_bytes_arrive_when_the_script_says_however_late_they_are_read() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        upstream = ScriptedUpstream([Scripted(wait_seconds=1.0, steps=(b"a", 2.0, b"b", 1, 1.0, b"c"))], clock)
        answer = await upstream.send(REQUEST, 100.0)
        assert clock.monotonic() == 1.0
        assert await answer.read(100.0) == b"a"
        assert await answer.read(100.0) == b"b"
        assert clock.monotonic() == 3.0
        await clock.sleep(10.0)
        assert await answer.read(100.0) == b"c"
        assert await answer.read(100.0) == b""
        assert clock.monotonic() == 13.0
        answer.close()

    run_virtual(story)


@pytest.mark.parametrize(
    ("scripted", "chunks", "seconds"),
    [
        pytest.param(Scripted(wait_seconds=NEVER), 0, 10.0, id="no head"),
        pytest.param(Scripted(wait_seconds=10.5, failure=Failure(UPSTREAM_CLOSED, "cut")), 0, 10.0, id="cut too late"),
        pytest.param(Scripted(steps=(b"a", NEVER)), 1, 10.0, id="silence"),
        pytest.param(Scripted(steps=(b"a", 4.0, b"b", 7.0, b"c")), 2, 10.0, id="too slow"),
    ],
)
def test_nothing_is_waited_for_beyond_its_time(scripted: Scripted, chunks: int, seconds: float) -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        upstream = ScriptedUpstream([scripted], clock)
        got: list[bytes] = []
        with pytest.raises(Failure) as failure:
            await read_all(upstream, 10.0, got)
        assert failure.value.kind is UPSTREAM_TIMEOUT
        assert (len(got), clock.monotonic()) == (chunks, seconds)

    run_virtual(story)


@pytest.mark.parametrize(
    "scripted",
    [
        Scripted(wait_seconds=2.0, failure=Failure(UPSTREAM_CLOSED, "before the head")),
        Scripted(steps=(b"a", 2.0, Failure(UPSTREAM_CLOSED, "in the middle"))),
    ],
)
def test_a_failure_comes_where_the_script_has_it(scripted: Scripted) -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        upstream = ScriptedUpstream([scripted], clock)
        with pytest.raises(Failure) as failure:
            await read_all(upstream)
        assert failure.value.kind is UPSTREAM_CLOSED
        assert clock.monotonic() == 2.0
        assert upstream.open_answers == 0

    run_virtual(story)


@pytest.mark.parametrize("released", [False, True])
def test_open_answers_are_counted_until_each_is_given_back_once(released: bool) -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        upstream = ScriptedUpstream([Scripted(), Scripted()], clock)
        first, second = [await upstream.send(REQUEST, 1.0) for _ in range(2)]
        assert upstream.open_answers == 2
        if released:
            first.release()
        first.close()
        first.close()
        assert upstream.open_answers == 1
        second.close()
        assert upstream.open_answers == 0
        with pytest.raises(RuntimeError, match="closed"):
            await second.read(1.0)

    run_virtual(story)


def test_a_request_cancelled_before_its_head_opens_no_answer() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        upstream = ScriptedUpstream([Scripted(wait_seconds=5.0)], clock)
        sending = asyncio.ensure_future(upstream.send(REQUEST, 10.0))
        await clock.sleep(1.0)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        assert (len(upstream.requests), upstream.open_answers) == (1, 0)

    run_virtual(story)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8000/v1", "https://localhost/", "http://[::1]:9/", "http://127.8.8.8/", "http://LOCALHOST/"],
)
async def test_this_machine_may_be_asked(url: str) -> None:
    loopback_only(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "http://10.0.0.1/",
        "http://localhost.example.com/",
        "http://127.0.0.1.example.com/",
        "http://user:127.0.0.1@example.com/",
        "http://[2001:db8::1]/",
        "http://0.0.0.0/",
        "not a url",
        "",
    ],
)
async def test_nobody_else_may_be_asked(url: str) -> None:
    with pytest.raises(RuntimeError, match="may not connect"):
        loopback_only(url)
    inner = ScriptedUpstream([Scripted()], StepClock())
    guarded = NoRealProviders(inner)
    with pytest.raises(RuntimeError, match="may not connect"):
        await guarded.send(HttpRequest("POST", url, (), b"", Timeouts(), "openai"), 1.0)
    assert inner.requests == []
    await guarded.send(REQUEST, math.inf)
    await guarded.close()
    assert inner.closed


async def serve(client: Client, events: list[Event]) -> None:
    """An engine that has only to hand on."""
    client.begin(HEAD)
    if client.slow:
        await client.drained()
    for event in events:
        client.send(event)
        if client.slow:
            await client.drained()
    await client.finish(End("stop"), Exchange(call()))


async def test_a_client_keeps_what_it_is_told() -> None:
    client = ListeningClient()
    await serve(client, [TEXT, TEXT])
    assert client.head is HEAD
    assert client.events == [TEXT, TEXT]
    assert client.end == End("stop")
    assert client.exchange is not None
    assert client.ended
    assert client.failure is None


async def test_a_client_keeps_how_its_call_failed() -> None:
    client, failure = ListeningClient(), Failure(UPSTREAM_CLOSED, "cut")
    await client.fail(failure, Exchange(call()))
    assert client.failure is failure
    assert client.ended
    assert client.head is None


@pytest.mark.parametrize("after", [0, 1, 2])
async def test_a_client_that_hangs_up_cancels_whoever_serves_it(after: int) -> None:
    client = ListeningClient(hang_up_after=after)
    task = asyncio.create_task(serve(client, [TEXT, TEXT, TEXT]))
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert len(client.events) == after
    assert not client.ended


def test_a_slow_client_takes_its_time() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        await serve(ListeningClient(wait_seconds=2.0, clock=clock), [TEXT, TEXT])
        assert clock.monotonic() == 4.0

    run_virtual(story)


async def test_words_out_of_order_are_found() -> None:
    with pytest.raises(AssertionError, match="begins before"):
        ListeningClient().send(TEXT)
    client = ListeningClient()
    await serve(client, [])
    with pytest.raises(AssertionError, match="ends once"):
        await client.finish(End("stop"), Exchange(call()))
    with pytest.raises(AssertionError, match="after the end"):
        client.send(TEXT)
    with pytest.raises(ValueError, match="clock"):
        ListeningClient(wait_seconds=1.0)
