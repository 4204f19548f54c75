"""What the control plane is handed: the running gateway as it sees it, the keys, and who a request comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Protocol

from fastapi import Depends, Request

from oneflow_ai.core.call import Account
from oneflow_ai.core.listing import Listing
from oneflow_ai.core.ports import Chance, Clock, Upstream
from oneflow_ai.flow.engine import Desk, Engine
from oneflow_ai.insight.standing import Observed
from oneflow_ai.insight.tally import ProviderTally
from oneflow_ai.policy.health import HealthBook
from oneflow_ai.policy.score import ScoreBook
from oneflow_ai.settings import Loaded
from oneflow_ai.stores.history import History
from oneflow_ai.stores.keys import Keys
from oneflow_ai.stores.ledger import Ledger
from oneflow_ai.stores.memory_quota import QuotaState
from oneflow_ai.telemetry.log import Log
from oneflow_ai.telemetry.metrics import Metrics

BODY_SECONDS_MOST = 10.0


class Books(Protocol):
    """What is remembered of providers."""

    @property
    def health(self) -> HealthBook:
        """Breakers and credentials left aside."""

    @property
    def scores(self) -> ScoreBook:
        """How well each place has done lately."""


class Quotas(Protocol):
    """Providers' limits."""

    def state(self, credential_id: str) -> QuotaState | None:
        """How a credential stands now, or None when no call ever asked for it."""


class Lists(Protocol):
    """The providers' own lists of models, by provider: the last ones, and why the newest could not be had."""

    @property
    def known(self) -> Mapping[str, Listing]:
        """The last ones."""

    @property
    def failures(self) -> Mapping[str, str]:
        """Why."""


class Backlog(Protocol):
    """The calls that the history has still to write."""

    @property
    def waiting(self) -> int:
        """How many wait."""

    @property
    def dropped(self) -> int:
        """How many were lost."""


class Running(Protocol):
    """The running gateway; what can change (the configuration, the snapshot) is read anew for each request."""

    @property
    def loaded(self) -> Loaded:
        """The configuration in force."""

    @property
    def demo(self) -> bool:
        """Whether the simulator answers for every provider."""

    @property
    def started_at(self) -> datetime:
        """When the process began to serve, UTC."""

    @property
    def clock(self) -> Clock:
        """Time."""

    @property
    def chance(self) -> Chance:
        """Randomness, to send those who wait back at different moments."""

    @property
    def log(self) -> Log:
        """Where faults are told."""

    @property
    def desk(self) -> Desk:
        """The snapshot in force."""

    @property
    def engine(self) -> Engine:
        """Serves calls."""

    @property
    def upstream(self) -> Upstream:
        """The way out to providers."""

    @property
    def books(self) -> Books:
        """What is remembered of providers."""

    @property
    def lists(self) -> Lists:
        """The providers' own lists of models."""

    @property
    def quota(self) -> Quotas:
        """Providers' limits."""

    @property
    def tally(self) -> ProviderTally:
        """What each provider has done."""

    @property
    def metrics(self) -> Metrics:
        """The metrics of this process."""

    @property
    def history(self) -> History:
        """The history of requests."""

    @property
    def ledger(self) -> Ledger:
        """Budgets and wallets."""

    @property
    def recorder(self) -> Backlog:
        """What the history has still to write."""

    def admit(self, keys: Mapping[bytes, Account]) -> None:
        """Accept these keys, and no others, from the next request on."""

    def new_id(self, prefix: str) -> str:
        """An id that nobody else has."""


@dataclass(frozen=True, slots=True)
class ControlPorts:
    """All that the control plane works with.

    `account_of` gives the account whose key the headers carry, or the anonymous one where none is needed; it is given
    the query too, to tell who has a key there that it is taken nowhere else. It raises `Failure` (401, or 403 for a
    request that only seems to come from this machine). `body_seconds` is the time that a
    request's body may take to arrive.
    """

    running: Running
    keys: Keys
    account_of: Callable[[Mapping[bytes, bytes], bytes], Account]
    body_seconds: float = BODY_SECONDS_MOST

    def observed(self) -> Observed:
        """The snapshot, the breakers and the time, for whoever judges providers."""
        running = self.running
        return Observed(running.desk.snapshot, running.books.health, running.clock.monotonic())


def ports_of(request: Request) -> ControlPorts:
    """The ports of the application that serves this request."""
    ports = request.app.state.ports
    assert isinstance(ports, ControlPorts)
    return ports


async def _ports(request: Request) -> ControlPorts:
    return ports_of(request)


async def _caller(request: Request) -> Account:
    caller = request.state.caller
    assert isinstance(caller, Account)
    return caller


Ports = Annotated[ControlPorts, Depends(_ports)]
"""What an endpoint declares to be given the ports."""

Caller = Annotated[Account, Depends(_caller)]
"""What an endpoint declares to be given the account that asks; not for open ones."""
