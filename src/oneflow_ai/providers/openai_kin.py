"""The servers of OpenAI's wire, each with what its own documentation says of it (checked 2026-11-26)."""

from __future__ import annotations

import re
from dataclasses import replace
from types import MappingProxyType

from oneflow_ai.providers import openai_reasoners
from oneflow_ai.providers.openai import OpenAIAdapter
from oneflow_ai.providers.openai_idiom import ABILITIES, SCHEMAS, Idiom, plain
from oneflow_ai.providers.openai_key_account import KeyAccountAdapter
from oneflow_ai.providers.openai_responses import ResponsesAdapter

# Models whose cache is told where to end: from GPT-5.6 on (OpenAI's specification, prompt_cache_options, 2026-11-23).
# Others keep what they have seen without being told.
_OPENAI_MARKING = re.compile(r"gpt-5\.[6-9]|gpt-[6-9]")
# Models that Responses alone has (OpenAI's specification, ResponsesOnlyModel, and its client 3.54.0, 2026-11-23; of the
# pro and codex models those that it leaves out too: BerriAI/litellm/pull/23143, SillyTavern/pull/5212, 2026-11-28).
_OPENAI_RESPONSES_ONLY = re.compile(
    r"o[13]-pro|o[34](?:-mini)?-deep-research|computer-use-|gpt-5(?:\.[2-5])?-pro|gpt-5(?:\.[23])?-codex"
    r"|gpt-5\.1-codex-max"
    r"|gpt-daybreak-|gpt-[56](?:\.6)?-cyber|gpt-rosalind-|gpt-6-rosalind|gpt-6\.2-astra-law"
)
_MAX_TOKENS = "max_tokens"
_NO_TIERS: frozenset[str] = frozenset()

OPENAI = ResponsesAdapter(
    idiom=Idiom(reasoners=openai_reasoners.OPENAI, marking_models=_OPENAI_MARKING, schemas=SCHEMAS),
    only=_OPENAI_RESPONSES_ONLY,
    counts=True,
)

# A deployment has any name: it does not tell whether its model takes marks. Responses are at the newer addresses
# (learn.microsoft.com, Azure OpenAI v1 API).
AZURE = ResponsesAdapter(
    deployments=True,
    idiom=Idiom(
        plain(dropped=("prompt cache marks",), base=ABILITIES), reasoners=openai_reasoners.AZURE, schemas=SCHEMAS
    ),
    ending="/openai/v1",
)

# console.groq.com/docs/openai: these are answered with 400.
# What is thought is told as `reasoning`, and taken back by no other name (400 "property 'reasoning_content' is
# unsupported": agentjido/req_llm/issues/772, 2026-11-27). It goes on with an answer that is begun (…/docs/prefilling).
GROQ = OpenAIAdapter(
    idiom=Idiom(
        plain(sent=("answer begun", "service_tier"), refused=("logprobs", "logit_bias", "n")),
        tiers=frozenset({"flex"}),
        reasoners=openai_reasoners.GROQ,
        thoughts_refused=frozenset({"reasoning_content", "reasoning_details"}),
    )
)

# Mistral sends usage in its last chunk unasked and refuses what it does not know, `max_completion_tokens` among it
# (422 extra_forbidden: github.com/avante-corp/avante.nvim/issues/2347, editor-code-assistant/eca/issues/231). Its seed
# has another name (docs.mistral.ai/api), its ids of tool calls have nine letters or digits (400, code 3280:
# editor-code-assistant/eca/issues/233).
# It knows no field of thoughts (BerriAI/litellm/issues/30835). An answer that is begun is marked (400, code 3230,
# otherwise: QuantumNous/new-api/issues/2858), and repeated in the answer (SillyTavern/issues/2557; 2026-11-27).
# The roles of its messages are system, user, assistant and tool (docs.mistral.ai/api, 2026-11-28).
MISTRAL = OpenAIAdapter(
    stream_usage=False,
    renamed=MappingProxyType({"seed": "random_seed"}),
    idiom=Idiom(
        plain(refused=("logprobs", "logit_bias"), dropped=("user",)),
        tokens_field=_MAX_TOKENS,
        reasoners=openai_reasoners.MISTRAL,
        tool_id_characters=9,
        marks_begun=True,
        thoughts_refused=frozenset({"reasoning", "reasoning_content", "reasoning_details"}),
        tiers=_NO_TIERS,
        has_developer=False,
    ),
)

