"""Where a request ends is no matter of opinion: what can be read in two ways is refused, and what is behind it."""

from __future__ import annotations

import pytest

from tests.app.edge.front import Front
from tests.app.edge.heads import AUTH, BODY, CHUNKED, HOST, JSON, LIST, START, chunked, length, lines, post
from tests.app.edge.refusal import Refusal, assert_refused
from tests.app.edge.wire import connected

pytestmark = pytest.mark.asyncio(loop_scope="module")

MALFORMED = Refusal(400, "malformed_request")
LATER = Refusal((400, 413, 431), None)
GOOD_CHUNK = b"%x\r\n%b\r\n" % (len(BODY), BODY)
FIELDS = (HOST, AUTH, JSON)


def sized(value: bytes) -> bytes:
    return lines(START, *FIELDS, b"content-length: " + value, body=BODY)


def coded(value: bytes) -> bytes:
    return lines(START, *FIELDS, b"transfer-encoding: " + value, body=GOOD_CHUNK + b"0\r\n\r\n")


def field(line: bytes) -> bytes:
    return lines(LIST, HOST, AUTH, line)


def chunks(body: bytes) -> bytes:
    return lines(START, *FIELDS, CHUNKED, body=body)


LENGTHS = {
    "length and chunks": lines(START, *FIELDS, b"content-length: 5", CHUNKED, body=b"0\r\n\r\n"),
    "chunks and length": lines(START, *FIELDS, CHUNKED, b"content-length: 5", body=b"0\r\n\r\n"),
    "two lengths": lines(START, *FIELDS, length(), b"content-length: 3", body=BODY),
    "two lengths, the first shorter": lines(START, *FIELDS, b"content-length: 0", length(), body=BODY),
    "two lengths alike": lines(START, *FIELDS, length(), length(), body=BODY),
    "a list of lengths": sized(b"%d, %d" % (len(BODY), len(BODY))),
    "+3": sized(b"+3"),
    "-1": sized(b"-1"),
    "1 2": sized(b"1 2"),
    "0x3": sized(b"0x3"),
    "3.0": sized(b"3.0"),
    "1_0": sized(b"1_0"),
    "3;": sized(b"3;"),
    "empty": sized(b""),
    "a digit of another script": sized("٣".encode()),
    "a superscript": sized(b"\xb3"),
}
CODINGS = {
    "xchunked": coded(b"xchunked"),
    "chunked, identity": coded(b"chunked, identity"),
    "identity": coded(b"identity"),
    "chunked, chunked": coded(b"chunked, chunked"),
    "chunkedx": coded(b"chunkedx"),
    "chunked;": coded(b"chunked;q=1"),
    "quoted": coded(b'"chunked"'),
    "empty": coded(b""),
    "vertical tab": coded(b"\x0bchunked"),
    "comma": coded(b",chunked"),
    "two headers": lines(START, *FIELDS, CHUNKED, b"transfer-encoding: identity", body=GOOD_CHUNK + b"0\r\n\r\n"),
    "two headers, chunked last": lines(
        START, *FIELDS, b"transfer-encoding: x", CHUNKED, body=GOOD_CHUNK + b"0\r\n\r\n"
    ),
}
LINES = {
    "bare LF after a header": lines(LIST, HOST, AUTH + b"\nx-a: b"),
    "bare LF after the request line": lines(LIST + b"\n" + HOST, AUTH),
    "bare LF at the end of the head": LIST + b"\r\n" + HOST + b"\r\n" + AUTH + b"\r\n\n",
    "bare LF everywhere": lines(LIST, HOST, AUTH).replace(b"\r\n", b"\n"),
    "bare CR in a value": field(b"x-a: b\rx-c: d"),
    "bare CR before the colon": field(b"x-a\r: b"),
    "CR CR LF": field(b"x-a: b\r"),
    "folded": field(b"x-a: b\r\n c"),
    "folded by a tab": field(b"x-a: b\r\n\tc"),
    "folded length": lines(START, *FIELDS, b"content-length:\r\n %d" % len(BODY), body=BODY),
    "folded first header": lines(LIST, b" " + HOST, AUTH),
    "space before the colon": field(b"x-a : b"),
    "tab before the colon": field(b"x-a\t: b"),
    "space before the colon of the length": lines(START, *FIELDS, b"content-length : 5", body=BODY),
    "space before the colon of the coding": lines(START, *FIELDS, b"transfer-encoding : chunked", body=b"0\r\n\r\n"),
    "space in a name": field(b"x a: b"),
    "no name": field(b": b"),
    "no colon": field(b"x-a"),
    "NUL in a value": field(b"x-a: b\x00c"),
    "NUL in a name": field(b"x\x00a: b"),
    "NUL in the key": lines(LIST, HOST, AUTH + b"\x00"),
    "control character in a value": field(b"x-a: b\x01c"),
    "DEL in a value": field(b"x-a: b\x7fc"),
    "name not of ASCII": field("x-ä: b".encode()),
    **{f"name with {mark}": field(b"x%ca: b" % ord(mark)) for mark in '(),/;<=>?@[\\]{}"'},
}
REQUEST_LINES = {
    "a space in the target": lines(b"GET /v1/mo dels HTTP/1.1", HOST, AUTH),
    "a space after the version": lines(LIST + b" ", HOST, AUTH),
    "a space first": lines(b" " + LIST, HOST, AUTH),
    "a control character in the target": lines(b"GET /v1/models\x01 HTTP/1.1", HOST, AUTH),
    "NUL in the target": lines(b"GET /v1/models\x00 HTTP/1.1", HOST, AUTH),
    "a relative target": lines(b"GET v1/models HTTP/1.1", HOST, AUTH),
}
NO_REQUEST_LINES = {
    "a tab for a space": lines(b"GET\t/v1/models HTTP/1.1", HOST, AUTH),
    "a verb that is no word": lines("GÖT /v1/models HTTP/1.1".encode(), HOST, AUTH),
    "no target": lines(b"GET HTTP/1.1", HOST, AUTH),
    "protocol in lower case": lines(b"GET /v1/models http/1.1", HOST, AUTH),
    "another protocol": lines(b"GET /v1/models ICE/1.0", HOST, AUTH),
    "an answer": lines(b"HTTP/1.1 200 OK", b"content-length: 0"),
    "a line of another protocol": b"EHLO localhost\r\n",
    "JSON": b'{"model":"sim/gpt-6-luna"}\r\n\r\n',
    "line ends alone": b"\r\n" * 1_000 + b":\r\n",
}
CHUNKS = {
    "no number": chunks(b"xyz\r\n" + BODY),
    "negative": chunks(b"-1\r\n" + BODY),
    "plus": chunks(b"+5\r\nhello\r\n0\r\n\r\n"),
    "0x": chunks(b"0x5\r\nhello\r\n0\r\n\r\n"),
    "space first": chunks(b" 5\r\nhello\r\n0\r\n\r\n"),
    "empty size": chunks(b"\r\nhello\r\n0\r\n\r\n"),
    "data longer than told": chunks(b"5\r\nhelloXX\r\n0\r\n\r\n"),
    "bare LF after the size": chunks(b"5\nhello\r\n0\r\n\r\n"),
    "bare LF after the data": chunks(b"5\r\nhello\n0\r\n\r\n"),
    "bare LF in an extension": chunks(b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
    "bare CR in an extension": chunks(b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
    "bad trailer": chunks(GOOD_CHUNK + b"0\r\nx a: b\r\n\r\n"),
    "folded trailer": chunks(GOOD_CHUNK + b"0\r\nx-a: b\r\n c\r\n\r\n"),
}
ENDLESS = {
    "an extension of 100 KB": chunks(b"5;" + b"a" * 100_000 + b"\r\nhello\r\n0\r\n\r\n"),
    "an extension that does not end": chunks(b"5;" + b"a" * 200_000),
    "100 KB in extensions": chunks(b"1;%b\r\n \r\n" % (b"a" * 500) * 200 + b"0\r\n\r\n"),
    "a trailer of 100 KB": chunks(GOOD_CHUNK + b"0\r\nx-a: " + b"b" * 100_000 + b"\r\n\r\n"),
    "a thousand trailers": chunks(GOOD_CHUNK + b"0\r\n" + b"x-a: b\r\n" * 1_000 + b"\r\n"),
    "a size beyond any number": chunks(b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    "a size of 100 KB of noughts": chunks(b"0" * 100_000 + b"5\r\nhello\r\n0\r\n\r\n"),
}
ACCEPTED = {
    "an empty line first": b"\r\n" + post(),
    "names in capitals": lines(START, b"HOST: localhost", AUTH, JSON, b"CONTENT-LENGTH: %d" % len(BODY), body=BODY),
    "coding in capitals": coded(b"CHUNKED"),
    "chunks of a byte": chunked(bytes([each]) for each in BODY),
    "a chunk's extension": chunks(b"%x;a=b\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)),
    "a trailer": chunks(GOOD_CHUNK + b"0\r\nx-a: b\r\n\r\n"),
    "no space after the colon": post(b"x-a:b"),
    "spaces and tabs about a value": post(b"x-a: \t b \t "),
    "no value": post(b"x-a:"),
    "a value beyond ASCII": post("x-a: ä".encode()),
    "h2c offered": post(b"connection: Upgrade, HTTP2-Settings", b"upgrade: h2c", b"http2-settings: AAMAAABkAAQCAAAA"),
    "a websocket offered": post(b"connection: upgrade", b"upgrade: websocket"),
}  # fmt: skip


@pytest.mark.parametrize("name", LENGTHS)
async def test_a_length_that_is_no_single_number_is_malformed(front: Front, name: str) -> None:
    await assert_refused(front, LENGTHS[name], MALFORMED)


async def test_a_length_beyond_any_number_is_refused(front: Front) -> None:
    await assert_refused(front, sized(b"9" * 30), Refusal((400, 413), None))


@pytest.mark.parametrize("name", CODINGS)
async def test_a_transfer_coding_that_is_not_chunked_alone_is_malformed(front: Front, name: str) -> None:
    await assert_refused(front, CODINGS[name], MALFORMED)


async def test_a_transfer_coding_that_we_lack_is_refused(front: Front) -> None:
    await assert_refused(front, coded(b"gzip, chunked"), Refusal((400, 501), None))


@pytest.mark.parametrize("name", LINES)
async def test_a_header_line_that_can_be_read_in_two_ways_is_malformed(front: Front, name: str) -> None:
    await assert_refused(front, LINES[name], MALFORMED)


@pytest.mark.parametrize("name", REQUEST_LINES)
async def test_a_request_line_that_is_none_is_malformed(front: Front, name: str) -> None:
    await assert_refused(front, REQUEST_LINES[name], MALFORMED)


@pytest.mark.parametrize("name", NO_REQUEST_LINES)
async def test_what_is_not_even_a_request_line_is_refused(front: Front, name: str) -> None:
    await assert_refused(front, NO_REQUEST_LINES[name], Refusal((400, 405, 501, 505), None))


@pytest.mark.parametrize("name", CHUNKS)
async def test_a_chunk_that_is_none_is_malformed(front: Front, name: str) -> None:
    await assert_refused(front, CHUNKS[name], MALFORMED)


@pytest.mark.parametrize("name", ENDLESS)
async def test_chunks_and_what_surrounds_them_are_bounded(front: Front, name: str) -> None:
    await assert_refused(front, ENDLESS[name], LATER)


async def test_bytes_beyond_the_length_are_the_next_request(front: Front) -> None:
    async with connected(front.port) as wire:
        wire.send(lines(START, *FIELDS, length(), body=BODY + b"beyond" + post()))
        assert (await wire.answer()).status == 200
        after = await wire.answer()
        assert (after.status, after.code) == (400, "malformed_request")
        assert await wire.over() == ("eof", b"")
    await front.settled()
    assert front.calls == 1


@pytest.mark.parametrize("name", ACCEPTED)
async def test_what_is_well_formed_is_served_however_odd_it_looks(front: Front, name: str) -> None:
    async with connected(front.port) as wire:
        wire.send(ACCEPTED[name] + post())
        assert [(await wire.answer()).status, (await wire.answer()).status] == [200, 200]
    await front.settled()
    assert front.calls == 2


@pytest.mark.parametrize("name", ["chunks", "length"])
async def test_a_request_is_the_same_in_whatever_pieces_it_comes(front: Front, name: str) -> None:
    content = chunked([BODY[:40], BODY[40:]]) if name == "chunks" else post()
    async with connected(front.port) as wire:
        for at in range(len(content)):
            wire.send(content[at : at + 1])
        assert (await wire.answer()).status == 200
        wire.send(content[:-1])
        await front.settled()
        wire.send(content[-1:])
        assert (await wire.answer()).status == 200
