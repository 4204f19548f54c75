"""The log: one line a happening, known fields only, and no way for a secret or a prompt to get in."""

import io
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.failure import KINDS, STORAGE_UNAVAILABLE, UPSTREAM_REJECTED, Failure, Kind
from oneflow_ai.core.target import Secret
from oneflow_ai.stores import StoreRefused
from oneflow_ai.stores.key_format import new_key
from oneflow_ai.telemetry import access
from oneflow_ai.telemetry.fields import FIELDS, TEXT_CHARACTERS_MOST, clean, clean_text
from oneflow_ai.telemetry.logging import ALIKE_A_MINUTE_MOST, Level, Look, OpenLog, listen_to_libraries, open_log
from oneflow_ai.testing import StepClock
from tests.stores.exchanges import PROMPT, PROVIDER_SECRET, call, failure, target


@dataclass
class Bench:
    """A log and what it wrote."""

    stream: io.BytesIO
    clock: StepClock
    opened: OpenLog

    def text(self) -> str:
        self.opened.close()
        return self.stream.getvalue().decode()

    def lines(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.text().splitlines()]


def bench(level: Level = "info", **options: bool) -> Bench:
    stream, clock = io.BytesIO(), StepClock()
    return Bench(stream, clock, open_log(stream, clock, Look(level, **options)))


def raised(problem: Exception) -> Exception:
    try:
        raise problem
    except Exception as caught:  # noqa: BLE001 - whatever was to be raised
        return caught


def test_a_line_is_json_with_its_moment_its_level_and_its_fields_in_order() -> None:
    made = bench()
    made.opened.log.info("breaker opened", provider="acme", seconds=1.5, status=503)
    assert made.text() == (
        '{"at":"2026-01-01T00:00:00.000Z","level":"info","event":"breaker opened",'
        '"provider":"acme","seconds":1.5,"status":503}\n'
    )


def test_only_lines_from_the_level_up_are_written() -> None:
    made = bench("warning")
    for write in (made.opened.log.debug, made.opened.log.info, made.opened.log.warning, made.opened.log.error):
        write("something")
    assert [line["level"] for line in made.lines()] == ["warning", "error"]


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=20)))
def test_a_field_of_another_name_is_named_and_withheld(fields: dict[str, str]) -> None:
    cleaned = clean(fields)
    assert cleaned.keys() - {"withheld"} == fields.keys() & FIELDS
    assert ("withheld" in cleaned) == bool(fields.keys() - FIELDS)


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (2**80, str(2**80)),
        (1.5, 1.5),
        ("plain", "plain"),
        (Secret("canary"), "***"),
        (b"canary", "<bytes>"),
        ({"canary": "canary"}, "<dict>"),
        (call(), "<Call>"),
        (target(), "<Target>"),
        (Colour.RED, "red"),
        (Path("a/b"), "a/b"),
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00+00:00"),
        ([1, Secret("canary"), {"canary": 1}], [1, "***", "<dict>"]),
        (range(9), "<range>"),
    ],
)
def test_a_value_is_written_if_its_type_is_plain(value: object, written: object) -> None:
    assert clean({"reason": value}) == {"reason": written}


@given(st.text())
def test_text_stays_on_one_line_and_in_one_piece(text: str) -> None:
    cleaned = clean_text(text)
    assert cleaned.isprintable()
    assert len(cleaned) <= TEXT_CHARACTERS_MOST
    assert cleaned.encode().decode() == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "line\nfeed", "carriage\rreturn", "\x1b[2Jcleared", "\x9b2J", "nul\0", '"},{"level":"info', "\u202egnirts",
        "\u2028", "\ud800", "\x7f", "tab\t", "\x1b]0;title\x07",
    ],
)  # fmt: skip
def test_no_text_breaks_out_of_its_line_or_into_a_terminal(text: str) -> None:
    for made in (bench(), bench(terminal=True)):
        made.opened.log.info(text, reason=text, error=StoreRefused(text), **{text: 1})
        written = made.text()
        assert written.count("\n") == 1
        assert written.rstrip("\n").isprintable()


@pytest.mark.parametrize(
    "secret",
    [
        new_key(lambda count: b"\x55" * count).reveal(),
        "sk-proj-canary1234567890",
        "sk_live_canary1234567890",
        "Bearer canary",
        "bearer  canary",
        "canary" * 10,
    ],
)
def test_what_looks_like_a_key_is_hidden_in_any_text(secret: str) -> None:
    made = bench()
    made.opened.log.info(f"said {secret}", reason=f"it said: {secret}, twice", error=StoreRefused(secret))
    written = made.text()
    assert secret not in written
    assert "canary" not in written
    assert "***" in written


def test_an_id_does_not_look_like_a_key() -> None:
    ids = ["req_0123456789abcdef01234567", "key_3Kd93jfKw02ma", "acme/acme-large-2026-11-24", "acme#1"]
    assert [clean_text(each) for each in ids] == ids


def test_an_open_log_can_be_given_another_level_and_form() -> None:
    made = bench("warning")
    levels: tuple[Level, ...] = ("warning", "debug", "error")
    for level in levels:
        made.opened.adopt(Look(level))
        for method in ("debug", "info", "warning", "error"):
            getattr(made.opened.log, method)(f"{method} at {level}")
    made.opened.adopt(Look(terminal=True))
    made.opened.log.info("for people", seconds=1.5)
    *lines, last = made.text().splitlines()
    assert [orjson.loads(line)["event"] for line in lines] == [
        "warning at warning",
        "error at warning",
        "debug at debug",
        "info at debug",
        "warning at debug",
        "error at debug",
        "error at error",
    ]
    assert "for people" in last
    assert not last.startswith("{")


