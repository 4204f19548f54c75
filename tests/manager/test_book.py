"""`Database`: what a program records is found again, summed, and never counted with the gateway's own history."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from oneflow_ai import Database, OneFlow


@pytest.fixture
def book(nowhere: Path) -> Iterator[Database]:
    book = Database()
    yield book
    book.close()


def test_a_request_is_found_as_it_was_recorded(book: Database) -> None:
    made = book.create_request(
        "user-1", "openai", "gpt-6-luna", "Hello", "Hello to you", 0.0012, "success", {"tokens": 12, "page": "home"}
    )
    (row,) = book.get_requests()
    assert row["id"] == made
    assert {name: value for name, value in row.items() if name not in ("id", "created_at")} == {
        "user_id": "user-1",
        "provider": "openai",
        "model": "gpt-6-luna",
        "prompt": "Hello",
        "response": "Hello to you",
        "cost": 0.0012,
        "status": "success",
        "metadata": {"tokens": 12, "page": "home"},
    }
    assert datetime.fromisoformat(row["created_at"]).tzinfo is not None
    assert json.dumps(row)


NESTED = {
    "job": {"name": "nightly", "steps": [1, 2.5, None, True, {"deep": ["er"]}]},
    "long": "words and more of them " * 50,
    **{f"member {number}": number for number in range(30)},
}


def test_metadata_is_kept_whole_however_it_is_nested(book: Database) -> None:
    book.create_request("a", "openai", "m", "p", "r", 0.0, "success", NESTED)
    book.create_request("a", "openai", "m", "p", "r", 0.0, "success", {"pair": (1, 2), "half": "\ud800", "empty": {}})
    odd, whole = book.get_requests()
    assert whole["metadata"] == NESTED
    assert odd["metadata"] == {"pair": [1, 2], "half": "?", "empty": {}}


ITSELF: dict[str, Any] = {}
ITSELF["self"] = ITSELF


@pytest.mark.parametrize(
    "metadata",
    [5, "text", [("a", 1)], {1: "a"}, {"a": {1, 2}}, {"a": b"b"}, {"a": float("nan")}, {"a": 2**70}, ITSELF,
     {"a": "words " * 20_000}],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_metadata_that_cannot_be_kept_whole_is_refused(book: Database, metadata: Any) -> None:
    with pytest.raises(ValueError, match="metadata"):
        book.create_request("a", "openai", "m", "p", "r", 0.0, "success", metadata)
    assert book.get_requests() == []


def test_keys_are_hidden_in_what_is_nested_too(book: Database) -> None:
    secret = {"call": {"api_key": "short", "note": "Bearer abcdefgh", "credentials": {"user": "u"}}}
    book.create_request("a", "openai", "m", "p", "r", 0.0, "success", secret)
    (row,) = book.get_requests()
    assert row["metadata"] == {"call": {"api_key": "***", "note": "***", "credentials": "***"}}


def test_after_its_end_it_says_so(nowhere: Path) -> None:
    with_other, book = Database("sqlite:///other.db"), Database()
    book.close()
    with pytest.raises(ValueError, match="was closed: open another"):
        book.create_request("a")
    with pytest.raises(ValueError, match="was closed: open another"):
        book.get_requests()
    with_other.close()


def test_a_failed_result_is_recorded_as_it_is(book: Database) -> None:
    book.create_request(7, None, None, "Hello", None, 0.0, "error", None)
    (row,) = book.get_requests(user_id=7)
    assert (row["user_id"], row["provider"], row["model"], row["response"]) == ("7", None, None, None)
    assert (row["status"], row["metadata"]) == ("error", {})


def test_requests_costs_and_stats_are_told_apart_by_user_and_provider(book: Database) -> None:
    for user, provider, cost, status in (
        ("a", "openai", 0.1, "success"),
        ("a", "anthropic", 0.02, "success"),
        ("b", "openai", 0.003, "success"),
        ("b", "openai", 0.0, "error"),
    ):
        book.create_request(user, provider, "m", "p", "r", cost, status)
    assert [row["user_id"] for row in book.get_requests(limit=3)] == ["b", "b", "a"]
    assert len(book.get_requests(user_id="a", provider="openai")) == 1
    assert book.get_total_cost() == pytest.approx(0.123)
    assert book.get_total_cost(user_id="a") == pytest.approx(0.12)
    assert book.get_total_cost(provider="openai") == pytest.approx(0.103)
    assert book.get_total_cost(user_id="nobody") == 0.0
    assert book.get_provider_stats() == {
        "anthropic": {
            "total_requests": 1,
            "successful_requests": 1,
            "failed_requests": 0,
            "success_rate": 1.0,
            "total_cost": 0.02,
        },
        "openai": {
            "total_requests": 3,
            "successful_requests": 2,
            "failed_requests": 1,
            "success_rate": pytest.approx(2 / 3),
            "total_cost": 0.103,
        },
    }
    assert set(book.get_provider_stats(user_id="b")) == {"openai"}


def test_what_was_recorded_outlives_the_program(nowhere: Path) -> None:
    first = Database("sqlite:///mine.db")
    made = first.create_request("a", "openai", "m", "p", "r", 0.1)
    first.close()
    first.close()
    again = Database("sqlite:///mine.db")
    assert [row["id"] for row in again.get_requests()] == [made]
    assert (nowhere / "mine.db").exists()
    again.close()


def test_a_recorded_call_is_not_counted_twice(book: Database, nowhere: Path) -> None:
    with OneFlow() as flow:
        answer = flow.text("Hello", max_tokens=2)
    book.create_request("a", answer.provider, answer.model, "Hello", answer.text, answer.cost_usd)
    assert (nowhere / "requests.db").exists()
    assert len(book.get_requests()) == 1


@pytest.mark.parametrize(
    ("prompt", "kept"),
    [
        ("\ud800", "?"),
        ("x" * 200_000, "x" * 100_000),
        ([{"role": "user", "content": "Hi"}], '[{"role":"user","content":"Hi"}]'),
        (ITSELF, "{'self': {...}}"),
    ],
)
def test_odd_and_long_prompts_are_kept_as_far_as_they_can_be(book: Database, prompt: Any, kept: str) -> None:
    book.create_request("a", "openai", "m", prompt, "r", 0.0)
    assert book.get_requests()[0]["prompt"] == kept


def test_what_looks_like_a_key_is_not_kept_in_metadata(book: Database) -> None:
    book.create_request("a", "openai", "m", "p", "r", 0.0, "success", {"api_key": "sk-canary-0123456789abcdef"})
    assert "canary" not in json.dumps(book.get_requests())


@pytest.mark.parametrize("cost", [-0.1, float("inf"), "dear", None])
def test_what_is_no_cost_is_refused(book: Database, cost: Any) -> None:
    with pytest.raises(ValueError, match="cost|dollars"):
        book.create_request("a", "openai", "m", "p", "r", cost)
    assert book.get_requests() == []


def test_sums_of_floats_are_costs(book: Database) -> None:
    book.create_request("a", "openai", "m", "p", "r", 0.1 + 0.2)
    assert book.get_total_cost() == 0.3


@pytest.mark.parametrize("url", ["postgresql://x/y", "mine.db", "sqlite:///", "sqlite:///:memory:"])
def test_an_address_that_cannot_be_used_is_refused(nowhere: Path, url: str) -> None:
    with pytest.raises(ValueError, match="sqlite:///FILE"):
        Database(url)


def test_a_limit_beyond_a_page_is_refused(book: Database) -> None:
    odd: tuple[Any, ...] = (0, 10_001, "3", None, 2.5)
    for limit in odd:
        with pytest.raises(ValueError, match="limit"):
            book.get_requests(limit=limit)
