"""OpenAI's older completions: a prompt continued, whole or streamed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from oneflow_ai.simulator.answer import CONTENT, FINISH, Answer, StreamEvent
from oneflow_ai.simulator.reply import Question, reply
from oneflow_ai.simulator.text import pieces, tokens
from oneflow_ai.simulator.wires.events import event
from oneflow_ai.simulator.wires.openai_shapes import Asked, invalid, missing, read_asked, streamed, why_ended
from oneflow_ai.simulator.wires.wire import Surroundings

TOKENS_DEFAULT = 16
PROMPTS_MOST = 128


def answer(document: dict[str, Any], around: Surroundings) -> Answer:
    """The answer to a decoded request; raises `BadRequest`."""
    asked = read_asked(document, TOKENS_DEFAULT)
    prompts = _prompts(document)
    choices = [_choice(prompt, number, asked, around) for prompt in prompts for number in range(asked.choices)]
    if document.get("echo"):
        starts = [prompt for prompt in prompts for _ in range(asked.choices)]
        choices = [(prompt + text, why) for prompt, (text, why) in zip(starts, choices, strict=True)]
    spent = {
        "prompt_tokens": sum(map(tokens, prompts)),
        "completion_tokens": sum([tokens(text) for text, _ in choices]),
    }
    spent["total_tokens"] = spent["prompt_tokens"] + spent["completion_tokens"]
    frame = {
        "id": f"cmpl-{around.unique}",
        "object": "text_completion",
        "created": around.now_unix,
        "model": asked.model,
    }
    if asked.stream:
        return streamed(frame, _events(frame, choices, asked), spent, asked)
    listed = [_listed(text, number, why) for number, (text, why) in enumerate(choices)]
    body = orjson.dumps(frame | {"choices": listed, "usage": spent})
    return Answer(body=body, input_tokens=spent["prompt_tokens"], output_tokens=spent["completion_tokens"])


def _choice(prompt: str, number: int, asked: Asked, around: Surroundings) -> tuple[str, str]:
    question = Question(prompt, tokens_most=asked.tokens_most, stops=asked.stops)
    said = reply(question, around.say, around.answer_tokens, number)
    return said.text, why_ended(said)


def _events(frame: dict[str, Any], choices: list[tuple[str, str]], asked: Asked) -> Iterator[StreamEvent]:
    rest: dict[str, Any] = {"usage": None} if asked.include_usage else {}
    for number, (text, why) in enumerate(choices):
        for piece in pieces(text):
            yield event(CONTENT, frame | {"choices": [_listed(piece, number, None)]} | rest)
        yield event(FINISH, frame | {"choices": [_listed("", number, why)]} | rest)


def _listed(text: str, number: int, why: str | None) -> dict[str, Any]:
    return {"text": text, "index": number, "logprobs": None, "finish_reason": why}


def _prompts(document: dict[str, Any]) -> list[str]:
    prompt = document.get("prompt")
    if prompt is None:
        raise missing("prompt")
    if isinstance(prompt, str):
        return [prompt]
    if not isinstance(prompt, list) or not prompt or (len(prompt) > PROMPTS_MOST and type(prompt[0]) is not int):
        raise invalid("prompt", f"a string, a list of tokens, or 1 to {PROMPTS_MOST} of these")
    if all(type(each) is int for each in prompt):
        return [" ".join(map(str, prompt))]
    return [_prompt(each, number) for number, each in enumerate(prompt)]


def _prompt(value: Any, number: int) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not all(type(each) is int for each in value):
        raise invalid(f"prompt[{number}]", "a string or a list of tokens")
    return " ".join(map(str, value))
