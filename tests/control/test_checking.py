"""A provider is checked by the list of models that its own wire has, signed where its requests are."""

from dataclasses import dataclass
from typing import Any, cast

import orjson
import pytest

from oneflow_ai.control.checking import Checked, _check
from oneflow_ai.control.ports import Running
from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.core.target import Target
from oneflow_ai.testing import Scripted, ScriptedUpstream, SeededChance, VirtualClock, run_virtual
from tests.wire.requests import target_of

PAIR = "AKIDEXAMPLE:a-secret"  # pragma: allowlist secret


@dataclass
class World:
    """What a check needs of a running gateway."""

    clock: VirtualClock
    upstream: ScriptedUpstream


def checked(target: Target, answer: Any) -> tuple[Checked, HttpRequest]:
    """What comes of a check that is answered so, and what was asked."""
    found: list[Any] = []

    async def run(clock: VirtualClock, chance: SeededChance) -> None:
        upstream = ScriptedUpstream([Scripted(steps=(orjson.dumps(answer),))], clock)
        found.append(await _check(target, cast(Running, World(clock, upstream))))
        found.extend(upstream.requests)

    run_virtual(run)
    result, request = found
    return result, request


@pytest.mark.parametrize(
    ("target", "answer", "url"),
    [
        (target_of("openai"), {"data": [{"id": "a"}, {}]}, "https://api.openai.com/v1/models"),
        (target_of("together"), [{}, {}], "https://api.together.xyz/v1/models"),
        (
            target_of("gemini"),
            {"models": [{"name": "models/a"}, {"name": "models/b"}]},
            "https://generativelanguage.googleapis.com/v1beta/models?pageSize=1000",
        ),
        (
            target_of("bedrock", region="eu-west-1"),
            {"modelSummaries": [{}, {}]},
            "https://bedrock.eu-west-1.amazonaws.com/foundation-models",
        ),
    ],
)
def test_a_list_of_models_is_counted(target: Target, answer: Any, url: str) -> None:
    result, request = checked(target, answer)
    assert (result.ok, result.models, request.url) == (True, 2, url)


@pytest.mark.parametrize("answer", [{"data": {}}, {"other": []}, {}, "x"])
def test_what_is_no_list_is_none(answer: Any) -> None:
    result, _ = checked(target_of("openai"), answer)
    assert (result.ok, result.code) == (False, "upstream_bad_response")


def test_where_there_is_no_list_what_the_account_has_left_is_told() -> None:
    result, request = checked(target_of("stability"), {"credits": 1234.5})
    assert request.url == "https://api.stability.ai/v1/user/balance"
    assert (result.ok, result.account, result.models) == (True, "1,234.5 credits left", None)


def test_an_account_that_has_nothing_left_is_no_good() -> None:
    result, _ = checked(target_of("stability"), {"credits": 0})
    assert (result.ok, result.code, result.account) == (False, "provider_quota_exhausted", None)


@pytest.mark.parametrize("answer", [{"credits": "12"}, {"credits": None}, {"credits": True}, {"balance": 1}])
def test_what_tells_neither_models_nor_credits_is_no_answer(answer: Any) -> None:
    result, _ = checked(target_of("stability"), answer)
    assert (result.ok, result.code, result.account) == (False, "upstream_bad_response", None)


def test_an_access_key_signs_the_question_and_is_not_in_it() -> None:
    _, request = checked(target_of("bedrock", key=PAIR), {"modelSummaries": []})
    headers = dict(request.headers)
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert not any("a-secret" in value for value in headers.values())


def test_what_an_account_has_left_is_told_with_its_check_where_the_provider_tells_it() -> None:
    def asked(*answers: Scripted) -> Checked:
        found: list[Checked] = []

        async def run(clock: VirtualClock, chance: SeededChance) -> None:
            upstream = ScriptedUpstream(list(answers), clock)
            found.append(await _check(target_of("elevenlabs"), cast(Running, World(clock, upstream))))

        run_virtual(run)
        return found[0]

    models = Scripted(steps=(b"[]",))
    left = b'{"character_count":4000,"character_limit":10000}'
    assert asked(models, Scripted(steps=(left,))).account == "6,000 of 10,000 credits left"
    # A key that may speak, and not look at its account, is a good one.
    narrow = asked(models, Scripted(status=401, steps=(b'{"detail":{"status":"missing_permissions"}}',)))
    assert (narrow.ok, narrow.account) == (True, None)
