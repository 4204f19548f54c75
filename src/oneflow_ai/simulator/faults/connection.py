"""Faults of the connection: broken off, closed, silent, deaf or stale."""

from __future__ import annotations

from oneflow_ai.simulator.faults.fault import Fault, Scene
from oneflow_ai.simulator.steps import Close, Deafen, Hang, Reset, Send, Steps, Wait
from oneflow_ai.simulator.wires.wire import Problem


def reset(scene: Scene) -> Steps:
    """Break off without a byte."""
    yield Reset()


def reset_at_accept(fault: Fault) -> Steps | None:
    """Break off as the connection comes."""
    return iter((Reset(),)) if fault.text("kind") == "accept" else None


def close(scene: Scene) -> Steps:
    """Read the request, then close without a byte."""
    yield Reset() if scene.fault.text("kind") == "rst" else Close()


def stale(scene: Scene) -> Steps | None:
    """Close a connection that was kept open: as the next request comes, or unsaid after an answer."""
    if scene.fault.text("kind") == "idle":
        return iter((scene.usual(), Wait(scene.fault.number("after")), Close()))
    return iter((Close(),)) if scene.served else None


def silent(scene: Scene) -> Steps:
    """Never answer."""
    yield Hang()


def head_then_silent(scene: Scene) -> Steps:
    """Send the head, then nothing."""
    length = ("content-length", str(len(scene.answer.body)))
    yield Send(scene.stream_head() if scene.answer.events is not None else scene.head(length))
    yield Hang()


def early(scene: Scene) -> Steps:
    """Answer before the body is read, then break off."""
    yield Deafen()
    status = scene.fault.count("status")
    if status == 200:
        yield scene.usual(scene.wire.sample("simulated", False, scene.around))
    else:
        yield scene.failure(Problem(status))
    yield Wait(scene.fault.number("after"))
    yield Reset()


def deaf(scene: Scene) -> Steps:
    """Read nothing of the body, then break off when the time is over."""
    yield Deafen()
    yield Wait(scene.fault.number("seconds"))
    yield Reset()
