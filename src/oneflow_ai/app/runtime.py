"""Everything that serves calls, put together and started: store, keys, snapshot, engine, recorder, simulator."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from time import thread_time
from types import TracebackType
from typing import Self

from oneflow_ai.app.clock import SystemClock, system_chance
from oneflow_ai.app.lists import ModelLists
from oneflow_ai.app.money import configured_budgets
from oneflow_ai.app.provider_keys import keys_end
from oneflow_ai.app.reload import check_reload
from oneflow_ai.app.rows import Plant, Simulated, compile_settings, ends_simulated, has_credentials, with_lists
from oneflow_ai.catalog import Catalog, load_catalog
from oneflow_ai.core.call import Account
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.kept_key import KeptKey
from oneflow_ai.core.target import Snapshot
from oneflow_ai.core.version import VERSION
from oneflow_ai.flow.admission import Admission
from oneflow_ai.flow.attempt import Ways as AttemptWays
from oneflow_ai.flow.engine import Desk, Engine
from oneflow_ai.insight.tally import ProviderTally
from oneflow_ai.policy.health import HealthBook
from oneflow_ai.policy.overload import Overload
from oneflow_ai.policy.plan import Planner, RetryBudgets
from oneflow_ai.policy.route import Router
from oneflow_ai.policy.score import ScoreBook
from oneflow_ai.settings import Loaded, database_path, demo
from oneflow_ai.simulator import Simulator, SimulatorOptions
from oneflow_ai.stores.history import History
from oneflow_ai.stores.ledger import Ledger
from oneflow_ai.stores.memory_limits import MemoryLimits
from oneflow_ai.stores.memory_quota import MemoryQuota
from oneflow_ai.stores.private_file import make_folder
from oneflow_ai.stores.sqlite import Database
from oneflow_ai.telemetry.lag import LoopLag
from oneflow_ai.telemetry.log import Log, NoLog
from oneflow_ai.telemetry.memory import memory_most_bytes, resident_bytes
from oneflow_ai.telemetry.metrics import Metrics
from oneflow_ai.telemetry.recorder import Bounds, QueueRecorder, Watcher
from oneflow_ai.upstream import Way, Ways

MEMORY_CHECK_SECONDS = 1.0
RETENTION_CHECK_SECONDS = 3_600.0
LISTS_CHECK_SECONDS = 60.0
LEDGER_CHECK_SECONDS = 1.0
# The part by which two looks at the lists of models are sooner or later, so that many gateways do not ask at once.
REFRESH_SPREAD = 0.1
SIMULATED_REQUESTS_KEPT = 100
ID_RANDOM_BYTES = 5
# How long after its deadline a call may take to let go of its connection.
SETTLED_SECONDS = 5.0
# How long the calls under way may take to be accounted for when it closes.
CALLS_END_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Books:
    """What is remembered of providers: breakers, scores and retry budgets."""

    health: HealthBook
    scores: ScoreBook
    budgets: RetryBudgets


class Runtime:
    """The engine with all it needs, in one event loop; an async context manager.

    The server tells it the keys it accepts by `admit`; the library needs none. `quota` is given where several runtimes
    of one loop share the providers' limits; `upstream` makes another way out, with names or marks of its own.
    """

    def __init__(
        self,
        loaded: Loaded,
        *,
        demo_asked: bool = False,
        in_process: bool = False,
        log: Log | None = None,
        quota: MemoryQuota | None = None,
        upstream: Callable[[Mapping[str, Way]], Ways] = Ways,
        real_only: bool = False,
    ) -> None:
        self.loaded = loaded
        self._demo_asked = demo_asked
        self._in_process = in_process
        self._real_only = real_only
        self._upstream = upstream
        self.log = log or NoLog()
        self.clock = SystemClock()
        self.chance = system_chance()
        self.catalog: Catalog = load_catalog()
        self.demo = self._is_demo(loaded)
        self.books = Books(HealthBook(), ScoreBook(), RetryBudgets())
        self.quota = quota or MemoryQuota(self.clock, self.chance)
        self.limits = MemoryLimits(self.clock)
        self.metrics = Metrics(VERSION)
        self.overload = Overload()
        self.memory_most_bytes = memory_most_bytes()
        self.tally = ProviderTally(simulated=self.demo)
        self.simulator: Simulator | None = None
        self.started_at = self.clock.utc()
        self._accounts: Mapping[bytes, Account] = {}
        self._keys: Mapping[bytes, Account] = {}
        self._version = 0
        self._followers: Sequence[Watcher] = ()
        self._retention_changed = asyncio.Event()
        self._lists_wanted = asyncio.Event()
        self.lists = ModelLists(loaded.home, self.log)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Start. Raises `SettingsError`, `StoreRefused` or `ValueError` for what cannot be used."""
        loaded = self.loaded
        make_folder(loaded.home)
        self.simulator = await self._simulator_for(loaded)
        if not self.demo:
            self.lists.restore()
        plant = self._plant = self._compile(loaded, self.simulator)
        self.keys_end = keys_end(loaded)
        await self._open_database(loaded)
        self.history = History(self.database, keep_prompts=loaded.settings.history.prompts)
        self.recorder = QueueRecorder(
            self.history,
            (self.metrics.observe, self.tally.observe),
            self.clock,
            self.log,
            _bounds(loaded),
            followers=self._followers,
        )
        self.recorder.start()
        self.upstream = self._upstream(plant.ways)
        self.desk = Desk(plant.snapshot)
        self._ways = AttemptWays(self.clock, self.quota, self.upstream)
        self.ledger.changed = self._limit_money
        self._limit_money(self.ledger.active)
        self.engine = Engine(
            self.desk,
            Router(self.books.scores, self.chance),
            Planner(self.books.health, self.books.budgets, self.chance),
            Admission([self.limits]),
            self._ways,
            self.recorder,
        )
        if self._in_process:
            # Who leaves a call of its own program waits for its end, and shall not wait for what nobody reads.
            self.engine.reading_on.answers_most = 0
        self._watch()
        self.keep(self._retain())
        self.keep(self._tend_ledger())
        self.keep(self._follow_lists())
        return self

    async def _open_database(self, loaded: Loaded) -> None:
        self.database = await Database.open(database_path(loaded))
        self.ledger = Ledger(self.database, self.clock)
        try:
            await self.ledger.open(configured_budgets(loaded))
        except BaseException:
            await self.database.close()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the calls under way, write what waits to be written, close every connection."""
        await self.engine.end(CALLS_END_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.upstream.close()
        await self.recorder.close()
        with contextlib.suppress(Failure):
            # What cannot be given back now is free when its lease ends.
            await self.ledger.close()
        await self.database.close()
        if self.simulator is not None:
            await self.simulator.stop()

    def keep(self, work: Coroutine[None, None, None]) -> None:
        """Run a task for as long as the runtime is open."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def reload(self, loaded: Loaded) -> None:
        """Serve by another configuration from the next call on.

        Raises `ValueError`, among others for what only a restart can change, and `OSError`: then the old one is kept
        whole.
        """
        check_reload(self.loaded, loaded)
        if self._is_demo(loaded) != self.demo:
            raise ValueError("demo mode cannot begin or end while the server runs; restart it")
        budgets = configured_budgets(loaded)
        self.ledger.check(budgets)
        simulator = self.simulator or await self._simulator_for(loaded)
        try:
            plant = self._compile(loaded, simulator)
            await self.upstream.replace(plant.ways, self.loaded.settings.retry.deadline_seconds + SETTLED_SECONDS)
        except BaseException:
            if simulator is not None and simulator is not self.simulator:
                await simulator.stop()
            raise
        self.simulator = simulator
        self.ledger.configure(budgets)
        self._adopt(loaded, plant)
        self.history.keep_prompts = loaded.settings.history.prompts
        self.recorder.adopt(self._followers, _bounds(loaded))
        self._retention_changed.set()
        self._lists_wanted.set()

    def take_up_keys(self, vault: Mapping[str, tuple[KeptKey, ...]]) -> None:
        """Serve with the providers' keys that are in use by now from the next call on; `vault` are those of the vault.

        Raises `ValueError`: then those known stay in force.
        """
        loaded = replace(self.loaded, vault=vault, at=self.clock.utc())
        if self._is_demo(loaded) != self.demo:
            raise ValueError("demo mode cannot begin or end while the server runs; restart it")
        plant = self._compile(loaded, self.simulator)
        self._adopt(loaded, plant)
        self._lists_wanted.set()

    def _adopt(self, loaded: Loaded, plant: Plant) -> None:
        self.loaded, self._plant, self.desk.snapshot = loaded, plant, plant.snapshot
        self.keys_end = keys_end(loaded)
        self.admit(self._accounts)
        self._bind(plant.snapshot)

    def follow_with(self, followers: Sequence[Watcher]) -> None:
        """Tell these of each finished call from now on, in the loop's next turn."""
        self._followers = tuple(followers)
        self.recorder.adopt(self._followers, _bounds(self.loaded))

    def admit(self, keys: Mapping[bytes, Account]) -> None:
        """Accept these keys, and no others, from the next call on."""
        self._accounts = keys
        limits = self.loaded.settings.limits
        self._keys = {
            digest: replace(
                account,
                requests_per_minute=account.requests_per_minute or limits.requests_per_minute,
                tokens_per_minute=account.tokens_per_minute or limits.tokens_per_minute,
                concurrency=account.concurrency or limits.concurrency,
            )
            for digest, account in keys.items()
        }
        self.desk.snapshot = replace(self.desk.snapshot, keys=self._keys)
        server = self.loaded.settings.server
        self.engine.key_places.fit(server.calls_most, len(keys) if server.auth == "keys" else 1)

    def new_id(self, prefix: str) -> str:
        """An id that nobody else has; later ones sort after earlier ones."""
        microseconds = int(self.clock.utc().timestamp() * 1_000_000)
        return f"{prefix}_{microseconds:014x}{os.urandom(ID_RANDOM_BYTES).hex()}"

    def _is_demo(self, loaded: Loaded) -> bool:
        if self._real_only:
            return False
        return demo(loaded, self._demo_asked, has_credentials(loaded), in_process=self._in_process)

    async def _simulator_for(self, loaded: Loaded) -> Simulator | None:
        """A simulator that listens, where this configuration has something simulated."""
        if not (self.demo or ends_simulated(loaded)):
            return None
        return await Simulator(SimulatorOptions(record_requests_most=SIMULATED_REQUESTS_KEPT)).start()

    def _compile(self, loaded: Loaded, simulator: Simulator | None) -> Plant:
        self._version += 1
        simulated = None
        # One that an earlier configuration started goes on for its calls, and is nothing that a new call can reach.
        if simulator is not None and (self.demo or ends_simulated(loaded)):
            simulated = Simulated(simulator.base_url, everywhere=self.demo)
        return compile_settings(
            loaded,
            self.catalog,
            self._keys,
            simulated=simulated,
            version=str(self._version),
            on=self.clock.utc().date(),
            lists=self.lists.known,
        )

    def _watch(self) -> None:
        self.metrics.watch("oneflow_in_flight", lambda: self.engine.calls_open)
        self.metrics.watch("oneflow_breaker_state", self._breakers)
        self.metrics.watch("oneflow_queue_waiting", self._waiting)
        self.metrics.watch("oneflow_history_waiting", lambda: self.recorder.waiting)
        self.metrics.watch("oneflow_history_dropped_total", lambda: self.recorder.dropped)
        lag = LoopLag(self.clock, self.overload.note_lag, thread_time, self._ways.cohort.through)
        self.metrics.watch("oneflow_event_loop_lag_seconds", lag.worst_seconds)
        self.metrics.watch("oneflow_refused_share", lambda: self.overload.share)
        self.keep(lag.run())
        self.keep(self._watch_memory())
        self._bind(self.desk.snapshot)

    def _breakers(self) -> Mapping[str, float]:
        codes = {"closed": 0.0, "half_open": 1.0, "open": 2.0}
        return {one.place: codes[one.state] for one in self.books.health.shown(self.clock.monotonic())}

    def _waiting(self) -> Mapping[str, float]:
        routed = {target.credential.id for route in self.desk.snapshot.routes.values() for target in route.targets}
        states = {name: self.quota.state(name) for name in routed}
        return {name: state.waiting for name, state in states.items() if state is not None}

    def _bind(self, snapshot: Snapshot) -> None:
        configured = sum(provider.configured for provider in snapshot.providers.values())
        if not self._in_process:
            self._ways.bulkheads.fit(self.loaded.settings.server.calls_most, configured)
        self.metrics.bind(target for route in snapshot.routes.values() for target in route.targets)

    async def _watch_memory(self) -> None:
        while True:
            self.overload.note_memory(resident_bytes() / self.memory_most_bytes)
            await self.clock.sleep(MEMORY_CHECK_SECONDS)

    async def _follow_lists(self) -> None:
        """Ask for the lists of models at the start and every so often, and serve by them, and by the day, from then on.

        In process there is no time for it: there the lists count that a server has kept.
        """
        due, day = -math.inf, self.clock.utc().date()
        while not self.demo:
            self._lists_wanted.clear()
            self._let_keys_end()
            hours = 0.0 if self._in_process else self.loaded.settings.models.refresh_hours
            changed, now = False, self.clock.monotonic()
            try:
                if hours and now >= due:
                    due = now + hours * 3_600.0 * (1 + REFRESH_SPREAD * (2 * self.chance.random() - 1))
                    changed = await self.lists.refresh(self.desk.snapshot, self.upstream, self.clock)
                if changed or day != self.clock.utc().date():
                    day = self.clock.utc().date()
                    self._serve_by_lists()
            except Exception as error:  # noqa: BLE001 - whatever one look meets, calls are served and it is looked again
                self.log.warning("the lists of models are not used", error=error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LISTS_CHECK_SECONDS):
                    await self._lists_wanted.wait()
                    due = -math.inf

    def _let_keys_end(self) -> None:
        """In process nobody else looks whether a key's time is over."""
        if self._in_process and self.keys_end is not None and self.keys_end <= self.clock.utc():
            with contextlib.suppress(ValueError):
                self.take_up_keys(self.loaded.vault)

    def _serve_by_lists(self) -> None:
        self._version += 1
        day = self.clock.utc().date()
        self.desk.snapshot = with_lists(
            self._plant.rows, self.catalog, self.lists.known, self._keys, str(self._version), day
        )
        self._bind(self.desk.snapshot)

    def _limit_money(self, active: bool) -> None:
        # A call pays for nothing of it as long as nothing is limited.
        self._ways.purse = self.ledger if active else None

    async def _tend_ledger(self) -> None:
        failing, overrun_nanos = False, 0
        while True:
            try:
                await self.ledger.tend()
                failing = False
            except Exception as error:  # noqa: BLE001 - whatever one look meets, it is looked again
                if not failing:
                    self.log.warning("the ledger cannot be tended; calls that it limits may be refused", error=error)
                failing = True
            if self.ledger.overrun_nanos != overrun_nanos:
                overrun_nanos = self.ledger.overrun_nanos
                self.log.warning("calls cost more than could be charged", overrun_nanos=overrun_nanos)
            await self.clock.sleep(LEDGER_CHECK_SECONDS)

    async def _retain(self) -> None:
        while True:
            self._retention_changed.clear()
            days = self.loaded.settings.history.retention_days
            with contextlib.suppress(Exception):
                await self.history.forget_before(self.clock.utc() - timedelta(days=days))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RETENTION_CHECK_SECONDS):
                    await self._retention_changed.wait()


def _bounds(loaded: Loaded) -> Bounds:
    return Bounds(rows_most=loaded.settings.history.queue_most)
