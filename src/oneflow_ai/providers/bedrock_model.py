"""What the models on Amazon Bedrock can be asked for beside the fields that all share: a row for each family.

Claude: docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-{adaptive,extended}-thinking.html, and the table of
these models; Nova: docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html (2026-11-26).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, Literal

from oneflow_ai.core.prompt import Prompt, is_less
from oneflow_ai.providers.claude import BUDGET_TOKENS_LEAST, SHARES, Traits, thoughts_missing, traits_of

WIRE = "bedrock"
_SEALS = frozenset({WIRE})
Thinking = Literal["", "adaptive", "budget", "effort", "levels"]

# What an answer may be where nobody says how long.
_OUTPUT_TOKENS = 32_768
_LEVELS = MappingProxyType({"minimal": "low", "low": "low", "medium": "medium", "xhigh": "high", "max": "high"})
_BY_ITSELF = ("adaptive",)
_SAMPLING = ("temperature", "top_p", "top_k")


@dataclass(frozen=True, slots=True)
class Family:
    """One row.

    `thinking` is how a model is told to think: by itself, within a budget of tokens, by an effort of its own, by
    levels, or not at all. `off` is the type that tells it not to: empty where saying nothing does, None where it always
    thinks. `xhigh` says whether it knows that effort, `sampling` whether it takes temperature and its kin, `top_k`
    where that one stands, `cache` whether it knows cache points, `stop_told` whether it can tell what stopped it,
    `forced_tools` whether it can be made to call a tool, `single_calls` whether to call one at a time, `prefill`
    whether it goes on with an answer that is begun: others want the user's word last
    (github.com/microsoft/semantic-kernel/issues/10281, 2026-11-27).
    """

    thinking: Thinking = ""
    off: str | None = ""
    xhigh: bool = True
    sampling: bool = True
    top_k: tuple[str, ...] = ()
    cache: bool = False
    stop_told: bool = False
    forced_tools: bool = True
    single_calls: bool = False
    prefill: bool = False


# The first pattern that fits an id counts; regions and ARNs stand before it.
_FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "*amazon.nova-2-*": Family("levels", "disabled", top_k=("inferenceConfig", "topK"), cache=True, prefill=True),
        # Begun answers: docs.aws.amazon.com/nova/latest/userguide/prompting-structured-output.html, 2026-11-27.
        "*amazon.nova-*": Family(top_k=("inferenceConfig", "topK"), cache=True, prefill=True),
        "*openai.*": Family("effort", None),
    }
)
_OTHER = Family()
# Regions, makers and ARNs stand before a model's own name.
_CLAUDE = re.compile(r"claude-.*")


@dataclass(frozen=True, slots=True)
class Further:
    """What goes into the model's own fields, which of our names were left out or changed, and whether it thinks."""

    fields: Mapping[str, Any]
    dropped: tuple[str, ...] = ()
    thinks: bool = False


def is_claude(model: str) -> bool:
    """Whether a model is one of Anthropic's, by its id or ARN."""
    return _CLAUDE.search(model) is not None


def family(model: str) -> Family:
    """What a model can be asked for, by its id or ARN."""
    found = _CLAUDE.search(model)
    if found is not None:
        return _claude(traits_of(found[0]))
    return next((row for pattern, row in _FAMILIES.items() if fnmatchcase(model, pattern)), _OTHER)


def _claude(traits: Traits) -> Family:
    return Family(
        "" if traits.thinking == "none" else traits.thinking,
        traits.off,
        xhigh="xhigh" in traits.efforts,
        sampling=traits.sampling,
        top_k=("top_k",),
        cache=True,
        stop_told=True,
        forced_tools=traits.forced_tools,
        single_calls=True,
        prefill=traits.prefill,
    )


def tells_single(prompt: Prompt, row: Family) -> bool:
    """Whether a model is to be told, in its own fields, that it calls one tool at a time."""
    calls = bool(prompt.tools) and prompt.tool_choice != "none"
    return row.single_calls and calls and prompt.calls_in_parallel is False


