"""What clients of OpenAI's dialect are told: the closing chunk, the end, errors and models, to the letter."""

import json
from datetime import date
from typing import Any

import orjson
import pytest

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.events import End, Usage
from oneflow_ai.core.failure import KINDS, Failure
from oneflow_ai.core.listing import Shown
from oneflow_ai.dialects.openai import Encoder, failure_body, model_body, models_body, stream_end
from oneflow_ai.dialects.openai_writer import DONE, usage_object
from tests.wire.requests import call_of, target_of

CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "gpt-6-luna"}
REQUEST = {"model": "text", "messages": [{"role": "user", "content": "hi"}], "stream": True}
GIVEN = {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21, "prompt_tokens_details": {"cached_tokens": 4}}


def end_with(usage: Any, **more: Any) -> End:
    return End("stop", chunk={**CHUNK, **more, "usage": usage})


def chunk_of(content: bytes) -> dict[str, Any]:
    assert content.endswith(DONE)
    event = content.removesuffix(DONE)
    assert event.startswith(b"data: ") and event.endswith(b"\n\n")
    found: dict[str, Any] = json.loads(event[6:])
    return found


def test_without_asking_there_is_no_usage_chunk() -> None:
    assert stream_end(end_with(GIVEN), Usage(9, 12), 5, False) == b"data: [DONE]\n\n"


def test_the_closing_chunk_is_openais_with_the_cost_in_it() -> None:
    content = stream_end(end_with(GIVEN), Usage(9, 12), 1_234_000, True)
    assert chunk_of(content) == {**CHUNK, "choices": [], "usage": {**GIVEN, "cost": 0.001234}}


def test_our_cost_stands_in_the_place_of_the_providers() -> None:
    content = stream_end(end_with({**GIVEN, "cost": 9.5}), Usage(9, 12, cost_nanos=9), 2_000_000_000, True)
    assert chunk_of(content)["usage"]["cost"] == 2.0


def test_a_cost_of_nothing_is_zero() -> None:
    assert chunk_of(stream_end(end_with(GIVEN), Usage(9, 12), 0, True))["usage"]["cost"] == 0


@pytest.mark.parametrize("source", ["estimated", "capped", "provider_partial"])
def test_usage_that_is_not_the_providers_is_told_as_it_was_counted(source: str) -> None:
    content = stream_end(end_with(GIVEN), Usage(100, 40, source=source), 0, True)
    assert chunk_of(content)["usage"] == {**usage_object(Usage(100, 40)), "cost": 0}


def test_a_provider_without_usage_has_a_closing_chunk_all_the_same() -> None:
    content = stream_end(end_with(None), Usage(3, 2, source="estimated"), 0, True)
    assert chunk_of(content)["usage"]["total_tokens"] == 5


def test_the_object_is_the_wires_own() -> None:
    assert (
        chunk_of(stream_end(end_with(GIVEN, object="text_completion"), Usage(), 0, True))["object"] == "text_completion"
    )
    bare = End("stop", chunk={"usage": GIVEN})
    assert chunk_of(stream_end(bare, Usage(), 0, True))["object"] == "chat.completion.chunk"


def test_fields_of_the_providers_own_closing_chunk_are_kept() -> None:
    content = stream_end(end_with(GIVEN, choices=[], system_fingerprint="fp", citations=["a"]), Usage(), 0, True)
    assert {"system_fingerprint": "fp", "citations": ["a"]}.items() <= chunk_of(content).items()


def test_an_end_without_a_chunk_is_the_mark_alone() -> None:
    assert stream_end(End("stop"), Usage(), 0, True) == DONE


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: str(kind.code))
def test_an_error_has_openais_shape(kind: kinds.Kind) -> None:
    body = orjson.loads(failure_body(Failure(kind, "Words.", param="messages[0]")))
    assert body == {"error": {"message": "Words.", "type": kind.type, "param": "messages[0]", "code": kind.code}}
    assert 400 <= kind.status < 600


def test_an_error_keeps_the_providers_own_code() -> None:
    failure = Failure(kinds.UPSTREAM_REJECTED, "no", status=422, code="unsupported_value")
    assert orjson.loads(failure_body(failure))["error"]["code"] == "unsupported_value"
    assert orjson.loads(failure_body(failure))["error"]["param"] is None


def test_a_broken_stream_ends_with_an_error_event_and_no_mark() -> None:
    failure = Failure(kinds.UPSTREAM_STREAM_INTERRUPTED, "cut")
    content = Encoder(call_of(REQUEST), target_of("openai")).failure(failure)
    assert content == b"data: " + failure_body(failure) + b"\n\n"
    assert b"[DONE]" not in content


def test_models_are_listed_in_openais_shape() -> None:
    one = {
        "id": "openai/gpt-6-luna", "object": "model", "created": 7, "owned_by": "openai", "shutdown_date": "2027-01-14",
        "capabilities": ["text", "reasoning"], "context_length": 400_000, "max_completion_tokens": 128_000,
        "pricing": {"prompt": "0.00000025", "completion": "0.000002"},
    }  # fmt: skip
    told = ("text", "reasoning"), 400_000, 128_000, 250_000_000, 2_000_000_000, date(2027, 1, 14)
    written = model_body(Shown("openai/gpt-6-luna", "openai", *told), 7)
    route = model_body(Shown("text", "oneflow", ("text",)), 7)
    assert orjson.loads(written) == one
    assert orjson.loads(route)["pricing"] is None
    listed = orjson.loads(models_body({"text": route, "openai/gpt-6-luna": written}))
    assert listed == {"object": "list", "data": [orjson.loads(route), one]}
