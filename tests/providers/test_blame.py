"""No credential is blamed for what a client chose: a model or a file that the account may not use."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure, Kind
from oneflow_ai.providers import anthropic_failure, bedrock_failure, gemini_failure, openai_failure
from oneflow_ai.providers.table import TABLE

MODEL, REJECTED, KEY = kinds.UPSTREAM_MODEL_NOT_FOUND, kinds.UPSTREAM_REJECTED, kinds.PROVIDER_AUTH_FAILED
Read = Callable[[int, dict[str, str], bytes], Failure]


def _openai(message: str, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


def _anthropic(message: str, kind: str = "permission_error") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}


def _gemini(message: str, status: str = "PERMISSION_DENIED") -> dict[str, Any]:
    return {"error": {"code": 403, "message": message, "status": status}}


def _bedrock(message: str, name: str = "AccessDeniedException") -> dict[str, Any]:
    return {"__type": name, "message": message}


BLOCKED = "model_permission_blocked_project"
ENDED, TOKEN = "FAILED_PRECONDITION", "UnrecognizedClientException"
FOUNDATION = "arn:aws:bedrock:us-east-1::foundation-model/x"
ARN = "User: arn:aws:iam::123456789012:user/x is not authorized to perform: bedrock:InvokeModel on resource: "
OPENAI, ANTHROPIC = openai_failure.failure_of, anthropic_failure.failure_of
GEMINI, BEDROCK = gemini_failure.failure_of, bedrock_failure.failure_of


@pytest.mark.parametrize(
    ("read", "status", "body", "kind"),
    [
        (OPENAI, 403, _openai("Project `proj_1` does not have access to model `o3`.", "model_not_found"), MODEL),
        (OPENAI, 401, _openai("No such model.", "model_not_found"), MODEL),
        (OPENAI, 403, _openai("Project proj_1 does not have access to model o3."), MODEL),
        (OPENAI, 403, _openai("Your organization must be verified to use the model `o3`."), MODEL),
        (OPENAI, 403, _openai("The model `x` is blocked at the project level.", BLOCKED), MODEL),
        (OPENAI, 404, _openai("The model `x` does not exist.", "model_not_found"), MODEL),
        (OPENAI, 404, _openai("No such File object: file-1"), REJECTED),
        (OPENAI, 403, _openai("You do not have access to file file-1."), REJECTED),
        (OPENAI, 403, _openai("You have insufficient permissions. Missing scopes: model.request. Check the key."), KEY),
        (OPENAI, 403, _openai("Country, region, or territory not supported"), KEY),
        (OPENAI, 401, _openai("Incorrect API key provided: sk-1.", "invalid_api_key"), KEY),
        (ANTHROPIC, 403, _anthropic("Your API key does not have permission to use the model claude-x."), MODEL),
        (ANTHROPIC, 403, _anthropic("Your API key does not have permission to use the specified resource."), KEY),
        (ANTHROPIC, 403, _anthropic("You do not have access to file_011."), REJECTED),
        (ANTHROPIC, 403, _anthropic("This organization has been disabled."), KEY),
        (ANTHROPIC, 404, _anthropic("File not found: file_011", "not_found_error"), REJECTED),
        (GEMINI, 403, _gemini("You do not have permission to access the File abc or it may not exist."), REJECTED),
        (GEMINI, 400, _gemini("The File abc is not in an ACTIVE state.", ENDED), REJECTED),
        (GEMINI, 403, _gemini("You do not have permission to access tuned model tunedModels/x."), MODEL),
        (GEMINI, 403, _gemini("Permission denied: Consumer 'project:1' has been suspended."), KEY),
        (GEMINI, 400, _gemini("User location is not supported for the API use.", ENDED), KEY),
        (BEDROCK, 403, _bedrock("You don't have access to the model with the specified model ID."), MODEL),
        (BEDROCK, 403, _bedrock(ARN + f"{FOUNDATION} because no policy allows it"), MODEL),
        (BEDROCK, 403, _bedrock(ARN + "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.x"), MODEL),
        (BEDROCK, 403, _bedrock("The security token included in the request is invalid.", TOKEN), KEY),
        (BEDROCK, 403, _bedrock("You are not authorized."), KEY),
    ],
)  # fmt: skip
def test_a_refusal_blames_the_key_only_for_itself(read: Read, status: int, body: Any, kind: Kind) -> None:
    failure = read(status, {}, json.dumps(body).encode())
    assert failure.kind is kind
    assert failure.kind.blame == ("credential" if kind is KEY else "nobody")
    assert "123456789012" not in failure.message
    assert "proj_1" not in failure.message


def test_a_models_refusal_inside_a_stream_blames_no_key() -> None:
    told = {"type": "permission_error", "message": "You do not have access to the model claude-x."}
    assert anthropic_failure.stream_failure(told).kind is MODEL
    assert anthropic_failure.stream_failure({**told, "message": "No."}).kind is KEY


SECRET = "sk-live-0123456789abcdef0123456789"
# A refusal that says no more, in each provider's own words, and in none.
REFUSALS = {
    "anthropic": _anthropic(f"Your API key {SECRET} does not have permission to use the specified resource."),
    "gemini": _gemini(f"Permission denied: Consumer {SECRET}."),
    "bedrock": _bedrock(f"You are not authorized: {SECRET}."),
    "mistral": {"detail": f"Invalid API Key {SECRET}"},
    "xai": {"code": "forbidden", "error": f"Not with {SECRET}."},
}


@pytest.mark.parametrize("kind", TABLE)
@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_that_names_nothing_of_the_clients_is_the_keys_whoever_sends_it(kind: str, status: int) -> None:
    told = json.dumps(REFUSALS.get(kind) or _openai(f"Not with {SECRET}.")).encode()
    for body in (told, b"", b"<html>forbidden</html>", b"{}"):
        failure = TABLE[kind].adapter.failure(status, {}, body)
        assert (failure.kind, failure.kind.blame, failure.kind.same) == (KEY, "credential", False), body
        assert (failure.status, failure.code) == (502, "provider_auth_failed")
        assert SECRET not in failure.message
