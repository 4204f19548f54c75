"""The access line: one line of JSON for each finished call, made straight from its exchange."""

from __future__ import annotations

import orjson

from oneflow_ai.core.record import Exchange
from oneflow_ai.telemetry.fields import clean_text
from oneflow_ai.telemetry.lines import LineWriter

FIELDS = (
    "at",
    "event",
    "request",
    "key",
    "operation",
    "asked",
    "provider",
    "model",
    "outcome",
    "status",
    "attempts",
    "input_tokens",
    "output_tokens",
    "cost_nanos",
    "seconds",
    "first_event_seconds",
    "stream",
    "simulated",
)
"""The fields of an access line, all of them always there."""

NAMES_KNOWN_MOST = 256


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
    return orjson.dumps(
        {
            "at": call.received,
            "event": "call",
            "request": call.id,
            "key": call.account.key_id,
            "operation": call.operation.value,
            "asked": asked,
            "provider": target.provider if target else None,
            "model": target.model if target else None,
            "outcome": outcome,
            "status": exchange.status,
            "attempts": len(exchange.attempts),
            "input_tokens": usage.input_tokens if usage else None,
            "output_tokens": usage.output_tokens if usage else None,
            "cost_nanos": exchange.cost_nanos,
            "seconds": round(exchange.ended_seconds - began, 6),
            "first_event_seconds": None if first is None else round(first - began, 6),
            "stream": call.stream,
            "simulated": target is not None and target.simulated,
        },
        option=orjson.OPT_UTC_Z,
    )
