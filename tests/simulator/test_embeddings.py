"""Embeddings and moderations of OpenAI's wire, as the official client and raw requests see them."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import Any

import pytest
from openai import AsyncOpenAI

from oneflow_ai.simulator import Simulator
from oneflow_ai.simulator.wires.moderations import CATEGORIES
from tests.simulator.raw import once

SMALL = "text-embedding-3-small"


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[AsyncOpenAI]:
    """The official client, without retries."""
    async with AsyncOpenAI(base_url=simulator.base_url, api_key="key", max_retries=0) as made:
        yield made


async def test_both_forms_give_the_same_vectors(client: AsyncOpenAI) -> None:
    """The client asks for base64 by itself."""
    packed = await client.embeddings.create(model=SMALL, input=["bees", "wasps"])
    plain = await client.embeddings.create(model=SMALL, input=["bees", "wasps"], encoding_format="float")
    assert [each.index for each in packed.data] == [0, 1]
    for one, other in zip(packed.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding)
        assert math.isclose(math.hypot(*one.embedding), 1, abs_tol=1e-5)
    assert (packed.usage.prompt_tokens, packed.usage.total_tokens) == (3, 3)


@pytest.mark.parametrize(
    ("model", "dimensions", "size"),
    [
        (SMALL, None, 1_536),
        ("text-embedding-3-large", None, 3_072),
        ("text-embedding-ada-002", None, 1_536),
        (SMALL, 256, 256),
    ],
)
async def test_dimensions(simulator: Simulator, model: str, dimensions: int | None, size: int) -> None:
    asked = {"model": model, "input": "bees", "dimensions": dimensions}
    seen = await once(simulator, asked, path="/v1/embeddings")
    assert len(seen.json["data"][0]["embedding"]) == size


async def test_tokens_may_be_given_instead_of_text(simulator: Simulator) -> None:
    for given, count in (([1, 2, 3], 1), ([[1, 2], [3]], 2)):
        seen = await once(simulator, {"model": SMALL, "input": given}, path="/v1/embeddings")
        assert len(seen.json["data"]) == count


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"input": ""}, 400, None),
        ({"input": []}, 400, None),
        ({"input": ["a", ""]}, 400, None),
        ({"input": ["a", 1]}, 400, None),
        ({"input": ["a"] * 2_049}, 400, None),
        ({"input": "a" * 40_000}, 400, None),
        ({"input": ["a" * 30_000] * 50}, 400, None),
        ({"encoding_format": "int8"}, 400, "encoding_format"),
        ({"dimensions": 0}, 400, "dimensions"),
        ({"dimensions": 5_000}, 400, "dimensions"),
        ({"model": "text-embedding-ada-002", "dimensions": 5}, 400, None),
        ({"input_type": "query"}, 400, "input_type"),
        ({"model": ""}, 400, "model"),
        ({"model": "no-such-model"}, 404, None),
    ],
)
async def test_a_wrong_request_is_refused(simulator: Simulator, fields: Any, status: int, param: str | None) -> None:
    seen = await once(simulator, {"model": SMALL, "input": "bees", **fields}, path="/v1/embeddings")
    assert (seen.status, seen.json["error"]["param"]) == (status, param)


@pytest.mark.parametrize(("kind", "places"), [("interleaved", [1, 0]), ("gaps", [0, 2, 5]), ("nochoices", [])])
async def test_unusual_forms(simulator: Simulator, kind: str, places: list[int]) -> None:
    seen = await once(simulator, {"model": f"sim-F48;kind={kind}", "input": "x"}, path="/v1/embeddings")
    assert [each["index"] for each in seen.json["data"]] == places


async def test_what_an_embedding_has_not_is_not_struck(simulator: Simulator) -> None:
    for fault in ("F48;kind=reasoning", "F34;mib=1", "F32"):
        seen = await once(simulator, {"model": f"sim-{fault}", "input": "x"}, path="/v1/embeddings")
        assert len(seen.json["data"]) == 1


# ---- moderations


@pytest.mark.parametrize(
    ("given", "flagged"),
    [("I like bees.", [False]), ("I will kill you.", [True]), (["I like bees.", "A bomb"], [False, True])],
)
async def test_texts_are_flagged_for_their_words(client: AsyncOpenAI, given: Any, flagged: list[bool]) -> None:
    told = await client.moderations.create(input=given)
    assert [each.flagged for each in told.results] == flagged
    assert told.model == "omni-moderation-latest"
    assert all(each.flagged == any(each.categories.model_dump().values()) for each in told.results)


async def test_pictures_are_taken_with_a_text(client: AsyncOpenAI) -> None:
    parts: Any = [
        {"type": "text", "text": "bees"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    ]
    (result,) = (await client.moderations.create(model="omni-moderation-latest", input=parts)).results
    assert result.category_applied_input_types.violence == ["text", "image"]
    assert result.category_applied_input_types.hate == ["text"]


async def test_every_category_is_told(simulator: Simulator) -> None:
    seen = await once(simulator, {"input": "x"}, path="/v1/moderations")
    (result,) = seen.json["results"]
    for field in ("categories", "category_scores", "category_applied_input_types"):
        assert set(result[field]) == set(CATEGORIES)


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({}, 400),
        ({"input": 3}, 400),
        ({"input": [{"type": "bee"}]}, 400),
        ({"input": "x", "threshold": 1}, 400),
        ({"input": "x", "model": "no-such"}, 404),
    ],
)
async def test_a_wrong_moderation_is_refused(simulator: Simulator, document: Any, status: int) -> None:
    assert (await once(simulator, document, path="/v1/moderations")).status == status
