"""OneFlow: one endpoint, one library and one command for every AI provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oneflow_ai.core.version import VERSION

if TYPE_CHECKING:
    from oneflow_ai.answer import Answer, EmbeddingAnswer, Media, MediaAnswer, OneFlowError, ToolCall
    from oneflow_ai.client import AsyncOneFlow, OneFlow
    from oneflow_ai.manager import (
        Database,
        OneFlowAI,
        ProviderManager,
        Result,
        create_enhanced_provider,
        initialize_provider_manager,
    )

__version__ = VERSION
__all__ = [
    "Answer",
    "AsyncOneFlow",
    "Database",
    "EmbeddingAnswer",
    "Media",
    "MediaAnswer",
    "OneFlow",
    "OneFlowAI",
    "OneFlowError",
    "ProviderManager",
    "Result",
    "ToolCall",
    "create_enhanced_provider",
    "initialize_provider_manager",
]

_PLACES = {
    **dict.fromkeys(
        ("Answer", "EmbeddingAnswer", "Media", "MediaAnswer", "OneFlowError", "ToolCall"), "oneflow_ai.answer"
    ),
    **dict.fromkeys(("AsyncOneFlow", "OneFlow"), "oneflow_ai.client"),
    **dict.fromkeys(
        (
            "Database",
            "OneFlowAI",
            "ProviderManager",
            "Result",
            "create_enhanced_provider",
            "initialize_provider_manager",
        ),
        "oneflow_ai.manager",
    ),
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that importing the package costs next to nothing."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - only when a name is asked for

    return getattr(import_module(_PLACES[name]), name)
