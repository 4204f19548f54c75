"""Where a call may go, compiled and checked ahead: credentials, providers, targets, routes and the snapshot of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal, Protocol

from oneflow_ai.core.call import Account, Call, Task
from oneflow_ai.core.price import Price

if TYPE_CHECKING:
    from oneflow_ai.core.ports import Adapter


OnCancel = Literal["stops", "goes_on"]

ENDING_DAYS = 30
"""How long before a model's end those who call it are warned."""


class Secret:
    """A value that never prints: `reveal()` is the only way to it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not serialised")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Time limits of one provider, in seconds; the call's deadline binds them all."""

    connect_seconds: float = 2.0
    tls_seconds: float = 5.0
    first_event_seconds: float = 60.0
    idle_seconds: float = 30.0
    write_seconds: float = 30.0
    total_seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class Credential:
    """One key of one provider. `id` names it in logs and metrics (`openai#1`) without showing it."""

    id: str
    secret: Secret | None


@dataclass(frozen=True, slots=True)
class ProviderLimits:
    """Ceilings per credential; 0 means none. A `firm` one the operator set: the provider's headers only lower it.

    A firm concurrency of 0 is none, whatever headers say.
    """

    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    concurrency: int = 0
    requests_firm: bool = False
    tokens_firm: bool = False
    concurrency_firm: bool = False


def not_known(call: Call, model: str) -> int | None:
    """How many tokens a picture is, where nobody can tell."""
    del call, model
    return None


@dataclass(frozen=True, slots=True)
class Target:
    """One place a call may go: a model at a provider with one credential, its price and its ready-made headers.

    `place` is the model at its provider, whatever the credential: `openai/gpt-6-luna`. `way` names the pool of
    connections it uses. `headers` carry the key, so they never print. `simulated` targets are the simulator's.
    `vectors` names the model whose embeddings it gives, alike at every provider; empty where that is not known.
    `on_cancel` says whether the provider stops, and bills no more, once its client hangs up.
    `ends` is the UTC day from which the provider refuses the model, `successor` the model to use then.
    `prefill` says that the model goes on with an answer which the request begins, `continue_cut` that the target's
    route wants an answer that broke off to be gone on with. `voices` are its names of voices, by those that clients
    use, in lower case. `hands_on` names the headers of its answers that clients of its own wire look for.
    `picture_tokens` tells the most tokens of one of the pictures that a call orders of a model, where that is known.
    """

    place: str
    provider: str
    kind: str
    model: str
    credential: Credential
    adapter: Adapter
    base_url: str
    way: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    price: Price | None
    timeouts: Timeouts
    limits: ProviderLimits
    weight: int = 1
    context_window_tokens: int | None = None
    output_most_tokens: int | None = None
    simulated: bool = False
    vectors: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    ends: date | None = None
    successor: str | None = None
    on_cancel: OnCancel = "stops"
    prefill: bool = False
    continue_cut: bool = False
    voices: Mapping[str, str] = field(default_factory=dict)
    hands_on: tuple[str, ...] = ()
    picture_tokens: Callable[[Call, str], int | None] = not_known

    def warning(self, on: date) -> str | None:
        """What whoever calls it on that UTC day is to know of its end; None while that is over `ENDING_DAYS` away."""
        if self.ends is None or on < self.ends - timedelta(days=ENDING_DAYS):
            return None
        instead = f"use {self.provider}/{self.successor}" if self.successor else "choose another model"
        return f"{self.place} {'ends' if on < self.ends else 'ended'} on {self.ends.isoformat()}; {instead}"


@dataclass(frozen=True, slots=True)
class Ended:
    """That a provider refuses a model: since a UTC day, None where it is not known; and what to use instead, if any."""

    since: date | None = None
    successor: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """A model name that clients may use, and where it leads."""

    name: str
    task: Task
    targets: tuple[Target, ...]
    strategy: str = "order"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long to try: `attempts` for each place, waits of 1, 2, 4 s between them."""

    attempts: int = 4
    unsafe: bool = True
    jitter: bool = True
    deadline_seconds: float = 600.0


class Provider(Protocol):
    """A configured provider: makes targets of its models, one for each credential, and remembers them.

    `models` are the ids that name this provider's model without its own name before them. `listed` are those that can
    be called today, for a task that this version serves: what every list of models shows. `retired` are those of such a
    task that the provider refuses by now.
    """

    name: str
    kind: str
    configured: bool
    models: frozenset[str]

    @property
    def listed(self) -> frozenset[str]:
        """The models that can be called today."""

    @property
    def retired(self) -> frozenset[str]:
        """The models that have ended."""

    def targets(self, model: str) -> tuple[Target, ...]:
        """The targets of one model, one for each credential; none when no credential is at hand."""

    def capabilities(self, model: str) -> tuple[str, ...]:
        """What a model is for: its tasks, and of `listing.ABILITIES` those that it is known to have."""

    def does(self, model: str, task: Task) -> bool:
        """Whether a model does a task; what is not known to be for another one may."""

    def ended(self, model: str) -> Ended | None:
        """That a model is retired, or None while it is served."""

    def default_model(self, task: Task) -> str | None:
        """The model used when a caller names only the task."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything the data plane may know, swapped whole. `keys` maps the HMAC of an API key to its account."""

    version: str
    routes: Mapping[str, Route]
    providers: Mapping[str, Provider]
    keys: Mapping[bytes, Account]
    retry: RetryPolicy
    follow_successors: bool = False
