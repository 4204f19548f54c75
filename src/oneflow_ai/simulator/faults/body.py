"""Faults of the body: the wrong thing, nothing, half of it, broken text, far too much, bombs."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from oneflow_ai.simulator.answer import LAST_CHUNK, Answer, chunk
from oneflow_ai.simulator.faults.fault import Scene
from oneflow_ai.simulator.faults.framing import MIB, drip
from oneflow_ai.simulator.faults.stream import before
from oneflow_ai.simulator.steps import Flood, Reset, Send, Step, Steps, Wait
from oneflow_ai.simulator.wires.wire import Problem

_PIECE_BYTES = 64 << 10
_HTML = (
    b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><h1>Welcome to the network</h1></body></html>\n"
)
_MARK = b"@@@@"
_ODD_TEXT = "odd:@@@@ end"


def error_as_success(scene: Scene) -> Steps:
    """Send an error's body with status 200."""
    told = scene.wire.failure(Problem(scene.fault.count("status")), scene.around)
    yield scene.reply(200, told.body, media_type=told.media_type)


def html(scene: Scene) -> Steps:
    """Send a page, as a captive portal does."""
    yield scene.reply(200, _HTML, media_type="text/html; charset=utf-8")


def nothing(scene: Scene) -> Steps:
    """Send no body."""
    status = {"empty": 200, "204": 204, "304": 304}[scene.fault.text("kind")]
    yield scene.reply(status, b"")


