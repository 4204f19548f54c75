"""Unsuccessful answers become rows of the failure table, and no key is in their words (F19-F28, F41)."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure, Kind
from oneflow_ai.providers.base import scrubbed
from oneflow_ai.providers.openai_failure import error_in, failure_of, stream_failure

AUTH_WORDS = "the provider refused the gateway's credential"
QUOTA_WORDS = "the gateway's account at the provider has no quota left"
# What each status means when the body says nothing that is known.
STATUSES: dict[int, Kind] = {
    200: kinds.UPSTREAM_BAD_RESPONSE,
    204: kinds.UPSTREAM_BAD_RESPONSE,
    206: kinds.UPSTREAM_BAD_RESPONSE,
    304: kinds.UPSTREAM_BAD_RESPONSE,
    **dict.fromkeys((300, 301, 302, 303, 307, 308), kinds.UPSTREAM_REDIRECT_REFUSED),
    **dict.fromkeys((401, 403), kinds.PROVIDER_AUTH_FAILED),
    402: kinds.PROVIDER_QUOTA_EXHAUSTED,
    **dict.fromkeys((400, 404, 405, 406, 410, 413, 415, 418, 422, 424, 451), kinds.UPSTREAM_REJECTED),
    **dict.fromkeys((408, 409), kinds.UPSTREAM_ERROR),
    429: kinds.UPSTREAM_RATE_LIMITED,
    **dict.fromkeys((500, 501, 502, 504, 520, 521, 522, 523, 524, 599), kinds.UPSTREAM_ERROR),
    **dict.fromkeys((498, 503, 529), kinds.UPSTREAM_OVERLOADED),
}
BODIES = (
    b"",
    b"{}",
    b"<html></html>",
    b'{"error":{}}',
    b'{"error":null}',
    b'{"error":{"message":"No."}}',
    b"[]",
    b"\xff",
    b"[[[",
)
OWN_WORDS = {kinds.PROVIDER_AUTH_FAILED: AUTH_WORDS, kinds.PROVIDER_QUOTA_EXHAUSTED: QUOTA_WORDS}
KEYS = (
    "sk-1a2b3c4d",
    "sk-proj-Zx81Qw7Lk2Vb4Nm6Pq0R_-s",
    "sk-ant-api03-abcdefghijklm",
    "sk-or-v1-0123456789abcdef",
    "sk-svcacct-abcdefghijklmnop",
    "gsk_9f8e7d6c5b4a3f2e1d0c",
    "xai-4f5e6d7c8b9a0f1e",
    "pk-live-1234567890",
    "rk_live_1234567890",
    "key-0123456789abcdef",
    "org-AbCdEfGh12345678",
    "proj_AbCdEfGh12345678",
    "hf_AbCdEfGhIjKlMn12",
    "r8_AbCdEfGhIjKlMn12",
    "nvapi-AbCdEfGhIjKlMn12",
    "of_" + "a1" * 22,
    "0123456789abcdef0123456789abcdef",
    "AbCdEfGhIjKlMnOpQrStUvWxYz012345",
    "bad-key-**********test",
    "sk-abc***xyz",
    "****-key",
)


def body_of(message: Any, **fields: Any) -> bytes:
    return orjson.dumps({"error": {"message": message, **fields}})


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("body", BODIES)
def test_a_status_has_its_kind_whatever_the_body(status: int, body: bytes) -> None:
    failure = failure_of(status, {}, body)
    assert failure.kind is STATUSES[status]
    rejected = failure.kind is kinds.UPSTREAM_REJECTED
    assert failure.status == (status if rejected else failure.kind.status)
    assert failure.message == OWN_WORDS.get(failure.kind, failure.message) != ""
    assert (failure.retry_after_seconds, failure.should_retry) == (None, None)


@pytest.mark.parametrize("status", [401, 402, 403])
def test_what_a_provider_says_of_our_key_or_money_is_not_told(status: int) -> None:
    failure = failure_of(status, {}, body_of("canary: the account of ACME owes 5 dollars", param="canary"))
    assert "canary" not in failure.message
    assert failure.code == failure.kind.code


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "form", ["{}", "Key {} is wrong.", "key='{}'", '"{}"', "({}),", "Bearer {}", "x={}&y=1", "https://a/?k={}"]
)
def test_no_key_is_in_the_words(key: str, form: str) -> None:
    for status in (400, 404, 413, 422, 429, 500, 503):
        failure = failure_of(status, {}, body_of(form.format(key), code=key, param=key))
        told = f"{failure.message} {failure.code} {failure.param}"
        assert key not in told
        assert key[-8:] not in told


@pytest.mark.parametrize(
    "words",
    [
        "The model `gpt-6-luna` does not exist.",
        "model 'nonexistent-model:latest' not found",
        "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
        "This model's maximum context length is 1048565 tokens.",
        "a key-value store, of-course, in an organization",
        "Visit https://platform.openai.com/account/rate-limits to learn more.",
        "Ключ неверен 😀",
    ],
)
def test_other_words_are_kept(words: str) -> None:
    assert scrubbed(words) == words


def test_a_message_has_a_largest_size() -> None:
    failure = failure_of(400, {}, body_of("word " * 20_000))
    assert len(failure.message) <= 2_000


@pytest.mark.parametrize(
    "text",
    [
        "a-" * 32_000,
        "*" * 64_000,
        "-" * 64_000,
        "sk-" * 20_000,
        "model " * 10_000,
        "bearer " * 9_000,
        "api key " * 8_000,
    ],
)
def test_hostile_words_cost_no_more_than_their_length(text: str) -> None:
    """A pattern that looks at each character again and again would not end within the test's time."""
    for status in (400, 404, 413, 422, 429):
        failure_of(status, {}, body_of(text))
    scrubbed(text * 16)


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"code": "unsupported_value", "param": "messages[0].role"}, "unsupported_value", "messages[0].role"),
        ({"code": "content_filter"}, "content_filter", None),
        ({"code": None, "param": None}, "upstream_rejected", None),
        ({"code": 400, "param": 7}, "upstream_rejected", None),
        ({"code": "400"}, "upstream_rejected", None),
        ({"code": "two words"}, "upstream_rejected", None),
        ({"code": "x" * 65}, "upstream_rejected", None),
        ({"code": "ß", "param": "a b"}, "upstream_rejected", None),
        ({"param": "x" * 129}, "upstream_rejected", None),
        ({"code": ["a"], "type": {"b": 1}, "param": ["a"]}, "upstream_rejected", None),
    ],
)
def test_a_rejection_keeps_code_and_parameter_where_they_are_names(
    fields: dict[str, Any], code: str, param: str | None
) -> None:
    failure = failure_of(400, {}, body_of("no", **fields))
    assert (failure.kind, failure.code, failure.param) == (kinds.UPSTREAM_REJECTED, code, param)


