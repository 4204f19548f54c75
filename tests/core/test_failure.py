"""The table of failures says of each fault what is documented: whether and where to try again, and who is to blame."""

import pytest

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import KINDS, Failure, Kind, in_own_words

# The faults of a provider, as the catalogue of faults orders them. The columns: status, R at the same target, R at
# another, at another before waiting, B (what the health book holds against whom), and whether it may have run.
FAULTS = [
    (kinds.UPSTREAM_UNREACHABLE, 502, True, True, True, "target", False),  # F1 DNS, F3 refused
    (kinds.UPSTREAM_BLOCKED, 502, False, False, False, "nobody", False),  # F2 an address that is not allowed
    (kinds.UPSTREAM_TLS_ERROR, 502, False, True, False, "target", False),  # F5
    (kinds.UPSTREAM_CLOSED, 502, True, True, False, "target", True),  # F6, F7
    (kinds.UPSTREAM_TIMEOUT, 504, True, True, False, "target", True),  # F4, F9 to F11, F44
    (kinds.UPSTREAM_IDLE_TIMEOUT, 504, True, True, False, "target", True),  # F12
    (kinds.UPSTREAM_STREAM_INTERRUPTED, 502, True, True, False, "target", True),  # F13, F14
    (
        kinds.UPSTREAM_RATE_LIMITED,
        429,
        True,
        True,
        True,
        "nobody",
        False,
    ),  # F19 to F21: the limiter's, not the breaker's
    (kinds.PROVIDER_QUOTA_EXHAUSTED, 503, False, True, False, "credential", False),  # F22
    (kinds.UPSTREAM_ERROR, 502, True, True, False, "target", False),  # F23
    (kinds.UPSTREAM_OVERLOADED, 503, True, True, False, "target", False),  # F23: 503, 529
    (kinds.PROVIDER_AUTH_FAILED, 502, False, True, False, "credential", False),  # F24
    (kinds.UPSTREAM_REJECTED, 400, False, False, False, "nobody", False),  # F25
    (kinds.UPSTREAM_MODEL_NOT_FOUND, 404, False, True, False, "nobody", False),  # F25
    (kinds.CONTEXT_LENGTH_EXCEEDED, 400, False, True, False, "nobody", False),  # F25
    (kinds.UPSTREAM_REQUEST_TOO_LARGE, 429, False, True, False, "nobody", False),  # more than a minute's tokens
    (kinds.UPSTREAM_CONTENT_ERROR, 500, False, False, False, "nobody", False),
    (kinds.UPSTREAM_BAD_RESPONSE, 502, True, True, False, "target", True),  # F26 to F31, F36, F37, F42
    (kinds.UPSTREAM_TOO_LARGE, 502, False, False, False, "target", True),  # F35
    (kinds.UPSTREAM_REDIRECT_REFUSED, 502, False, True, False, "target", False),  # F41
]

# `overloaded`: one provider holds all the calls that it may; another may have room.
ELSEWHERE = {
    "unsupported_parameter",
    "unsupported_operation",
    "insufficient_quota",
    "model_not_priced",
    "overloaded",
    "queue_timeout",
    "provider_not_configured",
}


@pytest.mark.parametrize(("kind", "status", "same", "other", "hurry", "blame", "ran"), FAULTS)
def test_a_fault_of_the_provider_is_as_documented(
    kind: Kind, status: int, same: bool, other: bool, hurry: bool, blame: str, ran: bool
) -> None:
    assert kind.cause == "upstream"
    assert (kind.status, kind.same, kind.other, kind.hurry) == (status, same, other, hurry)
    assert (kind.blame, kind.ran) == (blame, ran)


def test_every_fault_of_the_provider_is_in_that_table() -> None:
    assert {kind.code for kind, *_ in FAULTS} == {kind.code for kind in KINDS.values() if kind.cause == "upstream"}


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind.cause != "upstream"])
def test_what_is_not_the_providers_failure_blames_nobody_and_is_not_tried_again_here(kind: Kind) -> None:
    assert (kind.same, kind.hurry, kind.blame, kind.ran) == (False, False, "nobody", False)
    assert kind.other == (kind.code in ELSEWHERE)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_row_is_sound(kind: Kind) -> None:
    assert KINDS[kind.code] is kind
    assert kind.code.replace("_", "").isalnum() and kind.code == kind.code.lower()
    # 501 and 505 say what a client may not ask of HTTP.
    client = kind.cause == "client" and kind.status not in (501, 505)
    assert 400 <= kind.status < (500 if client else 600)
    assert kind.other or not kind.same, "what may be tried again here may be tried elsewhere"
    assert kind.same or not kind.hurry, "there is a wait to come back from"
    assert kind.cause == "upstream" or not kind.ran


def test_every_kind_of_the_module_is_in_the_table_and_the_table_cannot_be_changed() -> None:
    assert {kind.code for kind in vars(kinds).values() if isinstance(kind, Kind)} == set(KINDS)
    with pytest.raises(TypeError):
        KINDS["other"] = kinds.UPSTREAM_ERROR  # type: ignore[index]  # it is what must not be done


def test_a_failure_has_its_rows_words_unless_it_brings_its_own() -> None:
    plain = Failure(kinds.UPSTREAM_REJECTED, "no")
    assert (plain.status, plain.code, plain.param) == (400, "upstream_rejected", None)
    own = Failure(kinds.UPSTREAM_REJECTED, "no", status=422, code="bad_tool", param="tools")
    assert (own.status, own.code, own.param) == (422, "bad_tool", "tools")
    assert str(own) == "no"
    assert repr(own) == "Failure(bad_tool, 422, 'no')"


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_words_that_may_quote_a_request_are_not_the_gateways_own(kind: Kind) -> None:
    quoting = kind.cause == "client" or (kind.cause == "upstream" and kind.status < 500)
    assert kind.own_words is not quoting
    assert in_own_words(kind.code) is kind.own_words


def test_a_providers_own_code_never_makes_its_words_the_gateways() -> None:
    assert not in_own_words("bad_tool")
    for code in ("internal_error", "draining", "upstream_error"):
        assert Failure(kinds.UPSTREAM_REJECTED, "may quote the prompt", code=code).code == "upstream_rejected"
    assert Failure(kinds.DEADLINE_EXCEEDED, "ours", code="upstream_timeout").code == "upstream_timeout"


@pytest.mark.parametrize(
    ("message", "param", "words"),
    [
        ("no key", None, "no key"),
        ("there is no such voice", "voice_id", "voice_id: there is no such voice"),
        ("n is from 1 to 10", "n", "n: is from 1 to 10"),
        ("no such number", "n", "n: no such number"),
        ("image: must be a valid image", "image", "image: must be a valid image"),
    ],
)
def test_a_wire_without_a_field_for_the_parameter_tells_it_first(message: str, param: str | None, words: str) -> None:
    assert Failure(kinds.INVALID_VALUE, message, param=param).words == words
