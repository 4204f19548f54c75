"""The first edition's module of single providers: the names it published, from the package."""

from oneflow_ai.manager import EnhancedProvider, create_enhanced_provider

__all__ = ["EnhancedProvider", "create_enhanced_provider"]
