"""Names of tools as a target takes them: what does not fit its rule is sent under another name that does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

from oneflow_ai.core.call import Call
from oneflow_ai.core.prompt import Message, Prompt, ToolCall
from oneflow_ai.core.target import Target
from oneflow_ai.providers.base import asked_of

LETTERS_64 = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""The rule of OpenAI's wire, of all its servers, and of Bedrock's.

OpenAI's specification (FunctionObject; Responses take 128 since, but not everywhere), issues of DeepSeek's and Qwen's
users (mrexodia/ida-pro-mcp/issues/129, QwenLM/Qwen3-VL/issues/2069), and Bedrock's own words
(awslabs/mcp/issues/3181), 2026-11-27.
"""

# A name given here fits every rule: at most so many letters, digits, `_` and `-`, the first no digit and no `-`.
_CHARACTERS_MOST = 64
_HEAD_CHARACTERS = 16
_HASH_CHARACTERS = 8
_ODD = re.compile(r"[^a-zA-Z0-9_-]")
_FIRST = re.compile(r"[a-zA-Z_]")


Names = tuple[tuple[str, str], ...]
"""Names that were changed, each as it is sent and as the client wrote it."""


def fit_id(given: str, rule: re.Pattern[str]) -> str:
    """An id of a call that a target takes; another is replaced by one made of it, the same for call and result."""
    if rule.fullmatch(given):
        return given
    return "tool_" + sha256(given.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def prompt_of(call: Call, target: Target, rule: re.Pattern[str], wire: str) -> tuple[Prompt, Names, tuple[str, ...]]:
    """What a call asks of a target, the names of tools that were changed, and the client's names of what was cut.

    Names stay as they are where the client is given the wire's own answer.
    """
    prompt, cut = asked_of(call, target)
    if call.dialect == wire and not call.translated:
        return prompt, (), cut
    prompt, names = with_fit_names(prompt, rule)
    return prompt, names, cut


def with_fit_names(prompt: Prompt, rule: re.Pattern[str]) -> tuple[Prompt, tuple[tuple[str, str], ...]]:
    """The prompt with names of tools that fit a target's rule, and each that was changed: as it is sent, as it was.

    A name becomes the same in each turn of a conversation, and no two become one.
    """
    names = dict.fromkeys(tool.name for tool in prompt.tools)
    names |= dict.fromkeys(part.name for message in prompt.messages for part in message.parts if type(part) is ToolCall)
    names[prompt.tool_name] = None
    wrong = [name for name in names if name and rule.fullmatch(name) is None]
    if not wrong:
        return prompt, ()
    sent: dict[str, str] = {}
    for name in wrong:
        hashed = name
        while (found := _fitting(name, hashed)) in names:
            hashed += "_"
        sent[name] = found
        names[found] = None
    changed = replace(
        prompt,
        messages=tuple(_called(message, sent) for message in prompt.messages),
        tools=tuple(replace(tool, name=sent[tool.name]) if tool.name in sent else tool for tool in prompt.tools),
        tool_name=sent.get(prompt.tool_name, prompt.tool_name),
        allowed=tuple(sent.get(name, name) for name in prompt.allowed),
    )
    return changed, tuple((found, name) for name, found in sent.items())


def _called(message: Message, sent: Mapping[str, str]) -> Message:
    """A message whose calls have the names that are sent."""
    if not any(type(part) is ToolCall and part.name in sent for part in message.parts):
        return message
    parts = tuple(
        replace(part, name=sent.get(part.name, part.name)) if isinstance(part, ToolCall) else part
        for part in message.parts
    )
    return replace(message, parts=parts)


def _fitting(name: str, hashed: str) -> str:
    """How a name begins and how it ends, by which it is known to the model, and a hash by which to nothing else."""
    name = _ODD.sub("_", name)
    if _FIRST.match(name) is None:
        name = "_" + name
    room = _CHARACTERS_MOST - _HASH_CHARACTERS - 1
    if len(name) > room:
        name = f"{name[:_HEAD_CHARACTERS]}_{name[_HEAD_CHARACTERS + 1 - room :]}"
    return f"{name}_{sha256(hashed.encode('utf-8', 'surrogatepass')).hexdigest()[:_HASH_CHARACTERS]}"
