"""What a simulator may be told: its pace, its limits, the faults it plays by rule and how much it remembers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

RECORD_REQUESTS_MOST = 10_000


class Pace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How fast answers come.

    A stream's first token comes after `first_token_seconds`, the others at `tokens_per_second` (0: all at once), each
    gap drawn evenly within `jitter` of its length. A whole answer takes as long as its stream would, at most
    `whole_seconds_most`.
    """

    first_token_seconds: float = 0.15
    tokens_per_second: float = 60.0
    whole_seconds_most: float = 1.5
    jitter: float = 0.2

    @property
    def instant(self) -> bool:
        """Whether nothing waits."""
        return self.first_token_seconds <= 0 and self.tokens_per_second <= 0

    @property
    def gap_seconds(self) -> float:
        """The mean time between two tokens."""
        return 1 / self.tokens_per_second if self.tokens_per_second > 0 else 0.0

    def whole_seconds(self, tokens: int) -> float:
        """How long a whole answer of that many tokens takes."""
        return min(self.first_token_seconds + tokens * self.gap_seconds, self.whole_seconds_most)

    def slowed(self, factor: float) -> Pace:
        """The same pace, that many times slower."""
        return Pace(
            first_token_seconds=self.first_token_seconds * factor,
            tokens_per_second=self.tokens_per_second / factor,
            whole_seconds_most=self.whole_seconds_most * factor,
            jitter=self.jitter,
        )


FAST = Pace(first_token_seconds=0.0, tokens_per_second=0.0, whole_seconds_most=0.0, jitter=0.0)
"""No waits at all: the pace of tests and benchmarks."""


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What each credential may use: requests and tokens in any 60 s, requests at a time. Zero means no limit.

    A burst of more than `burst_requests` within `burst_seconds` shuts its credential out for `timeout_seconds`.
    """

    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    concurrency: int = 0
    burst_requests: int = 0
    burst_seconds: float = 10.0
    timeout_seconds: float = 60.0

    @property
    def any(self) -> bool:
        """Whether there is any."""
        return bool(self.requests_per_minute or self.tokens_per_minute or self.concurrency or self.burst_requests)


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a fault is played without being asked for by name.

    `model` and `path` are shell patterns; `attempts` are the first and the last attempt it strikes, counted from 1 by
    nonce or by model and credential; `from_seconds` and `to_seconds` count from the moment the rule was set.
    """

    fault: str
    model: str = "*"
    path: str = "*"
    attempts: tuple[int, int] | None = None
    probability: float = 1.0
    from_seconds: float = 0.0
    to_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorOptions:
    """Everything that can be chosen before a simulator starts.

    `models` are the ids it lists (empty: a list of its own); with `strict_models` any other id is unknown.
    `fault_probability` maps a fault to the share of requests it strikes. `record_body_bytes` is how much of each body
    the record keeps. `answer_tokens` fixes the length of answers (0: by the prompt), `speech_seconds` that of speech
    (0: by its text), `file_bytes_most` the largest file (0: as the provider has it). `seed` makes a run repeatable.
    """

    pace: Pace = field(default_factory=Pace)
    limits: Limits = field(default_factory=Limits)
    rules: tuple[Rule, ...] = ()
    fault_probability: Mapping[str, float] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    strict_models: bool = False
    answer_tokens: int = 0
    speech_seconds: float = 0.0
    file_bytes_most: int = 0
    record_requests_most: int = RECORD_REQUESTS_MOST
    record_body_bytes: int = 0
    seed: int | None = None
