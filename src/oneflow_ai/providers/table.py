"""The providers we know, a row each: adapter, address, where the key goes and what differs (facts of 2026-11-23)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from oneflow_ai.core.call import Task
from oneflow_ai.core.ports import Adapter
from oneflow_ai.providers.bedrock import DEFAULT_URL, BedrockAdapter
from oneflow_ai.providers.bedrock_sign import key_pair
from oneflow_ai.providers.gemini import GeminiAdapter
from oneflow_ai.providers.openai import OpenAIAdapter

_OPENAI = OpenAIAdapter()
_TEXT = frozenset({Task.TEXT})


def _sent(key: str) -> bool:
    del key
    return False


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of provider.

    `base_url` is None where the operator must give one. `environment` names the variable its key is looked for in.
    `key_header` and `key_prefix` say how the key is sent, `signs` which keys are not sent but signed with;
    `key_required` is False for servers that run without one.
    `requests_per_minute` is the starting value at its own address.
    """

    adapter: Adapter
    base_url: str | None
    environment: str | None = None
    key_header: str = "authorization"
    key_prefix: str = "Bearer "
    signs: Callable[[str], bool] = _sent
    key_required: bool = True
    tasks: frozenset[Task] = _TEXT
    requests_per_minute: int = 0
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


# Addresses and keys: each provider's own API reference, 2026-11-23.
TABLE: Mapping[str, Row] = MappingProxyType(
    {
        "openai": Row(_OPENAI, "https://api.openai.com/v1", "OPENAI_API_KEY", requests_per_minute=60),
        "groq": Row(_OPENAI, "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
        # Mistral sends usage in its last chunk unasked and refuses what it does not know, these among it (422
        # extra_forbidden: github.com/avante-corp/avante.nvim/issues/2347, editor-code-assistant/eca/issues/231,
        # 2026-11-24).
        "mistral": Row(
            OpenAIAdapter(stream_usage=False, renamed=MappingProxyType({"max_completion_tokens": "max_tokens"})),
            "https://api.mistral.ai/v1",
            "MISTRAL_API_KEY",
        ),
        "deepseek": Row(_OPENAI, "https://api.deepseek.com", "DEEPSEEK_API_KEY"),
        "xai": Row(_OPENAI, "https://api.x.ai/v1", "XAI_API_KEY"),
        "openrouter": Row(_OPENAI, "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
        "together": Row(_OPENAI, "https://api.together.xyz/v1", "TOGETHER_API_KEY"),
        "ollama": Row(_OPENAI, "http://127.0.0.1:11434/v1", "OLLAMA_API_KEY", key_required=False),
        "vllm": Row(_OPENAI, None, "VLLM_API_KEY", key_required=False),
        "azure": Row(
            OpenAIAdapter(deployments=True),
            None,
            "AZURE_OPENAI_API_KEY",
            key_header="api-key",
            key_prefix="",
            options=MappingProxyType({"api_version": "2024-10-21"}),
        ),
        "gemini": Row(
            GeminiAdapter(),
            "https://generativelanguage.googleapis.com/v1beta",
            "GEMINI_API_KEY",
            key_header="x-goog-api-key",
            key_prefix="",
            tasks=frozenset({Task.TEXT, Task.EMBEDDING}),
        ),
        "bedrock": Row(
            BedrockAdapter(), DEFAULT_URL, "AWS_BEARER_TOKEN_BEDROCK", signs=lambda key: key_pair(key) is not None
        ),
    }
)
