"""Holds our own price rows to the snapshot: none of them is superfluous, contradicts it in silence or has grown old.

Run as `python -m tools.check_prices`. It asks nobody: a newer snapshot (tools/build_prices.py) makes rows due.
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from importlib.resources import files
from typing import Any

from oneflow_ai.catalog.compile import supplement_price
from oneflow_ai.catalog.load import Catalog, load_catalog
from tools.tracked import report

FILE = "src/oneflow_ai/catalog/supplement.toml"
_SOURCE = re.compile(r"https://|[\w-]+ \d+\.\d")
AGE_DAYS_MOST = 90
"""How much older than the snapshot a row may be."""


def findings(rows: Sequence[Mapping[str, Any]], catalog: Catalog) -> Iterator[str]:
    """Yields what is wrong with the rows of the supplement, beside a catalogue without them."""
    for row in rows:
        name = f"{FILE}: {row['provider']}, {', '.join(row['models'])}"
        yield from (f"{name}: {words}" for words in (*_unsourced(row, catalog), *_against(row, catalog)))


def _unsourced(row: Mapping[str, Any], catalog: Catalog) -> Iterator[str]:
    source, checked = row.get("source", ""), row.get("checked")
    if not _SOURCE.match(source):
        yield "its source is neither an address nor a package with its version"
    if not isinstance(checked, date):
        yield "does not say on which day it was checked"
        return
    age_days = (date.fromisoformat(catalog.source.checked) - checked).days
    if age_days > AGE_DAYS_MOST:
        yield f"was checked {age_days} days before the snapshot: look at {source} again"


def _against(row: Mapping[str, Any], catalog: Catalog) -> Iterator[str]:
    ours = supplement_price(row)
    theirs = {model: catalog.price(row["provider"], model) for model in row["models"] if not model.endswith("*")}
    known = {model: price for model, price in theirs.items() if price is not None}
    for model, price in known.items():
        if price == ours:
            yield f"the snapshot has the same price of {model}: take it out"
        elif not row.get("note"):
            yield f"the snapshot has another price of {model}: say in a note which is right, and why"


def main() -> int:
    """Report the findings; gives the exit status."""
    text = files("oneflow_ai.catalog").joinpath("supplement.toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text, parse_float=Decimal)["price"]
    catalog = load_catalog()
    return report(list(findings(rows, Catalog(catalog.snapshot, {}, catalog.facts))))


if __name__ == "__main__":
    sys.exit(main())
