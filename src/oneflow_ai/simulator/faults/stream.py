"""Faults in the middle of an answer: dripped, cut, without its end, with something after it, with an error in it.

A point in an answer is `head` (after the head), `event:K` (after K content events of a stream; `event:last` leaves out
the last one), `any:K` (after K events, whatever is in them) or `byte:N` (after N bytes of the body). In a whole answer
`event:K` and `any:K` are the middle of the body.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from oneflow_ai.simulator.answer import CONTENT, DONE, Answer, StreamEvent
from oneflow_ai.simulator.faults.fault import Scene
from oneflow_ai.simulator.steps import Close, Reset, Send, Steps, Wait
from oneflow_ai.simulator.wires.wire import DROPPED, Problem


def before(answer: Answer, at: str) -> list[bytes]:
    """The pieces of an answer's body that come before a point: its events, or one piece of a whole body."""
    kind, _, number = at.partition(":")
    if answer.events is None:
        body = answer.body
        sizes = {"head": 0, "byte": int(number) if kind == "byte" else 0}
        return [body[: sizes.get(kind, len(body) // 2)]]
    contents = [event.content for event in answer.events]
    if kind == "event":
        return contents[: _events_before(answer.events, number)]
    if kind == "any":
        return contents[: int(number)]
    return [b"".join(contents)[: int(number or 0)]]


def _events_before(events: Sequence[StreamEvent], number: str) -> int:
    places = [place for place, event in enumerate(events) if event.kind == CONTENT]
    if not places:
        return 0
    wanted = len(places) - 1 if number == "last" else min(int(number), len(places))
    return places[wanted - 1] + 1 if wanted else places[0]


def opening(scene: Scene) -> bytes:
    """The head of an answer whose body will not come in full, and the body up to the fault's point."""
    pieces = [piece for piece in before(scene.answer, scene.fault.text("at")) if piece]
    if scene.answer.events is None:
        return scene.head(("content-length", str(len(scene.answer.body)))) + b"".join(pieces)
    return scene.stream_head() + b"".join([scene.frame(piece) for piece in pieces])


def dripped(scene: Scene) -> Steps:
    """From a point on send a byte at a time, or only pings, or only comments."""
    gap, kind = scene.fault.number("gap"), scene.fault.text("kind")
    yield Send(opening(scene))
    if kind == "body" or scene.answer.opaque:
        rest = scene.body()[len(b"".join(before(scene.answer, scene.fault.text("at")))) :]
        for start in range(len(rest)):
            yield Wait(gap)
            piece = rest[start : start + 1]
            yield Send(piece if scene.answer.events is None else scene.frame(piece))
        if scene.answer.events is not None:
            yield scene.body_end()
        return
    sent = before(scene.answer, scene.fault.text("at"))
    noise = scene.frame(scene.wire.stream_ping(sent) if kind == "pings" else b": keep-alive\n\n")
    while True:
        yield Wait(gap)
        yield Send(noise)


def reset_midway(scene: Scene) -> Steps:
    """Break off after a point."""
    yield Send(opening(scene))
    # a client may drop what it has not read yet when the break reaches it
    yield Wait(scene.fault.number("after"))
    yield Reset()


def _clean(scene: Scene) -> Steps:
    yield Send(opening(scene))
    yield scene.body_end() if scene.answer.events is not None else Close()


def _torn(scene: Scene) -> Steps:
    yield Send(opening(scene))
    yield Close()


def _to_eof(scene: Scene) -> Steps:
    pieces = before(scene.answer, scene.fault.text("at"))
    yield Send(scene.head(("connection", "close")) + b"".join(pieces))
    yield Close()


ENDS: Mapping[str, Callable[[Scene], Steps]] = {"clean": _clean, "torn": _torn, "eof": _to_eof}


def closed_midway(scene: Scene) -> Steps:
    """Close in order after a point: the framing complete, torn, or ended by the close alone."""
    return ENDS[scene.fault.text("kind")](scene)


def without_done(scene: Scene) -> Steps | None:
    """End a stream after its finish reason, with the usage or without, and without the end mark."""
    if scene.answer.events is None:
        return None
    answer = scene.answer
    if scene.fault.text("kind") == "bare":
        answer = scene.wire.with_usage(answer, lambda usage: DROPPED)
    kept = tuple([event for event in answer.events or () if event.kind != DONE])
    return iter((scene.usual(replace(answer, events=kept)),))


def after_done(scene: Scene) -> Steps | None:
    """Send the end mark twice, or after it what was still to come: the last content once more, where nothing was."""
    if scene.answer.events is None:
        return None
    events = [event for event in scene.answer.events if event.kind != DONE]
    mark = [event for event in scene.answer.events if event.kind == DONE]
    at = scene.fault.text("at")
    place = len(events) if at == "end" else len(before(replace(scene.answer, events=tuple(events)), at))
    more = mark
    if scene.fault.text("kind") == "data":
        more = events[place:] or [event for event in events if event.kind == CONTENT][-1:]
    return iter((scene.usual(replace(scene.answer, events=(*events[:place], *mark, *more))),))


def error_inside(scene: Scene) -> Steps:
    """Send an error as an event of a good stream; a whole answer becomes the error, still with status 200.

    A sound has no place for an error, so it breaks off.
    """
    problem = Problem(scene.fault.count("status"))
    if scene.answer.events is None:
        told = scene.wire.failure(problem, scene.around)
        yield scene.reply(200, told.body, media_type=told.media_type)
        return
    if scene.answer.opaque:
        yield Send(opening(scene))
        yield Close()
        return
    sent = before(scene.answer, scene.fault.text("at"))
    error = scene.wire.stream_failure(problem, scene.fault.text("kind") == "named", sent)
    yield Send(opening(scene) + scene.frame(error))
    yield scene.body_end()
