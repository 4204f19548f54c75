"""One call from top to bottom: routed, admitted, tried as the plan says, accounted for once, recorded always."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import partial

from oneflow_ai.core import record
from oneflow_ai.core.call import Call
from oneflow_ai.core.events import Usage
from oneflow_ai.core.failure import CLIENT_CLOSED, DRAINING, INSUFFICIENT_QUOTA, INTERNAL_ERROR, OVERLOADED, Failure
from oneflow_ai.core.order import ImageOrder
from oneflow_ai.core.ports import Client, Purse, Recorder
from oneflow_ai.core.record import Exchange
from oneflow_ai.core.target import Snapshot
from oneflow_ai.flow.admission import Admission, Admitted
from oneflow_ai.flow.attempt import Attempt, Ways
from oneflow_ai.flow.continuing import Continuing
from oneflow_ai.flow.places import KEY_SHARE, Places
from oneflow_ai.flow.reading_on import ReadingOn
from oneflow_ai.flow.under_way import UnderWay
from oneflow_ai.flow.used import usage_of
from oneflow_ai.policy import continuation, price, waits
from oneflow_ai.policy.order import picture_tokens
from oneflow_ai.policy.plan import Planner, Result, Try
from oneflow_ai.policy.route import Router, pointed
from oneflow_ai.policy.usage import total

# What turned a call away before anything of it ran.
_NOT_RUN = (OVERLOADED, INSUFFICIENT_QUOTA)


@dataclass(slots=True)
class Desk:
    """The snapshot in force: read at the start of each call, replaced whole."""

    snapshot: Snapshot


class Engine:
    """Serves calls. It decides nothing itself: routes, plans and prices are policy, waiting is the attempt's."""

    def __init__(
        self, desk: Desk, router: Router, planner: Planner, admission: Admission, ways: Ways, recorder: Recorder
    ) -> None:
        self._desk = desk
        self._router = router
        self._planner = planner
        self._admission = admission
        self._ways = ways
        self._recorder = recorder
        self.calls_open = 0
        self._under_way = UnderWay()
        # Whoever brings calls takes places here: a call holds one from before its body is read.
        self.key_places = Places(KEY_SHARE)
        self._stopped = False
        self.reading_on = ReadingOn()

    @property
    def at_work(self) -> int:
        """How many of the calls have something else to do than to wait."""
        return self.calls_open - self._ways.waiting

    def stop(self) -> None:
        """From now on a call that is cancelled was cut by us, not given up by its client: it is told so."""
        self._stopped = True

    async def end(self, within_seconds: float) -> None:
        """Stop, cut the calls under way, and wait, for so long at most, until each is accounted for and recorded."""
        # Whoever was given up by its client just now learns so first.
        await asyncio.sleep(0)
        self.stop()
        await self._under_way.end(within_seconds)

    async def serve(self, call: Call, client: Client) -> None:
        """Answer one call through its client. Never raises `Failure`: the client is told, the record kept."""
        exchange = Exchange(call)
        self.calls_open += 1
        task = self._under_way.enter()
        try:
            if self._stopped:
                raise self._cut()
            await self._ways.cohort.stage(call.prompt_bytes)
            await self._serve(call, client, exchange)
        except Failure as failure:
            await self._tell(client, exchange, failure)
        except asyncio.CancelledError:
            if not self._stopped or exchange.outcome == CLIENT_CLOSED.code:
                exchange.outcome, exchange.status = CLIENT_CLOSED.code, CLIENT_CLOSED.status
                raise
            await self._tell(client, exchange, self._cut())
        finally:
            self.calls_open -= 1
            self._under_way.leave(task)
            if exchange.outcome == "open":
                exchange.outcome, exchange.status = INTERNAL_ERROR.code, INTERNAL_ERROR.status
            exchange.ended_seconds = self._ways.clock.monotonic()
            self._recorder.record(exchange)

    def _cut(self) -> Failure:
        words = "the gateway stopped before the answer was complete"
        return waits.turned_away(DRAINING, words, self._router.chance.random())

    async def _tell(self, client: Client, exchange: Exchange, failure: Failure) -> None:
        failure.retry_after_seconds = waits.told(failure, self._router.chance.random())
        exchange.outcome, exchange.status, exchange.message = failure.code, failure.status, failure.message
        exchange.ended_seconds = self._ways.clock.monotonic()
        self._ways.waiting += 1
        try:
            await client.fail(failure, exchange)
        finally:
            self._ways.waiting -= 1

    async def _serve(self, call: Call, client: Client, exchange: Exchange) -> None:
        snapshot = self._desk.snapshot
        targets = self._router.targets(snapshot, call)
        run = _Run(call, client, exchange, await self._admission.hold(call, targets), snapshot)
        try:
            await self._ways.cohort.stage(call.prompt_bytes)
            if targets[0].continue_cut:
                run.keep()
            run.failure = await self._try_all(run)
            if run.failure is not None:
                raise pointed(run.failure, snapshot, exchange)
            attempt = run.attempt
            assert attempt is not None and attempt.end is not None
            await self._stage_of_whole()
            await self._settle(run, attempt, usage_of(run.call, attempt))
        except asyncio.CancelledError:
            self._leave(run)
            raise
        finally:
            # Whatever happened, nothing stays held.
            if not run.accounted:
                await self._let_go(run)
            if run.purse is not None:
                run.purse.void(run.attempt_id)
        await self._stage_of_whole()
        # It may be slow to take it.
        self._ways.waiting += 1
        try:
            await client.finish(attempt.end, exchange)
        finally:
            self._ways.waiting -= 1
        exchange.outcome, exchange.status = "ok", 200

    async def _stage_of_whole(self) -> None:
        """A stage of a call whose answer is whole: no stop keeps that back, so only its client's leaving ends it."""
        try:
            await self._ways.cohort.stage()
        except asyncio.CancelledError:
            if not self._stopped:
                raise

    async def _try_all(self, run: _Run) -> Failure | None:
        """Act out the plan; give the last failure, or None for a success."""
        clock = self._ways.clock
        failure: Failure | None = None
        steps = self._planner.plan(
            run.admitted.targets, run.snapshot.retry, clock.monotonic(), run.call.deadline_seconds
        )
        try:
            step = next(steps)
            while True:
                if isinstance(step, Try):
                    result = await self._try(run, step)
                    failure = _told(failure, result, cut=run.cut)
                    if run.kept is not None and result.committed and result.failure is not None:
                        result = await self._go_on(run, run.kept, result, result.failure)
                    step = steps.send(result)
                else:
                    await self._sleep(step.seconds)
                    step = next(steps)
        except StopIteration:
            return failure
        finally:
            steps.close()

    async def _sleep(self, seconds: float) -> None:
        ways = self._ways
        ways.waiting += 1
        try:
            await ways.clock.sleep(seconds)
        finally:
            ways.waiting -= 1

    async def _go_on(self, run: _Run, kept: Continuing, result: Result, failure: Failure) -> Result:
        """Account for the part that reached the client, and hold what the rest may cost, if anybody can tell it."""
        attempt = run.attempt
        assert attempt is not None
        targets = [one for one in run.admitted.targets if continuation.goes_on(one, attempt.target)]
        if not targets or not continuation.may_go_on(failure):
            return result
        usage = usage_of(run.call, attempt)
        rest = kept.next_call(usage.output_tokens)
        if rest is None:
            return result
        await self._settle(run, attempt, usage)
        try:
            admitted = await self._admission.hold(rest, targets)
        except Failure:
            # Its key or its owner has not enough left for more: the answer ends where it broke off.
            return result
        run.resume(rest, admitted)
        return replace(result, continued=True)

    async def _try(self, run: _Run, step: Try) -> Result:
        attempt = run.attempt = Attempt(
            run.call, step.target, run.client, self._ways, number=run.exchange.tries + 1, tokens=run.admitted.tokens
        )
        asked_seconds, provider, bulkheads = attempt.started_seconds, step.target.provider, self._ways.bulkheads
        if not bulkheads.enter(provider):
            words = f"{provider} holds {bulkheads.most} calls already, all that one provider may; ask again later"
            failure = waits.turned_away(OVERLOADED, words, self._router.chance.random())
            return self._tried(run, attempt, asked_seconds, failure)
        try:
            if self._ways.purse is not None and (refused := await self._pay(run, self._ways.purse, step)) is not None:
                return self._tried(run, attempt, asked_seconds, refused)
            # With a picture every provider goes on, and bills: it is made at one go, and none says that it stops for
            # anybody (https://docs.apiyi.com/en/api-capabilities/image-api-best-practices,
            # https://docs.laozhang.ai/en/faq/request-timeout, 2026-11-27).
            if step.target.on_cancel == "goes_on" or isinstance(run.call.order, ImageOrder):
                tried = await self.reading_on.run(attempt, partial(self._leave, run))
            else:
                tried = await attempt.run()
        except BaseException as fault:
            code = INTERNAL_ERROR.code
            if isinstance(fault, asyncio.CancelledError):
                code = (CLIENT_CLOSED if self._leave(run) else DRAINING).code
            self._note(run, attempt, asked_seconds, code, "")
            raise
        finally:
            bulkheads.leave(provider)
        return self._tried(run, attempt, asked_seconds, tried)

    async def _pay(self, run: _Run, purse: Purse, step: Try) -> Failure | None:
        """Hold what an attempt may cost, instead of what the one before it held; gives why that cannot be."""
        if run.purse is not None:
            run.purse.void(run.attempt_id)
        attempt_id = f"{run.call.id}.{step.number}"
        try:
            await purse.hold(attempt_id, run.call.account.key_id, step.target.provider, run.admitted.nanos)
        except Failure as failure:
            return failure.with_traceback(None)
        run.purse, run.attempt_id = purse, attempt_id
        return None

    def _leave(self, run: _Run) -> bool:
        """A call was cancelled: whether it was its client that left, which stays so if we stop after that."""
        if not self._stopped:
            run.left, run.exchange.outcome = True, CLIENT_CLOSED.code
        return run.left

    def _tried(self, run: _Run, attempt: Attempt, asked_seconds: float, failure: Failure | None) -> Result:
        code, message = ("ok", "") if failure is None else (failure.code, failure.message)
        now = self._note(run, attempt, asked_seconds, code, message)
        if failure is None or failure.kind.blame == "target":
            self._router.scores.add(attempt.target.place, failure is None, now - attempt.started_seconds, now)
        return Result(failure, attempt.committed, now)

    def _note(self, run: _Run, attempt: Attempt, asked_seconds: float, outcome: str, message: str) -> float:
        """Put an attempt that is over on record; gives the time."""
        now = self._ways.clock.monotonic()
        run.sent |= attempt.sent
        run.exchange.queued_seconds += attempt.started_seconds - asked_seconds
        run.exchange.attempts.append(
            record.Attempt(
                attempt.target, attempt.started_seconds, now, outcome, attempt.status, message, attempt.asked
            )
        )
        return now

    async def _let_go(self, run: _Run) -> None:
        try:
            await self._account_for_less(run)
        finally:
            if not run.accounted:
                await self._admission.void(run.call)

    async def _account_for_less(self, run: _Run) -> None:
        """A call that failed or was given up: what reached its client is paid for, and what its client left behind."""
        attempt = run.attempt
        if attempt is not None and (attempt.committed or (run.left and attempt.sent and not attempt.failed)):
            await self._settle(run, attempt, usage_of(run.call, attempt))
        elif attempt is not None and (run.sent or (run.failure is not None and run.failure.kind not in _NOT_RUN)):
            # It ran, so it counts as a request, though its owner pays nothing.
            run.accounted = True
            await self._admission.settle(run.call, Usage(), 0)
        else:
            run.accounted = True
            await self._admission.void(run.call)

    async def _settle(self, run: _Run, attempt: Attempt, usage: Usage) -> None:
        target, exchange, end = attempt.target, run.exchange, attempt.end
        cost_nanos = 0
        if not run.call.operation.free:
            assert target.price is not None
            image_tokens = 0 if run.call.order is None else picture_tokens(run.call, target)
            cost_nanos = price.used(target.price, usage, run.call.received, image_tokens)
            if usage.source == "provider" and price.guessed(target.price, usage):
                usage = replace(usage, source="estimated")
            exchange.price_version = target.price.version
        if cost_nanos > run.admitted.nanos:
            # Nobody is charged above the hold, whatever a provider reports.
            cost_nanos, usage = run.admitted.nanos, replace(usage, source="capped", odd=True)
        exchange.usage = usage if exchange.usage is None else total((exchange.usage, usage))
        exchange.served = target
        exchange.cost_nanos += cost_nanos
        exchange.estimated = exchange.usage.source != "provider"
        if exchange.first_event_seconds is None:
            exchange.first_event_seconds = attempt.first_event_seconds
        exchange.model_actual = end.model if end is not None else None
        run.accounted = True
        # What is free takes nothing from anybody's limits: the tokens that it names were counted, not used.
        try:
            if run.purse is not None:
                await run.purse.settle(run.attempt_id, cost_nanos)
        finally:
            await self._admission.settle(run.call, Usage() if run.call.operation.free else usage, cost_nanos)


