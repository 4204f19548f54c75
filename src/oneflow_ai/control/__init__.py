"""The control plane: what operators see and set, apart from the data plane's calls."""

from oneflow_ai.control.application import control_plane

__all__ = ["control_plane"]
