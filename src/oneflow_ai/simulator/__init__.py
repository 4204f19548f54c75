"""The providers, simulated on their own wire, with their faults; for the demo, for tests and for users."""

from oneflow_ai.simulator.blackhole import Blackhole
from oneflow_ai.simulator.clock import MachineClock
from oneflow_ai.simulator.faults.fault import FaultError
from oneflow_ai.simulator.faults.table import FAULTS, FaultRow, Parameter
from oneflow_ai.simulator.names import NXDOMAIN, SERVFAIL, SILENT, Names
from oneflow_ai.simulator.options import FAST, Limits, Pace, Rule, SimulatorOptions
from oneflow_ai.simulator.record import Attempt, Counts, Record
from oneflow_ai.simulator.script import ScriptError, load_script
from oneflow_ai.simulator.server import Simulator, run
from oneflow_ai.simulator.thread import ThreadedSimulator, run_in_thread

__all__ = [
    "FAST",
    "FAULTS",
    "NXDOMAIN",
    "SERVFAIL",
    "SILENT",
    "Attempt",
    "Blackhole",
    "Counts",
    "FaultError",
    "FaultRow",
    "Limits",
    "MachineClock",
    "Names",
    "Pace",
    "Parameter",
    "Record",
    "Rule",
    "ScriptError",
    "Simulator",
    "SimulatorOptions",
    "ThreadedSimulator",
    "load_script",
    "run",
    "run_in_thread",
]
