"""Decides what each request gets: the answer of its wire, a refusal by the limits, or a fault. It touches no socket."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import format_datetime
from itertools import chain
from random import Random
from typing import NamedTuple

from oneflow_ai.core.ports import Clock
from oneflow_ai.simulator.answer import Answer, Headers, at_once, paced
from oneflow_ai.simulator.casting import FAULT_HEADER, Cast, Casting, model_in_part
from oneflow_ai.simulator.faults.fault import FaultError, Scene
from oneflow_ai.simulator.limits import Limiter, Refusal
from oneflow_ai.simulator.memory import Memory
from oneflow_ai.simulator.options import Limits, Pace, Rule, SimulatorOptions
from oneflow_ai.simulator.record import Attempt, Record
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.steps import Steps
from oneflow_ai.simulator.wires.anthropic import AnthropicWire
from oneflow_ai.simulator.wires.bedrock import BedrockWire
from oneflow_ai.simulator.wires.elevenlabs import ElevenLabsWire
from oneflow_ai.simulator.wires.embeddings import EmbeddingsWire
from oneflow_ai.simulator.wires.gemini import GeminiWire
from oneflow_ai.simulator.wires.moderations import ModerationsWire
from oneflow_ai.simulator.wires.openai import OpenAIWire
from oneflow_ai.simulator.wires.openai_images import OpenAIImagesWire
from oneflow_ai.simulator.wires.openai_speech import OpenAISpeechWire
from oneflow_ai.simulator.wires.openai_transcripts import OpenAITranscriptsWire
from oneflow_ai.simulator.wires.responses import ResponsesWire
from oneflow_ai.simulator.wires.stability import StabilityWire
from oneflow_ai.simulator.wires.stability_v1 import StabilityV1Wire
from oneflow_ai.simulator.wires.wire import Problem, Surroundings, Wire

NONCE_HEADER = b"x-request-nonce"
"""A client's own mark on a request; the answer carries it back, and attempts are counted by it."""

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PREFIX_LETTERS = 21
_NAME_BEGINS, _NAME_BEGINS_TEXT = b"sim-F", "sim-F"
_OK = 200
_MOST_ASKED = "/chat/completions"
_NO_ANSWER = Answer()
_NAME_CHARACTERS_MOST = 512
_log = logging.getLogger(__name__)


class Performance(NamedTuple):
    """What a connection is to play for one request: bytes to send at once, or steps. No attempt: not recorded."""

    attempt: Attempt | None
    content: bytes = b""
    steps: Steps | None = None
    admitted: bool = False


@dataclass(slots=True)
class _Given:
    """A request on its way to a performance."""

    request: Request
    wire: Wire
    attempt: Attempt
    around: Surroundings
    answer: Answer = _NO_ANSWER
    admitted: bool = False


