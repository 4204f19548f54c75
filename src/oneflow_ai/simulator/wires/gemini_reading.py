"""What a request on Gemini's wire asks: the rules of its turns and seals, the question in it, its tokens."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from oneflow_ai.simulator.memory import CACHED_TOKENS_LEAST
from oneflow_ai.simulator.reply import (
    AUTO,
    EFFORT_TOKENS,
    IMAGE_TOKENS,
    JSON_OBJECT,
    NONE,
    REQUIRED,
    Question,
)
from oneflow_ai.simulator.seals import unseal
from oneflow_ai.simulator.text import tokens
from oneflow_ai.simulator.wires.wire import Surroundings

WIRE = "gemini"
KEPT = "cachedContents/simulated"
"""How the names of contents begin that are cached here: nobody can put any in."""
FOUND_TOKENS = 100
"""What a search brings."""
_KEPT_TOKENS = 5_000
_SEARCHES = ("googleSearch", "googleSearchRetrieval")
_WORD = "text/x.enum"
# Accepted in place of a seal, as they are or in base64: ai.google.dev/gemini-api/docs/thought-signatures, 2026-11-26.
_STAND_INS = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
_SKIPS_SEALS = (*_STAND_INS, *[b64encode(each.encode()).decode() for each in _STAND_INS])
_GENERATION = re.compile(r".*gemini-(\d+)(?:\.(\d+))?(?:[-@:].*)?")
_CONTENT_TOKENS = 4
_UNASKED_TOKENS = 16
_CHOICES = {"ANY": REQUIRED, "NONE": NONE}
Document = Mapping[str, Any]
Content = Mapping[str, Any]


class Refused(Exception):
    """A request that Gemini would answer with an error; the text says why."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def generation(model: str) -> tuple[int, int]:
    """The generation of a model, (2, 5) for gemini-2.5-flash; (0, 0) for a name that tells none."""
    found = _GENERATION.fullmatch(model)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


def settings(document: Document) -> Document:
    """What a request says of the answer's making."""
    found: Document = document.get("generationConfig") or {}
    return found


def check(document: Document, model: str) -> None:
    """Check what the fields alone do not tell; raises `Refused`."""
    contents = document.get("contents") or []
    if not contents:
        raise Refused("* GenerateContentRequest.contents: contents is not specified\n")
    for content in contents:
        if content.get("role", "user") not in ("user", "model", "function"):
            raise Refused("Please use a valid role: user, model.")
        if not content.get("parts"):
            raise Refused("Unable to submit request because it must have a text parameter. Add a text parameter.")
    if (name := document.get("cachedContent")) and not name.startswith(KEPT):
        raise Refused(f"CachedContent not found (or permission denied): {name}", 403)
    _check_turns(contents)
    _check_seals(contents, model)
    _check_settings(document)
    # googleapis/js-genai/issues/1609, googleapis/python-genai/issues/1723, 2026-11-28
    if settings(document).get("candidateCount", 1) > 1 and generation(model) >= (3, 0):
        raise Refused("Multiple candidates is not enabled for this model")


def _check_turns(contents: Sequence[Content]) -> None:
    """Calls come behind a turn of the user; each has its result in the turn behind."""
    open_calls = 0
    for place, content in enumerate(contents):
        results = sum(1 for _ in _of(content, "functionResponse"))
        if results != open_calls:
            raise Refused(
                "Please ensure that the number of function response parts is equal to the number of function call "
                "parts of the function call turn."
            )
        open_calls = sum(1 for _ in _of(content, "functionCall"))
        if open_calls and (place == 0 or contents[place - 1].get("role") == "model"):
            raise Refused(
                "Please ensure that function call turn comes immediately after a user turn or after a function "
                "response turn."
            )


def _of(content: Content, name: str) -> Iterator[Mapping[str, Any]]:
    """The parts of a content that hold this kind of data."""
    return (part for part in content["parts"] if name in part)


def _check_seals(contents: Sequence[Content], model: str) -> None:
    """A seal is one of ours, on the call it was made for; newer models ask for it on the first call of each step."""
    for content in contents:
        for part in content["parts"]:
            seal, called = part.get("thoughtSignature"), part.get("functionCall") or {}
            if seal and not _is_ours(seal, called.get("name", "")):
                raise Refused("Corrupted thought signature.")
    if generation(model) < (3, 0):
        return
    for place in range(_turn_begins(contents), len(contents)):
        first = next(_of(contents[place], "functionCall"), None)
        if first is not None and not first.get("thoughtSignature"):
            raise Refused(
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to "
                "work correctly, and missing thought_signature may lead to degraded model performance. Additional "
                f"data, function call `default_api:{first['functionCall']['name']}` , position {place + 1}."
            )


def _is_ours(seal: str, name: str) -> bool:
    """Whether a seal, in either alphabet of base64, was made here for a call of this function, or for a text."""
    plain = seal.replace("-", "+").replace("_", "/")
    return seal in _SKIPS_SEALS or unseal(WIRE, plain) in ("", name)


def _turn_begins(contents: Sequence[Content]) -> int:
    """The place of the last thing that the user said himself."""
    for place in range(len(contents) - 1, -1, -1):
        content = contents[place]
        if content.get("role") != "model" and any("text" in part for part in content["parts"]):
            return place
    return 0


