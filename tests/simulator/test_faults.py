"""Every fault of the catalogue, in every form, seen on the wire."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from oneflow_ai.simulator import FAULTS, Rule, Simulator
from tests.simulator.raw import CHAT, STREAM, Seen, ask, exchange, once, request


@dataclass(frozen=True, slots=True)
class Case:
    """A fault as asked for, in a stream or a whole answer, and what must hold of the bytes that come.

    `until` ends the reading of answers that never end.
    """

    fault: str
    holds: Callable[[Seen], bool]
    stream: bool = False
    until: bytes | None = None


def _stream(fault: str, holds: Callable[[Seen], bool], until: bytes | None = None) -> Case:
    return Case(fault, holds, stream=True, until=until)


def _usage(seen: Seen) -> Any:
    return seen.json.get("usage")


def _streamed_usages(seen: Seen) -> list[bytes]:
    return [
        data for data in seen.datas if b'"usage":' in data.replace(b'"usage": ', b'"usage":') and b"null" not in data
    ]


def _error(status: int, code: str | None = None) -> Callable[[Seen], bool]:
    return lambda seen: seen.status == status and (code is None or seen.json["error"]["code"] == code)


def _header(name: str, value: str, status: int = 429) -> Callable[[Seen], bool]:
    return lambda seen: seen.status == status and seen.headers[name] == value


def _bare(end: str) -> Callable[[Seen], bool]:
    return lambda seen: seen == Seen(b"", end)


def _length(seen: Seen) -> int:
    return int(seen.headers["content-length"])


def _inflated(seen: Seen) -> int:
    return len(zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(seen.body))


CONNECTION = (
    Case("F6", _bare("reset")),
    Case("F7", _bare("eof")),
    Case("F7;kind=rst", _bare("reset")),
    Case("F8", lambda seen: seen.status == 200),
    Case("F8;kind=idle", lambda seen: seen.status == 200 and seen.end == "eof"),
    Case("F10;gap=0", lambda seen: seen.status == 200 and "choices" in seen.json),
    Case("F11", lambda seen: seen.after_head == b"" and seen.end == "open", until=b"\r\n\r\n"),
    _stream("F11", lambda seen: seen.after_head == b"" and seen.end == "open", until=b"\r\n\r\n"),
    Case("F43;after=0", lambda seen: seen.status == 413 and seen.end == "reset"),
    Case("F43;after=0;status=429", lambda seen: seen.status == 429 and seen.end == "reset"),
    Case("F43;after=0;status=200", lambda seen: "choices" in seen.json and seen.end == "reset"),
    Case("F44;seconds=0", _bare("reset")),
)

MIDWAY = (
    _stream("F12;gap=0", lambda seen: seen.contents == 8 and seen.raw.count(b"\r\n1\r\n") > 100 and seen.whole_chunks),
    Case("F12;gap=0", lambda seen: seen.json["object"] == "chat.completion"),
    _stream("F12;kind=pings;gap=0", lambda seen: seen.contents == 1, until=b"event: ping"),
    _stream("F12@event:2;kind=comments;gap=0", lambda seen: seen.contents == 2, until=b": keep"),
    _stream("F13@head;after=0", lambda seen: seen.after_head == b"" and seen.end == "reset"),
    _stream("F13@event:0;after=0", lambda seen: seen.contents == 0 and b'"role"' in seen.body and seen.end == "reset"),
    _stream("F13", lambda seen: seen.contents == 1 and seen.end == "reset"),
    _stream("F13@event:last;after=0", lambda seen: seen.contents == 7 and seen.end == "reset"),
    _stream("F13@byte:9;after=0", lambda seen: seen.body == b'data: {"i' and seen.end == "reset"),
    Case("F13;after=0", lambda seen: 0 < len(seen.after_head) < _length(seen) and seen.end == "reset"),
    _stream("F14@any:3", lambda seen: seen.contents == 2 and seen.whole_chunks),
    Case("F14@any:3", lambda seen: 0 < len(seen.after_head) < _length(seen) and seen.end == "eof"),
    _stream("F14@event:3", lambda seen: seen.contents == 3 and b"[DONE]" not in seen.raw and seen.whole_chunks),
    _stream("F14;kind=torn", lambda seen: seen.contents == 1 and not seen.whole_chunks and seen.end == "eof"),
    _stream("F14;kind=eof", lambda seen: seen.contents == 1 and "transfer-encoding" not in seen.headers),
    Case("F14", lambda seen: 0 < len(seen.after_head) < _length(seen) and seen.end == "eof"),
    Case("F14;kind=torn", lambda seen: len(seen.after_head) < _length(seen) and seen.end == "eof"),
    Case("F14;kind=eof", lambda seen: "content-length" not in seen.headers and seen.end == "eof"),
    _stream("F15", lambda seen: b'"length"' in seen.datas[-2] and b'"usage":{' in seen.datas[-1]),
    _stream("F15;kind=bare", lambda seen: b'"length"' in seen.datas[-1] and b"DONE" not in seen.body),
    Case("F15", lambda seen: seen.json["object"] == "chat.completion"),
    _stream("F16", lambda seen: seen.datas[-2:] == [b"[DONE]", b"[DONE]"]),
    _stream("F16;kind=data", lambda seen: seen.datas[-2] == b"[DONE]" and b'"content"' in seen.datas[-1]),
    _stream("F16@event:2", lambda seen: seen.contents == 2 and seen.datas[-2:] == [b"[DONE]", b"[DONE]"]),
    _stream("F16@any:0", lambda seen: seen.datas == [b"[DONE]", b"[DONE]"]),
    _stream("F16@event:2;kind=data", lambda seen: seen.datas.index(b"[DONE]") == 3 and b'"usage"' in seen.datas[-1]),
    Case("F16", lambda seen: seen.json["object"] == "chat.completion"),
    _stream("F17", lambda seen: seen.contents == 0 and seen.datas[-1].startswith(b'{"error"') and seen.whole_chunks),
    _stream("F17@event:3", lambda seen: seen.contents == 3 and seen.datas[-1].startswith(b'{"error"')),
    _stream(
        "F17;kind=named;status=429", lambda seen: b"event: error\ndata: " in seen.body and b"rate_limit" in seen.body
    ),
    Case("F17", lambda seen: seen.status == 200 and seen.json["error"]["type"] == "server_error"),
    _stream("F18", lambda seen: seen.contents == 1 and b"overloaded" in seen.datas[-1]),
    _stream("F18;kind=named", lambda seen: seen.contents == 1 and b"event: error\n" in seen.body),
)

STATUS = (
    Case("F19", _header("retry-after", "2")),
    Case("F19;after=7", _header("retry-after", "7")),
    Case("F20", _header("retry-after-ms", "150")),
    Case("F21;value=date", lambda seen: seen.headers["retry-after"].endswith("GMT")),
    Case("F21;value=past", lambda seen: seen.headers["retry-after"].endswith("GMT")),
    Case("F21;value=far", lambda seen: seen.headers["retry-after"].endswith("GMT")),
    Case("F21;value=negative", _header("retry-after", "-5")),
    Case("F21;value=inf", _header("retry-after", "inf")),
    Case("F21;value=1e309", _header("retry-after", "1e309")),
    Case("F21;value=junk", _header("retry-after", "soon, perhaps")),
    Case("F22", lambda seen: seen.status == 429 and "retry-after" not in seen.headers),
    Case("F22;kind=quota", _error(429, "insufficient_quota")),
    Case("F22;kind=spend", _error(429, "project_spend_limit_exceeded")),
    Case("F22;kind=toolarge", lambda seen: "Request too large" in seen.json["error"]["message"]),
    Case("F22;kind=slowdown", _error(429, "slow_down")),
    *(Case(f"F23;status={each}", _error(each)) for each in (500, 502, 503, 504, 520, 521, 522, 523, 524, 529)),
    Case("F23;body=json;after=9", _header("retry-after", "9", 500)),
    Case("F23;body=html;status=502", lambda seen: seen.status == 502 and seen.body.startswith(b"<html>")),
    Case("F23;body=empty", lambda seen: seen.status == 500 and seen.body == b""),
    Case("F24;status=401", lambda seen: seen.status == 401 and "sk-simulated" in seen.json["error"]["message"]),
    Case("F24;status=403", _error(403)),
    *(Case(f"F25;status={each}", _error(each)) for each in (400, 404, 413, 422)),
    Case("F25;kind=plain", lambda seen: "sk-simulated" in seen.json["error"]["message"]),
    Case("F25;kind=context", _error(400, "context_length_exceeded")),
    Case("F47", _error(503)),
    Case("F47;kind=outage;start=5", lambda seen: seen.status == 200),
    Case("F47;kind=brownout;seconds=0.01", lambda seen: seen.status == 200),
    Case("F47;kind=random;share=1;status=500", _error(500)),
    Case("F47;kind=random;share=0", lambda seen: seen.status == 200),
    Case("F47;kind=flap;status=502", _error(502)),
    Case("F47;status=504", _error(504)),
    Case("F47;status=529", _error(529)),
)

BODY = (
    Case("F26", lambda seen: seen.status == 200 and "error" in seen.json),
    Case("F27", lambda seen: seen.status == 200 and seen.headers["content-type"].startswith("text/html")),
    Case("F28", lambda seen: seen.status == 200 and seen.body == b""),
    Case("F28;kind=204", lambda seen: seen.status == 204 and seen.body == b""),
    Case("F28;kind=304", lambda seen: seen.status == 304 and seen.body == b""),
    Case("F29", lambda seen: _length(seen) == len(seen.body) and not seen.body.endswith(b"}")),
    _stream("F29", lambda seen: seen.whole_chunks and b"DONE" not in seen.body),
    Case("F32;kind=utf8", lambda seen: b"odd:\xff\xfe" in seen.body),
    Case("F32;kind=surrogate", lambda seen: b"odd:\\ud800 end" in seen.body),
    Case("F32;kind=nul", lambda seen: seen.json["choices"][0]["message"]["content"] == "odd:\0 end"),
    Case("F32;kind=rawnul", lambda seen: b"odd:\x00 end" in seen.body),
    Case("F32;kind=bom", lambda seen: seen.body.startswith(b"\xef\xbb\xbf{")),
    _stream("F32;kind=utf8", lambda seen: b'"\xff\xfe' in seen.body and seen.datas[-1] == b"[DONE]"),
    _stream("F32;kind=bom", lambda seen: seen.body.startswith(b"\xef\xbb\xbfdata: ")),
    Case("F33;kind=bytes", lambda seen: seen.json["object"] == "chat.completion"),
    _stream("F33;kind=bytes;size=3", lambda seen: seen.contents == 8 and seen.whole_chunks),
    _stream("F33;kind=lf", lambda seen: seen.datas[-1] == b"[DONE]"),
    _stream("F33;kind=cr", lambda seen: seen.body.endswith(b"data: [DONE]\r\r")),
    _stream("F33;kind=crlf", lambda seen: seen.body.endswith(b"data: [DONE]\r\n\r\n")),
    _stream(
        "F33;kind=mixed", lambda seen: b"}\r\n\r\n" in seen.body and b"}\r\r" in seen.body and b"}\n\n" in seen.body
    ),
    _stream("F34;mib=1", lambda seen: max(map(len, seen.datas)) > 1 << 20),
    _stream("F34@event:2;mib=1", lambda seen: [len(data) >> 20 for data in seen.datas][:5] == [0, 0, 0, 1, 0]),
    _stream("F34@any:0;mib=1", lambda seen: len(seen.datas[0]) > 1 << 20 and seen.datas[-1] == b"[DONE]"),
    Case("F35;mib=1", lambda seen: len(seen.body) == _length(seen) == (1 << 20) + 9),
    Case("F35;kind=endless", lambda seen: seen.end == "open", until=b"a" * 60_000),
    Case("F37;mib=3", lambda seen: _inflated(seen) == 3 << 20 and len(seen.body) < 9_000),
    Case("F37;encoding=gzip;mib=1", lambda seen: seen.headers["content-encoding"] == "gzip"),
    Case(
        "F37;encoding=br;mib=24", lambda seen: seen.headers["content-encoding"] == "br" and len(seen.body) == 14 * 3 + 1
    ),
    Case("F37;encoding=zstd;mib=1", lambda seen: seen.body.startswith(b"\x28\xb5\x2f\xfd") and len(seen.body) == 41),
    Case("F37;kind=nested", lambda seen: gzip.decompress(gzip.decompress(seen.body)).startswith(b'{"id"')),
    Case("F37;kind=lying", lambda seen: seen.headers["content-encoding"] == "gzip" and "choices" in seen.json),
)

FRAMING = (
    Case("F30", lambda seen: _length(seen) == len(seen.body) + 100 and seen.end == "eof"),
    Case("F30;kind=long", lambda seen: _length(seen) > len(seen.body)),
    Case("F30;kind=short", lambda seen: _length(seen) < len(seen.body)),
    Case("F30;kind=smuggle", lambda seen: seen.raw.count(b"HTTP/1.1 200 OK") == 2 and b"smuggled" in seen.raw),
    Case("F30;kind=duplicate", lambda seen: seen.head.count("content-length") == 2),
    Case("F30;kind=negative", lambda seen: "content-length: -1" in seen.head),
    Case("F30;kind=te", lambda seen: "content-length" in seen.headers and seen.whole_chunks),
    Case("F31", lambda seen: seen.after_head.startswith(b"ZZ\r\n")),
    Case("F31;kind=size", lambda seen: seen.after_head.startswith(b"ZZ\r\n")),
    Case("F31;kind=huge", lambda seen: int(seen.after_head.partition(b"\r\n")[0], 16) == 2**64),
    Case("F31;kind=crlf", lambda seen: b"}0\r\n\r\n" in seen.after_head),
    Case("F31;kind=trailers", lambda seen: seen.end == "open", until=b"x-trailer: more\r\n" * 2_000),
    Case("F31;kind=extension", lambda seen: len(seen.after_head) > 1 << 20 and b";note=eee" in seen.after_head),
    Case("F36", lambda seen: len(seen.headers["x-long"]) == 1 << 20),
    Case("F36;kind=header", lambda seen: len(seen.head) > 1 << 20),
    Case("F36;kind=many", lambda seen: seen.head.count("x-many-") == 10_000),
    Case("F36;kind=cr", lambda seen: "x-note: one\rset-cookie" in seen.head),
    Case("F36;kind=lf", lambda seen: "x-note: one\nset-cookie" in seen.head),
    Case("F36;kind=hop", lambda seen: seen.headers["x-secret"] == "of this hop"),
    Case("F41", lambda seen: seen.status == 302 and seen.headers["location"].startswith("https://elsewhere.example")),
    *(Case(f"F41;status={each}", lambda seen, each=each: seen.status == each) for each in (301, 302, 303, 307, 308)),  # type: ignore[misc]  # mypy infers no lambda with a default
    Case("F41;to=other", _header("location", "https://elsewhere.example/v1/chat/completions", 302)),
    Case("F41;to=loopback", lambda seen: seen.headers["location"].startswith("http://127.0.0.1")),
    Case("F41;to=http", lambda seen: seen.headers["location"].startswith("http://elsewhere")),
    Case("F41;to=file", lambda seen: seen.headers["location"].startswith("file:")),
    Case("F42", lambda seen: seen.status == 100 and b"HTTP/1.1 200 OK" in seen.raw),
    Case("F42;kind=continue", lambda seen: seen.raw.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")),
    Case("F42;kind=processing", lambda seen: seen.raw.startswith(b"HTTP/1.1 102 Processing\r\n\r\n")),
    Case("F42;kind=hints;count=1000", lambda seen: seen.raw.count(b"HTTP/1.1 103 Early Hints") == 1_000),
    Case("F42;kind=switching", lambda seen: seen.status == 101 and seen.end == "open", until=b"\r\n\r\n"),
    Case("F45", lambda seen: seen.raw.startswith(b"HTTP/1.0 200 OK") and "content-length" not in seen.headers),
    Case("F45;kind=http10", lambda seen: seen.end == "eof"),
    _stream("F45;kind=http10", lambda seen: seen.raw.startswith(b"HTTP/1.0") and seen.raw.endswith(b"[DONE]\n\n")),
    Case("F45;kind=h2", lambda seen: seen.raw.startswith(b"\0\0\0\4") and seen.raw[9:][3] == 7 and seen.end == "eof"),
    Case("F45;kind=settings", lambda seen: seen.raw.startswith(b"\0\0\0\4"), until=b"\0\0\0\4\0\0\0\0\0" * 2_000),
    _stream("F45;kind=goaway;at=event:1", lambda seen: seen.status == 200 and seen.raw[-17:][3] == 7),
    Case("F45;kind=http09", lambda seen: seen.raw.startswith(b'{"id"')),
)

SELF = (
    Case("F38", lambda seen: "usage" not in seen.json),
    Case("F38;kind=missing", lambda seen: "usage" not in seen.json),
    Case("F38;kind=null", lambda seen: _usage(seen) is None and "usage" in seen.json),
    Case("F38;kind=headers", lambda seen: "usage" not in seen.json and seen.headers["x-usage-output-tokens"].isdigit()),
    _stream("F38", lambda seen: not _streamed_usages(seen) and seen.datas[-1] == b"[DONE]"),
    Case("F39", lambda seen: _usage(seen)["prompt_tokens"] < 0),
    Case("F39;usage=negative", lambda seen: _usage(seen)["total_tokens"] < 0),
    Case("F39;usage=float", lambda seen: isinstance(_usage(seen)["completion_tokens"], float)),
    Case("F39;usage=string", lambda seen: isinstance(_usage(seen)["completion_tokens"], str)),
    Case("F39;usage=huge", lambda seen: _usage(seen)["completion_tokens"] == 10**9),
    Case("F39;usage=beyond", lambda seen: _usage(seen)["completion_tokens"] == 2**53 + 1),
    Case("F39;usage=mismatch", lambda seen: _usage(seen)["total_tokens"] > 1_000),
    Case("F39;usage=changing", lambda seen: _usage(seen)["total_tokens"] > 1_000),
    Case("F39;usage=zero", lambda seen: _usage(seen)["total_tokens"] == 0),
    _stream("F39;usage=changing", lambda seen: len(set(_streamed_usages(seen))) == 2),
    _stream("F39;usage=string", lambda seen: b'"prompt_tokens":"' in seen.datas[-2]),
    Case("F40", lambda seen: seen.json["model"] == "gpt-other-2026"),
    _stream("F40;model=abc", lambda seen: all(b'"model":"abc"' in data for data in seen.datas[:-1])),
    Case(
        "F46",
        lambda seen: seen.headers["x-request-nonce"] == "of-somebody-else" and "somebody else" in seen.body.decode(),
    ),
    _stream("F46", lambda seen: b"somebody-elses-model" in seen.datas[0]),
    Case(
        "F48",
        lambda seen: not seen.json["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"].endswith("}"),
    ),
    _stream("F48;kind=unclosed", lambda seen: b'"tool_calls"' in seen.datas[0] and seen.datas[-1] == b"[DONE]"),
    Case("F48;kind=many;count=1000", lambda seen: len(seen.json["choices"][0]["message"]["tool_calls"]) == 1_000),
    _stream("F48;kind=many;count=100", lambda seen: sum(b'"type":"function"' in data for data in seen.datas) == 100),
    _stream("F48;kind=gaps", lambda seen: any(b'"index":5' in data for data in seen.datas)),
    Case(
        "F48;kind=gaps",
        lambda seen: [each["index"] for each in seen.json["choices"][0]["message"]["tool_calls"]] == [0, 2, 5],
    ),
    _stream("F48;kind=norole", lambda seen: b'"role"' not in seen.body),
    Case("F48;kind=norole", lambda seen: "role" not in seen.json["choices"][0]["message"]),
    _stream("F48;kind=nochoices", lambda seen: seen.body.count(b'"choices":[]') == 3),
    Case("F48;kind=nochoices", lambda seen: seen.json["choices"] == []),
    _stream("F48;kind=interleaved", lambda seen: b'"index":1' in seen.datas[0] and b'"index":0' in seen.datas[2]),
    Case("F48;kind=interleaved", lambda seen: [each["index"] for each in seen.json["choices"]] == [1, 0]),
    _stream("F48;kind=reasoning", lambda seen: b'"reasoning_content":"think."' in seen.body and seen.contents == 0),
    Case("F48;kind=reasoning", lambda seen: seen.json["choices"][0]["message"]["content"] is None),
    _stream("F48;kind=refusal", lambda seen: b'"refusal":"do that."' in seen.body and seen.contents == 0),
    Case("F48;kind=refusal", lambda seen: seen.json["choices"][0]["message"]["refusal"] == "I cannot do that."),
)

CASES = (*CONNECTION, *MIDWAY, *STATUS, *BODY, *FRAMING, *SELF)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.fault}{'-stream' if case.stream else ''}")
async def test_a_fault_asked_by_model_name_is_seen_on_the_wire(simulator: Simulator, case: Case) -> None:
    document = {**(STREAM if case.stream else CHAT), "model": f"sim-{case.fault}"}
    seen = await once(simulator, document, case.until)
    assert case.holds(seen), (seen.end, seen.raw[:600], seen.raw[-300:])


async def test_silence_lasts_until_the_client_goes_and_nothing_is_sent(simulator: Simulator) -> None:
    """F9: the request is on the record, no byte of an answer is."""
    asking = asyncio.create_task(once(simulator, {**CHAT, "model": "sim-F9"}))
    await simulator.record.until(lambda record: record.counts.in_flight == 1)
    asking.cancel()
    await simulator.record.until(lambda record: record.counts.in_flight == 0)
    (attempt,) = simulator.record.attempts("sim-F9")
    assert (attempt.sent_bytes, attempt.status, attempt.ended) == (0, None, "client_closed")
    assert asking.cancelled()


async def test_a_rule_may_break_connections_off_as_they_come(simulator: Simulator) -> None:
    """F6 at accept: nothing is read, so there is no request on the record."""
    simulator.rules = (Rule(fault="F6;kind=accept;times=1"),)
    seen = await once(simulator, CHAT)
    assert (seen.raw, seen.end) == (b"", "reset")
    assert (simulator.record.counts.requests, simulator.record.counts.by_fault) == (0, {"F6": 1})
    assert (await once(simulator, CHAT)).status == 200


HELLOS = {
    "F5;kind=plain": lambda seen: seen.raw.startswith(b"HTTP/1.1 400 ") and seen.end == "eof",
    "F5;kind=alert": lambda seen: seen.raw == b"\x15\x03\x01\x00\x02\x02\x28" and seen.end == "eof",
    "F5;kind=old": lambda seen: seen.raw[:3] == b"\x16\x03\x01" and seen.raw[9:11] == b"\x03\x01",
}


@pytest.mark.parametrize(("fault", "holds"), HELLOS.items(), ids=HELLOS)
async def test_a_rule_may_spoil_the_beginning_of_tls(
    simulator: Simulator, fault: str, holds: Callable[[Seen], bool]
) -> None:
    """F5: the hello of a client is met by something that is no TLS of today; nothing of it is a request."""
    simulator.rules = (Rule(fault=f"{fault};times=1"),)
    seen = await ask(simulator, b"\x16\x03\x01", until=b"\x00\x2f\x00")
    assert holds(seen), seen
    assert (simulator.record.counts.requests, simulator.record.counts.by_fault) == (0, {"F5": 1})
    assert (await once(simulator, CHAT)).status == 200


async def test_a_stalled_hello_lasts_until_the_client_goes(simulator: Simulator) -> None:
    """F5 stall: the connection is there, no byte comes."""
    simulator.rules = (Rule(fault="F5;kind=stall"),)
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    await simulator.record.until(lambda record: record.counts.by_fault["F5"] == 1)
    writer.transport.abort()
    await simulator.record.until(lambda record: record.counts.connections_open == 0)
    assert reader.at_eof()


async def test_a_fault_of_connections_cannot_be_asked_for_by_a_request(simulator: Simulator) -> None:
    """F5 comes before any request: asked for by name it is refused in words."""
    seen = await once(simulator, {**CHAT, "model": "sim-F5"})
    assert (seen.status, seen.json["error"]["code"]) == (400, "unknown_fault")
    assert "by a rule" in seen.json["error"]["message"]


async def test_a_kept_connection_is_closed_as_its_second_request_comes(simulator: Simulator) -> None:
    """F8: the pooled connection is stale, a fresh one works."""
    document = request({**CHAT, "model": "sim-F8"})
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    assert (await exchange(reader, writer, document)).status == 200
    writer.write(document)
    assert await reader.read() == b""
    writer.close()
    assert [attempt.ended for attempt in simulator.record.attempts()] == ["completed", "closed"]


async def test_a_large_upload_is_never_read_when_the_model_is_named_first(simulator: Simulator) -> None:
    """F44: the window fills, so the client cannot send all of ten megabytes."""
    head, body = request({**CHAT, "model": "sim-F44", "pad": "x" * (10 << 20)}).split(b"\r\n\r\n")
    _, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    writer.write(head + b"\r\n\r\n" + body)
    await simulator.record.until(lambda record: record.counts.in_flight == 1)
    assert writer.transport.get_write_buffer_size() > 1 << 20
    writer.transport.abort()
    await simulator.stop()


async def test_an_early_answer_comes_before_the_body(simulator: Simulator) -> None:
    """F43 by header: the head alone is answered."""
    head = request(b"", headers={"x-fault": "F43;status=429", "content-length": "1000000"})
    seen = await ask(simulator, head)
    assert (seen.status, seen.end) == (429, "reset")


def test_every_fault_and_every_choice_of_it_has_a_case() -> None:
    asked = [case.fault.replace("@", ";at=") for case in CASES] + ["F9", "F6;kind=accept", "F5;kind=stall", *HELLOS]
    for row in FAULTS.values():
        mine = [each.split(";") for each in asked if each.split(";")[0] == row.id]
        if row.play is None and row.accept is None:
            assert row.note
            assert not mine
            continue
        assert mine, row.id
        for name, parameter in row.parameters.items():
            untried = [
                choice
                for choice in parameter.choices
                if choice != parameter.default and not any(f"{name}={choice}" in each for each in mine)
            ]
            assert not untried, (row.id, name, untried)
