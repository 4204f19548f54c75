"""The result of one call as the first edition gives it: a plain dict, every key always there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from oneflow_ai.answer import Answer, MediaAnswer
from oneflow_ai.core.record import Exchange


class Result(TypedDict):
    """What came of one call; JSON-ready but for `data`.

    `status` is `success` or `error`. `response` is the text, for pictures and sound a `data:` URL, whose bytes are
    `data` and whose type is `media_type`. `cost` is US dollars, `response_time` seconds. After an error `model` and
    `provider_name` are those that were tried last.
    """

    status: str
    response: str | None
    cost: float
    tokens_used: int
    model: str | None
    response_time: float
    error: str | None
    simulated: bool
    provider_name: str | None
    attempted_providers: list[str]
    data: bytes | None
    media_type: str | None


class Several(Result):
    """The result of a call for several answers (`n`): `responses` has them all, `response` and `data` the first."""

    responses: list[str]


def success(answer: Answer | MediaAnswer, exchange: Exchange, texts: Sequence[str] = ()) -> Result:
    """The result of a call that was answered; `texts` are all of several."""
    media = answer.media[0] if isinstance(answer, MediaAnswer) else None
    result = Result(
        status="success",
        response=answer.text if isinstance(answer, Answer) else answer.media[0].url,
        cost=answer.cost_usd,
        tokens_used=answer.usage.input_tokens + answer.usage.output_tokens,
        model=answer.model,
        response_time=answer.seconds,
        error=None,
        simulated=answer.simulated,
        provider_name=answer.provider,
        attempted_providers=_attempted(exchange),
        data=media.data if media is not None else None,
        media_type=media.media_type if media is not None else None,
    )
    responses = [one.url for one in answer.media] if isinstance(answer, MediaAnswer) else list(texts)
    return Several(**result, responses=responses) if len(responses) > 1 else result


def error(words: str, exchange: Exchange | None = None) -> Result:
    """The result of a call that was not answered; what it may have cost is in the history."""
    asked = [attempt.target for attempt in exchange.attempts if attempt.asked] if exchange is not None else []
    last = asked[-1] if asked else None
    return Result(
        status="error",
        response=None,
        cost=0.0,
        tokens_used=0,
        model=last.model if last is not None else None,
        response_time=exchange.ended_seconds - exchange.call.started_seconds if exchange is not None else 0.0,
        error=words,
        simulated=last.simulated if last is not None else False,
        provider_name=last.provider if last is not None else None,
        attempted_providers=_attempted(exchange),
        data=None,
        media_type=None,
    )


def _attempted(exchange: Exchange | None) -> list[str]:
    """The providers that were asked, in order, each once."""
    attempts = exchange.attempts if exchange is not None else ()
    return list(dict.fromkeys(attempt.target.provider for attempt in attempts if attempt.asked))
