"""Where a request for Bedrock goes, and how its key goes with it: sent, or signed with."""

from datetime import UTC, datetime
from typing import Any

import pytest

from oneflow_ai.core.call import Operation
from oneflow_ai.core.failure import PROVIDER_NOT_CONFIGURED, Failure
from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.core.target import Target
from oneflow_ai.providers.bedrock import BedrockAdapter
from tests.wire.own_prompts import prompt, request
from tests.wire.requests import KEY, target_of

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"  # pragma: allowlist secret
PAIR = f"AKIDEXAMPLE:{SECRET}:the-token"
AT = datetime(2026, 11, 26, 12, tzinfo=UTC)


def model(name: str, **options: str) -> Target:
    """A target of Bedrock's."""
    return target_of("bedrock", model=name, **options)


def paired(base_url: str | None = None, **options: str) -> Target:
    """A target whose key is an access key."""
    return target_of("bedrock", key=PAIR, base_url=base_url, **options)


BUDGETED, NOVA = model("us.anthropic.claude-haiku-4-5-20251001-v1:0"), model("amazon.nova-lite-v1:0")


@pytest.mark.parametrize(
    ("target", "about", "url"),
    [
        (
            BUDGETED, {},
            "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse",
        ),
        (NOVA, {"stream": True}, "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse-stream"),
        (
            BUDGETED, {"operation": Operation.COUNT_TOKENS},
            "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-haiku-4-5-20251001-v1%3A0/count-tokens",
        ),
        (
            model("amazon.nova-lite-v1:0", region="eu-central-1"), {},
            "https://bedrock-runtime.eu-central-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse",
        ),
        (
            model("arn:aws:bedrock:eu-west-1:1:inference-profile/a.b"), {},
            "https://bedrock-runtime.us-east-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Fa.b/converse",
        ),
        (
            target_of("bedrock", model="m", base_url="http://127.0.0.1:9"), {}, "http://127.0.0.1:9/model/m/converse",
        ),
    ],
)  # fmt: skip
def test_addresses(target: Target, about: dict[str, Any], url: str) -> None:
    assert request(prompt(), target, **about).url == url


def test_a_key_of_one_piece_is_sent_as_it_is() -> None:
    found = request(prompt(), NOVA)
    assert found.sign is None
    assert [(name, value) for name, value in found.headers if KEY in value] == [("authorization", f"Bearer {KEY}")]


def signed(found: HttpRequest) -> dict[str, str]:
    """The headers of a request as they are sent; the secret is in none of them, nor in what prints."""
    assert found.sign is not None
    headers = found.sign(AT)
    assert len(headers) == len(dict(headers))
    assert SECRET not in repr(found)
    assert not any(SECRET in value for _, value in (*found.headers, *headers))
    return dict(headers)


@pytest.mark.parametrize(
    ("target", "region"),
    [
        (paired(), "us-east-1"),
        (paired(region="eu-central-1"), "eu-central-1"),
        (paired("https://bedrock-runtime.ap-south-1.amazonaws.com"), "ap-south-1"),
        (paired("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com"), "us-gov-west-1"),
        (paired("http://127.0.0.1:9"), "us-east-1"),
        (paired("http://127.0.0.1:9", region="eu-west-1"), "eu-west-1"),
    ],
)
def test_an_access_key_signs_for_its_region_and_its_secret_stays_here(target: Target, region: str) -> None:
    headers = signed(request(prompt(), target))
    assert headers["x-amz-date"] == "20261126T120000Z"
    assert headers["x-amz-security-token"] == "the-token"
    scope = f"Credential=AKIDEXAMPLE/20261126/{region}/bedrock/aws4_request"
    assert headers["authorization"].startswith(f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host;x-amz-date;")
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("target", "url"),
    [
        (paired(region="eu-west-1"), "https://bedrock.eu-west-1.amazonaws.com/foundation-models"),
        (paired("http://127.0.0.1:9"), "http://127.0.0.1:9/foundation-models"),
    ],
)
def test_the_list_of_models_is_signed_too(target: Target, url: str) -> None:
    assert isinstance(target.adapter, BedrockAdapter)
    found = target.adapter.models_request(target)
    assert (found.method, found.url, found.body) == ("GET", url, b"")
    assert "authorization" in signed(found)


@pytest.mark.parametrize(
    "key", ["AKIDEXAMPLE:", ":secret", "AKID EXAMPLE:secret", "AKIDEXAMPLE:sec ret", "a b", "AKIDEXAMPLE:s:t:u", "::"]
)
def test_a_key_that_is_none_is_neither_sent_nor_signed_with(key: str) -> None:
    target = target_of("bedrock", key=key)
    with pytest.raises(Failure) as refused:
        request(prompt(), target)
    assert refused.value.kind is PROVIDER_NOT_CONFIGURED
    assert "ACCESS_KEY_ID:SECRET_ACCESS_KEY" in refused.value.message
    assert key not in refused.value.message


@pytest.mark.parametrize(
    "region", ["evil.example/", "us-east-1.evil.example", "us-east-1@evil.example", "x", "us-east-1\n"]
)
def test_a_region_that_is_none_leads_nowhere(region: str) -> None:
    for target in (paired(region=region), model("m", region=region)):
        with pytest.raises(Failure) as refused:
            request(prompt(), target)
        assert refused.value.kind is PROVIDER_NOT_CONFIGURED


@pytest.mark.parametrize(
    "region", ["us-east-1", "us-gov-west-1", "us-isob-east-1", "eusc-de-east-1", "ap-southeast-12"]
)
def test_a_region_is_taken(region: str) -> None:
    assert f".{region}.amazonaws.com/" in request(prompt(), paired(region=region)).url
