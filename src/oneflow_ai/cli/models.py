"""`oneflow models`: what can be asked for, how much it takes and gives, what it costs and when it ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from oneflow_ai.cli.failures import misuse
from oneflow_ai.cli.output import Column, note, say_json, say_table
from oneflow_ai.cli.spread import Common
from oneflow_ai.core.money import usd_text

if TYPE_CHECKING:
    from oneflow_ai.cli.configured import Compiled
    from oneflow_ai.core.price import Price
    from oneflow_ai.core.target import Provider

NO_PRICE = "no price"
ENDED = "ended"


@dataclass(frozen=True, slots=True)
class ModelOptions(Common):
    """What `models` takes beside the text to look for."""

    provider: Annotated[
        str | None, typer.Option(metavar="NAME", help="Models of this provider only, with a key or without.")
    ] = None
    every: Annotated[bool, typer.Option("--all", help="Those that have ended too, with their day.")] = False


@dataclass(frozen=True, slots=True)
class Model:
    """One model as it is shown. Prices are US dollars per million tokens of a short prompt, None where not known.

    `retired` is one that its provider refuses by now: since the day `shutdown`, where that is known.
    """

    id: str
    provider: str
    model: str
    capabilities: tuple[str, ...]
    context_window_tokens: int | None
    output_most_tokens: int | None
    input_usd_per_million_tokens: str | None
    output_usd_per_million_tokens: str | None
    dearer_when_long: bool
    shutdown: str | None
    retired: bool


def models(
    options: ModelOptions,
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="Only ids that have this text in them.")] = None,
) -> None:
    """List the models that can be called today, of the providers that have a key.

    Prices are US dollars per million tokens; + marks models that cost more for long prompts.
    """
    from oneflow_ai.cli.configured import compiled, load_settings

    found = compiled(load_settings(options.config))
    known = found.snapshot.providers
    if options.provider is not None and options.provider not in known:
        raise misuse(f"oneflow models: there is no provider {options.provider}; known are {', '.join(known)}")
    chosen = [
        one for name, one in known.items() if (one.configured if options.provider is None else name == options.provider)
    ]
    known_rows = [
        row for provider in chosen for row in _models(found, provider) if (text or "").lower() in row.id.lower()
    ]
    rows = [row for row in known_rows if options.every or not row.retired]
    if options.as_json:
        say_json([asdict(row) for row in rows])
        return
    _say(rows)
    if not rows:
        note(_nothing(text, bool(chosen), len(known_rows)))
    elif found.demo:
        note("demo: no provider has a key, so the simulator would answer for these")


def _nothing(text: str | None, any_chosen: bool, ended: int) -> str:
    if not any_chosen:
        return "no provider has a key: `oneflow doctor` tells how to give it one"
    if ended:
        return f"{ended} with {text!r} in the id have ended; --all shows them" if text else "all have ended; see --all"
    return f"no model has {text!r} in its id: leave the text out to see them all"


def _models(found: Compiled, provider: Provider) -> Iterator[Model]:
    now = datetime.now(UTC)
    for model in sorted(provider.listed | provider.retired):
        facts = found.catalog.model(provider.kind, model)
        target = provider.targets(model)[0]
        prices = _prices(target.price, now)
        yield Model(
            id=target.place,
            provider=provider.name,
            model=model,
            capabilities=provider.capabilities(model),
            context_window_tokens=target.context_window_tokens,
            output_most_tokens=target.output_most_tokens,
            input_usd_per_million_tokens=prices[0],
            output_usd_per_million_tokens=prices[1],
            dearer_when_long=target.price is not None and len(target.price.bands(now, None)) > 1,
            shutdown=_day(facts.shutdown) if facts is not None else None,
            retired=model in provider.retired,
        )


def _prices(price: Price | None, now: datetime) -> tuple[str | None, str | None]:
    if price is None:
        return None, None
    rates = price.bands(now, None)[0].rates
    return usd_text(rates.input), usd_text(rates.output)


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _say(rows: Iterable[Model]) -> None:
    columns = (
        Column("model", fold=True),
        Column("does", fold=True),
        Column("context", right=True),
        Column("$/M in", right=True),
        Column("$/M out", right=True),
        Column("ends", right=True),
    )
    say_table(columns, [_cells(row) for row in rows])


def _cells(row: Model) -> tuple[str, ...]:
    window, more = row.context_window_tokens, "+" if row.dearer_when_long else ""
    prices = [
        f"{dollars(price)}{more}" if price is not None else NO_PRICE
        for price in (row.input_usd_per_million_tokens, row.output_usd_per_million_tokens)
    ]
    return (
        row.id,
        ", ".join(row.capabilities),
        "" if window is None else tokens(window),
        *prices,
        row.shutdown or (ENDED if row.retired else ""),
    )


def tokens(number: int) -> str:
    """A number of tokens, in three digits: `128k`, `1.05M`."""
    return f"{number / 1_000_000:.3g}M" if number >= 999_500 else f"{number / 1_000:.3g}k"


def dollars(text: str) -> str:
    """A price with two decimals at least: `0.25`, `2.00`, `0.0375`."""
    whole, _, part = text.partition(".")
    return f"{whole}.{part.ljust(2, '0')}"
