"""The providers we know, a row each: adapter, address, where the key goes and what differs (facts of 2026-11-23)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from oneflow_ai.core.call import Call, Task
from oneflow_ai.core.ports import Adapter
from oneflow_ai.core.target import OnCancel, not_known
from oneflow_ai.providers import openai_kin
from oneflow_ai.providers.anthropic import AnthropicAdapter
from oneflow_ai.providers.bedrock import DEFAULT_URL, BedrockAdapter
from oneflow_ai.providers.bedrock_sign import key_mistake, key_pair
from oneflow_ai.providers.claude import takes_prefill
from oneflow_ai.providers.elevenlabs import ElevenLabsAdapter
from oneflow_ai.providers.elevenlabs_voices import OTHERS, VOICES
from oneflow_ai.providers.gemini import GeminiAdapter
from oneflow_ai.providers.openai_picture_tokens import most_tokens
from oneflow_ai.providers.stability import StabilityAdapter

_TEXT = frozenset({Task.TEXT})
_TEXT_AND_VECTORS = frozenset({Task.TEXT, Task.EMBEDDING})


def _sent(key: str) -> bool:
    del key
    return False


def _any(key: str) -> str:
    del key
    return ""


def _begins_itself(model: str) -> bool:
    del model
    return False


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of provider.

    `base_url` is None where the operator must give one. `environment` names the variable its key is looked for in.
    `key_header` and `key_prefix` say how the key is sent, `signs` which keys are not sent but signed with,
    `key_mistake` what is wrong with a key (empty: nothing); `key_required` is False for servers that run without one.
    `requests_per_minute` is the starting value at its own address. `lists` is False where the provider's list of models
    is not of what can be called (Azure's has no deployments, Bedrock's no inference profiles), or it has none.
    `on_cancel` says what becomes of an answer whose client hangs up: whether the provider stops, and bills no more.
    `prefill` tells of a model whether it goes on with an answer that the request begins: only where that is known.
    `voices` are its names of voices, by those that others use. `hands_on` names headers of its answers that clients of
    its own wire look for. `unlisted` are models that its own list leaves out. `picture_tokens` tells the most tokens of
    one of the pictures that a call orders of a model, None where that is not known.
    """

    adapter: Adapter
    base_url: str | None
    environment: str | None = None
    key_header: str = "authorization"
    key_prefix: str = "Bearer "
    signs: Callable[[str], bool] = _sent
    key_mistake: Callable[[str], str] = _any
    key_required: bool = True
    tasks: frozenset[Task] = _TEXT
    requests_per_minute: int = 0
    lists: bool = True
    on_cancel: OnCancel = "goes_on"
    prefill: Callable[[str], bool] = _begins_itself
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    voices: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    hands_on: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()
    picture_tokens: Callable[[Call, str], int | None] = not_known


