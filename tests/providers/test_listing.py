"""A provider's list of models is read whichever shape it has; what is odd in it is left out, and never an error."""

from datetime import date
from typing import Any

import orjson
import pytest

from oneflow_ai.core.listing import Listed
from oneflow_ai.providers.listing import ID_CHARACTERS_MOST, MODELS_MOST, read_models

END = date(2026, 11, 30)


@pytest.mark.parametrize(
    ("answer", "listed"),
    [
        ({"data": [{"id": "gpt-6-luna", "shutdown_date": None}]}, Listed("gpt-6-luna")),
        ({"data": [{"id": "old", "shutdown_date": "2026-11-30"}]}, Listed("old", ends=END)),
        (
            {"data": [{"id": "c", "max_input_tokens": 200, "max_tokens": 64, "retires_at": "2026-11-30T00:00:00Z"}]},
            Listed("c", 200, 64, END),
        ),
        ({"data": [{"id": "c", "lifecycle": "retired"}]}, Listed("c", gone=True)),
        ({"models": [{"name": "models/g", "inputTokenLimit": 9, "outputTokenLimit": 8}]}, Listed("g", 9, 8)),
        ({"modelSummaries": [{"modelId": "amazon.nova", "modelName": "Nova"}]}, Listed("amazon.nova")),
        ([{"id": "vendor/m", "context_length": 32}], Listed("vendor/m", 32)),
        ({"data": [{"id": "v", "max_model_len": 32}]}, Listed("v", 32)),
    ],
)
def test_every_known_shape_is_read(answer: Any, listed: Listed) -> None:
    assert read_models(orjson.dumps(answer))[1] == {listed.id: listed}


@pytest.mark.parametrize(
    ("item", "able"),
    [
        (
            {
                "capabilities": {
                    "image_input": {"supported": True},
                    "pdf_input": {"supported": True},
                    "structured_outputs": {"supported": False},
                    "thinking": {"supported": True, "types": {}},
                    "batch": {"supported": True},
                }
            },
            ("reasoning", "vision", "pdf"),
        ),
        ({"capabilities": {"function_calling": True, "vision": True, "fine_tuning": True}}, ("vision", "tools")),
        (
            {
                "supported_parameters": ["tools", "structured_outputs", "reasoning", "top_p", 7],
                "architecture": {"input_modalities": ["text", "image", "file"]},
            },
            ("reasoning", "vision", "pdf", "tools", "structured_output"),
        ),
        ({"thinking": True}, ("reasoning",)),
        ({"capabilities": None, "supported_parameters": "tools", "architecture": []}, ()),
        ({"capabilities": ["vision"], "thinking": "yes", "architecture": {"input_modalities": 5}}, ()),
    ],
)
def test_what_a_model_can_do_is_read_in_each_lists_own_words(item: dict[str, Any], able: tuple[str, ...]) -> None:
    body = orjson.dumps({"data": [{"id": "m", **item}]})
    assert read_models(body)[1] == {"m": Listed("m", able=able)}


@pytest.mark.parametrize(
    "item",
    [
        None,
        [],
        {},
        {"id": 7},
        {"id": ""},
        {"id": "a\nb"},
        {"id": "a" * (ID_CHARACTERS_MOST + 1)},
    ],
)
def test_what_has_no_sound_name_is_counted_and_left_out(item: Any) -> None:
    items, models = read_models(orjson.dumps({"data": [item, {"id": "m"}]}))
    assert (len(items), list(models)) == (2, ["m"])


@pytest.mark.parametrize("value", [True, -1, 0, "many", 1.5, None, 1 << 50])
def test_a_number_that_cannot_be_is_not_known(value: Any) -> None:
    assert read_models(orjson.dumps([{"id": "m", "context_length": value}]))[1]["m"] == Listed("m")


@pytest.mark.parametrize("value", ["soon", "2026-13-01", 20261130, "", None])
def test_a_day_that_cannot_be_is_not_known(value: Any) -> None:
    assert read_models(orjson.dumps([{"id": "m", "shutdown_date": value}]))[1]["m"] == Listed("m")


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'"x"', b'{"data": {}}', b"\xff"])
def test_what_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whoever reads it
        read_models(body)


def test_a_list_is_bounded() -> None:
    assert len(read_models(orjson.dumps([{"id": f"m{n}"} for n in range(MODELS_MOST + 5)]))[1]) == MODELS_MOST


@pytest.mark.parametrize(("day", "ended"), [(date(2026, 11, 29), False), (END, True)])
def test_a_listed_model_ends_on_its_day(day: date, ended: bool) -> None:
    assert Listed("m", ends=END).ended(day) is ended
