"""`OneFlowAI`: calls against a balance and budgets of its own, all of them accounts of the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from secrets import token_hex
from types import TracebackType
from typing import Any, Self, TypedDict

from oneflow_ai.app.money import configured_budgets
from oneflow_ai.core.call import Account, Task
from oneflow_ai.core.failure import INVALID_TYPE, Failure
from oneflow_ai.core.money import NANOS_PER_USD, Dollars, decimal_usd, usd_float
from oneflow_ai.insight.standing import ProviderStatus
from oneflow_ai.manager.chains import ProviderManager
from oneflow_ai.manager.names import ALIASES, provider_of
from oneflow_ai.manager.results import Result, error
from oneflow_ai.manager.room import Closed
from oneflow_ai.settings import configured_providers
from oneflow_ai.stores.ledger_budgets import KEY, PROVIDER, Budget, Period


class Charged(Result):
    """The result of a call, and what is left of the balance after it, in US dollars."""

    balance: float


class BudgetShown(TypedDict):
    """How a budget stands, in US dollars."""

    limit: float
    spent: float
    remaining: float


class AccountStatus(TypedDict):
    """The balance and what was spent of it, the budgets, and what the providers have done."""

    balance: float
    spent: float
    simulated: bool
    budgets: dict[str, BudgetShown]
    provider_budgets: dict[str, BudgetShown]
    total_requests: int
    overall_success_rate: str
    total_cost: str
    providers: dict[str, ProviderStatus]


class OneFlowAI:
    """Calls by a short name or a model's id, paid from a balance; 1 credit is 1 US dollar.

    The balance and the budgets are this object's own: what others spend, and other budgets in force, are kept beside
    them. What a call may cost at most is held before it is sent. Raises `ValueError` for a balance that is no amount.
    """

    def __init__(self, initial_balance: Dollars = 100, use_real_api: bool = False) -> None:
        balance_nanos = _nanos(initial_balance, "initial_balance")
        key = f"program-{token_hex(8)}"
        self._scope = f"{KEY}{key}"
        self._balance = Budget(self._scope, Period.TOTAL, balance_nanos)
        self._budgets: dict[str, Budget] = {}
        self._provider_budgets: dict[str, Budget] = {}
        self._known: dict[Budget, BudgetShown] = {}
        self.manager = ProviderManager(use_real_api, account=Account(key, "a program"))
        self._limit()

    def process_request(self, model: str, prompt: Any, **options: Any) -> Charged:
        """Answer a prompt, and tell the balance; never raises for a failure.

        `model` is `gpt`, `claude`, `image`, `audio` or another of the first edition's names, whose provider comes first
        in its task's chain, or any model id.
        """
        # Whoever calls may give anything.
        given: Any = model
        if not isinstance(given, str):
            result = error(f"{INVALID_TYPE.code}: model is a text")
        elif model in ALIASES:
            provider, task = ALIASES[model]
            chain = dict.fromkeys((provider, *self.manager.chain(task)))
            result = self.manager.ask(task, prompt, options, chain=tuple(chain))
        else:
            result = self.manager.ask(self._task(model), prompt, options, model)
        if result["error"] is not None:
            result["error"] = self._in_words(result["error"])
        return Charged(**result, balance=self._shown(self._balance)["remaining"])

    def setup_budget(
        self, daily: Dollars | None = None, weekly: Dollars | None = None, monthly: Dollars | None = None
    ) -> None:
        """Limit what calls may cost a day, a week from Monday, a calendar month (UTC), in US dollars.

        None leaves a period as it is. Raises `ValueError` for what is no amount.
        """
        for period, limit in ((Period.DAILY, daily), (Period.WEEKLY, weekly), (Period.MONTHLY, monthly)):
            if limit is not None:
                self._budgets[period.value] = Budget(self._scope, period, _nanos(limit, period.value))
        self._limit()

    def setup_provider_budget(self, name: str, limit: Dollars) -> None:
        """Limit what calls at a provider may cost in all, in US dollars; a call goes on to the next when it is spent.

        Raises `ValueError` for a provider that there is not, and for what is no amount.
        """
        provider = provider_of(name, configured_providers(self.manager.room.loaded))
        scope = f"{self._scope} {PROVIDER}{provider}"
        self._provider_budgets[provider] = Budget(scope, Period.TOTAL, _nanos(limit, "limit"))
        self._limit()

    def get_status(self) -> AccountStatus:
        """The balance, the budgets, and what the providers have done."""
        balance = self._shown(self._balance)
        return AccountStatus(
            balance=balance["remaining"],
            spent=balance["spent"],
            simulated=self.manager.room.runtime.demo,
            budgets={name: self._shown(budget) for name, budget in self._budgets.items()},
            provider_budgets={name: self._shown(budget) for name, budget in self._provider_budgets.items()},
            **self.manager.get_metrics_summary(),
        )

    def close(self) -> None:
        """Write the history and close every connection; what was spent is still told. Harmless if repeated."""
        self.manager.room.end_calls()
        for budget in self._own():
            self._shown(budget)
        self.manager.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _task(self, model: str) -> Task:
        """What a model is for, by its id; text where it says nothing else."""
        tasks = self.manager.room.runtime.catalog.tasks(model.rpartition("/")[2])
        return next((task for task in tasks if task in (Task.IMAGE, Task.SPEECH, Task.TRANSCRIPTION)), Task.TEXT)

    def _limit(self) -> None:
        self.manager.room.run(self._limited())

    async def _limited(self) -> None:
        room = self.manager.room
        room.runtime.ledger.configure((*configured_budgets(room.loaded), *self._own()))

    def _own(self) -> tuple[Budget, ...]:
        return self._balance, *self._budgets.values(), *self._provider_budgets.values()

    def _shown(self, budget: Budget) -> BudgetShown:
        """How a budget stands; as it was last known to where nobody can be asked any more."""
        room = self.manager.room
        limit = usd_float(budget.limit_nanos)
        try:
            standing = room.run(room.runtime.ledger.budget_standing(budget))
        except (Closed, Failure):
            return self._known.get(budget) or BudgetShown(limit=limit, spent=0.0, remaining=limit)
        left_nanos = max(budget.limit_nanos - standing.posted_nanos, 0)
        shown = BudgetShown(limit=limit, spent=usd_float(standing.posted_nanos), remaining=usd_float(left_nanos))
        self._known[budget] = shown
        return shown

    def _in_words(self, words: str) -> str:
        """A refusal with this object's budgets by what their owner calls them."""
        for label, budget in self._named().items():
            words = words.replace(f"the budget {budget.name} ", f"{label} ")
        return words

    def _named(self) -> Mapping[str, Budget]:
        budgets = {f"the {name} budget": budget for name, budget in self._budgets.items()}
        providers = {f"the budget of {name}": budget for name, budget in self._provider_budgets.items()}
        return {"the balance": self._balance, **budgets, **providers}


def _nanos(amount: Dollars, name: str) -> int:
    """Dollars as nano-USD, to the nearest; raises `ValueError` that names the argument."""
    try:
        nanos = round(decimal_usd(amount) * NANOS_PER_USD)
    except ValueError as wrong:
        raise ValueError(f"{name}: {wrong}") from None
    if not 0 <= nanos < 1 << 62:
        raise ValueError(f"{name}: {amount!r} is not from 0 to 4,000,000,000 dollars")
    return nanos