@dataclass(slots=True)
class _Run:
    """One call under way. `left`: its client went away. `purse` holds what the attempt of `attempt_id` may cost.

    `kept` has what was said, where another model may go on with it; once one does, the answer was `cut`, and `call` is
    that for the rest.
    """

    call: Call
    client: Client
    exchange: Exchange
    admitted: Admitted
    snapshot: Snapshot
    attempt: Attempt | None = None
    failure: Failure | None = None
    sent: bool = False
    left: bool = False
    accounted: bool = False
    purse: Purse | None = None
    attempt_id: str = ""
    kept: Continuing | None = None
    cut: bool = False

    def keep(self) -> None:
        """Keep what is said, if another model may go on with it."""
        prompt = continuation.prompt_of(self.call)
        if prompt is not None:
            self.client = self.kept = Continuing(self.call, prompt, self.client)
            self.call = replace(self.call, translated=True)

    def resume(self, rest: Call, admitted: Admitted) -> None:
        """What comes now is the rest: nothing of it was sent, or accounted for."""
        self.call, self.admitted, self.attempt = rest, admitted, None
        self.sent = self.accounted = False
        self.cut = True


def _told(failure: Failure | None, result: Result, *, cut: bool) -> Failure | None:
    """Which failure a client is told: the last, but for what the next target cannot do; None for a success.

    Who has a part of the answer (it was `cut`) is told why it broke off, not why nobody could go on with it.
    """
    latest = result.failure
    if failure is None or latest is None:
        return latest
    return latest if (result.committed if cut else latest.kind.cause != "client") else failure
