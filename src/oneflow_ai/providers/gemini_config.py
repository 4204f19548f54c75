"""How a Gemini model is to answer: sampling, form and thinking, by what each generation of models takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from oneflow_ai.core.failure import UNSUPPORTED_PARAMETER, Failure
from oneflow_ai.core.price import Price
from oneflow_ai.core.prompt import Prompt

STOPS_MOST = 5
_SEED_LEAST, _SEED_MOST = -(1 << 31), (1 << 31) - 1
_NAME = re.compile(r"gemini-(\d{1,2})(?:\.(\d{1,2}))?(?!\d)")
_ALIAS = re.compile(r"gemini-[a-z-]+-latest")

# Google's own table for `reasoning_effort` (ai.google.dev/gemini-api/docs/openai, checked 2026-11-26): as a budget of
# tokens for the models of 2.5, as a level for those after.
_BUDGETS: Mapping[str, int] = {
    "none": 0,
    "minimal": 1_024,
    "low": 1_024,
    "medium": 8_192,
    "high": 24_576,
    "xhigh": 32_768,
    "max": 32_768,
}
_LEVELS: Mapping[str, str] = {
    "none": "MINIMAL",
    "minimal": "MINIMAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "HIGH",
    "max": "HIGH",
}
# The others begin at LOW and refuse MINIMAL with 400 (Google's developer guides to 3.6 and 3.8 Flash, 2026-11-26).
_MINIMAL = ("gemini-3-flash", "gemini-3.1-flash-lite", "gemini-3.5-", "gemini-3.6-")
# What is sent in place of an effort that a model, or any, has no level of: another one.
_NEAREST: Mapping[str, tuple[str, ...]] = {"minimal": ("LOW",), "xhigh": ("HIGH",), "max": ("HIGH",)}
_LITE, _DYNAMIC = "-lite", -1
# Least and most tokens of thought; nought where thinking can be switched off (ai.google.dev/gemini-api/docs/thinking).
_PRO_BUDGET, _FLASH_BUDGET, _LITE_LEAST = (128, 32_768), (0, 24_576), 512

_SAMPLING = (("temperature", "temperature"), ("top_p", "topP"), ("top_k", "topK"))
_PLAIN = (
    ("max_tokens", "maxOutputTokens"),
    ("seed", "seed"),
    ("presence_penalty", "presencePenalty"),
    ("frequency_penalty", "frequencyPenalty"),
)
# google-genai 3.6.1: `serviceTier` of a request, beside its `generationConfig`.
_TIERS = {"flex": "flex", "priority": "priority", "default": "standard", "standard_only": "standard"}
_STANDARD = "standard"


def generation(model: str) -> tuple[int, int]:
    """The generation that a model's name tells: (2, 5) of `gemini-2.5-pro`; (0, 0) of other families' names."""
    found = _NAME.match(model)
    if found is not None:
        return int(found[1]), int(found[2] or 0)
    return (3, 0) if _ALIAS.fullmatch(model) else (0, 0)


def generation_config(prompt: Prompt, model: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields of `generationConfig`, and the client's names of those that this model would ignore.

    Raises `Failure` for values that the wire cannot carry.
    """
    _check(prompt, model)
    config, dropped = _sampling(prompt, model)
    config.update((theirs, getattr(prompt, ours)) for ours, theirs in _PLAIN if getattr(prompt, ours) is not None)
    if prompt.stop:
        config["stopSequences"] = list(prompt.stop)
    if prompt.n > 1:
        config["candidateCount"] = prompt.n
    if prompt.logprobs:
        config["responseLogprobs"] = True
        if prompt.top_logprobs:
            config["logprobs"] = prompt.top_logprobs
    if prompt.format is not None:
        config["responseMimeType"] = "application/json"
        if prompt.format.schema is not None:
            config["responseJsonSchema"] = prompt.format.schema
    thinking, undone = _thinking(prompt, model)
    if thinking:
        config["thinkingConfig"] = thinking
    return config, (*dropped, *undone)


def service_tier(prompt: Prompt, price: Price | None) -> dict[str, str]:
    """The request's service tier; nothing where the client leaves the choice to the provider.

    Raises `Failure` for a tier that does not exist, or whose price is not known.
    """
    if prompt.service_tier in ("", "auto"):
        return {}
    tier = _TIERS.get(prompt.service_tier)
    if tier is None or not has_priced_tier(price, tier):
        raise _unsupported(prompt, "service_tier", f"the target has no priced service tier {prompt.service_tier[:32]}")
    return {"serviceTier": tier}