@pytest.mark.parametrize("status", [429, 503, 529])
def test_a_wait_is_read_where_one_is_meant(status: int) -> None:
    headers = {"retry-after": "7", "x-should-retry": "false"}
    failure = failure_of(status, headers, b"")
    assert (failure.retry_after_seconds, failure.should_retry) == (7.0, False)


@pytest.mark.parametrize("status", [200, 400, 401, 404, 500, 502])
def test_a_wait_elsewhere_is_not_believed(status: int) -> None:
    assert failure_of(status, {"retry-after": "7"}, b"").retry_after_seconds is None


@pytest.mark.parametrize(("word", "should"), [("true", True), ("false", False), ("", None), ("yes", None)])
def test_the_providers_own_word_on_trying_again(word: str, should: bool | None) -> None:
    assert failure_of(500, {"x-should-retry": word}, b"").should_retry is should


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        ({}, kinds.UPSTREAM_ERROR, 502),
        ({"message": "x"}, kinds.UPSTREAM_ERROR, 502),
        ({"code": 429}, kinds.UPSTREAM_RATE_LIMITED, 429),
        ({"code": "429"}, kinds.UPSTREAM_RATE_LIMITED, 429),
        ({"code": 400}, kinds.UPSTREAM_REJECTED, 400),
        ({"code": 404}, kinds.UPSTREAM_REJECTED, 404),
        ({"code": 403, "metadata": {"reasons": []}}, kinds.UPSTREAM_REJECTED, 403),
        ({"code": 401}, kinds.PROVIDER_AUTH_FAILED, 502),
        ({"code": 402}, kinds.PROVIDER_QUOTA_EXHAUSTED, 503),
        ({"code": 529}, kinds.UPSTREAM_OVERLOADED, 503),
        ({"code": 200}, kinds.UPSTREAM_ERROR, 502),
        ({"code": 999}, kinds.UPSTREAM_ERROR, 502),
        ({"code": True}, kinds.UPSTREAM_ERROR, 502),
        ({"code": "٤٢٩"}, kinds.UPSTREAM_ERROR, 502),
        ({"code": "rate_limit_exceeded", "type": "tokens"}, kinds.UPSTREAM_RATE_LIMITED, 429),
        ({"type": "overloaded_error"}, kinds.UPSTREAM_OVERLOADED, 503),
        ({"type": "invalid_request_error"}, kinds.UPSTREAM_REJECTED, 400),
        ({"type": "insufficient_quota"}, kinds.PROVIDER_QUOTA_EXHAUSTED, 503),
        ({"code": "server_error"}, kinds.UPSTREAM_ERROR, 502),
    ],
)
def test_an_error_inside_a_stream_has_its_class(error: dict[str, Any], kind: Kind, status: int) -> None:
    failure = stream_failure(error)
    assert (failure.kind, failure.status) == (kind, status)


@pytest.mark.parametrize(
    ("found", "holds"),
    [
        ({"error": {"message": "a"}}, True),
        ({"error": "a"}, True),
        ({"detail": "a"}, True),
        ({"detail": [{"msg": "a"}]}, True),
        ({"message": "a"}, True),
        ({"object": "error"}, True),
        ({"type": "error"}, True),
        ([{"error": {"message": "a"}}], True),
        ({"error": None}, False),
        ({"error": {}}, False),
        ({"error": ""}, False),
        ({}, False),
        ([], False),
        (None, False),
        ("error", False),
        ({"choices": [], "message": "a"}, False),
        ({"object": "chat.completion", "choices": []}, False),
    ],
)
def test_what_holds_an_error(found: Any, holds: bool) -> None:
    assert (error_in(found) is not None) == holds


_JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=9)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["error", "message", "code", "type", "param", "detail", "object", "metadata", "loc", "msg"]
            ),
            inner,
        ),
    ),
    max_leaves=12,
)


@given(st.integers(200, 599), _JSON)
def test_any_body_gives_a_failure(status: int, found: Any) -> None:
    failure = failure_of(status, {}, json.dumps(found).encode())
    assert isinstance(failure, Failure)
    assert failure.message
    assert 400 <= failure.status < 600


@given(st.integers(200, 599), st.binary(max_size=50))
def test_any_bytes_give_a_failure(status: int, body: bytes) -> None:
    assert failure_of(status, {}, body).message
