"""The control plane: what operators see and set, apart from the data plane's calls."""

from oneflow_ai.control.application import control_plane
from oneflow_ai.control.ports import ControlPorts

__all__ = ["ControlPorts", "control_plane"]
