"""The page of translations is what the code makes, and leaves nothing out that a client may ask for."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from oneflow_ai.core.abilities import FEATURES
from tools.build_translations import PAGE, answering, asked, chatting, page

# What is told of every request, or only how its answer is brought.
COMMON = {"model", "messages", "stream", "stream_options", "max_tokens"}


def test_the_page_is_what_the_code_makes() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tools.build_translations"


def test_the_page_has_every_provider_beside_every_dialect() -> None:
    heads = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| asked for |")]
    assert heads == [f"| asked for | {' | '.join(answering())} |"] * len(chatting())


def test_every_feature_can_be_asked_for_in_some_dialect() -> None:
    assert set(FEATURES) == {name for dialect in chatting() for name in asked(dialect)["features"]}


def _fields(dialect: str) -> set[str]:
    found = asked(dialect)
    return COMMON.union(*(fields for part in ("features", "fields") for fields in found[part].values()))


def test_every_field_of_openais_chat_is_decided(shared_folder: Path) -> None:
    text = (shared_folder / "specs" / "openai-openapi.yaml").read_text(encoding="utf-8")
    block = re.search(r"^    CreateChatCompletionRequest:\n((?:      .*\n|\n)+)", text, re.MULTILINE)
    assert block is not None
    wanted = set(re.findall(r"^            ([a-z_]+):$", block[1], re.MULTILINE))
    assert {"store", "n", "web_search_options"} <= wanted
    assert wanted <= _fields("openai")


@pytest.mark.parametrize("schema", ["CreateMessageParams", "BetaCreateMessageParams"])
def test_every_field_of_a_message_is_decided(shared_folder: Path, schema: str) -> None:
    specification = json.loads((shared_folder / "specs" / "anthropic-openapi.json").read_text(encoding="utf-8"))
    assert set(specification["components"]["schemas"][schema]["properties"]) <= _fields("anthropic")