# Addresses, keys, and whether there is an address for embeddings: each provider's own API reference, 2026-11-23 and
# 2026-11-26. OpenAI alone answers moderations in the shape of its wire: Mistral's say nothing of `flagged`.
# Who stops for a client that hangs up: as openrouter.ai/docs/api-reference/streaming ("Stream Cancellation") lists
# them, read 2026-11-26, but where a row says otherwise. Where nobody knows, an answer is read on: that never bills too
# little.
TABLE: Mapping[str, Row] = MappingProxyType(
    {
        # Stops, as OpenAI, Anthropic, DeepSeek, xAI, Together and Azure do: listed as "supported".
        "openai": Row(
            openai_kin.OPENAI,
            "https://api.openai.com/v1",
            "OPENAI_API_KEY",
            tasks=_TEXT_AND_VECTORS | {Task.MODERATION, Task.IMAGE, Task.SPEECH, Task.TRANSCRIPTION},
            requests_per_minute=60,
            on_cancel="stops",
            voices=OTHERS,
            picture_tokens=most_tokens,
        ),
        "anthropic": Row(
            AnthropicAdapter(),
            "https://api.anthropic.com",
            "ANTHROPIC_API_KEY",
            key_header="x-api-key",
            key_prefix="",
            requests_per_minute=50,
            on_cancel="stops",
            prefill=takes_prefill,
        ),
        # Goes on: listed as "not currently supported".
        "groq": Row(
            openai_kin.GROQ,
            "https://api.groq.com/openai/v1",
            "GROQ_API_KEY",
            tasks=_TEXT | {Task.TRANSCRIPTION},
        ),
        # Goes on: listed as "not currently supported".
        "mistral": Row(
            openai_kin.MISTRAL,
            "https://api.mistral.ai/v1",
            "MISTRAL_API_KEY",
            tasks=_TEXT_AND_VECTORS,
        ),
        "deepseek": Row(
            openai_kin.DEEPSEEK,
            "https://api.deepseek.com",
            "DEEPSEEK_API_KEY",
            on_cancel="stops",
        ),
        "xai": Row(
            openai_kin.XAI,
            "https://api.x.ai/v1",
            "XAI_API_KEY",
            on_cancel="stops",
        ),
        # Goes on wherever the model's own provider does, which is known too late.
        "openrouter": Row(
            openai_kin.OPENROUTER,
            "https://openrouter.ai/api/v1",
            "OPENROUTER_API_KEY",
            tasks=_TEXT_AND_VECTORS,
        ),
        "together": Row(
            openai_kin.TOGETHER,
            "https://api.together.xyz/v1",
            "TOGETHER_API_KEY",
            tasks=_TEXT_AND_VECTORS,
            on_cancel="stops",
        ),
        # Stops with its next word: github.com/ollama/ollama/issues/11889 and 9813, read 2026-11-26.
        "ollama": Row(
            openai_kin.OLLAMA,
            "http://127.0.0.1:11434/v1",
            "OLLAMA_API_KEY",
            key_required=False,
            tasks=_TEXT_AND_VECTORS,
            on_cancel="stops",
        ),
        # Stops: github.com/vllm-project/vllm/pull/32442, where its maintainers say so, read 2026-11-26.
        "vllm": Row(
            openai_kin.VLLM,
            None,
            "VLLM_API_KEY",
            key_required=False,
            tasks=_TEXT_AND_VECTORS,
            on_cancel="stops",
        ),
        "azure": Row(
            openai_kin.AZURE,
            None,
            "AZURE_OPENAI_API_KEY",
            key_header="api-key",
            key_prefix="",
            tasks=_TEXT_AND_VECTORS,
            lists=False,
            options=MappingProxyType({"api_version": "2024-10-21"}),
            on_cancel="stops",
        ),
        # Goes on: listed as "Google AI Studio", "not currently supported".
        "gemini": Row(
            GeminiAdapter(),
            "https://generativelanguage.googleapis.com/v1beta",
            "GEMINI_API_KEY",
            key_header="x-goog-api-key",
            key_prefix="",
            tasks=_TEXT_AND_VECTORS,
        ),
        # Pictures only; whether it stops is not known. Its only list is of engines of the first edition.
        "stability": Row(
            StabilityAdapter(),
            "https://api.stability.ai",
            "STABILITY_API_KEY",
            tasks=frozenset({Task.IMAGE}),
            requests_per_minute=150,
            lists=False,
        ),
        # Goes on: listed as "AWS Bedrock", "not currently supported".
        "bedrock": Row(
            BedrockAdapter(),
            DEFAULT_URL,
            "AWS_BEARER_TOKEN_BEDROCK",
            signs=lambda key: key_pair(key) is not None,
            key_mistake=key_mistake,
            lists=False,
        ),
        # Goes on: a text is billed as it is asked for, and nobody says otherwise. What it bills a call stands in a
        # header; a later request names the one before by its id (API reference, request stitching, 2026-11-27).
        "elevenlabs": Row(
            ElevenLabsAdapter(),
            "https://api.elevenlabs.io",
            "ELEVENLABS_API_KEY",
            key_header="xi-api-key",
            key_prefix="",
            tasks=frozenset({Task.SPEECH, Task.TRANSCRIPTION}),
            requests_per_minute=120,
            # $80 a million characters, of one credit each (prices of 2026-11-24, catalog/supplement.toml).
            options=MappingProxyType({"usd_per_million_credits": "80"}),
            voices=VOICES,
            hands_on=("request-id", "character-cost"),
            unlisted=("scribe_*",),
        ),
    }
)
