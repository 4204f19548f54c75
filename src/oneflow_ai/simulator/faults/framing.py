"""Faults of HTTP itself: heads, lengths, chunks, versions, interim answers, redirects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from oneflow_ai.simulator.answer import LAST_CHUNK, Headers, chunk, head
from oneflow_ai.simulator.faults.fault import Scene
from oneflow_ai.simulator.steps import Close, Flood, Hang, Reset, Send, Step, Steps, Wait

MIB = 1 << 20
_PIECE_BYTES = 64 << 10


def dripped_head(scene: Scene) -> Steps:
    """Send the head byte by byte."""
    content = scene.usual().content
    split = content.index(b"\r\n\r\n") + 4
    yield from drip(content[:split], scene.fault.number("gap"))
    yield Send(content[split:])


def drip(content: bytes, gap_seconds: float) -> Iterator[Step]:
    """Send bytes one at a time."""
    for start in range(len(content)):
        yield Send(content[start : start + 1])
        yield Wait(gap_seconds)


# ---- lengths


def _too_long(scene: Scene, body: bytes) -> Steps:
    yield Send(scene.head(("content-length", str(len(body) + 100))) + body)
    yield Close()


def _too_short(scene: Scene, body: bytes) -> Steps:
    yield Send(scene.head(("content-length", str(len(body) // 2))) + body)


def _smuggled(scene: Scene, body: bytes) -> Steps:
    surplus = b'{"smuggled":true}'
    inner = head(200, (("content-type", "application/json"), ("content-length", str(len(surplus)))))
    yield Send(scene.head(("content-length", str(len(body)))) + body + inner + surplus)


def _two_lengths(scene: Scene, body: bytes) -> Steps:
    yield Send(scene.head(("content-length", str(len(body))), ("content-length", str(len(body) // 2))) + body)


def _negative(scene: Scene, body: bytes) -> Steps:
    yield Send(scene.head(("content-length", "-1")) + body)


def _length_and_chunks(scene: Scene, body: bytes) -> Steps:
    lengths = (("content-length", str(len(body))), ("transfer-encoding", "chunked"))
    yield Send(scene.head(*lengths) + chunk(body) + LAST_CHUNK)


LENGTHS: Mapping[str, Callable[[Scene, bytes], Steps]] = {
    "long": _too_long,
    "short": _too_short,
    "smuggle": _smuggled,
    "duplicate": _two_lengths,
    "negative": _negative,
    "te": _length_and_chunks,
}


def lengths(scene: Scene) -> Steps:
    """Give a length that is not the body's."""
    return LENGTHS[scene.fault.text("kind")](scene, scene.body())


# ---- chunks


def _bad_size(body: bytes) -> Steps:
    yield Send(b"ZZ\r\n" + body + b"\r\n" + LAST_CHUNK)


def _huge_size(body: bytes) -> Steps:
    yield Send(b"10000000000000000\r\n" + body + b"\r\n" + LAST_CHUNK)


def _no_line_end(body: bytes) -> Steps:
    yield Send(b"%x\r\n%b" % (len(body), body) + LAST_CHUNK)


def _endless_trailers(body: bytes) -> Steps:
    yield Send(chunk(body) + b"0\r\n")
    yield Flood(b"x-trailer: more\r\n" * 1_000)
    yield Reset()


def _long_extension(body: bytes) -> Steps:
    yield Send(b"%x;note=" % len(body))
    yield Flood(b"e" * _PIECE_BYTES, MIB // _PIECE_BYTES)
    yield Send(b"\r\n" + body + b"\r\n" + LAST_CHUNK)


CHUNKS: Mapping[str, Callable[[bytes], Steps]] = {
    "size": _bad_size,
    "huge": _huge_size,
    "crlf": _no_line_end,
    "trailers": _endless_trailers,
    "extension": _long_extension,
}


def chunks(scene: Scene) -> Steps:
    """Frame the body in chunks that are none."""
    yield Send(scene.head(("transfer-encoding", "chunked")))
    yield from CHUNKS[scene.fault.text("kind")](scene.body())


# ---- headers

HEADERS: Mapping[str, Headers] = {
    "header": (("x-long", "a" * MIB),),
    "many": (),
    "cr": (("x-note", "one\rset-cookie: injected=1"),),
    "lf": (("x-note", "one\nset-cookie: injected=1"),),
    "hop": (
        ("connection", "x-secret, keep-alive"),
        ("x-secret", "of this hop"),
        ("keep-alive", "timeout=5"),
        ("proxy-authenticate", "Basic"),
        ("set-cookie", "session=provider; Path=/"),
        ("openai-organization", "org-simulated"),
        ("openai-project", "proj_simulated"),
        ("x-unknown", "never to be relayed"),
    ),
}


def headers(scene: Scene) -> Steps:
    """Send headers that are too long, too many, broken or not to be passed on."""
    kind = scene.fault.text("kind")
    told = HEADERS[kind] or tuple((f"x-many-{number}", "value") for number in range(scene.fault.count("count")))
    body = scene.body()
    yield Send(scene.head(*told, ("content-length", str(len(body)))) + body)


# ---- interim answers, redirects

INTERIM: Mapping[str, tuple[int, Headers]] = {
    "continue": (100, ()),
    "processing": (102, ()),
    "hints": (103, (("link", "</style.css>; rel=preload; as=style"),)),
    "switching": (101, (("upgrade", "something-else"), ("connection", "upgrade"))),
}


def interim(scene: Scene) -> Steps:
    """Send interim answers before the true one, or switch to a protocol that nobody asked for."""
    kind = scene.fault.text("kind")
    yield Send(head(*INTERIM[kind]) * (1 if kind == "switching" else scene.fault.count("count")))
    yield Hang() if kind == "switching" else scene.usual()


PLACES: Mapping[str, str] = {
    "other": "https://elsewhere.example{path}",
    "loopback": "http://127.0.0.1:9{path}",
    "http": "http://elsewhere.example{path}",
    "file": "file:///etc/hostname",
}


def redirect(scene: Scene) -> Steps:
    """Send the client somewhere else."""
    place = PLACES[scene.fault.text("to")].replace("{path}", scene.request.path)
    yield scene.reply(scene.fault.count("status"), b"", (("location", place),), "text/plain")
