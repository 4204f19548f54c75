"""Secrets never print, whatever they are in and however that is printed, and the values of a snapshot do not change."""

import copy
import dataclasses
import json
import logging
import pickle
import pprint
import traceback
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import orjson
import pytest

from oneflow_ai.core.call import Account, Call, Operation
from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.core.record import Attempt, Exchange
from oneflow_ai.core.target import Credential, RetryPolicy, Route, Secret, Timeouts
from oneflow_ai.policy.rows import ProviderRow, RouteTarget
from tests.policy.places import target

CANARY = "sk-canary-0123456789"
PROMPT = "the prompt canary"

secret = Secret(CANARY)
kept = dataclasses.replace(
    target(), credential=Credential("a", secret), headers=(("authorization", f"Bearer {CANARY}"),)
)
call = Call(
    id="call",
    account=Account("key"),
    dialect="openai",
    operation=Operation.CHAT,
    model="a/m",
    body={"messages": [{"role": "user", "content": PROMPT}]},
    stream=False,
    include_usage=False,
    received=datetime(2026, 1, 1, tzinfo=UTC),
    started_seconds=0.0,
    deadline_seconds=600.0,
    prompt_bytes=1,
)
HOLDERS: dict[str, object] = {
    "secret": secret,
    "credential": Credential("a", secret),
    "target": kept,
    "route": Route("text", call.operation.task, (kept,)),
    "call": call,
    "exchange": Exchange(call, [Attempt(kept, 0.0, 1.0, "ok", 200)], served=kept),
    "request": HttpRequest("POST", "http://a", kept.headers, PROMPT.encode(), Timeouts(), "a"),
    "provider row": ProviderRow("a", "openai", "", "a", (secret,), headers=kept.headers),
    "target row": RouteTarget("a/m", headers=kept.headers),
    "list": [secret, (secret,), {"key": secret}],
}
PRINTERS: dict[str, Callable[[object], str]] = {
    "repr": repr,
    "str": str,
    "format": format,
    "f-string": lambda one: f"{one} {one!r} {one!s} {one!a}",
    "percent": lambda one: "%s %r %a" % (one, one, one),  # noqa: UP031  one more way to print
    "pprint": pprint.pformat,
    "json with a default": lambda one: json.dumps({"one": one}, default=str),
    "orjson with a default": lambda one: orjson.dumps([repr(one)]).decode(),
    "log": lambda one: logging.LogRecord("", 0, "", 0, "%s %r", (one, one), None).getMessage(),
    "traceback": lambda one: "".join(traceback.format_exception(ValueError(one))),
}
SERIALISERS: dict[str, Callable[[object], object]] = {
    "pickle": pickle.dumps,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "json": json.dumps,
    "orjson": orjson.dumps,
    "msgspec": msgspec.json.encode,
    "msgpack": msgspec.msgpack.encode,
    "builtins": msgspec.to_builtins,
}


@pytest.mark.parametrize("printer", PRINTERS)
@pytest.mark.parametrize("holder", HOLDERS)
def test_no_secret_and_no_prompt_prints(holder: str, printer: str) -> None:
    text = PRINTERS[printer](HOLDERS[holder])
    assert CANARY not in text and "canary" not in text


@pytest.mark.parametrize("serialiser", SERIALISERS)
@pytest.mark.parametrize("held", [secret, Credential("a", secret)], ids=["secret", "credential"])
def test_a_secret_is_not_serialised(held: object, serialiser: str) -> None:
    if serialiser == "copy" and isinstance(held, Credential):
        assert copy.copy(held) == held  # shares the secret, as an assignment would
        return
    with pytest.raises(TypeError) as caught:
        SERIALISERS[serialiser](held)
    assert CANARY not in str(caught.value)


def test_a_target_with_a_secret_becomes_no_dict() -> None:
    with pytest.raises(TypeError, match="not serialised"):
        dataclasses.asdict(kept)
    with pytest.raises(TypeError):
        vars(secret)


def test_a_failed_format_or_look_up_tells_nothing() -> None:
    with pytest.raises(TypeError) as wrong_format:
        f"{secret:>30}"
    with pytest.raises(KeyError) as missing:
        dict[Secret, str]()[secret]
    assert CANARY not in f"{wrong_format.value}{missing.value!r}"


def test_a_secret_is_revealed_and_compared() -> None:
    assert secret.reveal() == CANARY
    assert secret == Secret(CANARY) and hash(secret) == hash(Secret(CANARY))
    assert secret != Secret("other") and secret != CANARY
    assert str(secret) == "***"


FROZEN = [kept, Credential("a", None), Timeouts(), RetryPolicy(), Route("r", call.operation.task, ())]


@pytest.mark.parametrize("value", FROZEN, ids=lambda value: type(value).__name__)
def test_what_a_snapshot_is_made_of_does_not_change(value: object) -> None:
    name = dataclasses.fields(value)[0].name  # type: ignore[arg-type]  # all of them are dataclasses
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, "other")


def test_the_default_policy_is_the_documented_one() -> None:
    assert RetryPolicy() == RetryPolicy(attempts=4, unsafe=True, jitter=True, deadline_seconds=600.0)
    limits = Timeouts()
    assert (limits.connect_seconds, limits.tls_seconds, limits.write_seconds) == (2.0, 5.0, 30.0)
    assert (limits.first_event_seconds, limits.idle_seconds, limits.total_seconds) == (60.0, 30.0, 600.0)
