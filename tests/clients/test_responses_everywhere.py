"""The official OpenAI client's Responses against models of every wire."""

from __future__ import annotations

import pytest
from openai import OpenAI
from pydantic import BaseModel

from tests.clients.everywhere import MODELS, Gateway

pytestmark = pytest.mark.clients

HELLO = "Say hello to the sea."


class Place(BaseModel):
    """What a structured answer gives."""

    city: str


@pytest.mark.parametrize("kind", MODELS)
def test_a_response_whole_streamed_and_by_a_schema(gateway: Gateway, kind: str) -> None:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as client:
        whole = client.responses.create(model=MODELS[kind], input=HELLO)
        with client.responses.stream(model=MODELS[kind], input=HELLO) as stream:
            streamed = stream.get_final_response()
        parsed = client.responses.parse(model=MODELS[kind], input=HELLO, text_format=Place)
    assert HELLO in whole.output_text
    assert (streamed.output_text, streamed.status) == (whole.output_text, "completed")
    assert whole.usage is not None and whole.usage.output_tokens > 0
    assert isinstance(parsed.output_parsed, Place)
