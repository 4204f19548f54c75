"""The reference page names every setting with its true default, and its example loads."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from oneflow_ai.settings import Settings
from oneflow_ai.settings.environment import RESERVED_PREFIX, RESERVED_VARIABLES
from tests.settings.place import Place

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/configuration.md").read_text(encoding="utf-8")
CELLS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("| `")]
ROWS = {cells[0].strip("`"): (cells[1], cells[4]) for cells in CELLS if len(cells) == 5}
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

# Settings whose default is a rule, which the page says in words.
IN_WORDS = {"providers.NAME.kind", "routes.NAME.task", "routes.NAME.targets.target"}


def settings(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yields every setting's name as the page writes it, and its field."""
    for name, field in model.model_fields.items():
        inner, named = next(tables(field.annotation), None), get_origin(field.annotation) is Mapping
        if inner is None or prefix.count("."):
            yield f"{prefix}{name}", field
        if inner is not None:
            yield from settings(inner, f"{prefix}{name}.{'NAME.' if named else ''}")


def tables(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from tables(each)


def test_every_setting_has_a_row_with_its_default_and_an_example() -> None:
    assert set(ROWS) == {name for name, _ in settings()}
    for name, field in settings():
        default, example = ROWS[name]
        value = None if name in IN_WORDS else field.get_default(call_default_factory=True)
        assert value is None or default == f"`{json.dumps(value)}`", name
        assert value is not None or "`" not in default, name
        assert example, name


def test_the_examples_load_without_a_mistake_or_a_warning(place: Place) -> None:
    assert len(EXAMPLES) == 4
    for example in EXAMPLES:
        loaded = place.load(example, OPENAI_API_KEY="k", ELEVENLABS_API_KEY="k", EU_KEY_1="k", EU_KEY_2="l")
        assert loaded.warnings == ()


def test_the_reserved_variables_are_told() -> None:
    for name in (*RESERVED_VARIABLES, RESERVED_PREFIX):
        assert f"`{name}`" in PAGE