def _check_settings(document: Document) -> None:
    asked = settings(document)
    schemas = [asked[name] for name in _SCHEMAS if name in asked]
    if len(schemas) > 1:
        raise Refused("Only one of response_schema and response_json_schema may be set.")
    if schemas and asked.get("responseMimeType") not in ("application/json", _WORD):
        raise Refused("Response schema is only supported with response mime type: application/json.")
    if asked.get("logprobs") is not None and not asked.get("responseLogprobs"):
        raise Refused("Logprobs is only supported when response_logprobs is true.")
    thinking = asked.get("thinkingConfig") or {}
    if "thinkingBudget" in thinking and "thinkingLevel" in thinking:
        raise Refused("You can only set only one of thinking budget and thinking level.")
    names = [tool["name"] for tool in declarations(document)]
    for name in _calling(document).get("allowedFunctionNames") or ():
        if name not in names:
            raise Refused(f"Function calling config is set with an unknown function name: {name}")


_SCHEMAS = ("responseSchema", "responseJsonSchema", "_responseJsonSchema")


def declarations(document: Document) -> list[Mapping[str, Any]]:
    """The functions that a request offers."""
    return [each for tool in document.get("tools") or () for each in tool.get("functionDeclarations") or ()]


def _calling(document: Document) -> Document:
    return (document.get("toolConfig") or {}).get("functionCallingConfig") or {}


def question(document: Document, model: str) -> Question:
    """The question that a checked request asks."""
    contents = document["contents"]
    begins = _turn_begins(contents)
    since = contents[begins:]
    asked, calling = settings(document), _calling(document)
    return Question(
        prompt=text_of(contents[begins]),
        results=tuple([_result(part) for content in since for part in _of(content, "functionResponse")]),
        called=frozenset([part["functionCall"]["name"] for content in since for part in _of(content, "functionCall")]),
        tools={each["name"]: _parameters(each) for each in declarations(document)},
        choice=_CHOICES.get(calling.get("mode", ""), AUTO),
        allowed=calling.get("allowedFunctionNames") or None,
        form=_form(asked),
        thought_tokens=_thought_tokens(asked, model),
        tokens_most=asked.get("maxOutputTokens") or 0,
        stops=tuple(asked.get("stopSequences") or ()),
        choices=asked.get("candidateCount") or 1,
    )


def _form(asked: Document) -> Any:
    if asked.get("responseMimeType", "text/plain") == "text/plain":
        return None
    schemas = [asked[name] for name in _SCHEMAS if name in asked]
    return _plain(schemas[0]) if schemas else JSON_OBJECT


def _parameters(declaration: Mapping[str, Any]) -> Any:
    schema = declaration.get("parametersJsonSchema") or declaration.get("parameters")
    return _plain(schema) if schema else {"type": "object"}


def _plain(schema: Any) -> Any:
    """A schema in JSON Schema's spelling: Gemini's types are upper case, and what may be null says so apart."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _plain(value) for name, value in schema.items() if name != "nullable"}
    if isinstance(plain.get("type"), str):
        plain["type"] = plain["type"].lower()
    return plain


def _thought_tokens(asked: Document, model: str) -> int:
    thinking = asked.get("thinkingConfig") or {}
    if level := thinking.get("thinkingLevel"):
        return EFFORT_TOKENS.get(level.lower(), EFFORT_TOKENS["medium"])
    budget = thinking.get("thinkingBudget")
    if budget is not None:
        return EFFORT_TOKENS["medium"] if budget < 0 else min(budget, EFFORT_TOKENS["medium"])
    if not thinking and generation(model) < (2, 5):
        return 0
    most = asked.get("maxOutputTokens")
    return min(_UNASKED_TOKENS, most // 2) if most else _UNASKED_TOKENS


def searches(document: Document) -> bool:
    """Whether the model may search."""
    return any(name in tool for tool in document.get("tools") or () for name in _SEARCHES)


def says_a_word(document: Document) -> bool:
    """Whether the answer is one word of several, without the quotes of JSON."""
    return settings(document).get("responseMimeType") == _WORD


def shows_thoughts(document: Document) -> bool:
    """Whether a summary of the thoughts is wanted."""
    return bool((settings(document).get("thinkingConfig") or {}).get("includeThoughts"))


# ---- counting


def count(document: Document) -> int:
    """The tokens of a prompt: its contents, its instruction, its functions."""
    contents = [*(document.get("contents") or ()), *filter(None, [document.get("systemInstruction")])]
    offered = declarations(document)
    total = tokens(orjson.dumps(offered).decode()) if offered else 0
    total += _KEPT_TOKENS if document.get("cachedContent") else 0
    return total + sum([_CONTENT_TOKENS + _size(content) for content in contents])


def cached(document: Document, owner: str, around: Surroundings) -> int:
    """How much of a long prompt was seen a short while ago, as Gemini tells without being asked."""
    total = count(document)
    if document.get("cachedContent"):
        return _KEPT_TOKENS
    if total < CACHED_TOKENS_LEAST:
        return 0
    content = orjson.dumps([document.get("systemInstruction"), document.get("tools"), document["contents"]])
    return min(around.memory.seen(owner, content, around.now_unix), total - 1)


def _size(content: Content) -> int:
    return sum([_part_size(part) for part in content.get("parts") or ()])


def _part_size(part: Mapping[str, Any]) -> int:
    if "text" in part:
        return tokens(part["text"])
    for name in ("functionCall", "functionResponse"):
        if name in part:
            return tokens(orjson.dumps(part[name]).decode())
    return IMAGE_TOKENS


def text_of(content: Content) -> str:
    """The text of a content, thoughts left out."""
    return "".join([part["text"] for part in content.get("parts") or () if "text" in part and not part.get("thought")])


def _result(part: Mapping[str, Any]) -> str:
    """What a function gave: its words where it is told in the usual way, else all of it."""
    given = part["functionResponse"]["response"]
    for name in ("output", "result"):
        if isinstance(given.get(name), str):
            return str(given[name])
    return orjson.dumps(given).decode()