def single_choice(prompt: Prompt) -> dict[str, Any]:
    """Claude's own word on which tool it calls, one at a time.

    It says all of the choice: beside Converse's `toolChoice` its `type` is a 400, and without one too
    (https://github.com/BerriAI/litellm/issues/36536, https://github.com/BerriAI/litellm/pull/34347, 2026-11-28).
    """
    kind = {"required": "any", "tool": "tool"}.get(prompt.tool_choice, "auto")
    named = {"name": prompt.tool_name} if kind == "tool" else {}
    return {"tool_choice": {"type": kind, **named, "disable_parallel_tool_use": True}}


def thinking(prompt: Prompt, row: Family, output_most_tokens: int | None) -> Further:
    """What tells a model to think as the prompt asks."""
    asked = tuple(name for name in ("effort", "thinking_tokens") if getattr(prompt, name) is not None)
    if prompt.effort == "none" or (prompt.effort is None and prompt.thinking_tokens == 0):
        return _off(row, asked)
    if row.thinking == "budget":
        return _budget(prompt, asked, output_most_tokens)
    forced = prompt.tool_choice in ("required", "tool")
    if row.thinking == "adaptive" and (asked or prompt.adaptive or prompt.show_reasoning) and not forced:
        fields: dict[str, Any] = {"thinking": {"type": "adaptive"}}
        if prompt.show_reasoning:
            fields["thinking"]["display"] = "summarized"
        effort = "" if prompt.effort is None else _claude_effort(prompt.effort, row)
        if effort:
            fields["output_config"] = {"effort": effort}
        return Further(fields, _unmet(prompt, effort), thinks=True)
    if row.thinking in ("effort", "levels") and prompt.effort is not None:
        level = _LEVELS.get(prompt.effort, prompt.effort)
        return Further(_effort_fields(row, level), _unmet(prompt, level))
    return Further({}, (*asked, *_BY_ITSELF) if prompt.adaptive else asked)


def _unmet(prompt: Prompt, effort: str) -> tuple[str, ...]:
    """Our names of what a model that knows no budget is not told: that, and an effort above the one that is sent."""
    less = prompt.effort is not None and is_less(effort, prompt.effort)
    return (*(("effort",) if less else ()), *(("thinking_tokens",) if prompt.thinking_tokens is not None else ()))


def sampled(prompt: Prompt, row: Family, thinks: bool) -> tuple[str, ...]:
    """Those of the sampling parameters that the client gave and the model takes: none while it thinks."""
    if not row.sampling or thinks:
        return ()
    given = [name for name in _SAMPLING if getattr(prompt, name) is not None]
    return tuple(name for name in given if name != "top_k" or row.top_k)


def unsampled(prompt: Prompt, taken: tuple[str, ...]) -> tuple[str, ...]:
    """Those that the client gave and the model does not take."""
    return tuple(name for name in _SAMPLING if getattr(prompt, name) is not None and name not in taken)


def _off(row: Family, asked: tuple[str, ...]) -> Further:
    if row.thinking == "effort":
        return Further(_effort_fields(row, "low"), asked)
    if row.off is None:
        # It always thinks: as little as it can.
        return Further({"output_config": {"effort": "low"}}, asked, thinks=True)
    if not row.off:
        return Further({})
    return Further({"reasoningConfig" if row.thinking == "levels" else "thinking": {"type": row.off}})


def _budget(prompt: Prompt, asked: tuple[str, ...], output_most_tokens: int | None) -> Further:
    if not asked:
        return Further({}, _BY_ITSELF if prompt.adaptive else ())
    tokens = prompt.max_tokens or output_most_tokens or _OUTPUT_TOKENS
    wanted = prompt.thinking_tokens
    if wanted is None:
        wanted = tokens * SHARES[prompt.effort or "medium"] // 100
    budget = min(max(wanted, BUDGET_TOKENS_LEAST), tokens - 1)
    if budget < BUDGET_TOKENS_LEAST or prompt.tool_choice in ("required", "tool") or thoughts_missing(prompt, _SEALS):
        return Further({}, asked)
    changed = ("thinking_tokens",) if prompt.thinking_tokens not in (None, budget) else ()
    return Further({"thinking": {"type": "enabled", "budget_tokens": budget}}, changed, thinks=True)


def _effort_fields(row: Family, level: str) -> dict[str, Any]:
    if row.thinking == "effort":
        return {"reasoning_effort": level}
    return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": level}}


def _claude_effort(effort: str, row: Family) -> str:
    if effort == "minimal":
        return "low"
    return "high" if effort == "xhigh" and not row.xhigh else effort
