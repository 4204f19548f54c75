"""The steps that a connection plays: what is sent, when, and how it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes and wait until the network took them."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Flood:
    """Write a piece again and again, `pieces` times or, when None, until the client goes away."""

    piece: bytes
    pieces: int | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for so long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Await:
    """Do something that takes its time, and go on when it is done."""

    action: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Hang:
    """Do nothing until the client goes away."""


@dataclass(frozen=True, slots=True)
class Deafen:
    """Read nothing more from the client, so that its window fills."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close in order (FIN) once everything is sent."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Break off (RST) once everything is sent."""


Step: TypeAlias = Send | Flood | Wait | Await | Hang | Deafen | Close | Reset
Steps: TypeAlias = Iterator[Step]
