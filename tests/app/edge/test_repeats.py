"""A head that comes again is known by its bytes: what it means is never other than what the parser makes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

from hypothesis import example, given, settings
from hypothesis import strategies as st

from oneflow_ai.core.failure import Failure
from oneflow_ai.edge.head import RequestHead
from oneflow_ai.edge.reader import KEPT_IN_VAIN_MOST, Reader

Told: TypeAlias = tuple[bytes, bytes, bytes, tuple[tuple[bytes, bytes], ...], dict[bytes, bytes], int]

LINES = (
    b"Host: localhost",
    b"Content-Type: application/json",
    b"authorization: Bearer of_key",
    b"X-Note: content-length: 3",
    b"Connection: keep-alive",
    b"Connection: close",
    b"Expect: 100-continue",
    b"Upgrade: websocket",
    b"Transfer-Encoding: chunked",
)
LENGTHS = (
    "Content-Length: %d",
    "content-length:%d",
    "CONTENT-LENGTH:   %d",
    "Content-Length: 0%d",
    "Content-Length: %d ",
)
END = b"\r\n\r\n"


@dataclass
class Taken:
    """What the connection is given: each request's head as it was told, its body, and whether it was whole."""

    requests: list[tuple[Told, bytes, bool]] = field(default_factory=list)

    def take_head(self, head: RequestHead) -> None:
        self.requests.append((told(head), b"", False))

    def take_body(self, piece: bytes) -> None:
        head, body, _ = self.requests[-1]
        self.requests[-1] = (head, body + piece, False)

    def take_end(self) -> None:
        head, body, _ = self.requests[-1]
        self.requests[-1] = (head, body, True)


def told(head: RequestHead) -> Told:
    return head.method, head.path, head.query, tuple(head.all_headers), dict(head.headers), head.length_bytes


def read(pieces: list[bytes], *, remembering: bool) -> tuple[list[tuple[Told, bytes, bool]], str, int]:
    """The requests in these reads, what refused them, and how many heads were known."""
    taken, known = Taken(), 0
    reader = Reader(taken)
    for piece in pieces:
        again = reader.again(piece) if remembering else None
        if again is not None:
            known += 1
            head, body = again
            taken.requests.append((told(head), body, reader.due == "nothing"))
            continue
        try:
            reader.feed(piece)
        except Failure as failure:
            return taken.requests, failure.code, known
    return taken.requests, "", known


def request(lines: list[bytes], length: str, body: bytes) -> bytes:
    head = [b"POST /v1/chat/completions?a=1 HTTP/1.1", *lines, (length % len(body)).encode()]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


@st.composite
def conversations(draw: st.DrawFn) -> list[bytes]:
    lines = draw(st.lists(st.sampled_from(LINES), max_size=4, unique=True))
    if draw(st.integers(0, 9)):
        lines = [LINES[0], *(line for line in lines if line != LINES[0])]
    length = draw(st.sampled_from(LENGTHS))
    pieces = [request(lines, length, draw(st.binary(max_size=12)))]
    for _ in range(draw(st.integers(1, 4))):
        piece = request(lines, length, draw(st.one_of(st.binary(max_size=120), st.just(pieces[0]))))
        match draw(st.integers(0, 6)):
            case 0:
                at = draw(st.integers(0, len(piece) - 1))
                piece = piece[:at] + draw(st.binary(max_size=3)) + piece[at + draw(st.integers(0, 2)) :]
            case 1:
                piece += draw(st.sampled_from((b"\r\n", b"x", pieces[0])))
            case 2:
                piece = piece[: draw(st.integers(0, len(piece)))]
            case 3:
                # In two reads, as clients that write head and body apart have it arrive.
                at = draw(st.one_of(st.integers(0, len(piece)), st.just(piece.index(END) + len(END))))
                pieces.append(piece[:at])
                piece = piece[at:] + draw(st.sampled_from((b"", b"", b"x", pieces[0])))
            case _:
                pass
        pieces.append(piece)
    return pieces


@settings(max_examples=500)
@given(conversations())
@example([request([LINES[0]], LENGTHS[0], b"{}"), request([LINES[0]], LENGTHS[0], b"{}" * 500)])
def test_what_is_known_by_its_bytes_is_what_the_parser_makes_of_them(pieces: list[bytes]) -> None:
    found, failure, _ = read(pieces, remembering=True)
    assert (found, failure) == read(pieces, remembering=False)[:2]


def test_a_head_is_known_again_whatever_the_length_of_the_body() -> None:
    pieces = [request([LINES[0], LINES[2]], LENGTHS[0], b"x" * size) for size in (5, 5, 0, 70_000, 12)]
    assert read(pieces, remembering=True)[2] == 4


def test_a_head_is_known_again_before_its_body_is_there() -> None:
    whole = request([LINES[0], LINES[2]], LENGTHS[0], b"x" * 100_000)
    body_at = whole.index(END) + len(END)
    # Head and body apart, as some clients write them; then as they are read where they are large.
    for cuts in ((0, body_at), (0, 4_096, 65_536)):
        pieces = [whole[begin:end] for begin, end in pairwise((*cuts, len(whole)))] * 3
        found, failure, known = read(pieces, remembering=True)
        assert (found, failure) == read(pieces, remembering=False)[:2]
        assert (len(found), known) == (3, 2)


def test_heads_that_are_never_the_same_are_no_longer_kept() -> None:
    pieces = [request([LINES[0], b"x-request-id: %d" % number], LENGTHS[0], b"{}") for number in range(20)]
    assert read([*pieces, pieces[-1]], remembering=True)[2] == 0
    few = pieces[:KEPT_IN_VAIN_MOST]
    assert read([*few, few[-1]], remembering=True)[2] == 1


def test_a_long_head_is_not_kept() -> None:
    piece = request([LINES[0], b"x-note: " + b"a" * 5_000], LENGTHS[0], b"{}")
    assert read([piece, piece], remembering=True)[2] == 0


def test_a_line_end_behind_a_request_without_a_body_is_no_part_of_its_head() -> None:
    """Some clients send one: the next body may begin with just that, and one more request may follow it."""
    first = request([LINES[0]], LENGTHS[0], b"")
    next_one = request([LINES[0]], LENGTHS[0], b"\r\n{}")
    pieces = [first + b"\r\n", next_one + b"\r\n"]
    assert read(pieces, remembering=True)[:2] == read(pieces, remembering=False)[:2]
