"""The data plane's door: connections and their deadlines, keys to accounts, paths to operations, answers to bytes."""

from oneflow_ai.edge.application import Edge, EdgeLimits, EdgePorts
from oneflow_ai.edge.server import serve

__all__ = ["Edge", "EdgeLimits", "EdgePorts", "serve"]
