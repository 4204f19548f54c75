"""One provider as a callable, as the first edition's programs make it."""

from __future__ import annotations

import threading
from typing import Any
from weakref import ReferenceType, ref

from oneflow_ai.core.call import Task
from oneflow_ai.manager.chains import ProviderManager
from oneflow_ai.manager.names import ALIASES, provider_of, task_of
from oneflow_ai.manager.results import Result, error
from oneflow_ai.manager.room import settings_for
from oneflow_ai.settings import Loaded, configured_providers, credentials


class EnhancedProvider:
    """One provider: call it with a prompt. It falls back to no other, and is simulated where nothing is set up."""

    def __init__(self, name: str, task: Task, manager: ProviderManager) -> None:
        self.name = name
        self.task = task
        self._manager = manager

    def __call__(self, prompt: Any, task_type: str | None = None, model: str | None = None, **options: Any) -> Result:
        """Answer a prompt; never raises for a failure. `task_type=None` is the provider's own task."""
        try:
            task = self.task if task_type is None else task_of(task_type)
        except ValueError as wrong:
            return error(f"invalid_value: {wrong}")
        result = self._manager.ask(task, prompt, options, self._at_home(model), (self.name,), alone=True)
        result["provider_name"] = result["provider_name"] or self.name
        return result

    def _at_home(self, model: str | None) -> str | None:
        return f"{self.name}/{model}" if isinstance(model, str) and not model.startswith(f"{self.name}/") else model


def create_enhanced_provider(name: str) -> EnhancedProvider:
    """A provider by one of its names: `gpt`, `claude`, `stability`, `dalle`, `elevenlabs`, …, or as it is configured.

    All of one configuration share an engine. Raises `ValueError` for a name that is none, and `SettingsError`.
    """
    loaded = settings_for(False)
    provider = provider_of(name, configured_providers(loaded))
    _, task = ALIASES.get(name, (provider, Task.TEXT))
    return EnhancedProvider(provider, task, _SHARED.manager(loaded))


class _Shared:
    """The engine of all such providers, for as long as one of them lives and the configuration is the same."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._manager: ReferenceType[ProviderManager] | None = None
        self._of: object = None

    def manager(self, loaded: Loaded) -> ProviderManager:
        """The one there is, or a new one."""
        of = (loaded.settings, loaded.home, loaded.directory, _keys(loaded))
        with self._lock:
            manager = self._manager() if self._manager is not None else None
            if manager is None or self._of != of:
                manager = ProviderManager(None)
                self._manager, self._of = ref(manager), of
            return manager


def _keys(loaded: Loaded) -> tuple[object, ...]:
    return tuple(credentials(loaded, name) for name in configured_providers(loaded))


_SHARED = _Shared()
