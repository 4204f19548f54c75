"""Faults that the provider owns up to: limits, quotas, outages, refused credentials and refused requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from email.utils import format_datetime

from oneflow_ai.simulator.answer import Headers, paced, reason
from oneflow_ai.simulator.faults.fault import Scene
from oneflow_ai.simulator.options import Pace
from oneflow_ai.simulator.steps import Steps
from oneflow_ai.simulator.wires.wire import Problem

# It looks like a key to whoever scrubs answers, and is none.
KEY_LIKE = "sk-" + "simulated" * 4


def retry_after(scene: Scene) -> Steps:
    """Refuse and say in seconds when to come back."""
    yield scene.failure(Problem(429, waits=(("retry-after", scene.fault.text("after")),)))


def retry_after_ms(scene: Scene) -> Steps:
    """Refuse and say it in milliseconds too, which wins."""
    waits = (("retry-after-ms", scene.fault.text("ms")), ("retry-after", scene.fault.text("after")))
    yield scene.failure(Problem(429, waits=waits))


WAITS: Mapping[str, Callable[[datetime], str]] = {
    "date": lambda now: format_datetime(now + timedelta(seconds=2), usegmt=True),
    "past": lambda now: format_datetime(now - timedelta(hours=1), usegmt=True),
    "far": lambda now: format_datetime(now + timedelta(days=365), usegmt=True),
    "negative": lambda now: "-5",
    "inf": lambda now: "inf",
    "1e309": lambda now: "1e309",
    "junk": lambda now: "soon, perhaps",
}


def odd_retry_after(scene: Scene) -> Steps:
    """Refuse with a waiting time that is a date, out of range or no time at all."""
    waits = (("retry-after", WAITS[scene.fault.text("value")](scene.now)),)
    yield scene.failure(Problem(429, waits=waits))


MONEY = "You exceeded your current quota, please check your plan and billing details."
REFUSALS: Mapping[str, Problem] = {
    "bare": Problem(429),
    "quota": Problem(429, MONEY, "insufficient_quota", "insufficient_quota"),
    "spend": Problem(429, MONEY, "project_spend_limit_exceeded", "insufficient_quota"),
    "toolarge": Problem(
        429,
        "Request too large on tokens per min (TPM): Limit 30000, Requested 61337. "
        "The input or output tokens must be reduced in order to run successfully.",
        "rate_limit_exceeded",
        "tokens",
    ),
    "slowdown": Problem(429, "Slow down", "slow_down", "rate_limit_error"),
}


def refusal(scene: Scene) -> Steps:
    """Refuse without saying when to come back: for a rate, for money, for size."""
    yield scene.failure(REFUSALS[scene.fault.text("kind")])


def broken(scene: Scene) -> Steps:
    """Fail with a status of the server's own making; the body in the provider's shape, a proxy's page, or none."""
    status = scene.fault.count("status")
    after = scene.fault.text("after")
    waits: Headers = (("retry-after", after),) if after else ()
    match scene.fault.text("body"):
        case "html":
            words = f"{status} {reason(status)}"
            page = f"<html><head><title>{words}</title></head><body><h1>{words}</h1></body></html>"
            yield scene.reply(status, page.encode(), waits, "text/html")
        case "empty":
            yield scene.reply(status, b"", waits)
        case _:
            yield scene.failure(Problem(status, waits=waits))


def credential_refused(scene: Scene) -> Steps:
    """Refuse the credential; the message names a key, as the vendors' do."""
    status = scene.fault.count("status")
    problem = Problem(status)
    if status == 401:
        problem = Problem(status, f"Incorrect API key provided: {KEY_LIKE}.", "invalid_api_key")
    yield scene.failure(problem)


CONTEXT = (
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens. "
    "Please reduce the length of the messages."
)


def request_refused(scene: Scene) -> Steps:
    """Refuse the request; the message holds something like a key, to be scrubbed."""
    status, kind = scene.fault.count("status"), scene.fault.text("kind")
    problem = Problem(status, f"Invalid value near {KEY_LIKE}.", "invalid_value", param="messages")
    if kind == "context":
        problem = Problem(status, CONTEXT, "context_length_exceeded", param="messages")
    elif status == 404:
        problem = Problem(status, f"The model `{scene.wire.model(scene.request)}` does not exist.", "model_not_found")
    yield scene.failure(problem)


# ---- what strikes many requests alike


def _outage(scene: Scene) -> Steps | None:
    out = scene.fault.number("start") <= scene.since_seconds < scene.fault.number("end")
    return _fail(scene) if out else None


def _slow(scene: Scene) -> Steps | None:
    if not scene.fault.number("start") <= scene.since_seconds < scene.fault.number("end"):
        return None
    usual = scene.pace
    if usual.instant:
        usual = Pace(
            first_token_seconds=scene.fault.number("seconds") / scene.fault.number("factor"), tokens_per_second=0.0
        )
    slowed = usual.slowed(scene.fault.number("factor"))
    return paced(scene.answer, scene.common, scene.request, slowed, iter(scene.chance.random, None))


def _now_and_then(scene: Scene) -> Steps | None:
    return _fail(scene) if scene.chance.random() < scene.fault.number("share") else None


def _flapping(scene: Scene) -> Steps | None:
    return _fail(scene) if int(scene.since_seconds // scene.fault.number("period")) % 2 == 0 else None


def _fail(scene: Scene) -> Steps:
    return iter((scene.failure(Problem(scene.fault.count("status"))),))


CORRELATED: Mapping[str, Callable[[Scene], Steps | None]] = {
    "outage": _outage,
    "brownout": _slow,
    "random": _now_and_then,
    "flap": _flapping,
}


def correlated(scene: Scene) -> Steps | None:
    """Fail for a time, slow down for a time, fail now and then, or go down and up again."""
    return CORRELATED[scene.fault.text("kind")](scene)
