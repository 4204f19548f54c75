"""How the values made for every call are declared: frozen to the type checker, cheap to make at run time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """A slotted dataclass that nobody changes; the type checker refuses whoever tries.

    It is what `dataclass(frozen=True, slots=True)` is, but for the guard at run time, through which a frozen one sets
    each field when it is made: four times the cost, for values of which a call makes a dozen.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
