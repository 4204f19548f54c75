"""Makes the vendored price snapshot from the genai-prices package: whole nano-USD, no floats, match clauses as strings.

Run as `python -m tools.build_prices` after raising genai-prices in the development requirements, and name the day in
`CHECKED`. The same version gives the same bytes.
"""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import ROUND_CEILING, Decimal
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genai_prices.data import providers
from genai_prices.types import (
    ClauseAnd,
    ClauseContains,
    ClauseEndsWith,
    ClauseEquals,
    ClauseOr,
    ClauseRegex,
    ClauseStartsWith,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

TARGET = Path(__file__).resolve().parents[1] / "src" / "oneflow_ai" / "catalog" / "prices.json"
CHECKED = "2026-11-23"
COPYRIGHT = "Copyright (c) Pydantic Services Inc. 2025 to present; MIT licence, see LICENSE.genai-prices"

NANOS = Decimal(1_000_000_000)
# genai-prices' key: our kind of usage, and the factor from its dollars to nano-USD per million of our units.
KINDS = {
    "input_mtok": ("input", NANOS),
    "output_mtok": ("output", NANOS),
    "cache_read_mtok": ("cached", NANOS),
    "cache_write_mtok": ("cache_write", NANOS),
    "cache_write_1h_mtok": ("cache_write_1h", NANOS),
    "output_reasoning_mtok": ("reasoning", NANOS),
    "input_audio_mtok": ("input_audio", NANOS),
    "output_audio_mtok": ("output_audio", NANOS),
    "cache_audio_read_mtok": ("cached_audio", NANOS),
    "input_image_mtok": ("input_image", NANOS),
    "output_image_mtok": ("output_image", NANOS),
    "cache_image_read_mtok": ("cached_image", NANOS),
    "input_mchars": ("characters", NANOS),
    "requests_kcount": ("requests", NANOS * 1000),
    "web_searches_kcount": ("web_searches", NANOS * 1000),
    "audio_hours": ("audio_hours", NANOS * 1_000_000),
    "input_audio_hours": ("audio_hours", NANOS * 1_000_000),
}
# Kinds that our usage cannot count and that are no part of the main price; a row with any other such kind is unpriced.
EXTRAS = {"storage_searches_kcount", "input_video_mtok"}
# The request contexts whose values are service tiers to us; prices of others (a region, a kind of search) are left out.
TIER_CONTEXTS = {"service_tier", "processing", "speed"}
# genai-prices has this rule in its code, not in its data: https://console.groq.com/docs/speech-to-text (2026-11-23).
AUDIO_LEAST_MILLISECONDS = {
    ("groq", "whisper-large-v3"): 10_000,
    ("groq", "whisper-large-v3-turbo"): 10_000,
}


def clause(match: Any) -> str | list[Any]:
    """A match clause as a string, its first character the test: `=` equal, `^` start, `$` end, `*` within, `~` regex.

    A list means any of its clauses, one that begins with `&` all of them. Names are compared in lower case.
    """
    match match:
        case ClauseEquals(equals=text):
            return f"={text}"
        case ClauseStartsWith(starts_with=text):
            return f"^{text.lower()}"
        case ClauseEndsWith(ends_with=text):
            return f"${text.lower()}"
        case ClauseContains(contains=text):
            return f"*{text.lower()}"
        case ClauseRegex(regex=text):
            return f"~{text}"
        case ClauseOr(or_=parts):
            return [clause(part) for part in parts]
        case ClauseAnd(and_=parts):
            return ["&", *(clause(part) for part in parts)]
    raise ValueError(f"an unknown clause: {match!r}")


def rates(price: ModelPrice) -> dict[str, Any] | None:
    """The rates of one price: an integer, or `[base, above_tokens, rate, …]`; None for what we cannot count."""
    found: dict[str, Any] = {}
    for key, value in price.__dict__.items():
        if value is None or key in EXTRAS:
            continue
        if key not in KINDS:
            return None
        kind, factor = KINDS[key]
        rate = _rate(value, factor)
        if found.setdefault(kind, rate) != rate:
            raise ValueError(f"two prices for {kind}")
    return dict(sorted(found.items()))


def period(price: ModelPrice, constraint: Any) -> list[Any] | None:
    """`[rates]`, `[rates, start]` or `[rates, null, [first_second, end_second]]` of the UTC day."""
    found = rates(price)
    if found is None:
        return None
    match constraint:
        case None:
            return [found]
        case StartDateConstraint(start_date=start):
            return [found, start.isoformat()]
        case TimeOfDateConstraint(start_time=start, end_time=end):
            return [found, None, [_second(start), _second(end)]]
    raise ValueError(f"an unknown constraint: {constraint!r}")


def row(provider: Provider, model: ModelInfo) -> list[Any]:
    """`[id, match, context_window, periods, tiers, audio_least_milliseconds]`, short of what is empty at its end."""
    if isinstance(model.prices, ModelPrice):
        periods = [period(model.prices, None)]
    else:
        periods = [period(found.prices, found.constraint) for found in model.prices]
    if model.id.endswith(":free") and periods == [[{}]]:
        periods = [[{"input": 0, "output": 0}]]
    tiers: dict[str, list[Any]] = {}
    if None in periods or [{}] in periods:
        periods = []
    else:
        tiers = dict(_tiers(model))
    least = AUDIO_LEAST_MILLISECONDS.get((provider.id, model.id), 0)
    found = [model.id, clause(model.match), model.context_window, periods, tiers, least]
    while found and not found[-1] and len(found) > 4:
        found.pop()
    return found


def build() -> bytes:
    """The snapshot's bytes: a header, then a line a model, providers and their models in the package's order."""
    content: dict[str, dict[str, Any]] = {
        provider.id: {
            "fallback": provider.fallback_model_providers or [],
            "models": [row(provider, model) for model in provider.models],
        }
        for provider in providers
    }
    header = {
        "source": "genai-prices",
        "version": version("genai-prices"),
        "checked": CHECKED,
        "copyright": COPYRIGHT,
        "sha256": sha256(_json(content).encode()).hexdigest(),
    }
    blocks = []
    for name, found in content.items():
        models = ",\n".join(map(_json, found["models"]))
        blocks.append(f'{_json(name)}:{{"fallback":{_json(found["fallback"])},"models":[\n{models}]}}')
    body = ",\n".join(blocks)
    return f'{{"header":{_json(header)},\n"providers":{{\n{body}}}}}\n'.encode()


def _rate(value: Decimal | TieredPrices, factor: Decimal) -> int | list[int]:
    if isinstance(value, Decimal):
        return _whole(value * factor)
    found = [_whole(value.base * factor)]
    for tier in value.tiers:
        found += [tier.start, _whole(tier.price * factor)]
    return found


def _whole(value: Decimal) -> int:
    if value < 0:
        raise ValueError(f"a negative price: {value}")
    return int(value.to_integral_value(ROUND_CEILING))


def _second(moment: time) -> int:
    day = date(2026, 1, 1)
    zoned = datetime.combine(day, moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    if zoned.microsecond:
        raise ValueError(f"a price changes within a second: {moment}")
    return zoned.hour * 3600 + zoned.minute * 60 + zoned.second


def _tiers(model: ModelInfo) -> Iterator[tuple[str, list[Any]]]:
    found: dict[str, list[Any]] = {}
    for variant in model.price_variants or []:
        [(key, value)] = variant.when.items()
        overrides = period(variant.prices, variant.constraint)
        if key in TIER_CONTEXTS and overrides and overrides[0]:
            found.setdefault(value, []).append(overrides)
    yield from sorted(found.items())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def main() -> int:
    """Writes the snapshot; gives the exit status."""
    content = build()
    TARGET.write_bytes(content)
    print(f"{TARGET.name}: {len(content):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
