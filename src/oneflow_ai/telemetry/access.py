"""The access line: one line of JSON for each finished call, made straight from its exchange."""

from __future__ import annotations

from datetime import datetime

import msgspec

from oneflow_ai.core.record import Exchange
from oneflow_ai.telemetry.fields import clean_text
from oneflow_ai.telemetry.lines import LineWriter


class AccessLine(msgspec.Struct, gc=False):
    """The fields of an access line, all of them always there, in this order."""

    at: datetime
    event: str
    request: str
    key: str
    operation: str
    asked: str
    provider: str | None
    model: str | None
    outcome: str
    status: int
    attempts: int
    input_tokens: int | None
    output_tokens: int | None
    characters: int | None
    images: int | None
    audio_milliseconds: int | None
    cost_nanos: int
    seconds: float
    first_event_seconds: float | None
    stream: bool
    simulated: bool


FIELDS = AccessLine.__struct_fields__
"""The names of these fields."""

NAMES_KNOWN_MOST = 256

_encode = msgspec.json.Encoder().encode


class AccessLog:
    """Writes an access line for each exchange it is given."""

    def __init__(self, lines: LineWriter) -> None:
        self._lines = lines
        self._names: dict[str, str] = {}

    def __call__(self, exchange: Exchange) -> None:
        """Write the line of one finished exchange."""
        asked, outcome, names = exchange.call.model, exchange.outcome, self._names
        line = access_line(exchange, names.get(asked) or self._clean(asked), names.get(outcome) or self._clean(outcome))
        self._lines.write(line)

    def _clean(self, name: str) -> str:
        """A name that a client or a provider chose, fit to be written."""
        if len(self._names) >= NAMES_KNOWN_MOST:
            self._names.clear()
        cleaned = self._names[name] = clean_text(name)
        return cleaned


def access_line(exchange: Exchange, asked: str, outcome: str) -> bytes:
    """The line, without its newline; the model that was asked for and the outcome come cleaned."""
    call, usage = exchange.call, exchange.usage
    began = call.started_seconds
    target = exchange.served or (exchange.attempts[-1].target if exchange.attempts else None)
    first = exchange.first_event_seconds
    # By position, and in a struct: twice as fast as a dict of as many names.
    line = AccessLine(
        call.received,
        "call",
        call.id,
        call.account.key_id,
        call.operation._value_,
        asked,
        target.provider if target else None,
        target.model if target else None,
        outcome,
        exchange.status,
        exchange.tries,
        usage.input_tokens if usage else None,
        usage.output_tokens if usage else None,
        usage.characters if usage else None,
        usage.images if usage else None,
        usage.audio_milliseconds if usage else None,
        exchange.cost_nanos,
        round((exchange.ended_seconds - began) * 1e6) / 1e6,
        None if first is None else round((first - began) * 1e6) / 1e6,
        call.stream,
        target is not None and target.simulated,
    )
    return _encode(line)
