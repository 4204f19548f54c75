"""Lets a verb take its options as a frozen dataclass: each field becomes an option of the command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import wraps
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer


@dataclass(frozen=True, slots=True)
class Common:
    """What every verb that reads the configuration takes."""

    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Configuration file; left out, it is looked for.")
    ] = None
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False


@dataclass(frozen=True, slots=True)
class Reaching(Common):
    """What a verb takes that can ask a running server."""

    server: Annotated[
        str | None, typer.Option("--server", metavar="URL", help="Server to ask; left out, $ONEFLOW_URL.")
    ] = None


@dataclass(frozen=True, slots=True)
class ChatOptions(Reaching):
    """What a verb takes that asks for text."""

    system: Annotated[str | None, typer.Option(metavar="TEXT", help="Instructions that stand before the prompt.")] = (
        None
    )
    max_tokens: Annotated[int | None, typer.Option(min=1, metavar="N", help="Longest answer, in tokens.")] = None
    temperature: Annotated[float | None, typer.Option(min=0, max=2, metavar="X", help="From 0 to 2.")] = None

    def chat(self) -> dict[str, object]:
        """The options that go with the prompt."""
        asked = {"system": self.system, "max_tokens": self.max_tokens, "temperature": self.temperature}
        return {name: value for name, value in asked.items() if value is not None}


def spread(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb as Typer wants it: with one parameter for each field of the dataclasses that it takes."""
    taken = inspect.signature(verb, eval_str=True).parameters
    groups: dict[str, Any] = {name: one.annotation for name, one in taken.items() if is_dataclass(one.annotation)}
    flat = [one for name, one in taken.items() if name not in groups]
    flat += [_parameter(group, field) for group in groups.values() for field in fields(group)]

    @wraps(verb)
    def called(**values: Any) -> None:
        made = {
            name: group(**{field.name: values.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        verb(**values, **made)

    called.__signature__ = inspect.Signature(  # type: ignore[attr-defined] # read by inspect.signature
        [one.replace(kind=Parameter.KEYWORD_ONLY) for one in flat]
    )
    return called


def _parameter(group: Any, field: Field[Any]) -> Parameter:
    default = Parameter.empty if field.default is MISSING else field.default
    annotation = get_type_hints(group, include_extras=True)[field.name]
    return Parameter(field.name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
