"""The stores behind each port: the behaviour suites beside this file run over every row."""

from collections.abc import Callable, Mapping

from oneflow_ai.core.ports import Chance, Clock, Meter, Quota
from oneflow_ai.stores.memory_limits import MemoryLimits
from oneflow_ai.stores.memory_quota import MemoryQuota

QUOTAS: Mapping[str, Callable[[Clock, Chance], Quota]] = {"memory": MemoryQuota}

LIMIT_METERS: Mapping[str, Callable[[Clock], Meter]] = {"memory": MemoryLimits}