def truncated(scene: Scene) -> Steps:
    """Send the first half, framed as if it were all."""
    body = scene.body()
    half = body[: len(body) // 2]
    if scene.answer.events is None:
        yield scene.reply(200, half)
        return
    yield Send(scene.stream_head() + scene.frame(half))
    yield scene.body_end()


ODD_BYTES: Mapping[str, bytes] = {
    "utf8": b"\xff\xfe\xc3\x28",
    "surrogate": b"\\ud800",
    "nul": b"\\u0000",
    "rawnul": b"\x00",
    "bom": b"",
}


def odd_text(scene: Scene) -> Steps:
    """Answer with text that is not text: bytes that are no UTF-8, half a surrogate pair, NUL, a byte order mark."""
    kind = scene.fault.text("kind")
    answer = scene.wire.answer(scene.request, replace(scene.around, say=_ODD_TEXT))
    mark = b"\xef\xbb\xbf" if kind == "bom" else b""
    if answer.events is None:
        yield scene.usual(replace(answer, body=mark + answer.body.replace(_MARK, ODD_BYTES[kind])))
        return
    events = [event._replace(content=event.content.replace(_MARK, ODD_BYTES[kind])) for event in answer.events]
    events[0] = events[0]._replace(content=mark + events[0].content)
    yield scene.usual(replace(answer, events=tuple(events)))


LINE_ENDS: Mapping[str, tuple[bytes, ...]] = {
    "bytes": (b"\n",),
    "lf": (b"\n",),
    "cr": (b"\r",),
    "crlf": (b"\r\n",),
    "mixed": (b"\r\n", b"\n", b"\r"),
}


def split(scene: Scene) -> Steps:
    """Send the same answer in tiny pieces, or with other line ends between events."""
    kind, answer = scene.fault.text("kind"), scene.answer
    if answer.events is not None and kind != "bytes" and answer.media_type.startswith("text/"):
        ends = LINE_ENDS[kind]
        events = [
            event._replace(content=event.content.replace(b"\r\n", b"\n").replace(b"\n", ends[number % len(ends)]))
            for number, event in enumerate(answer.events)
        ]
        answer = replace(answer, events=tuple(events))
    content, size = scene.usual(answer).content, scene.fault.count("size")
    if kind != "bytes":
        yield Send(content)
        return
    if size == 1:
        yield from drip(content, 0.0)
        return
    for start in range(0, len(content), size):
        yield Send(content[start : start + size])
        yield Wait(0.0)


def long_event(scene: Scene) -> Steps | None:
    """Send one string of many megabytes, in an event after a point or in a whole answer, without a line end."""
    events, usual = _marked(scene).events, scene.answer.events or ()
    if events is None:
        opening, mark, closing = _marked(scene).body.partition(_MARK)
    else:
        place = len(before(scene.answer, scene.fault.text("at")))
        longs = [event.content for event in events if _MARK in event.content]
        opening, mark, closing = b"".join(longs[:1]).partition(_MARK)
        opening = b"".join([event.content for event in usual[:place]]) + opening
        closing += b"".join([event.content for event in usual[place:]])
    return _long(scene, opening, closing) if mark else None


def _marked(scene: Scene) -> Answer:
    return scene.wire.answer(scene.request, replace(scene.around, say=_MARK.decode()))


def _long(scene: Scene, opening: bytes, closing: bytes) -> Steps:
    framed = chunk(b"a" * _PIECE_BYTES)
    yield Send(scene.head(("transfer-encoding", "chunked")) + chunk(opening))
    yield Flood(framed, scene.fault.count("mib") * (MIB // _PIECE_BYTES))
    yield Send(chunk(closing) + LAST_CHUNK)


def too_large(scene: Scene) -> Steps:
    """Send a JSON body of a gigabyte, or one that never ends."""
    opening = b'{"id":"'
    if scene.fault.text("kind") == "endless":
        yield Send(scene.head(("transfer-encoding", "chunked")) + chunk(opening))
        yield Flood(chunk(b"a" * _PIECE_BYTES))
        yield Reset()
        return
    size = scene.fault.count("mib") * MIB
    yield Send(scene.head(("content-length", str(size + len(opening) + 2))) + opening)
    yield Flood(b"a" * _PIECE_BYTES, size // _PIECE_BYTES)
    yield Send(b'"}')


# ---- compression


def _gzip_bomb(mib: int) -> Iterator[bytes]:
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    spaces = b" " * MIB
    block = squeezer.compress(spaces) + squeezer.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    yield b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    for _ in range(mib):
        checksum = zlib.crc32(spaces, checksum)
        yield block
    yield b"\x03\x00" + checksum.to_bytes(4, "little") + (mib * MIB & 0xFFFFFFFF).to_bytes(4, "little")


def _br_bomb(mib: int) -> Iterator[bytes]:
    # A first and a further block of 8 MiB of spaces, each ended by a flush: RFC 7932 §9.2, tried 2026-11-24.
    yield bytes.fromhex("cbffff3f002440e2b14072efff0c")
    yield bytes.fromhex("fcffff034002200e0b40f7fecf00") * (-(-mib // 8) - 1)
    yield b"\x03"


def _zstd_bomb(mib: int) -> Iterator[bytes]:
    # Magic, a window of 2 MiB, then run-length blocks of 128 KiB: RFC 8878 §3.1.1, tried 2026-11-24.
    block = ((128 << 10) << 3 | 1 << 1).to_bytes(3, "little") + b" "
    yield b"\x28\xb5\x2f\xfd\x00\x58" + block * (mib * 8)
    yield b"\x01\x00\x00"


BOMBS: Mapping[str, Callable[[int], Iterator[bytes]]] = {"gzip": _gzip_bomb, "br": _br_bomb, "zstd": _zstd_bomb}


def compressed(scene: Scene) -> Steps:
    """Send a bomb, an answer compressed twice, or a plain one that says it is compressed."""
    kind, encoding = scene.fault.text("kind"), scene.fault.text("encoding")
    if kind == "bomb":
        yield from _bomb(scene, encoding)
        return
    body = scene.body()
    if kind == "nested":
        body, encoding = gzip.compress(gzip.compress(body, mtime=0), mtime=0), "gzip, gzip"
    yield Send(scene.head(("content-encoding", encoding), ("content-length", str(len(body)))) + body)


def _bomb(scene: Scene, encoding: str) -> Iterator[Step]:
    yield Send(scene.head(("content-encoding", encoding), ("transfer-encoding", "chunked")))
    for piece in BOMBS[encoding](scene.fault.count("mib")):
        if piece:
            yield Send(chunk(piece))
    yield Send(LAST_CHUNK)
