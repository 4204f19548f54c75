"""What a server of OpenAI's chat wire can be asked for, and how it wants that written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from oneflow_ai.core.abilities import DROPPED, REFUSED, SENT, Abilities
from oneflow_ai.providers.openai_reasoners import Reasoner, base_of
from oneflow_ai.providers.schema import NUMBERS, WORDS, Rules
from oneflow_ai.providers.schema_shape import DEFINED

# OpenAI's own chat wire (its specification and client, 2026-11-23).
ABILITIES: Abilities = MappingProxyType(
    {
        "system prompt": SENT,
        "image by address": SENT,
        "image as base64": SENT,
        "document": SENT,
        "document by address": REFUSED,
        "audio": SENT,
        # In a message of the user's that follows: a tool's own message holds texts alone.
        "image in a tool's result": SENT,
        # A tool's message has no mark for it: the result itself must tell.
        "failed tool result": DROPPED,
        "speaker's name": SENT,
        "reasoning given back": DROPPED,
        # A new answer follows it.
        "answer begun": DROPPED,
        "prompt cache marks": SENT,
        "prompt cache key": SENT,
        "citations": REFUSED,
        "tools": SENT,
        "strict tools": SENT,
        "tool choice none": SENT,
        "tool choice required": SENT,
        "tool choice by name": SENT,
        "parallel tools off": SENT,
        "JSON object": SENT,
        "JSON by schema": SENT,
        "reasoning effort": SENT,
        # As the effort that comes nearest.
        "reasoning budget": SENT,
        "reasoning shown": DROPPED,
        "max_tokens": SENT,
        "temperature": SENT,
        "top_p": SENT,
        "top_k": DROPPED,
        "stop": SENT,
        "seed": SENT,
        "n": SENT,
        "presence_penalty": SENT,
        "frequency_penalty": SENT,
        "logit_bias": SENT,
        "logprobs": SENT,
        "verbosity": SENT,
        "service_tier": SENT,
        "user": SENT,
        # Taken only of requests that are to be stored there ("only allowed when 'store' is enabled", 400:
        # github.com/tmc/langchaingo/issues/1484, 2026-11-26). It is recorded here all the same.
        "metadata": DROPPED,
        "truncation": DROPPED,
    }
)
# What other servers of this wire do not know: the wire's newest fields, and files and sound.
PLAIN: Abilities = MappingProxyType(
    {
        **ABILITIES,
        **dict.fromkeys(("document", "audio"), REFUSED),
        **dict.fromkeys(("prompt cache marks", "prompt cache key", "verbosity", "service_tier"), DROPPED),
        # They show what a model thinks without being asked.
        "reasoning shown": SENT,
    }
)
# https://developers.openai.com/api/docs/guides/structured-outputs ("Supported schemas"), 2026-11-27.
SCHEMAS = Rules(
    keywords=WORDS | {*DEFINED, "pattern", "minItems", "maxItems"} | NUMBERS,
    all_required=True,
    one_object=True,
    typed=True,
    levels_most=10,
    wraps=True,
)

Thoughts = Literal["", "reasoning_content", "reasoning", "reasoning_details"]
CacheMark = Literal["prompt_cache_breakpoint", "cache_control"]


@dataclass(frozen=True, slots=True)
class Idiom:
    """How one server of this wire wants a prompt written.

    `tokens_field` bounds an answer. `thoughts` is the field of a message that gives reasoning back; empty: none.
    `reasoners` are the models that reason, of which the first row that fits a name counts; `effort_object` says that
    effort and budget stand in `reasoning`; `thinking_switch` that `thinking` turns reasoning on and off. `cache_mark`
    is the field of a part that ends what is cached; `marking_models` tells by their names those that take such marks;
    None: all, or the server sees to it. `joins_texts`: a content is one text, not parts. `tool_id_characters`: ids of
    tool calls are exactly so long, of letters and digits. `stops_most` and `tiers` are what the server takes of either.
    `schemas` are the rules of strict schemas, where no other is enforced; elsewhere a schema is sent as it is, and
    `strict` where the client says it. `marks_begun`: an answer that the request begins is marked as such.
    `thoughts_refused` are fields of thoughts that other servers take back, and this one refuses. `has_developer`: it
    knows the role `developer`, by which OpenAI's clients say what others call `system`.
    """

    abilities: Abilities = field(default_factory=lambda: ABILITIES)
    tokens_field: str = "max_completion_tokens"
    thoughts: Thoughts = ""
    effort_object: bool = False
    thinking_switch: bool = False
    cache_mark: CacheMark = "prompt_cache_breakpoint"
    joins_texts: bool = False
    tool_id_characters: int = 0
    stops_most: int = 4
    tiers: frozenset[str] = frozenset({"default", "flex", "scale", "priority", "fast"})
    reasoners: tuple[Reasoner, ...] = (Reasoner(re.compile("")),)
    marking_models: re.Pattern[str] | None = None
    schemas: Rules | None = None
    marks_begun: bool = False
    thoughts_refused: frozenset[str] = frozenset()
    has_developer: bool = True

    def reasoner(self, model: str) -> Reasoner | None:
        """The row of a model that reasons, as far as is known; None for one that takes no effort."""
        base = base_of(model)
        return next((row for row in self.reasoners if row.models.match(base)), None)

    def at(self, model: str, bare: Abilities) -> Idiom:
        """What of it holds for one model, that takes less by so much."""
        found = replace(self, abilities=MappingProxyType({**self.abilities, **bare})) if bare else self
        if self.marking_models is None or self.marking_models.match(base_of(model)):
            return found
        return replace(found, abilities=plain(dropped=("prompt cache marks",), base=found.abilities))


def plain(
    *, sent: Iterable[str] = (), dropped: Iterable[str] = (), refused: Iterable[str] = (), base: Abilities = PLAIN
) -> Abilities:
    """The abilities of a server that differs from `base` in these features."""
    changes = ((SENT, sent), (DROPPED, dropped), (REFUSED, refused))
    return MappingProxyType({**base, **{feature: ability for ability, found in changes for feature in found}})
