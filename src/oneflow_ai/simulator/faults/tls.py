"""Faults of TLS that need no certificate: what a connection meets when it says hello."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from oneflow_ai.simulator.answer import head
from oneflow_ai.simulator.faults.fault import Fault
from oneflow_ai.simulator.steps import Close, Hang, Send, Steps, Wait

# Records and messages: RFC 8446 sections 5.1 and 6, RFC 2246 section 7.4.1.3.
_ALERT, _HANDSHAKE, _SERVER_HELLO = 21, 22, 2
_FATAL, _HANDSHAKE_FAILURE = 2, 40
_TLS_1_0 = b"\x03\x01"
_RSA_AES_128_CBC_SHA = b"\x00\x2f"
# The client's hello comes meanwhile; closing with it unread would break off, and take back what was sent.
_HELLO_SECONDS = 0.05


def _record(kind: int, content: bytes) -> bytes:
    return bytes((kind,)) + _TLS_1_0 + len(content).to_bytes(2, "big") + content


def _plain() -> Steps:
    yield Send(head(400, (("connection", "close"), ("content-length", "0"))))
    yield Wait(_HELLO_SECONDS)
    yield Close()


def _stall() -> Steps:
    yield Hang()


def _alert() -> Steps:
    yield Send(_record(_ALERT, bytes((_FATAL, _HANDSHAKE_FAILURE))))
    yield Wait(_HELLO_SECONDS)
    yield Close()


def _old() -> Steps:
    chosen = _TLS_1_0 + bytes(32) + b"\x00" + _RSA_AES_128_CBC_SHA + b"\x00"
    yield Send(_record(_HANDSHAKE, bytes((_SERVER_HELLO,)) + len(chosen).to_bytes(3, "big") + chosen))
    yield Hang()


KINDS: Mapping[str, Callable[[], Steps]] = {"plain": _plain, "stall": _stall, "alert": _alert, "old": _old}


def play(fault: Fault) -> Steps:
    """Meet a connection with plain text, silence, an alert, or a hello of TLS 1.0."""
    return KINDS[fault.text("kind")]()
