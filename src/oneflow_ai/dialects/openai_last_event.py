"""The last event of OpenAI's media streams, as the provider told it, with what the answer cost."""

from __future__ import annotations

import orjson

from oneflow_ai.core.events import End
from oneflow_ai.core.money import usd_float


def last_event(end: End, cost_nanos: int) -> bytes:
    """The event that was kept for the end, its `usage` with `cost`; empty where none was."""
    if end.chunk is None or "event" not in end.chunk:
        return b""
    event, name = end.chunk["event"], end.chunk["name"]
    told = orjson.dumps({**event, "usage": {**event["usage"], "cost": usd_float(cost_nanos)}})
    head = b"event: %b\n" % name.encode() if name else b""
    return head + b"data: " + told + b"\n\n" + (b"data: [DONE]\n\n" if end.chunk["done"] else b"")
