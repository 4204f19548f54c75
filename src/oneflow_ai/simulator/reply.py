"""What a simulated model says, on whichever wire: its thoughts, a text or calls of tools, and why it ended."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from oneflow_ai.simulator.schema import Room, example
from oneflow_ai.simulator.text import compose, cut, excerpt, think, tokens

IMAGE_TOKENS = 85
"""What a picture counts, and a file or a piece of sound."""

AUTO, NONE, REQUIRED = "auto", "none", "required"
"""Whether tools may be called, may not, or must."""

STOP, STOP_SEQUENCE, LENGTH, TOOL_CALLS = "stop", "stop_sequence", "length", "tool_calls"
"""Why a reply ended."""

JSON_OBJECT = "any object"
"""The form of an answer that is some JSON object, of no schema."""

PLAIN_TEXT = "text"
"""Stands for the schema of a tool that takes text, not JSON."""

EFFORT_TOKENS: Mapping[str, int] = {
    "none": 0,
    "minimal": 8,
    "low": 16,
    "medium": 32,
    "high": 64,
    "xhigh": 96,
    "max": 128,
}
"""How many tokens of thought an effort brings."""

_SEARCHED_CHARACTERS = 2_000
_SPOKEN_CHARACTERS = 20_000
_NAMED_MOST = 1_000
_STOPS_MOST = 128
_NAMES = re.compile(r"(?<=[a-z,] )[A-Z][\w-]+(?: [A-Z][\w-]+)*")


class Call(NamedTuple):
    """A call of a tool that the model asks for; `arguments` is JSON, or text for a tool that takes text."""

    name: str
    arguments: str

    @property
    def tokens(self) -> int:
        """How many tokens it counts."""
        return tokens(self.name) + tokens(self.arguments)


class Question(NamedTuple):
    """What a wire understood of a request.

    `prompt` is the last thing the user said, `results` what tools gave since, `called` the tools that were called
    since. `tools` maps a name to the schema of its arguments; `allowed` are the only ones that may be called, where
    given. `form` is the schema that the answer must satisfy, or `JSON_OBJECT`. `begun` is how the answer begins
    already, `preface` what is said before tools are called unforced. `tokens_most` (0: no bound) counts thoughts and
    answer. `choices` are the replies that are made to it.
    """

    prompt: str
    results: tuple[str, ...] = ()
    called: frozenset[str] = frozenset()
    tools: Mapping[str, Any] = MappingProxyType({})
    choice: str = AUTO
    allowed: Sequence[str] | None = None
    parallel: bool = True
    form: Any = None
    thought_tokens: int = 0
    tokens_most: int = 0
    stops: tuple[str, ...] = ()
    begun: str = ""
    preface: str = ""
    choices: int = 1


class Reply(NamedTuple):
    """What the model says. `stop` is the stop sequence that ended it."""

    thought: str
    text: str
    calls: tuple[Call, ...]
    finish: str
    stop: str = ""

    @property
    def thought_tokens(self) -> int:
        """How many tokens the thoughts count."""
        return tokens(self.thought)

    @property
    def tokens(self) -> int:
        """How many tokens all of it counts."""
        return self.thought_tokens + tokens(self.text) + sum([call.tokens for call in self.calls])


def reply(question: Question, say: str | None = None, answer_tokens: int = 0, number: int = 0) -> Reply:
    """The reply to a question: `say` where that is given, else by the question; `number` tells several apart."""
    if say is not None:
        return _bounded("", say, question)
    thought = think(question.prompt, question.thought_tokens) if question.thought_tokens else ""
    room = Room(question.choices)
    if question.tools and (calls := _calls(question, room)):
        return Reply(thought, question.preface if question.choice == AUTO else "", calls, TOOL_CALLS)
    return _bounded(thought, _continued(_text(question, answer_tokens, number, room), question.begun), question)


def _text(question: Question, answer_tokens: int, number: int, room: Room) -> str:
    if question.form is not None:
        return _formed(question.form, excerpt(question.prompt), number, room)
    if question.results:
        told = "; ".join([excerpt(result) for result in question.results])
        return f'The tool answered: {told}. So the answer to "{excerpt(question.prompt)}" is: {told}.'
    return compose(question.prompt, number, answer_tokens)


def _formed(form: Any, words: str, number: int, room: Room) -> str:
    if form == JSON_OBJECT:
        told = {"answer": f'This is a simulated answer to "{words}".', "choice": number}
        return orjson.dumps(told).decode()
    return orjson.dumps(example(form, words, room)).decode()


def _continued(text: str, begun: str) -> str:
    return text.removeprefix(begun) if begun else text


def _bounded(thought: str, text: str, question: Question) -> Reply:
    """A reply cut by the stop sequences and by the token limit."""
    finish, stop = STOP, ""
    stops = question.stops[:_STOPS_MOST]
    places = sorted([(at, each) for each in stops if (at := text.find(each)) >= 0])
    if places:
        text, finish, stop = text[: places[0][0]], STOP_SEQUENCE, places[0][1]
    if most := question.tokens_most:
        left = most - tokens(thought)
        if left < tokens(text):
            return Reply(cut(thought, most), cut(text, left) if left > 0 else "", (), LENGTH)
    return Reply(thought, text, (), finish, stop)


# ---- tools


def _calls(question: Question, room: Room) -> tuple[Call, ...]:
    """The calls to make: what is forced, else each offered tool whose name the prompt mentions.

    After results only those are left that were not called yet, since they may not be called side by side.
    """
    offered = question.tools
    if question.choice == NONE or (question.results and question.parallel):
        return ()
    spoken = question.prompt[-_SPOKEN_CHARACTERS:].lower()
    named = islice(offered, _NAMED_MOST)
    wanted = [name for name in named if name.lower() in spoken or name.lower().replace("_", " ") in spoken]
    only = offered.keys() if question.allowed is None else {*question.allowed}
    allowed = [name for name in offered if name in only]
    wanted = [name for name in wanted if name in only and name not in question.called]
    if question.choice == REQUIRED and not question.results:
        wanted = wanted or allowed[:1]
    if not question.parallel:
        wanted = wanted[:1]
    return tuple([Call(name, _arguments(offered[name], question.prompt, room)) for name in wanted])


def _arguments(schema: Any, prompt: str, room: Room) -> str:
    given = _subject(prompt)
    if schema == PLAIN_TEXT:
        return given
    return orjson.dumps(example(schema or {"type": "object"}, given, room)).decode()


def _subject(prompt: str) -> str:
    """What to fill arguments with: the first name in a prompt that stands within a sentence, else its beginning."""
    found = _NAMES.search(prompt[:_SEARCHED_CHARACTERS])
    return found[0] if found else excerpt(prompt)
