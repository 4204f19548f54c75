"""How a model of Anthropic's is told to think: by itself with an effort, or within a budget of tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from oneflow_ai.core.prompt import Prompt, is_less
from oneflow_ai.providers.claude import BUDGET_TOKENS_LEAST, SHARES, Traits, thoughts_missing

BUDGET_TOKENS_MOST = 128_000

# What a model that thinks by itself is asked for in the field that tells it to think.
_WITHOUT = ("adaptive", "thinking_tokens", "show_reasoning")


@dataclass(frozen=True, slots=True)
class Thinking:
    """What is sent: `config` for `thinking` and `effort` for `output_config`.

    `dropped` is what of the request was left out or changed; `on` says that the model takes no sampling parameters.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    effort: str = ""
    dropped: tuple[str, ...] = ()
    on: bool = False


def thinking_of(prompt: Prompt, traits: Traits, tokens: int, seals: frozenset[str]) -> Thinking:
    """What tells a model to think as the prompt asks, in an answer of at most so many `tokens`.

    `seals` are the wires whose sealed thoughts are given back to it.
    """
    if traits.thinking == "none":
        return Thinking(dropped=("adaptive",) if prompt.adaptive else ())
    if prompt.effort == "none" or prompt.thinking_tokens == 0:
        return _off(prompt, traits)
    if traits.thinking == "budget":
        return _budgeted(prompt, traits, tokens, seals)
    if prompt.effort is None and prompt.thinking_tokens is None and not (prompt.show_reasoning or prompt.adaptive):
        return Thinking()
    effort = traits.effort(prompt.effort) if prompt.effort else ""
    if prompt.tool_choice in ("required", "tool"):
        # A forced call is not thought over: a 400 up to 4.7 (github.com/diegosouzapw/OmniRoute/pull/4389, 2026-11-27).
        without = (name for name in _WITHOUT if getattr(prompt, name))
        return Thinking(effort=effort, dropped=(*_lowered(prompt, effort), *without))
    config = {"type": "adaptive"} | ({"display": "summarized"} if prompt.show_reasoning else {})
    return Thinking(config, effort, _lowered(prompt, effort), on=True)


def _off(prompt: Prompt, traits: Traits) -> Thinking:
    """An effort then still says how long the answer is; with a thought switched off it is `high` at most."""
    asked = prompt.effort if prompt.effort not in (None, "none") else None
    if traits.off is None:
        # It always thinks: as little as can be.
        effort = traits.effort(asked) if asked else traits.efforts[0]
        return Thinking(effort=effort, dropped=_asked(prompt), on=True)
    effort = traits.effort(asked) if asked and traits.efforts else ""
    if traits.off and effort in ("xhigh", "max"):
        effort = "high"
    return Thinking({"type": traits.off} if traits.off else {}, effort, _lowered(prompt, effort))


def _budgeted(prompt: Prompt, traits: Traits, tokens: int, seals: frozenset[str]) -> Thinking:
    asked = prompt.thinking_tokens
    if asked is None:
        if prompt.effort is None:
            return Thinking(dropped=("adaptive",) if prompt.adaptive else ())
        asked = tokens * SHARES[prompt.effort] // 100
    effort = traits.effort(prompt.effort) if prompt.effort and traits.efforts else ""
    budget = min(max(asked, BUDGET_TOKENS_LEAST), BUDGET_TOKENS_MOST, tokens - 1)
    if budget < BUDGET_TOKENS_LEAST or prompt.tool_choice in ("required", "tool") or thoughts_missing(prompt, seals):
        return Thinking(effort=effort, dropped=() if effort else _asked(prompt))
    changed = _lowered(prompt, effort)
    if prompt.thinking_tokens not in (None, budget):
        changed = (*changed, "thinking_tokens")
    return Thinking({"type": "enabled", "budget_tokens": budget}, effort, changed, on=True)


def _asked(prompt: Prompt) -> tuple[str, ...]:
    return tuple(name for name in ("effort", "thinking_tokens") if getattr(prompt, name) is not None)


def _lowered(prompt: Prompt, effort: str) -> tuple[str, ...]:
    """Our name of the effort, where the one that is sent is less than the client's."""
    return ("effort",) if effort and prompt.effort and is_less(effort, prompt.effort) else ()
