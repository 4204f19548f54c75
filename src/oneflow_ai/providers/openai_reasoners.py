"""Models that reason, a row each by their names: the efforts that they know, and what they do not take meanwhile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal, get_args

from oneflow_ai.core.abilities import DROPPED, REFUSED, Abilities
from oneflow_ai.core.prompt import Effort, Prompt, is_less

# When a chat calls tools: always, only while the model does not reason, or never.
Calls = Literal["always", "idle", "never"]

EFFORTS: tuple[Effort, ...] = get_args(Effort)
NOTHING: Abilities = MappingProxyType({})
# Up to how many tokens of thinking each effort stands for; more is a high one. The least budget of Anthropic's wire is
# 1,024 (its specification, 2026-11-23).
_BUDGETS: tuple[tuple[int, Effort], ...] = ((0, "none"), (2_048, "low"), (8_192, "medium"))


def knowing(*known: Effort) -> Mapping[Effort, str]:
    """What is sent for each effort, where those are known: the nearest, less rather than more, the least at least."""
    return MappingProxyType(
        {asked: next((one for one in reversed(known) if not is_less(asked, one)), known[0]) for asked in EFFORTS}
    )


def base_of(model: str) -> str:
    """The model that a fine-tuned one was made of, `ft:BASE:organisation:name:id` on OpenAI's wire; any other as it is.

    OpenAI's specification, FineTuningJob, 2026-11-28.
    """
    tuned, _, rest = model.partition(":")
    return rest.partition(":")[0] if tuned == "ft" else model


@dataclass(frozen=True, slots=True)
class Reasoner:
    """One row.

    `efforts` has the server's word for each effort, empty where none is taken; `usual` is the effort of who names none.
    `bare` is what becomes of what they do not take while they reason, or whatever they do, where that is `always`.
    `calls` tells when they call tools in a chat.
    """

    models: re.Pattern[str]
    efforts: Mapping[Effort, str] = field(default_factory=lambda: knowing(*EFFORTS))
    usual: str = "medium"
    bare: Abilities = field(default_factory=lambda: NOTHING)
    always: bool = False
    calls: Calls = "always"

    def reasons(self, effort: str) -> bool:
        """Whether one of them reasons that is asked with this word, or with none."""
        return (effort or self.usual) != "none"


@dataclass(frozen=True, slots=True)
class Asked:
    """How a model is asked to reason: with which word, if any, what it takes less then, and what of it is lost.

    `lost` are the client's names of what it asks for in vain.
    """

    effort: str = ""
    bare: Abilities = field(default_factory=lambda: NOTHING)
    lost: tuple[str, ...] = ()


def asked_of(row: Reasoner | None, prompt: Prompt) -> Asked:
    """How a model of this row, or of none, is asked what a prompt asks for."""
    if row is None or not row.efforts:
        # Not to reason is what others do anyway.
        lost = (name for name in ("effort", "thinking_tokens") if getattr(prompt, name) not in (None, "none", 0))
        bare = NOTHING if row is None else row.bare
        return Asked(bare=bare, lost=tuple(map(prompt.param, lost)))
    asked = effort_of(prompt)
    word = "" if asked is None else row.efforts[asked]
    bare = row.bare if row.always or row.reasons(word) else NOTHING
    return Asked(word, bare, _lost(prompt, asked, word))


def _lost(prompt: Prompt, asked: Effort | None, word: str) -> tuple[str, ...]:
    """The client's name of an effort that becomes less, or some where it wants none."""
    if asked is None or word not in EFFORTS:
        return ()
    less = prompt.effort is not None and is_less(word, asked)
    if less or asked == "none" != word:
        return (prompt.param("thinking_tokens" if prompt.effort is None else "effort"),)
    return ()


def without_usual(prompt: Prompt) -> Prompt:
    """A prompt without the sampling that a model has by itself, which is nothing that it could be refused for."""
    temperature = None if prompt.temperature == 1 else prompt.temperature
    return replace(prompt, temperature=temperature, top_p=None if prompt.top_p == 1 else prompt.top_p)


def effort_of(prompt: Prompt) -> Effort | None:
    """The effort that a prompt asks for, or that comes nearest to its budget of tokens."""
    if prompt.effort is not None or prompt.thinking_tokens is None:
        return prompt.effort
    tokens = prompt.thinking_tokens
    return next((effort for most, effort in _BUDGETS if tokens <= most), "high")


