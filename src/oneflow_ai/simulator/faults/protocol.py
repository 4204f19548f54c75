"""Faults of the protocol's version: older ones than HTTP/1.1, and frames of HTTP/2 that nobody asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from oneflow_ai.simulator.answer import head
from oneflow_ai.simulator.faults.fault import Scene
from oneflow_ai.simulator.faults.stream import opening
from oneflow_ai.simulator.steps import Close, Flood, Reset, Send, Steps, Wait

_SETTINGS, _GOAWAY = 4, 7
_ENHANCE_YOUR_CALM = 11
_GOAWAY_SECONDS = 0.05


def _frame(kind: int, payload: bytes = b"") -> bytes:
    """A frame of stream 0: RFC 9113 section 4.1."""
    return len(payload).to_bytes(3, "big") + bytes((kind, 0)) + bytes(4) + payload


def _goaway() -> bytes:
    """No stream was processed, calm down: RFC 9113 section 6.8."""
    return _frame(_GOAWAY, bytes(4) + _ENHANCE_YOUR_CALM.to_bytes(4, "big"))


def _http10(scene: Scene) -> Steps:
    typed = (*scene.common, ("content-type", scene.answer.media_type))
    yield Send(head(scene.answer.status, typed, "1.0") + scene.body())
    yield Close()


def _http09(scene: Scene) -> Steps:
    yield Send(scene.body())
    yield Close()


def _h2(scene: Scene) -> Steps:
    yield Send(_frame(_SETTINGS) + _goaway())
    yield Close()


def _settings_flood(scene: Scene) -> Steps:
    yield Flood(_frame(_SETTINGS) * 1_000)
    yield Reset()


def _goaway_midway(scene: Scene) -> Steps:
    yield Send(opening(scene))
    # What came before is taken as an answer only by whoever had the time to read it.
    yield Wait(_GOAWAY_SECONDS)
    yield Send(_goaway())
    yield Close()


VERSIONS: Mapping[str, Callable[[Scene], Steps]] = {
    "http10": _http10,
    "http09": _http09,
    "h2": _h2,
    "settings": _settings_flood,
    "goaway": _goaway_midway,
}


def version(scene: Scene) -> Steps:
    """Answer in another version than the one that was asked in."""
    return VERSIONS[scene.fault.text("kind")](scene)
