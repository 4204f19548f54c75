"""The schemas of a whole request as its target takes them: which are enforced, and what the client is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from oneflow_ai.core.failure import UNSUPPORTED_PARAMETER, Failure
from oneflow_ai.core.prompt import Format, Prompt, Tool
from oneflow_ai.providers.schema import Most, NotOneObject, Rules, Unfit, fitted
from oneflow_ai.providers.schema_shape import spent

_NOTHING: Mapping[str, Any] = {"type": "object", "properties": {}}


def with_fit_schemas(prompt: Prompt, rules: Rules, wire: str) -> tuple[Prompt, tuple[str, ...]]:
    """The prompt with the schemas that are to be enforced as a wire takes them, and the names of the fields whose
    schemas are then enforced in part, or not at all.

    Raises `Failure` (400) where the wire cannot hold an answer to its schema, and knows no other way to ask for it.
    """
    form, tools = prompt.format, prompt.tools
    wanted = form is not None and form.schema is not None and (rules.always or form.enforced)
    if not wanted and not any(tool.strict for tool in tools):
        return prompt, ()
    fit = _Fit(rules)
    if wanted and form is not None and form.schema is not None:
        try:
            form = fit.format(form, form.schema)
        except Unfit as unfit:
            words = f"the target's wire ({wire}) cannot hold an answer to this schema: {unfit}"
            raise Failure(UNSUPPORTED_PARAMETER, words, param=prompt.param("format")) from None
    tools = tuple(fit.tool(tool) if tool.strict else tool for tool in tools)
    return replace(prompt, tools=tools, format=form), tuple(fit.loose)


@dataclass(slots=True)
class _Fit:
    """Fits the schemas of one request, the answer's first; `loose` are the fields that are not enforced whole."""

    rules: Rules
    loose: dict[str, None] = field(default_factory=dict)
    # What is left to the others.
    left: Most | None = None

    def __post_init__(self) -> None:
        self.left = self.rules.most

    def format(self, form: Format, schema: Mapping[str, Any]) -> Format:
        try:
            found = fitted(schema, self.rules, fills=True)
            if not self._holds(found.schema, tools=0):
                raise Unfit("", "more optional properties, or unions, than it takes")
        except NotOneObject:
            raise
        except Unfit:
            if self.rules.always:
                raise
            self.loose["format"] = None
            return replace(form, strict=False)
        if found.changed:
            self.loose["format"] = None
        return replace(form, schema=found.schema, strict=True)

    def tool(self, tool: Tool) -> Tool:
        """A tool that is strict if it can be, and if there is room for one more."""
        try:
            found = fitted(tool.schema or _NOTHING, self.rules)
            if not self._holds(found.schema, tools=1):
                raise Unfit("", "more than a request takes")
        except Unfit:
            self.loose["tools"] = None
            return replace(tool, strict=False)
        if found.changed:
            self.loose["tools"] = None
        return replace(tool, schema=found.schema)

    def _holds(self, schema: Mapping[str, Any], *, tools: int) -> bool:
        """Whether there is room for a schema; it is then taken."""
        if self.left is None:
            return True
        optional, unions = spent(schema)
        left = Most(self.left.strict_tools - tools, self.left.optional - optional, self.left.unions - unions)
        if min(left.strict_tools, left.optional, left.unions) < 0:
            return False
        self.left = left
        return True