_LOW_HIGH: tuple[Effort, ...] = ("low", "medium", "high")
_LOW_MAX: tuple[Effort, ...] = (*_LOW_HIGH, "xhigh", "max")
_NONE_HIGH: tuple[Effort, ...] = ("none", *_LOW_HIGH)
# While it reasons, a model of OpenAI's takes one sampling only, and no bounds on its words (developers.openai.com,
# api/docs/guides/deployment-checklist and latest-model; bolna-ai/bolna/pull/1019, promptfoo/promptfoo/issues/11039).
_BARE: Abilities = MappingProxyType(
    {
        **dict.fromkeys(("temperature", "top_p", "presence_penalty", "frequency_penalty"), DROPPED),
        **dict.fromkeys(("stop", "logit_bias", "logprobs"), REFUSED),
    }
)


# One call of a tool at a time is all that the oldest make, and what they cannot be asked for ("Unsupported parameter:
# 'parallel_tool_calls' is not supported with this model", 400: run-llama/llama_index/issues/20865, 2026-11-28).
_BARE_ALONE: Abilities = MappingProxyType({**_BARE, "parallel tools off": DROPPED})


def _openai(models: str, *known: Effort, usual: str = "medium", calls: Calls = "always") -> Reasoner:
    # Those made for chat do not reason (OpenAI's client, 3.54.0).
    return Reasoner(re.compile(rf"(?!.*-chat)(?:{models})"), knowing(*known), usual, _BARE, calls=calls)


# The efforts stand on each model's page (developers.openai.com/api/docs/models/…; OpenAI's specification,
# ReasoningEffort); who names none was found out by the sampling that is refused then (BerriAI/litellm-docs/pull/1066);
# calls: the pages above, ItzCrazyKns/Vane/issues/1173, livekit/agents/issues/7169. All of 2026-11-28.
OPENAI = (
    Reasoner(re.compile("o[1-9]"), knowing(*_LOW_HIGH), bare=_BARE_ALONE),
    _openai(r"gpt-5(?:\.1)?-codex(?!-max)", *_LOW_HIGH),
    Reasoner(re.compile("gpt-oss"), knowing(*_LOW_HIGH)),
    _openai(r"gpt-5-pro", "high", usual="high"),
    _openai(r"gpt-5(?!\.)", "minimal", *_LOW_HIGH),
    _openai(r"gpt-5\.[1-5]-codex", *_LOW_HIGH, "xhigh"),
    _openai(r"gpt-5\.[2-5]-pro", "medium", "high", "xhigh"),
    _openai(r"gpt-5\.1", *_NONE_HIGH, usual="none"),
    _openai(r"gpt-5\.[23]", *_NONE_HIGH, "xhigh", usual="none"),
    _openai(r"gpt-5\.4", *_NONE_HIGH, "xhigh", usual="none", calls="idle"),
    _openai(r"gpt-5\.5", *_NONE_HIGH, "xhigh", calls="idle"),
    _openai(r"gpt-5\.[6-9]|gpt-6-(?:sol|luna)", "none", *_LOW_MAX, calls="idle"),
    _openai(r"gpt-6\.1-terra", "none", *_LOW_MAX, calls="never"),
    # And whatever is newer than this table.
    _openai(r"gpt-[6-9]", *_LOW_MAX, calls="never"),
)
# A deployment has any name: what has none of these may be any model.
AZURE = (*OPENAI, Reasoner(re.compile("")))

# Stop sequences and penalties are errors to all that reason, whatever their effort (docs.x.ai, reasoning, 2026-11-27).
_XAI_BARE: Abilities = MappingProxyType({"stop": REFUSED, "presence_penalty": DROPPED, "frequency_penalty": DROPPED})


def _xai(models: str, *known: Effort) -> Reasoner:
    efforts = knowing(*known) if known else MappingProxyType({})
    return Reasoner(re.compile(rf"(?!.*non-reasoning)grok-(?:{models})"), efforts, bare=_XAI_BARE, always=True)


XAI = (
    _xai(r"3-mini", "low", "high"),
    _xai(r"4\.5", *_LOW_HIGH),
    _xai(r"4\.[3-9]|[5-9]|latest", *_NONE_HIGH),
    _xai(r"4|code|build"),
)
# console.groq.com/docs/reasoning, 2026-11-28: one family reasons or does not; others answer an effort with a 400.
GROQ = (
    Reasoner(re.compile("openai/gpt-oss"), knowing(*_LOW_HIGH)),
    Reasoner(re.compile("qwen"), MappingProxyType({**dict.fromkeys(EFFORTS, "default"), "none": "none"})),
)
# It reasons much or not at all (docs.mistral.ai, adjustable reasoning).
MISTRAL = (
    Reasoner(re.compile(""), MappingProxyType({**dict.fromkeys(EFFORTS, "high"), "none": "none", "minimal": "none"})),
)
OPENROUTER = (Reasoner(re.compile(""), knowing("none", "minimal", *_LOW_HIGH, "xhigh")),)
