"""What a snapshot is compiled of: configured rows, and what is known of providers and their models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol, TypeAlias

from oneflow_ai.core.call import Account, Call, Task
from oneflow_ai.core.listing import Listed
from oneflow_ai.core.ports import Adapter
from oneflow_ai.core.price import Price
from oneflow_ai.core.target import OnCancel, ProviderLimits, RetryPolicy, Secret, Timeouts

REASONING_SECONDS = 120.0
Headers: TypeAlias = tuple[tuple[str, str], ...]


class Sort(Protocol):
    """What is known of a sort of provider; a row of the provider table is one."""

    @property
    def adapter(self) -> Adapter:
        """Its wire."""

    @property
    def base_url(self) -> str | None:
        """Its own address, where it has one."""

    @property
    def key_header(self) -> str:
        """The header that carries its key."""

    @property
    def key_prefix(self) -> str:
        """What stands before the key."""

    @property
    def signs(self) -> Callable[[str], bool]:
        """Tells of a key whether requests are signed with it: then it is in no header."""

    @property
    def key_required(self) -> bool:
        """Whether it answers nobody without a key."""

    @property
    def tasks(self) -> frozenset[Task]:
        """What can be asked of it."""

    @property
    def on_cancel(self) -> OnCancel:
        """Whether it stops, and bills no more, once its client hangs up."""

    @property
    def prefill(self) -> Callable[[str], bool]:
        """Tells of a model whether it goes on with an answer that the request begins."""

    @property
    def options(self) -> Mapping[str, str]:
        """Its own settings, by name."""

    @property
    def voices(self) -> Mapping[str, str]:
        """Its names of voices, by those that clients of other wires, or people, use."""

    @property
    def hands_on(self) -> tuple[str, ...]:
        """The headers of its answers that clients of its own wire look for, in lower case."""

    @property
    def unlisted(self) -> tuple[str, ...]:
        """The models, each by its name or by a beginning with `*`, that its own list leaves out."""

    @property
    def picture_tokens(self) -> Callable[[Call, str], int | None]:
        """Tells the most tokens of one of the pictures that a call orders of a model; None where that is not known."""


class Facts(Protocol):
    """What the catalogue knows of one model."""

    @property
    def context_window_tokens(self) -> int | None:
        """The most tokens of prompt and answer."""

    @property
    def output_most_tokens(self) -> int | None:
        """The most tokens of an answer."""

    @property
    def shutdown(self) -> date | None:
        """The UTC day from which its provider refuses it."""

    @property
    def successor(self) -> str | None:
        """The model that replaces it."""


class Models(Protocol):
    """The catalogue, as far as compiling needs it."""

    def price(self, provider_id: str, model: str) -> Price | None:
        """The list price of a model."""

    def model(self, provider_id: str, model: str) -> Facts | None:
        """What is known of a model."""

    def models(self, provider_id: str) -> tuple[str, ...]:
        """The ids known of a sort of provider, those that have ended too."""

    def ended(self, provider_id: str, model: str, on: date) -> bool:
        """Whether a model is retired on that UTC day."""

    def tasks(self, model: str) -> tuple[Task, ...]:
        """What a model is for, by its name."""

    def default_model(self, provider_id: str, task: Task) -> str | None:
        """The model used when only the task is named."""

    def default_voice(self, provider_id: str) -> str | None:
        """The voice that speaks when a caller names none; None for a provider that does not speak."""

    def reasons(self, model: str) -> bool:
        """Whether a model reasons before it answers."""


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """One configured provider. No secrets and `key_required` mean that it is unconfigured.

    `reasoning_seconds` is how long a model that reasons first may take to its first content. `models` are those that
    the operator lists, `offered` those that the provider does.
    """

    name: str
    kind: str
    base_url: str
    way: str
    secrets: tuple[Secret, ...] = ()
    limits: ProviderLimits = ProviderLimits()
    timeouts: Timeouts = Timeouts()
    reasoning_seconds: float = REASONING_SECONDS
    headers: Headers = field(default=(), repr=False)
    models: frozenset[str] | None = None
    offered: Mapping[str, Listed] | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    voices: Mapping[str, str] = field(default_factory=dict)
    simulated: bool = False
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class RouteTarget:
    """One place of a route, and what is different for it there."""

    name: str
    weight: int = 1
    timeout_seconds: float | None = None
    headers: Headers = field(default=(), repr=False)
    way: str | None = None


@dataclass(frozen=True, slots=True)
class RouteRow:
    """One configured route; no targets stand for the task's default chain. `last` come after either.

    `continue_cut` lets another of its models go on with an answer that broke off.
    """

    name: str
    task: Task
    targets: tuple[RouteTarget, ...] = ()
    strategy: str = "order"
    continue_cut: bool = False
    last: tuple[RouteTarget, ...] = ()


@dataclass(frozen=True, slots=True)
class Rows:
    """All that a snapshot is made of. `prices` are the configuration's, by place."""

    providers: Sequence[ProviderRow]
    routes: Sequence[RouteRow]
    keys: Mapping[bytes, Account]
    retry: RetryPolicy
    prices: Mapping[str, Price]
    follow_successors: bool
    version: str
    on: date
