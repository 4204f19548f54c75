"""The faults of an answer's form, played on each wire in that wire's own words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from oneflow_ai.simulator import Rule, Simulator
from oneflow_ai.simulator.wires.openai_odd import ODD_KINDS
from tests.simulator.raw import Seen, once
from tests.simulator.spoken import ANTHROPIC, GEMINI, RESPONSES, WIRES, Spoken, documents

each_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)


@each_wire
async def test_a_stream_may_be_cut_after_every_event(simulator: Simulator, wire: Spoken) -> None:
    whole = documents(await wire.ask(simulator, stream=True))
    for count in range(len(whole)):
        seen = await wire.ask(simulator, f"sim-F14@any:{count}", stream=True)
        assert len(documents(seen)) == min(count, len(whole)), count
        assert seen.whole_chunks


@each_wire
@pytest.mark.parametrize("at", ["event:0", "event:1", "event:2", "event:last"])
async def test_a_stream_may_break_after_content(simulator: Simulator, wire: Spoken, at: str) -> None:
    whole = wire.pieces(await wire.ask(simulator, stream=True))
    seen = await wire.ask(simulator, f"sim-F13@{at};after=0", stream=True)
    wanted = len(whole) - 1 if at == "event:last" else int(at[-1])
    assert (wire.pieces(seen), seen.end) == (whole[:wanted], "reset")


@each_wire
async def test_a_stream_may_be_cut_in_the_middle_of_an_event(simulator: Simulator, wire: Spoken) -> None:
    seen = await wire.ask(simulator, "sim-F14@byte:40;kind=torn", stream=True)
    assert (len(seen.body), seen.end, seen.whole_chunks) == (40, "eof", False)


ERRORS: dict[str, Callable[[Any], tuple[Any, ...]]] = {
    "anthropic": lambda event: (event["type"], event["error"]["type"]),
    "responses": lambda event: (event["type"], event["code"]),
    "gemini": lambda event: ("error", event["error"]["status"]),
}


@each_wire
@pytest.mark.parametrize(("fault", "pieces"), [("F17;status=529", 0), ("F18", 1)])
async def test_an_error_may_come_inside_a_stream(simulator: Simulator, wire: Spoken, fault: str, pieces: int) -> None:
    seen = await wire.ask(simulator, f"sim-{fault}", stream=True)
    *before, error = documents(seen)
    assert (
        ERRORS[wire.name](error)
        == {
            "anthropic": ("error", "overloaded_error"),
            "responses": ("error", "server_is_overloaded"),
            "gemini": ("error", "UNAVAILABLE"),
        }[wire.name]
    )
    assert sum(1 for each in before if wire.piece(each)) == pieces
    assert seen.whole_chunks


async def test_a_response_may_fail_as_recorded(simulator: Simulator) -> None:
    seen = await RESPONSES.ask(simulator, "sim-F18;status=429;kind=named", stream=True)
    *before, error, failed = documents(seen)
    assert error["error"]["code"] == "rate_limit_exceeded"
    assert failed["type"] == "response.failed"
    assert failed["response"]["status"] == "failed"
    assert failed["response"]["id"] == before[0]["response"]["id"]
    assert [each["sequence_number"] for each in (error, failed)] == [len(before), len(before) + 1]


async def test_gemini_may_fail_without_an_event(simulator: Simulator) -> None:
    seen = await GEMINI.ask(simulator, "sim-F18;kind=named", stream=True)
    assert b'"error"' in seen.body
    assert b'data: {"error"' not in seen.body


@each_wire
async def test_an_error_may_come_with_status_200(simulator: Simulator, wire: Spoken) -> None:
    for fault in ("F17", "F26"):
        seen = await wire.ask(simulator, f"sim-{fault}")
        assert (seen.status, "error" in seen.json) == (200, True)


@each_wire
async def test_only_pings_may_come(simulator: Simulator, wire: Spoken) -> None:
    mark = {"anthropic": b"event: ping", "responses": b"event: keepalive", "gemini": b'"text":""}'}[wire.name]
    seen = await wire.ask(simulator, "sim-F12;kind=pings;gap=0", stream=True, until=mark)
    assert len(wire.pieces(seen)) == 1


@each_wire
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("kind", ODD_KINDS)
async def test_every_unusual_form(simulator: Simulator, wire: Spoken, streams: bool, kind: str) -> None:
    seen = await wire.ask(simulator, f"sim-F48;kind={kind};count=50", stream=streams)
    assert seen.status == 200
    found = documents(seen) if streams else [seen.json]
    holds = ODD[wire.name].get(kind)
    assert found
    assert holds is None or re.search(holds, seen.body.decode()), seen.body[:900]


ODD: dict[str, dict[str, str]] = {
    "anthropic": {
        "unclosed": r'Par|\\"Par',
        "many": r"tool_49",
        "gaps": r"tool_5|tool_2",
        "nochoices": r'"content":\[\]',
        "interleaved": r"second",
        "reasoning": r'"type":"thinking"',
        "refusal": r'"stop_reason":"refusal"',
    },
    "responses": {
        "unclosed": r"Par",
        "many": r"tool_49",
        "gaps": r"tool_5",
        "nochoices": r'"output":\[\]',
        "interleaved": r"second",
        "reasoning": r'"type":"reasoning"',
        "refusal": r'"type":"refusal"',
    },
    "gemini": {
        "unclosed": r"Par",
        "many": r"tool_49",
        "nochoices": r'"candidates":\s*\[\]',
        "interleaved": r'"index":\s*1',
        "reasoning": r'"thought":\s*true',
        "refusal": r"SAFETY",
    },
}


async def test_roles_may_be_missing(simulator: Simulator) -> None:
    for wire in WIRES:
        for streams in (False, True):
            seen = await wire.ask(simulator, "sim-F48;kind=norole", stream=streams)
            assert b'"role":' not in seen.body.replace(b'"role": ', b'"role":') or wire is RESPONSES


def _usage(wire: Spoken, seen: Seen) -> Any:
    """The usage that a whole answer tells."""
    return seen.json.get(wire.usage)


COUNTS = {"anthropic": "output_tokens", "responses": "output_tokens", "gemini": "candidatesTokenCount"}


@each_wire
@pytest.mark.parametrize(
    ("kind", "holds"),
    [
        ("negative", lambda count: count < 0),
        ("float", lambda count: isinstance(count, float)),
        ("string", lambda count: isinstance(count, str)),
        ("huge", lambda count: count == 10**9),
        ("beyond", lambda count: count == 2**53 + 1),
        ("zero", lambda count: count == 0),
    ],
)
async def test_a_usage_may_be_odd(simulator: Simulator, wire: Spoken, kind: str, holds: Callable[[Any], bool]) -> None:
    seen = await wire.ask(simulator, f"sim-F39;usage={kind}")
    assert holds(_usage(wire, seen)[COUNTS[wire.name]])
    streamed = await wire.ask(simulator, f"sim-F39;usage={kind}", stream=True)
    assert wire.pieces(streamed)


@each_wire
async def test_a_usage_may_be_missing_null_or_in_headers(simulator: Simulator, wire: Spoken) -> None:
    assert wire.usage not in (await wire.ask(simulator, "sim-F38")).json
    assert _usage(wire, await wire.ask(simulator, "sim-F38;kind=null")) is None
    assert (await wire.ask(simulator, "sim-F38;kind=headers")).headers["x-usage-output-tokens"].isdigit()
    streamed = await wire.ask(simulator, "sim-F38", stream=True)
    assert f'"{wire.usage}":{{'.encode() not in streamed.body
    assert wire.pieces(streamed)


@each_wire
async def test_a_usage_may_change_within_a_stream(simulator: Simulator, wire: Spoken) -> None:
    plain = await wire.ask(simulator, stream=True)
    seen = await wire.ask(simulator, "sim-F39;usage=changing", stream=True)
    assert len(seen.body) >= len(plain.body)
    found = re.findall(rb'"(?:prompt_tokens|input_tokens|promptTokenCount)":(\d+)', seen.body)
    assert len({*found}) == 2
    assert found[-1] == re.findall(rb'"(?:input_tokens|promptTokenCount)":(\d+)', plain.body)[-1]


@each_wire
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
async def test_an_answer_may_be_another_models_or_anothers(simulator: Simulator, wire: Spoken, streams: bool) -> None:
    seen = await wire.ask(simulator, "sim-F40;model=other", stream=streams)
    assert re.search(rb'"model(?:Version)?":\s*"other"', seen.body)
    others = await wire.ask(simulator, "sim-F46", stream=streams)
    assert b"somebody-elses-model" in others.body
    assert others.headers["x-request-nonce"] == "of-somebody-else"


@each_wire
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
async def test_text_may_be_broken_or_endless(simulator: Simulator, wire: Spoken, streams: bool) -> None:
    broken = await wire.ask(simulator, "sim-F32;kind=utf8", stream=streams)
    assert b"\xff\xfe\xc3\x28" in broken.body
    long = await wire.ask(simulator, "sim-F34;mib=1", stream=streams)
    assert len(long.body) > 1 << 20
    assert re.search(rb"a{1048576}", long.body)


@each_wire
@pytest.mark.parametrize("kind", ["lf", "cr", "crlf", "mixed"])
async def test_lines_may_end_otherwise(simulator: Simulator, wire: Spoken, kind: str) -> None:
    seen = await wire.ask(simulator, f"sim-F33;kind={kind}", stream=True)
    plain = await wire.ask(simulator, stream=True)
    flat = re.sub(rb"\r\n|\r", b"\n", seen.body)
    assert flat.count(b"\n\n") == re.sub(rb"\r\n|\r", b"\n", plain.body).count(b"\n\n")


@each_wire
async def test_an_end_may_be_missing_or_come_twice(simulator: Simulator, wire: Spoken) -> None:
    plain = documents(await wire.ask(simulator, stream=True))
    without = documents(await wire.ask(simulator, "sim-F15", stream=True))
    bare = await wire.ask(simulator, "sim-F15;kind=bare", stream=True)
    twice = documents(await wire.ask(simulator, "sim-F16", stream=True))
    ends = 0 if wire is GEMINI else 1
    assert len(without) == len(plain) - ends
    assert len(twice) == len(plain) + ends
    assert f'"{wire.usage}":{{'.encode() not in bare.body
    after = documents(await wire.ask(simulator, "sim-F16;kind=data", stream=True))
    assert len(after) == len(plain) + 1


OVERLOADED = {"anthropic": "overloaded_error", "responses": "service_unavailable_error", "gemini": "UNAVAILABLE"}


@each_wire
async def test_failures_are_told_in_the_wires_words(simulator: Simulator, wire: Spoken) -> None:
    for status in (500, 503, 504, 529):
        seen = await wire.ask(simulator, f"sim-F23;status={status}")
        assert seen.status == status
        assert "error" in seen.json
    error = (await wire.ask(simulator, "sim-F23;status=529")).json["error"]
    assert OVERLOADED[wire.name] in (error.get("type"), error.get("status"))
    for fault in ("F22;kind=quota", "F22;kind=spend", "F25;kind=context", "F24", "F24;status=403"):
        assert "error" in (await wire.ask(simulator, f"sim-{fault}")).json


async def test_money_and_length_have_the_wires_own_marks(simulator: Simulator) -> None:
    money = await ANTHROPIC.ask(simulator, "sim-F22;kind=quota")
    assert money.json["error"]["details"] == {"error_code": "enforced_spend_limit_reached"}
    assert money.headers["x-should-retry"] == "false"
    assert "too long" in (await ANTHROPIC.ask(simulator, "sim-F25;kind=context")).json["error"]["message"]
    assert (await RESPONSES.ask(simulator, "sim-F25;kind=context")).json["error"]["param"] == "input"
    (day,) = (await GEMINI.ask(simulator, "sim-F22;kind=quota")).json["error"]["details"]
    assert "PerDay" in day["violations"][0]["quotaId"]
    assert "token count" in (await GEMINI.ask(simulator, "sim-F25;kind=context")).json["error"]["message"]


@each_wire
async def test_early_faults_strike_by_name(simulator: Simulator, wire: Spoken) -> None:
    seen = await wire.ask(simulator, "sim-F43;after=0;status=429")
    assert (seen.status, seen.end, "error" in seen.json) == (429, "reset", True)
    assert (await wire.ask(simulator, "sim-F6")).end == "reset"


@each_wire
async def test_rules_meet_a_wire_by_its_path(simulator: Simulator, wire: Spoken) -> None:
    simulator.rules = (Rule(fault="F23;status=503", path="/v1beta/*"), Rule(fault="F23", path="/v1/messages"))
    wanted = {"anthropic": 500, "responses": 200, "gemini": 503}
    assert (await wire.ask(simulator)).status == wanted[wire.name]
    assert simulator.record.attempts()[-1].model == "some-model"


@each_wire
async def test_an_unknown_fault_is_told_in_the_wires_words(simulator: Simulator, wire: Spoken) -> None:
    seen = await wire.ask(simulator, "sim-F99")
    assert (seen.status, "ids are F1 to F48" in seen.json["error"]["message"]) == (400, True)


async def test_what_is_nobodys_is_openais(simulator: Simulator) -> None:
    seen = await once(simulator, {}, path="/v2/anything")
    assert (seen.status, seen.json["error"]["code"]) == (404, "unknown_url")
