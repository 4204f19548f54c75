"""The official clients read an answer that another model went on with as one answer, and find the mark in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from anthropic import Anthropic
from openai import OpenAI

from oneflow_ai.providers.table import TABLE
from oneflow_ai.simulator import FAST, SimulatorOptions, run_in_thread
from tests.clients.everywhere import CONFIGURATION, PROVIDER
from tests.clients.serving import serving

pytestmark = pytest.mark.clients

NEXT = "anthropic/claude-haiku-4-5"
BROKEN = {"openai": "openai/sim-F13@event:6", "anthropic": "anthropic/sim-F13@event:6"}
ROUTE = '[routes.{name}]\ntask = "text"\ntargets = ["{first}", "{following}"]\ncontinue_cut = true\n'
HELLO: Any = [{"role": "user", "content": "Say hello to the sea."}]
FIRST = pytest.mark.parametrize("first", BROKEN)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of one whose routes break off after six pieces and are gone on with, and a key."""
    home = tmp_path_factory.mktemp("continuing")
    with run_in_thread(SimulatorOptions(pace=FAST)) as simulator:
        text = CONFIGURATION
        for kind in BROKEN:
            path = urlsplit(TABLE[kind].base_url or "").path.rstrip("/")
            text += PROVIDER.format(kind=kind, name=kind, url=simulator.origin + path)
        text += "".join(ROUTE.format(name=f"by-{kind}", first=BROKEN[kind], following=NEXT) for kind in BROKEN)
        (home / "oneflow.toml").write_text(text)
        with serving(home, {"PROVIDER_KEY": "sk-of-the-providers"}) as found:
            yield found


@pytest.fixture(scope="module")
def openai(gateway: tuple[str, str]) -> Iterator[OpenAI]:
    url, key = gateway
    with OpenAI(base_url=url + "/v1", api_key=key, max_retries=0) as found:
        yield found


@pytest.fixture(scope="module")
def anthropic(gateway: tuple[str, str]) -> Iterator[Anthropic]:
    url, key = gateway
    with Anthropic(base_url=url, api_key=key, max_retries=0) as found:
        yield found


@pytest.fixture(scope="module")
def whole(anthropic: Anthropic) -> str:
    """The answer as it is where nothing breaks."""
    (block,) = anthropic.messages.create(model=NEXT, max_tokens=400, messages=HELLO).content
    assert block.type == "text"
    return block.text


def marks(events: list[Any]) -> list[Any]:
    """The mark of each event that has one."""
    return [event.model_extra["oneflow"] for event in events if "oneflow" in (event.model_extra or {})]


@FIRST
def test_a_chat(openai: OpenAI, whole: str, first: str) -> None:
    asked: Any = {"model": f"by-{first}", "messages": HELLO}
    chunks = list(openai.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == whole
    assert marks(chunks) == [{"continued_by": NEXT}]
    assert chunks[-1].usage is not None
    with openai.chat.completions.stream(**asked) as stream:
        (choice,) = stream.get_final_completion().choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", whole, "stop")


@FIRST
def test_a_message(anthropic: Anthropic, whole: str, first: str) -> None:
    asked: Any = {"model": f"by-{first}", "messages": HELLO, "max_tokens": 400}
    events = list(anthropic.messages.create(**asked, stream=True))
    assert marks(events) == [{"continued_by": NEXT}]
    with anthropic.messages.stream(**asked) as stream:
        assert "".join(stream.text_stream) == whole
        message = stream.get_final_message()
    (block,) = message.content
    assert block.type == "text"
    assert (block.text, message.stop_reason) == (whole, "end_turn")
    assert message.usage.output_tokens > 0


@FIRST
def test_a_response(openai: OpenAI, whole: str, first: str) -> None:
    asked: Any = {"model": f"by-{first}", "input": HELLO, "store": False}
    events = list(openai.responses.create(**asked, stream=True))
    assert marks(events) == [{"continued_by": NEXT}]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    with openai.responses.stream(**asked) as stream:
        response = stream.get_final_response()
    assert (response.output_text, response.status) == (whole, "completed")