def has_priced_tier(price: Price | None, tier: str) -> bool:
    """Whether it is known what a service tier, by this wire's own word, costs."""
    return tier == _STANDARD or (price is not None and any(name == tier for name, _ in price.tiers))


def _check(prompt: Prompt, model: str) -> None:
    if len(prompt.stop) > STOPS_MOST:
        raise _unsupported(prompt, "stop", f"the target takes at most {STOPS_MOST} stop sequences")
    if prompt.seed is not None and not _SEED_LEAST <= prompt.seed <= _SEED_MOST:
        raise _unsupported(prompt, "seed", "the target's seed has 32 bits")
    if prompt.tools and prompt.format is not None and generation(model) < (3, 0):
        # "Function calling with a response mime type: 'application/json' is unsupported" (as above).
        raise _unsupported(prompt, "format", "models before Gemini 3 give JSON or call functions, not both")
    if prompt.n > 1 and generation(model) >= (3, 0):
        # "candidate_count is unsupported in Gemini 3.x" (Google's guide to 3.6 Flash, 2026-11-26).
        raise _unsupported(prompt, "n", "models since Gemini 3 give one answer")


def _unsupported(prompt: Prompt, name: str, words: str) -> Failure:
    return Failure(UNSUPPORTED_PARAMETER, words, param=prompt.param(name))


def _sampling(prompt: Prompt, model: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Since 3.6 Flash and 3.5 Flash-Lite these are deprecated and ignored, and may be refused one day (as above)."""
    given = [(ours, theirs) for ours, theirs in _SAMPLING if getattr(prompt, ours) is not None]
    if generation(model) >= (3, 6) or model.startswith("gemini-3.5-flash-lite"):
        return {}, tuple(prompt.param(ours) for ours, _ in given)
    return {theirs: getattr(prompt, ours) for ours, theirs in given}, ()


def _thinking(prompt: Prompt, model: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    age = generation(model)
    given = [name for name in ("effort", "thinking_tokens") if getattr(prompt, name) is not None]
    asked, wanted = (*given, "adaptive")[0], bool(given)
    off = prompt.effort == "none" or (prompt.effort is None and prompt.thinking_tokens == 0)
    if age < (2, 5):
        # These do not think: to ask for none is no request.
        return {}, (prompt.param(asked),) if (wanted or prompt.adaptive) and not off else ()
    config: dict[str, Any] = {}
    if wanted:
        config = _budget(prompt, model) if age < (3, 0) else {"thinkingLevel": _level(prompt, model)}
    elif (prompt.show_reasoning or prompt.adaptive) and age < (3, 0) and _LITE in model:
        # It thinks only when told, and who wants to see thoughts wants some: as much as it likes.
        config["thinkingBudget"] = _DYNAMIC
    if prompt.show_reasoning:
        config["includeThoughts"] = True
    tokens = prompt.thinking_tokens
    undone = off and config.get("thinkingBudget") != 0
    told = [asked] if undone or config.get("thinkingLevel") in _NEAREST.get(prompt.effort or "", ()) else []
    if tokens is not None and config.get("thinkingBudget", tokens) != tokens:
        told.append("thinking_tokens")
    return config, tuple(dict.fromkeys(map(prompt.param, told)))


def _budget(prompt: Prompt, model: str) -> dict[str, int]:
    tokens = prompt.thinking_tokens
    if tokens is None:
        tokens = _BUDGETS[prompt.effort or "medium"]
    least, most = _PRO_BUDGET if "-pro" in model else _FLASH_BUDGET
    tokens = min(max(tokens, least), most)
    return {"thinkingBudget": max(tokens, _LITE_LEAST) if tokens and _LITE in model else tokens}


def _level(prompt: Prompt, model: str) -> str:
    """A budget of tokens becomes the level whose budget holds it: Gemini 4 refuses budgets."""
    effort: str | None = prompt.effort
    if effort is None:
        tokens = prompt.thinking_tokens or 0
        effort = next((name for name, most in _BUDGETS.items() if tokens <= most), "max")
    level = _LEVELS[effort]
    return "LOW" if level == "MINIMAL" and not model.startswith(_MINIMAL) else level
