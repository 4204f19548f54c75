"""The first edition's module of managed providers: the names it published, from the package."""

from oneflow_ai.manager import ProviderManager, initialize_provider_manager

__all__ = ["ProviderManager", "initialize_provider_manager"]
