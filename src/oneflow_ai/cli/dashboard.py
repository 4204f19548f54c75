"""The live dashboard as a picture: figures and keys in, a screen out; it neither reads nor waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from oneflow_ai.cli.batch_progress import duration, money
from oneflow_ai.cli.output import pictured

STYLES = {"available": "green", "degraded": "yellow", "unavailable": "bold red", "unconfigured": "dim"}
HELP = "q quit · p pause · s sort · r reverse"
_QUIT = ("q", "Q", "\x03", "\x04")
_RATE_SECONDS_LEAST = 0.05


@dataclass(frozen=True, slots=True)
class Row:
    """One provider's figures. Money is US dollars, time seconds; `success` is a share, None before any request."""

    name: str
    status: str
    requests: int
    failed: int
    success: float | None
    seconds: float
    cost_usd: float
    last_error: str


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found: each provider's row, and a line about where it was found. `at_seconds` is monotonic."""

    rows: tuple[Row, ...]
    about: str
    at_seconds: float

    @property
    def requests(self) -> int:
        """Of all providers."""
        return sum(row.requests for row in self.rows)


_Column = tuple[str, Callable[[Row], Any], Callable[[Row], str]]
COLUMNS: tuple[_Column, ...] = (
    ("provider", lambda row: row.name, lambda row: row.name),
    ("status", lambda row: tuple(STYLES).index(row.status) if row.status in STYLES else -1, lambda row: row.status),
    ("requests", lambda row: row.requests, lambda row: f"{row.requests:,}"),
    ("failed", lambda row: row.failed, lambda row: f"{row.failed:,}"),
    ("success", lambda row: 1.0 if row.success is None else row.success, lambda row: _percent(row.success)),
    ("time", lambda row: row.seconds, lambda row: f"{row.seconds:.2f} s" if row.requests else "-"),
    ("cost", lambda row: row.cost_usd, lambda row: money(row.cost_usd)),
)
_TEXTS = ("provider", "status")


@dataclass(slots=True)
class Board:
    """What is shown, and how the keys have set it. Sorted by requests at first, the most on top."""

    sort: int = 2
    descending: bool = True
    paused: bool = False
    trouble: str = ""
    look: Look | None = None
    _before: Look | None = field(default=None, repr=False)

    def press(self, key: str) -> bool:
        """A key was pressed; False where it ends the dashboard."""
        if key in _QUIT:
            return False
        if key in ("p", "P", " "):
            self.paused = not self.paused
        elif key in ("s", "S"):
            self.sort = (self.sort + 1) % len(COLUMNS)
            self.descending = COLUMNS[self.sort][0] not in _TEXTS
        elif key in ("r", "R"):
            self.descending = not self.descending
        return True

    def take(self, look: Look) -> None:
        """A new look; the one before tells how fast the figures move."""
        self.trouble = ""
        self._before, self.look = self.look, look

    @property
    def rate(self) -> float | None:
        """Requests a second between the last two looks; None where that cannot be told."""
        if self.look is None or self._before is None:
            return None
        seconds, more = self.look.at_seconds - self._before.at_seconds, self.look.requests - self._before.requests
        # Fewer than before: the server is another one.
        return more / seconds if seconds >= _RATE_SECONDS_LEAST and more >= 0 else None

    def screen(self, *, live: bool) -> RenderableType:
        """The whole of it; a live one tells its keys."""
        parts: list[RenderableType] = []
        if self.look is not None:
            parts += [self._head(self.look), self._table(self.look), *_errors(self.look)]
        if self.trouble:
            parts.append(Text(pictured(self.trouble), "bold red"))
        if live:
            parts.append(Text(f"{'PAUSED · ' if self.paused else ''}{HELP}", "dim"))
        return Group(*parts)

    def _head(self, look: Look) -> Text:
        failed, cost_usd = sum(row.failed for row in look.rows), sum(row.cost_usd for row in look.rows)
        head = Text.assemble((pictured(look.about), "bold"), "\n")
        share = _percent(None if not look.requests else 1 - failed / look.requests)
        head.append(f"{look.requests:,} requests · {share} success · {money(cost_usd)}")
        if self.rate is not None:
            head.append(f" · {self.rate:,.1f}/s")
        head.append("\n")
        return head

    def _table(self, look: Look) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for number, (title, _, _) in enumerate(COLUMNS):
            mark = "" if number != self.sort else " ▼" if self.descending else " ▲"
            right = title not in _TEXTS
            table.add_column(title + mark, justify="right" if right else "left", no_wrap=True, overflow="ellipsis")
        by = COLUMNS[self.sort][1]
        for row in sorted(sorted(look.rows, key=lambda row: row.name), key=by, reverse=self.descending):
            cells = [Text(pictured(shown(row)), STYLES.get(shown(row), "")) for _, _, shown in COLUMNS]
            table.add_row(*cells)
        return table


def _errors(look: Look) -> list[RenderableType]:
    """The last error of each provider that had one, a line each."""
    texts = [(row.name, row.last_error) for row in look.rows if row.last_error]
    lines = [
        Text(pictured(f"{name}: {' '.join(words.split())}"), no_wrap=True, overflow="ellipsis") for name, words in texts
    ]
    return [Text("\nlast errors", "bold"), *lines] if lines else []


def rows_of(statuses: Mapping[str, Any]) -> tuple[Row, ...]:
    """The rows of `GET /api/providers/status`, whose figures are written for people."""
    return tuple(_row(name, each["status"], each["metrics"]) for name, each in statuses.items())


def about_server(url: str, told: Mapping[str, Any]) -> str:
    """The first line for a server, from `GET /api/status`."""
    parts = [f"OneFlow {told['version']}", url, str(told["mode"]), f"up {duration(told['uptime_seconds'])}"]
    return " · ".join([*parts, f"{told['calls_in_flight']} in flight"])


def _row(name: str, status: str, metrics: Mapping[str, Any]) -> Row:
    requests = metrics["total_requests"]
    return Row(
        name=name,
        status=status,
        requests=requests,
        failed=metrics["failed_requests"],
        success=float(metrics["success_rate"].rstrip("%")) / 100 if requests else None,
        seconds=float(metrics["average_response_time"].rstrip("s")),
        cost_usd=float(metrics["total_cost"].lstrip("$")),
        last_error=metrics["last_error"] or "",
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}%"