class Stage:
    """The simulated providers as one state: limits, rules, the record, the pace."""

    def __init__(self, options: SimulatorOptions, clock: Clock, chance: Random, last_wire: Wire | None = None) -> None:
        self.clock = clock
        self.record = Record(options.record_requests_most, options.record_body_bytes)
        self.limits: Limits = options.limits
        self.pace: Pace = options.pace
        self._options = options
        self._chance = chance
        self._casting = Casting(chance)
        self._limiter = Limiter()
        self._memory = Memory()
        # the one that answers what no other claims
        self._last_wire: Wire = last_wire or OpenAIWire()
        self._wires: tuple[Wire, ...] = (
            AnthropicWire(),
            GeminiWire(),
            ResponsesWire(),
            EmbeddingsWire(),
            ModerationsWire(),
            OpenAIImagesWire(),
            OpenAISpeechWire(),
            OpenAITranscriptsWire(),
            BedrockWire(),
            StabilityWire(),
            StabilityV1Wire(),
            ElevenLabsWire(),
            self._last_wire,
        )
        self._prefix = "".join(chance.choices(_LETTERS, k=_PREFIX_LETTERS))
        self._made = 0
        self._second, self._date, self._unix = -1, "", 0
        by_chance = [Rule(fault=fault, probability=share) for fault, share in options.fault_probability.items()]
        self.rules = (*options.rules, *by_chance)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The standing rules. Setting them starts their time anew; raises `FaultError` for one that is none."""
        return self._casting.rules

    @rules.setter
    def rules(self, rules: tuple[Rule, ...]) -> None:
        self._casting.stand(rules, self.clock.monotonic())

    def opened(self) -> int:
        """A connection came; gives its number."""
        return self.record.opened()

    def closed(self) -> None:
        """A connection went."""
        self.record.closed()

    def malformed(self) -> None:
        """A client sent bytes that are no HTTP request."""
        self.record.malformed()

    def unwelcome(self) -> Steps | None:
        """What a connection meets as it comes; None where it is welcome."""
        struck = self._casting.at_accept(self.clock.monotonic())
        if struck is None or struck.row.accept is None:
            return None
        self._casting.struck(struck)
        self.record.counts.by_fault[struck.fault.id] += 1
        return struck.row.accept(struck.fault)

    def early(self, request: Request, place: tuple[int, int], part: bytes = b"") -> Performance | None:
        """The fault that strikes before a body is read, known by its head or by the part of the body that came."""
        if part:
            if _NAME_BEGINS not in part:
                return None
            model = model_in_part(part)
            casts = self._casting.at_part(model, request)
        else:
            named = _NAME_BEGINS_TEXT in request.path
            if self._casting.idle and FAULT_HEADER not in request.fields and not named:
                return None
            model = self._wire(request).model(request) if named else ""
            casts = chain(self._casting.at_head(request), self._casting.at_part(model, request))
        struck = next(casts, None)
        if struck is None:
            return None
        attempt = self.record.arrived(request, place, model, self._attempt(request, model))
        return self._play(iter((struck,)), _Given(request, self._wire(request), attempt, self._surroundings()))

    def begin(self, request: Request, place: tuple[int, int]) -> Performance:
        """What a whole request gets; `place` is its connection's number and the requests served there before."""
        wire = self._wire(request)
        # what is remembered of a request is short, whatever its client sent
        model = wire.model(request)[:_NAME_CHARACTERS_MOST]
        number = self._attempt(request, model)
        given = _Given(request, wire, self.record.arrived(request, place, model, number), self._surroundings())
        try:
            return self._answered(given, model, number)
        except Exception as error:  # noqa: BLE001 - the request's outermost edge: what nobody thought of ends alone
            _log.error("the simulator could not answer a request: %s", type(error).__name__)
            given.answer = wire.failure(Problem(500), given.around)
            return self._plain(given)

    def _answered(self, given: _Given, model: str, number: int) -> Performance:
        request, wire = given.request, given.wire
        given.answer = wire.answer(request, given.around)
        if given.answer.barred:
            return self._plain(given)
        if self.limits.any and (refusal := self._refusal(given)):
            self.record.counts.refused_by_limit += 1
            given.answer = wire.refusal(refusal, given.around)
            return self._plain(given)
        if self._casting.idle and FAULT_HEADER not in request.fields and _NAME_BEGINS_TEXT not in model:
            return self._plain(given)
        try:
            return self._play(self._casting.at_end(request, model, number), given)
        except FaultError as error:
            given.answer = wire.failure(Problem(400, str(error), "unknown_fault"), given.around)
            return self._plain(given)

    def ended(self, performance: Performance, how: str, sent_bytes: int) -> None:
        """A performance is over."""
        attempt = performance.attempt
        if attempt is None:
            return
        if performance.admitted:
            self._limiter.release(attempt.credential)
        self.record.ended(attempt, how, sent_bytes, self.clock.monotonic())

    # ---- playing

    def _refusal(self, given: _Given) -> Refusal | None:
        tokens = given.answer.input_tokens + given.answer.output_tokens
        request = given.request
        refusal = self._limiter.admit(self.limits, request.credential_hash, tokens, request.arrived_seconds)
        given.admitted = refusal is None
        return refusal

    def _play(self, casts: Iterator[Cast], given: _Given) -> Performance:
        for cast in casts:
            scene = Scene(
                fault=cast.fault,
                request=given.request,
                answer=given.answer,
                wire=given.wire,
                around=given.around,
                common=self._common(given),
                pace=self.pace,
                now=self.clock.utc(),
                served=given.attempt.served_before,
                since_seconds=given.request.arrived_seconds - cast.since_seconds,
                chance=self._chance,
            )
            steps = cast.row.play(scene) if cast.row.play else None
            if steps is not None:
                self._casting.struck(cast)
                given.attempt.fault = cast.fault.asked
                return Performance(given.attempt, steps=steps, admitted=given.admitted)
        return self._plain(given)

    def _plain(self, given: _Given) -> Performance:
        answer, common = given.answer, self._common(given)
        if (self.pace.instant and not answer.flows) or answer.status != _OK:
            given.attempt.status = answer.status
            return Performance(given.attempt, at_once(answer, common, given.request), admitted=given.admitted)
        steps = paced(answer, common, given.request, self.pace, iter(self._chance.random, None))
        return Performance(given.attempt, steps=steps, admitted=given.admitted)

    def _common(self, given: _Given) -> Headers:
        request, answer = given.request, given.answer
        limits, state = self.limits, None
        if limits.any:
            state = self._limiter.state(limits, request.credential_hash, request.arrived_seconds)
        seconds = self.pace.first_token_seconds if answer.events else self.pace.whole_seconds(answer.output_tokens)
        told = given.wire.headers(given.around, seconds, state)
        common = (("date", self._date), ("server", "oneflow-simulator"), *told)
        if NONCE_HEADER in request.fields:
            common = (*common, ("x-request-nonce", request.header(NONCE_HEADER)))
        if not request.keep_alive:
            return (*common, ("connection", "close"))
        return common if request.version == "1.1" else (*common, ("connection", "keep-alive"))

    def _attempt(self, request: Request, model: str) -> int:
        nonce = request.header(NONCE_HEADER)[:_NAME_CHARACTERS_MOST]
        return self._casting.attempt(nonce, model, request.credential_hash)

    def _wire(self, request: Request) -> Wire:
        """The wire that a request speaks; one that is nobody's is OpenAI's, since many speak that."""
        if not request.path.endswith(_MOST_ASKED):
            for wire in self._wires:
                if wire.claims(request):
                    return wire
        return self._last_wire

    def _surroundings(self) -> Surroundings:
        options = self._options
        second = int(self.clock.monotonic())
        if second != self._second:
            now = self.clock.utc()
            self._second, self._date, self._unix = second, format_datetime(now, usegmt=True), int(now.timestamp())
        self._made += 1
        unique = f"{self._prefix}{self._made:08x}"
        return Surroundings(
            self._unix,
            unique,
            options.models,
            options.strict_models,
            options.answer_tokens,
            speech_seconds=options.speech_seconds,
            file_bytes_most=options.file_bytes_most,
            memory=self._memory,
        )