# A content is a text (400 "invalid type: sequence": github.com/QwenLM/qwen-code/pull/2320): nothing is seen or heard.
# What was thought comes back with each turn that called a tool, be it empty (400 otherwise: api-docs.deepseek.com,
# thinking mode; anomalyco/opencode/issues/24722, deepseek-harness/discussions/739). JSON without a schema; a seed, more
# than one choice, biases and calls one by one are not among its parameters (api-docs.deepseek.com/api). A bound by
# OpenAI's newer name bounds nothing (earendil-works/pi/issues/8018), a `developer` is a 400 (…//1048; 2026-11-28).
DEEPSEEK = OpenAIAdapter(
    idiom=Idiom(
        plain(
            sent=("reasoning given back",),
            refused=(
                "image by address", "image as base64", "image in a tool's result", "JSON by schema", "logit_bias", "n",
                "parallel tools off",
            ),
            dropped=("seed", "strict tools", "user"),
        ),
        tokens_field=_MAX_TOKENS,
        thoughts="reasoning_content",
        thinking_switch=True,
        joins_texts=True,
        stops_most=16,
        tiers=_NO_TIERS,
        has_developer=False,
    )
)  # fmt: skip

# Its Responses are recorded (2026-11-23); it counts tokens in a way of its own.
XAI = ResponsesAdapter(idiom=Idiom(plain(), tiers=_NO_TIERS, reasoners=openai_reasoners.XAI))

# openrouter.ai/docs: reasoning tokens, prompt caching, files and sound, parameters, assistant prefill.
OPENROUTER = KeyAccountAdapter(
    idiom=Idiom(
        plain(
            sent=(
                "document", "document by address", "audio", "reasoning given back", "answer begun",
                "prompt cache marks", "top_k", "verbosity",
            ),
        ),
        tokens_field=_MAX_TOKENS,
        thoughts="reasoning_details",
        effort_object=True,
        reasoners=openai_reasoners.OPENROUTER,
        cache_mark="cache_control",
        tiers=_NO_TIERS,
        # Its models of other makers give lists too.
        schemas=replace(SCHEMAS, one_object=False),
    )
)  # fmt: skip

# docs.together.ai/reference/chat-completions: log probabilities are asked for by a number there.
TOGETHER = OpenAIAdapter(
    idiom=Idiom(
        plain(sent=("top_k",), refused=("logprobs",), dropped=("user",)),
        tokens_field=_MAX_TOKENS,
        tiers=_NO_TIERS,
        has_developer=False,
    )
)

# docs.ollama.com/api/openai-compatibility lists what it takes; the rest it does not even refuse. Who a `developer` is
# depends on the model, some do not hear it (fgrehm/pi-ollama-cloud/pull/10, 2026-11-28).
OLLAMA = OpenAIAdapter(
    idiom=Idiom(
        plain(
            refused=(
                "logit_bias", "n", "parallel tools off", "tool choice none", "tool choice required",
                "tool choice by name",
            ),
            dropped=("strict tools", "user"),
        ),
        tokens_field=_MAX_TOKENS,
        tiers=_NO_TIERS,
        has_developer=False,
    )
)  # fmt: skip

# docs.vllm.ai: extra parameters, and the field in which reasoning goes both ways (vllm-project/vllm/issues/38488). Most
# models' templates refuse a `developer` (400 "Unexpected message role.": ogx-ai/ogx/issues/6069, 2026-11-28).
VLLM = OpenAIAdapter(
    idiom=Idiom(
        plain(sent=("audio", "reasoning given back", "top_k")),
        thoughts="reasoning",
        tiers=_NO_TIERS,
        has_developer=False,
    )
)
