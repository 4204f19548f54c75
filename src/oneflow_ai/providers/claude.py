"""What Claude models can be asked for, whoever serves them, a row each: sampling, ways to think, tools, prefill.

Facts of 2026-11-26, from https://platform.claude.com/docs/en: build-with-claude/effort, …/thinking,
…/mid-conversation-system-messages, api/migration-2026-10-21, and what is new in each of models/{opus-5, opus-5-5,
sonnet-5-5, haiku-5-5, fable-5, fable-5-1, fable-5-2}.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, Literal

from oneflow_ai.core.failure import UNSUPPORTED_PARAMETER, Failure
from oneflow_ai.core.prompt import (
    Document,
    Image,
    Message,
    Part,
    Prompt,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    is_less,
)
from oneflow_ai.providers.schema import FORMATS, WORDS, Most, Rules
from oneflow_ai.providers.schema_shape import DEFINED

Thinking = Literal["adaptive", "budget", "none"]

BUDGET_TOKENS_LEAST = 1_024
SHARES = MappingProxyType({"minimal": 10, "low": 20, "medium": 50, "high": 80, "xhigh": 95, "max": 95})
"""The share of an answer's tokens, in hundredths, that stands for an effort where a model knows budgets only.

As OpenRouter shares them out (https://openrouter.ai/docs/use-cases/reasoning-tokens, 2026-11-26).
"""

_LOW_TO_HIGH = ("low", "medium", "high")
_TO_MAX = (*_LOW_TO_HIGH, "max")
_ALL = (*_LOW_TO_HIGH, "xhigh", "max")


@dataclass(frozen=True, slots=True)
class Traits:
    """One row.

    `thinking` is how a model is told to think: by itself, within a budget of tokens, or not at all. `off` is the type
    that tells it not to: empty where saying nothing does, None where it always thinks. `efforts` are those it knows,
    from little to much. `sampling`, `prefill`, `forced_tools` and `later_system` say whether it takes temperature and
    its kin, an answer's beginning, a tool that must be called, and system messages in the middle of a conversation.
    `current` is False where only the older version of the API is sure to be known.
    """

    thinking: Thinking = "adaptive"
    off: str | None = "disabled"
    efforts: tuple[str, ...] = _ALL
    sampling: bool = False
    prefill: bool = False
    forced_tools: bool = True
    later_system: bool = False
    current: bool = True

    def effort(self, asked: str) -> str:
        """The nearest effort of those it knows, of which it has some: less rather than more, its least at least."""
        fitting = [one for one in self.efforts if not is_less(asked, one)]
        return fitting[-1] if fitting else self.efforts[0]


# Claude 5 and whatever is newer than this table.
_FIVE = Traits(later_system=True)
_ALWAYS = replace(_FIVE, off=None)
_ALWAYS_FREE = replace(_ALWAYS, forced_tools=False)
# From 4.6 to 4.8 they think only when told to.
_FOUR_SEVEN = Traits(off="")
_FOUR_SIX = Traits(off="", efforts=_TO_MAX, sampling=True)
_BUDGET = Traits("budget", "", (), sampling=True, prefill=True)
_PLAIN = replace(_BUDGET, thinking="none")
# Other servers that speak this wire, under models of their own.
_OTHER = replace(_BUDGET, current=False)

# platform.claude.com/docs/en/build-with-claude/prompt-caching, and Bedrock's own page of it, 2026-11-27.
CACHE_MARKS_MOST = 4
# The first pattern that fits counts.
_ROWS: Mapping[str, Traits] = {
    "claude-opus-5-5*": _ALWAYS_FREE,
    "claude-fable-5-*": _ALWAYS_FREE,
    "claude-mythos-5-*": _ALWAYS_FREE,
    "claude-fable-5": _ALWAYS,
    "claude-mythos-*": _ALWAYS,
    "claude-sonnet-5-5*": replace(_FIVE, off="between_tools", forced_tools=False),
    "claude-sonnet-5": Traits(),
    "claude-opus-4-8*": replace(_FOUR_SEVEN, later_system=True),
    "claude-*-4-7*": _FOUR_SEVEN,
    "claude-*-4-6*": _FOUR_SIX,
    "claude-opus-4-5*": replace(_BUDGET, efforts=_LOW_TO_HIGH),
    "claude-*-4-*": _BUDGET,
    "claude-3-7*": _BUDGET,
    "claude-3*": _PLAIN,
    "claude-2*": _PLAIN,
    "claude-v2*": _PLAIN,
    "claude-instant*": _PLAIN,
    "claude-*": _FIVE,
}

# https://platform.claude.com/docs/en/build-with-claude/structured-outputs ("JSON Schema limitations"), what the
# official client makes of a schema (anthropic 2.14.0, lib/_parse), and for Bedrock, which takes the same of all models,
# https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html; 2026-11-27.
SCHEMAS = Rules(
    keywords=WORDS | {*DEFINED, "allOf", "default", "minItems", "pattern"},
    formats=FORMATS | {"uri"},
    recursive=False,
    items_least=1,
    always=True,
    # "Schema complexity limits", and the words: camel-ai/camel/issues/4171, mozilla/bugbug/pull/6129.
    most=Most(strict_tools=20, optional=24, unions=16),
)


def check_stops(prompt: Prompt) -> None:
    """Raise `Failure` for what stops no Claude: "each stop sequence must contain non-whitespace", a 400.

    (https://github.com/BerriAI/litellm/issues/3286, 2026-11-27.)
    """
    if not all(map(str.strip, prompt.stop)):
        words = "the target's model is stopped by no sequence of white space alone"
        raise Failure(UNSUPPORTED_PARAMETER, words, param=prompt.param("stop"))


def trim_begun(messages: Sequence[Mapping[str, Any]]) -> None:
    """Take the white space off the end of an answer that is begun: with it that is a 400.

    "final assistant content cannot end with trailing whitespace"
    (https://docs.claude.com/en/docs/prefill-claudes-response, 2026-11-26). The last message may be of either wire.
    """
    last = messages[-1]
    texts = [block for block in last["content"] if "text" in block] if last["role"] == "assistant" else []
    if texts:
        texts[-1]["text"] = texts[-1]["text"].rstrip()


def thoughts_missing(prompt: Prompt, seals: frozenset[str]) -> bool:
    """Whether a tool's results are waited for by a turn without its thoughts: those that these wires have sealed.

    A model with a budget for thoughts refuses to go on with such a turn
    (https://platform.claude.com/docs/en/build-with-claude/extended-thinking, 2026-11-26).
    """
    last = prompt.messages[-1]
    if last.role != "user" or not any(isinstance(part, ToolResult) for part in last.parts):
        return False
    for message in reversed(prompt.messages):
        if message.role == "assistant":
            called = any(isinstance(part, ToolCall) for part in message.parts)
            return called and not any(isinstance(part, Reasoning) and _is_kept(part, seals) for part in message.parts)
    return False


def _is_kept(thought: Reasoning, seals: frozenset[str]) -> bool:
    return thought.wire in seals and bool(thought.sealed or thought.signature)


def with_fit_marks(prompt: Prompt) -> tuple[Prompt, tuple[str, ...]]:
    """The prompt with as many cache marks as a request may have, its last ones, and the name of what was left out."""
    counts = [bool(tool.cache) for tool in prompt.tools]
    counts += [mark for message in _in_order(prompt) for part in message.parts for mark in _marks(part)]
    over = sum(counts) - CACHE_MARKS_MOST
    if over <= 0:
        return prompt, ()
    drop = iter([True] * over)
    tools = tuple(replace(tool, cache="") if tool.cache and next(drop, False) else tool for tool in prompt.tools)
    first = {
        id(message): replace(message, parts=tuple(_unmarked(part, drop) for part in message.parts))
        for message in _in_order(prompt)
    }
    messages = tuple(first[id(message)] for message in prompt.messages)
    return replace(prompt, tools=tools, messages=messages), ("cache_control",)


def _in_order(prompt: Prompt) -> list[Message]:
    """The messages as the cache has them: what the system says comes first."""
    return sorted(prompt.messages, key=lambda message: message.role != "system")


def _marks(part: Part) -> Iterator[bool]:
    if isinstance(part, ToolResult):
        yield from (bool(inner.cache) for inner in part.parts)
    yield bool(getattr(part, "cache", ""))


def _unmarked(part: Part, drop: Iterator[bool]) -> Part:
    """A part without its marks, as long as some are to be dropped."""
    if isinstance(part, ToolResult):
        inner = tuple(replace(one, cache="") if one.cache and next(drop, False) else one for one in part.parts)
        part = replace(part, parts=inner)
    if isinstance(part, Text | Image | Document | ToolCall | ToolResult) and part.cache and next(drop, False):
        return replace(part, cache="")
    return part


def takes_prefill(model: str) -> bool:
    """Whether a model is known to go on with an answer that the request begins: Claude does up to 4.5.

    While it does not think, and from a beginning that does not end in white space
    (https://docs.claude.com/en/docs/prefill-claudes-response, 2026-11-26). From 4.6 on it is a 400
    (https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-6, 2026-11-26).
    """
    found = traits_of(model)
    return found.prefill and found.current


def traits_of(model: str) -> Traits:
    """What a model can be asked for, by its name; one that is newer than the table is taken for the newest known."""
    return next((row for pattern, row in _ROWS.items() if fnmatchcase(model, pattern)), _OTHER)
