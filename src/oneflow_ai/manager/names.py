"""What the first edition calls providers and tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from oneflow_ai.core.call import Task

ALIASES: Mapping[str, tuple[str, Task]] = MappingProxyType(
    {
        "gpt": ("openai", Task.TEXT),
        "openai": ("openai", Task.TEXT),
        "claude": ("anthropic", Task.TEXT),
        "anthropic": ("anthropic", Task.TEXT),
        "stability": ("stability", Task.IMAGE),
        "image": ("stability", Task.IMAGE),
        "dalle": ("openai", Task.IMAGE),
        "elevenlabs": ("elevenlabs", Task.SPEECH),
        "audio": ("elevenlabs", Task.SPEECH),
    }
)
"""Each name with its provider, and what that is asked for when nothing else is said."""

TASKS: Mapping[str, Task] = MappingProxyType(
    {
        "text": Task.TEXT,
        "image": Task.IMAGE,
        "speech": Task.SPEECH,
        "audio": Task.SPEECH,
        "transcription": Task.TRANSCRIPTION,
    }
)


def task_of(name: object) -> Task:
    """The task of a name; raises `ValueError` for what is none."""
    task = TASKS.get(name) if isinstance(name, str) else None
    if task is None:
        raise ValueError(f"task_type is one of {', '.join(TASKS)}")
    return task


def provider_of(name: object, known: Iterable[str]) -> str:
    """The provider of a name, its own or one of the first edition's; raises `ValueError` for what is none."""
    listed = tuple(known)
    word = name if isinstance(name, str) else ""
    provider = word if word in listed else ALIASES.get(word, ("", Task.TEXT))[0]
    if provider not in listed:
        choices = ", ".join(dict.fromkeys((*listed, *ALIASES)))
        raise ValueError(f"there is no such provider; known are {choices}")
    return provider
