"""The one way out to providers, behind the `Upstream` port: a pool of connections for each provider."""

from oneflow_ai.upstream.way import Way
from oneflow_ai.upstream.ways import Ways

__all__ = ["Way", "Ways"]
