"""Shipped doubles: clocks, a loop in virtual time, a provider that follows a script, and a client that listens."""

from oneflow_ai.testing.client import ListeningClient
from oneflow_ai.testing.loopback import NoRealProviders, loopback_only
from oneflow_ai.testing.time import EPOCH, NEVER, SeededChance, StepClock, VirtualClock, VirtualLoop, run_virtual
from oneflow_ai.testing.upstream import Script, Scripted, ScriptedAnswer, ScriptedUpstream

__all__ = [
    "EPOCH",
    "NEVER",
    "ListeningClient",
    "NoRealProviders",
    "Script",
    "Scripted",
    "ScriptedAnswer",
    "ScriptedUpstream",
    "SeededChance",
    "StepClock",
    "VirtualClock",
    "VirtualLoop",
    "loopback_only",
    "run_virtual",
]
