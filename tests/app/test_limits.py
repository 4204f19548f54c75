"""Limits and deadlines through the whole gateway: our clients', the providers', and time."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import orjson

from oneflow_ai.core.call import Account
from oneflow_ai.edge import EdgeLimits
from oneflow_ai.edge.served import ConnectionLimits
from oneflow_ai.simulator import FAST, Limits, Pace, SimulatorOptions
from tests.app.gateway import KEY, MESSAGES, OTHER_KEY, Gateway, head_of, running

DEADLINE_SECONDS = 0.6
DEADLINE_HEADERS = ({"x-oneflow-timeout-ms": "600"}, {"x-stainless-read-timeout": "0.6"})
# The promise is 0.25 s; the rest is for the client of the test itself.
LATEST_SECONDS = DEADLINE_SECONDS + 0.25 + 0.1


def _account(**limits: Any) -> dict[str, Account]:
    return {KEY: Account("key_test", "test", **limits)}


async def test_a_key_beyond_its_rate_is_told_when_to_come_back(tmp_path: Path) -> None:
    async with running(tmp_path, accounts=_account(requests_per_minute=3)) as gateway:
        replies = [await gateway.chat("sim/gpt-6-luna") for _ in range(4)]
        assert [reply.status for reply in replies] == [200, 200, 200, 429]
        last = replies[-1]
        assert last.code == "rate_limit_exceeded"
        assert 1 <= int(last.headers["retry-after"]) <= 61
        assert "x-should-retry" not in last.headers
        assert gateway.wire_attempts("gpt-6-luna") == 3


async def test_those_who_wait_for_the_same_thing_are_not_sent_back_at_the_same_moment(tmp_path: Path) -> None:
    async with running(tmp_path, accounts=_account(requests_per_minute=1)) as gateway:
        assert (await gateway.chat("sim/gpt-6-luna")).status == 200
        waits = [int((await gateway.chat("sim/gpt-6-luna")).headers["retry-after-ms"]) for _ in range(8)]
        assert all(55_000 <= wait <= 66_000 for wait in waits)
        assert max(waits) - min(waits) > 200


async def test_a_call_that_no_wait_helps_is_not_to_be_tried_again(tmp_path: Path) -> None:
    async with running(tmp_path, accounts=_account(tokens_per_minute=100)) as gateway:
        reply = await gateway.chat("sim/gpt-6-luna", max_tokens=500)
        assert (reply.status, reply.code) == (429, "rate_limit_exceeded")
        assert reply.headers["x-should-retry"] == "false"
        assert "retry-after" not in reply.headers


async def test_a_key_with_limits_is_told_what_is_left_of_them(tmp_path: Path) -> None:
    async with running(tmp_path, accounts=_account(requests_per_minute=10, tokens_per_minute=100_000)) as gateway:
        whole = await gateway.chat("sim/gpt-6-luna", max_tokens=50)
        stream = await gateway.chat("sim/gpt-6-luna", max_tokens=50, stream=True)
        told = {name: value for name, value in whole.headers.items() if name.startswith("x-ratelimit-")}
        assert told["x-ratelimit-limit-requests"] == "10"
        assert told["x-ratelimit-remaining-requests"] == "9"
        assert 5.0 < float(told["x-ratelimit-reset-requests"].rstrip("s")) <= 6.0
        assert told["x-ratelimit-limit-tokens"] == "100000"
        # What was held and not used is the key's again, and a little comes back while the answer is made.
        left = int(told["x-ratelimit-remaining-tokens"])
        assert 0 <= left - (100_000 - whole.json["usage"]["total_tokens"]) < 1_000
        assert stream.headers["x-ratelimit-remaining-requests"] == "8"
    (tmp_path / "free").mkdir()
    async with running(tmp_path / "free") as gateway:
        reply = await gateway.chat("sim/gpt-6-luna")
        assert not any(name.startswith("x-ratelimit-") for name in reply.headers)


async def test_a_key_runs_only_so_many_calls_at_once(tmp_path: Path) -> None:
    slow = SimulatorOptions(pace=Pace(first_token_seconds=0.4, tokens_per_second=0.0, whole_seconds_most=0.4))
    async with running(tmp_path, accounts=_account(concurrency=2), options=slow) as gateway:
        replies = await asyncio.gather(*(gateway.chat("sim/gpt-6-luna") for _ in range(4)))
        assert sorted(reply.status for reply in replies) == [200, 200, 429, 429]
        refused = [reply for reply in replies if reply.status == 429]
        assert {reply.code for reply in refused} == {"concurrency_limit_exceeded"}
        # None has ended yet: how long they last is not known.
        assert all(1_000 <= int(reply.headers["retry-after-ms"]) <= 5_000 for reply in refused)
        assert (await gateway.chat("sim/gpt-6-luna")).status == 200


async def test_calls_wait_for_a_provider_s_concurrency_instead_of_failing(tmp_path: Path) -> None:
    options = SimulatorOptions(
        pace=Pace(first_token_seconds=0.05, tokens_per_second=0.0, whole_seconds_most=0.05),
        limits=Limits(concurrency=2),
    )
    async with running(tmp_path, providers={"sim": "concurrency = 2"}, options=options) as gateway:
        replies = await asyncio.gather(*(gateway.chat("sim/gpt-6-luna") for _ in range(12)))
        assert {reply.status for reply in replies} == {200}
        assert gateway.simulator.record.counts.refused_by_limit == 0
        assert gateway.simulator.record.counts.in_flight_most == 2
        await gateway.quiet()


async def test_a_call_that_cannot_have_its_turn_in_time_is_told_at_once(tmp_path: Path) -> None:
    async with running(tmp_path, providers={"sim": "requests_per_minute = 1"}) as gateway:
        assert (await gateway.chat("sim/gpt-6-luna")).status == 200
        began = time.monotonic()
        reply = await gateway.chat("sim/gpt-6-luna", headers={"x-oneflow-timeout-ms": "5000"})
        assert (reply.status, reply.code) == (429, "queue_timeout")
        assert time.monotonic() - began < 1.0
        assert gateway.wire_attempts("gpt-6-luna") == 1


async def test_every_call_ends_by_its_deadline(tmp_path: Path) -> None:
    """Whatever keeps it: a provider that says nothing, drips, fails again and again, asks to wait, reads nothing."""
    kept = ["F7", "F9", "F10", "F11", "F12", "F12;kind=pings", "F12;kind=comments", "F23", "F31", "F44", "F19", "F22"]
    cases = [(fault, stream, header) for fault in kept for stream in (False, True) for header in DEADLINE_HEADERS]
    async with running(tmp_path) as gateway:
        await gateway.chat("sim/gpt-6-luna")

        async def seconds_of(fault: str, stream: bool, header: dict[str, str]) -> float:
            began = time.monotonic()
            await gateway.chat(f"sim/sim-{fault}", stream=stream, headers=header)
            return time.monotonic() - began

        took = [await seconds_of(*case) for case in cases]
        late = {case[:2]: seconds for case, seconds in zip(cases, took, strict=True) if seconds > LATEST_SECONDS}
        assert late == {}
        assert sum(seconds > DEADLINE_SECONDS / 2 for seconds in took) > len(took) / 2
        await gateway.quiet()


async def test_what_googles_client_waits_is_its_calls_deadline(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        reply = await gateway.chat("sim/sim-F9", headers={"x-server-timeout": "0.6"})
        assert reply.status == 504


async def test_a_provider_that_hangs_leaves_room_for_the_others(tmp_path: Path) -> None:
    providers = {"hung": "", "b": ""}
    async with running(tmp_path, providers=providers, configuration="[server]\ncalls_most = 10\n") as gateway:
        headers = {"x-oneflow-timeout-ms": "3000"}
        hanging = [asyncio.ensure_future(gateway.chat("hung/sim-F9", headers=headers)) for _ in range(8)]
        await asyncio.sleep(0.5)
        assert gateway.runtime.engine.calls_open == 8
        began = time.monotonic()
        refused = await gateway.chat("hung/gpt-6-luna")
        assert (refused.status, refused.code) == (503, "overloaded")
        assert 1 <= int(refused.headers["retry-after"]) <= 5
        assert (await gateway.chat("hung/gpt-6-luna", models=["b/gpt-6-luna"])).headers["x-oneflow-provider"] == "b"
        assert (await gateway.chat("b/gpt-6-luna")).status == 200
        assert time.monotonic() - began < 2.0
        assert {(await call).status for call in hanging} == {504}
        await gateway.quiet()
        assert (await gateway.chat("hung/gpt-6-luna")).status == 200


async def test_a_key_that_floods_leaves_room_for_the_others(tmp_path: Path) -> None:
    async with running(tmp_path, configuration="[server]\ncalls_most = 10\n") as gateway:
        places = gateway.runtime.engine.key_places
        headers = {"x-oneflow-timeout-ms": "2000"}
        hanging = [asyncio.ensure_future(gateway.chat("sim/sim-F9", headers=headers)) for _ in range(8)]
        _, arriving = await asyncio.open_connection("127.0.0.1", gateway.port)
        arriving.write(head_of(1_000) + b'{"model')
        for _ in range(150):
            if places.open("key_test") == 9:
                break
            await asyncio.sleep(0.01)
        assert places.open("key_test") == 9
        replies = [await gateway.chat("sim/gpt-6-luna") for _ in range(8)]
        assert {(reply.status, reply.code) for reply in replies} == {(503, "overloaded")}
        waits = [int(reply.headers["retry-after-ms"]) for reply in replies]
        assert 1_000 <= min(waits) < max(waits) <= 5_000
        assert (await gateway.chat("sim/gpt-6-luna", key=OTHER_KEY)).status == 200
        assert gateway.wire_attempts("gpt-6-luna") == 1
        arriving.transport.abort()
        assert {(await call).status for call in hanging} == {504}
        assert (await gateway.chat("sim/gpt-6-luna")).status == 200
        assert places.open("key_test") == 0


async def test_a_key_whose_bodies_are_large_leaves_room_for_those_of_others(tmp_path: Path) -> None:
    slow = SimulatorOptions(pace=Pace(first_token_seconds=0.5, tokens_per_second=0.0, whole_seconds_most=0.5))
    limits = EdgeLimits(bodies_bytes_most=1_000_000)

    def prompt(size_bytes: int) -> list[dict[str, str]]:
        return [{"role": "user", "content": "x" * size_bytes}]

    async with running(tmp_path, limits=limits, options=slow) as gateway:
        long = asyncio.ensure_future(gateway.chat("sim/gpt-6-luna", messages=prompt(700_000)))
        await asyncio.sleep(0.2)
        refused = await gateway.chat("sim/gpt-6-luna", messages=prompt(250_000))
        assert (refused.status, refused.code) == (503, "overloaded")
        assert 1_000 <= int(refused.headers["retry-after-ms"]) <= 5_000
        assert (await gateway.chat("sim/gpt-6-luna", messages=prompt(250_000), key=OTHER_KEY)).status == 200
        assert (await long).status == 200
        assert (await gateway.chat("sim/gpt-6-luna", messages=prompt(250_000))).status == 200
        assert (gateway.edge._bodies.total_bytes, gateway.edge._bodies._of_key) == (0, {})


async def test_a_call_that_comes_to_nothing_keeps_no_place(tmp_path: Path) -> None:
    async with running(tmp_path, configuration="[server]\ncalls_most = 10\n") as gateway:
        path = "/v1/chat/completions"
        for _ in range(5):
            assert (await gateway.post(path, b"{}", {"content-type": "text/plain"})).status == 415
            assert (await gateway.post(path, b"{")).status == 400
            assert (await gateway.chat("none/gpt-6-luna")).status == 404
            assert (await gateway.chat("sim/sim-F24")).status == 502
        assert gateway.runtime.engine.key_places.open("key_test") == 0


async def test_a_new_call_on_a_kept_connection_is_sent_elsewhere_while_the_gateway_drains(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        assert (await gateway.chat("sim/gpt-6-luna")).status == 200
        gateway.edge.draining = True
        refused = await gateway.chat("sim/gpt-6-luna")
        assert (refused.status, refused.code) == (503, "draining")
        assert 1 <= int(refused.headers["retry-after"]) <= 5
        assert refused.headers["connection"] == "close"
        assert "x-should-retry" not in refused.headers
        assert gateway.wire_attempts("gpt-6-luna") == 1


async def test_a_head_a_body_and_a_reader_that_take_too_long_are_cut(tmp_path: Path) -> None:
    limits = ConnectionLimits(head_seconds=0.6, body_idle_seconds=0.6, write_seconds=0.6)
    options = SimulatorOptions(pace=FAST, answer_tokens=80_000)
    async with running(tmp_path, limits=limits, options=options) as gateway:
        silent, head, body, reader = await asyncio.gather(
            _until_closed(gateway, b""),
            _until_closed(gateway, b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"),
            _until_closed(gateway, head_of(1_000) + b'{"model'),
            _stalled(gateway),
        )
        # Without these limits it would be 10 s and more. Provider and clients share the loop with the gateway.
        assert max(silent[0], head[0], body[0], reader) < 6
        assert b"408 Request Timeout" in body[1]
        assert b"request_timeout" in body[1]
        await gateway.quiet()


async def _until_closed(gateway: Gateway, sent: bytes) -> tuple[float, bytes]:
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(sent)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return time.monotonic() - began, answer


async def _stalled(gateway: Gateway) -> float:

    body = orjson.dumps({"model": "sim/gpt-6-luna", "messages": MESSAGES, "stream": True})
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=1_024)
    writer.transport.pause_reading()  # type: ignore[attr-defined] # a read transport has it
    writer.write(head_of(len(body)) + body)
    began = time.monotonic()
    await asyncio.sleep(0.3)
    while gateway.runtime.engine.calls_open:
        assert time.monotonic() - began < 10
        await asyncio.sleep(0.02)
    writer.transport.abort()
    return time.monotonic() - began


async def test_a_client_s_own_short_deadline_blames_no_provider(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        for _ in range(15):
            reply = await gateway.chat("sim/sim-F9", headers={"x-oneflow-timeout-ms": "30"})
            assert (reply.status, reply.headers["x-should-retry"]) == (504, "false")
        assert gateway.runtime.books.health.shown(gateway.runtime.clock.monotonic()) == []


async def test_one_attempt_ends_by_its_provider_s_own_limit(tmp_path: Path) -> None:
    async with running(
        tmp_path, providers={"sim": "timeout_seconds = 0.4"}, configuration="[retry]\nattempts = 1\n"
    ) as gateway:
        began = time.monotonic()
        reply = await gateway.chat("sim/sim-F9")
        assert (reply.status, reply.code) == (504, "upstream_timeout")
        assert time.monotonic() - began < 1.5
