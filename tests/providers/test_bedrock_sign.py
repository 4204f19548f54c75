"""Signatures are Amazon's own: the examples of its documentation and of its test suite come out as they stand there."""

from datetime import UTC, datetime, timedelta

import pytest

from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.core.target import Timeouts
from oneflow_ai.providers.bedrock_sign import KeyPair, Scope, Signer, host_of, key_pair, signing_key
from oneflow_ai.upstream.address import address_and_head

# docs.aws.amazon.com/IAM/latest/UserGuide: "Create a signed request" and "Signature Version 4 test suite" (2026-11-26).
KEYS = KeyPair("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")  # pragma: allowlist secret
AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
SERVICE = Scope("us-east-1", "service")


def signature(signer: Signer, at: datetime = AT) -> dict[str, str]:
    """What the authorization of a signed request says."""
    told = dict(signer(at))["authorization"]
    algorithm, _, rest = told.partition(" ")
    return {"algorithm": algorithm, **dict(part.split("=", 1) for part in rest.split(", "))}


def test_the_key_of_a_day_region_and_service() -> None:
    key = signing_key(KEYS.secret, "20120215", Scope("us-east-1", "iam"))
    assert key.hex() == "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"  # pragma: allowlist secret
    key = signing_key(KEYS.secret, "20150830", Scope("us-east-1", "iam"))
    assert key.hex() == "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"  # pragma: allowlist secret


def test_the_documentations_own_request() -> None:
    signer = Signer(
        "GET",
        "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
        (("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),),
        b"",
        KEYS,
        Scope("us-east-1", "iam"),
        frozenset({"content-type"}),
    )
    assert signature(signer) == {
        "algorithm": "AWS4-HMAC-SHA256",
        "Credential": "AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request",
        "SignedHeaders": "content-type;host;x-amz-date",
        "Signature": "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",  # pragma: allowlist secret
    }


@pytest.mark.parametrize(
    ("method", "query", "headers", "body", "expected"),
    [
        ("GET", "", (), b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "", (), b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "GET", "?Param2=value2&Param1=value1", (), b"",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "POST", "", (("Content-Type", "application/x-www-form-urlencoded"),), b"Param1=value1",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
    ],
    ids=["get-vanilla", "post-vanilla", "get-vanilla-query-order-key-case", "post-x-www-form-urlencoded"],
)  # fmt: skip
def test_the_test_suite(
    method: str, query: str, headers: tuple[tuple[str, str], ...], body: bytes, expected: str
) -> None:
    url = f"https://example.amazonaws.com/{query}"
    signer = Signer(method, url, headers, body, KEYS, SERVICE, frozenset({"content-type"}))
    assert signature(signer)["Signature"] == expected


def test_a_path_is_encoded_once_more_than_it_is_sent() -> None:
    url = "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-v2%3A1/converse"
    signer = Signer("POST", url, (), b"{}", KEYS, Scope("us-east-1", "bedrock"))
    assert "\n/model/anthropic.claude-v2%253A1/converse\n" in signer._canonical([("host", host_of(url))], "host")


def test_a_sessions_token_is_sent_and_signed() -> None:
    keys = KeyPair(KEYS.access_key_id, KEYS.secret, "the-token")
    found = Signer("GET", "https://example.amazonaws.com/", (), b"", keys, SERVICE)
    assert dict(found(AT))["x-amz-security-token"] == "the-token"
    assert signature(found)["SignedHeaders"] == "host;x-amz-date;x-amz-security-token"


def test_a_signature_is_of_its_moment() -> None:
    signer = Signer("GET", "https://example.amazonaws.com/", (("x-a", "b"),), b"", KEYS, SERVICE)
    now, later = signer(AT), signer(AT + timedelta(days=1))
    assert dict(now)["x-amz-date"] == "20150830T123600Z"
    assert dict(later)["x-amz-date"] == "20150831T123600Z"
    assert dict(now)["authorization"] != dict(later)["authorization"]
    assert now[0] == later[0] == ("x-a", "b")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://a.example/x", "a.example"),
        ("https://a.example:443/x", "a.example"),
        ("https://a.example:8443/x", "a.example:8443"),
        ("http://127.0.0.1:80/", "127.0.0.1"),
        ("http://127.0.0.1:8080/", "127.0.0.1:8080"),
        ("http://[::1]:8080/", "[::1]:8080"),
    ],
)
def test_the_host_that_is_signed_is_the_one_that_is_sent(url: str, host: str) -> None:
    _, head = address_and_head(HttpRequest("GET", url, (), b"", Timeouts(), ""))
    assert head.split(b"\r\n")[1] == f"host: {host}".encode()
    assert host_of(url) == host


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("AKID:secret/with+signs", KeyPair("AKID", "secret/with+signs")),
        ("ASIA:secret:token==", KeyPair("ASIA", "secret", "token==")),
        ("ABSKQmVkcm9ja0FQSUtleQ==", None),
        ("bedrock-api-key-YmVkcm9jaw==", None),
        ("a:", None),
        (":b", None),
        ("a:b:", None),
        ("a:b:c:d", None),
    ],
)
def test_a_pair_is_known_by_its_colons(text: str, pair: KeyPair | None) -> None:
    assert key_pair(text) == pair


def test_a_pair_does_not_print() -> None:
    assert "secret" not in repr(KeyPair("AKID", "secret", "secret token"))
