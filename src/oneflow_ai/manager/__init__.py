"""The first edition's names, over the same engine: plain dicts, and no exception for a provider's failure."""

from oneflow_ai.manager.account import OneFlowAI
from oneflow_ai.manager.book import Database
from oneflow_ai.manager.chains import BestProvider, ProviderManager, initialize_provider_manager
from oneflow_ai.manager.results import Result
from oneflow_ai.manager.single import EnhancedProvider, create_enhanced_provider

__all__ = [
    "BestProvider",
    "Database",
    "EnhancedProvider",
    "OneFlowAI",
    "ProviderManager",
    "Result",
    "create_enhanced_provider",
    "initialize_provider_manager",
]