def test_an_exception_is_told_by_its_class_and_place_and_its_message_if_that_is_ours() -> None:
    made = bench()
    made.opened.log.error("failed", error=raised(StoreRefused("the file is gone")))
    made.opened.log.error("failed", error=raised(ValueError(PROMPT)))
    made.opened.log.error("failed", error=raised(FileNotFoundError(2, PROMPT, PROMPT)))
    made.opened.log.error("failed", error=raised(Failure(STORAGE_UNAVAILABLE, "the disk is full")))
    made.opened.log.error("failed", error=raised(Failure(UPSTREAM_REJECTED, PROMPT)))
    ours, value, system, storage, rejected = made.lines()
    assert (ours["error"], ours["message"]) == ("StoreRefused", "the file is gone")
    assert (value["error"], "message" in value) == ("ValueError", False)
    assert (system["error"], system["message"]) == ("FileNotFoundError", "No such file or directory")
    assert (storage["code"], storage["message"]) == ("storage_unavailable", "the disk is full")
    assert (rejected["code"], "message" in rejected) == ("upstream_rejected", False)
    assert ours["where"][-1].startswith("tests.telemetry.test_logging:")
    assert PROMPT not in made.text()


def test_a_traceback_is_written_without_its_values() -> None:
    made = bench("debug")
    log: Any = made.opened.log
    try:
        dict[str, str]()[PROMPT]
    except KeyError:
        log.exception("failed")
    (line,) = made.lines()
    assert (line["error"], line["level"]) == ("KeyError", "error")
    assert PROMPT not in str(line)


def test_the_same_event_is_written_so_often_a_minute_and_then_counted() -> None:
    made = bench()
    for _ in range(10_000):
        made.opened.log.warning("provider failed", provider="acme")
    made.opened.log.warning("another")
    assert made.opened.dropped() == 10_000 - ALIKE_A_MINUTE_MOST
    made.clock.step(61)
    made.opened.log.warning("provider failed", provider="acme")
    lines = made.lines()
    assert len(lines) == ALIKE_A_MINUTE_MOST + 2
    assert lines[-1]["suppressed"] == 10_000 - ALIKE_A_MINUTE_MOST


def test_a_flood_of_different_events_is_remembered_only_so_far() -> None:
    made = bench("error")
    for number in range(5_000):
        made.opened.log.error(f"event {number}")
    assert len(made.opened._limit._windows) <= 1_000


def test_a_terminal_gets_lines_for_people_in_colour_only_if_asked() -> None:
    plain, coloured = bench(terminal=True), bench(terminal=True, colors=True)
    for each in (plain, coloured):
        each.opened.log.info("breaker opened", provider="acme")
    assert "breaker opened" in plain.text()
    assert "provider=acme" in plain.text()
    assert "\x1b[" not in plain.text()
    assert "\x1b[" in coloured.text()


@pytest.fixture
def libraries() -> Iterator[Bench]:
    """A log that hears what libraries say."""
    made = bench()
    undo = listen_to_libraries(made.opened.log)
    yield made
    undo()


Say = Callable[[logging.Logger], None]


@pytest.mark.parametrize(
    ("say", "reason"),
    [
        (lambda log: log.warning("the header was %s", PROVIDER_SECRET), "the header was %s"),
        (lambda log: log.error(f"exception was never retrieved\nfuture: {PROMPT}"), "exception was never retrieved"),
        (lambda log: log.error({"a": PROMPT}), "dict"),
    ],
)
def test_of_a_librarys_words_only_the_fixed_ones_are_written(libraries: Bench, say: Say, reason: str) -> None:
    say(logging.getLogger("some.library"))
    (line,) = libraries.lines()
    assert (line["library"], line["reason"]) == ("some.library", reason)
    assert "canary" not in str(line)


def test_a_librarys_exception_is_told_by_its_class(libraries: Bench) -> None:
    logging.getLogger("some.library").error("failed", exc_info=raised(ValueError(PROMPT)))
    logging.getLogger("some.library").info("not of interest: %s", PROMPT)
    (line,) = libraries.lines()
    assert (line["error"], line["level"]) == ("ValueError", "error")
    assert "canary" not in str(line)


def test_no_secret_and_no_prompt_is_in_the_log_whatever_is_handed_to_it() -> None:
    made = bench("debug")
    place, exchange = target(), failure(message=PROMPT)
    for value in (place, place.headers, exchange, exchange.call, exchange.call.body, place.credential.secret):
        for name in ("reason", "error", "headers", "body"):
            made.opened.log.debug("looked at", **{name: value})
    written = made.text()
    assert '"withheld"' in written
    assert PROVIDER_SECRET not in written
    assert PROMPT not in written


def test_every_field_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/logs.md").read_text()
    assert [name for name in sorted({*FIELDS, *access.FIELDS, "withheld"}) if f"`{name}`" not in page] == []


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_message_of_a_failure_is_told_unless_it_may_quote_a_request(kind: Kind) -> None:
    assert ("message" in clean({"error": Failure(kind, "words")})) == kind.own_words
