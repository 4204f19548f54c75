"""What is known of providers' models: prices, defaults, limits, ends; read from the package's own files when asked."""

from oneflow_ai.catalog.facts import ModelFacts
from oneflow_ai.catalog.load import Catalog, load_catalog

__all__ = ["Catalog", "ModelFacts", "load_catalog"]
