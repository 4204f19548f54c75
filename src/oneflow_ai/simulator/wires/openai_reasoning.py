"""What OpenAI refuses of its own models, on chat and on Responses, in its words; other makers' are not judged.

Efforts and defaults: developers.openai.com/api/docs, its guides/latest-model, guides/deployment-checklist and
models/gpt-6.1-terra; learn.microsoft.com, `reasoningeffort` of @azure/ai-projects; BerriAI/litellm-docs/pull/1066.
Refusals and their words: ItzCrazyKns/Vane/issues/1173, bolna-ai/bolna/pull/1019, livekit/agents/issues/7169 and
pull/3966, OpenHands/software-agent-sdk/issues/1837, BoundaryML/baml/pull/2708, davidmigloz/langchain_dart/issues/712,
GoogleChromeLabs/webmcp-tools/issues/417, Wei-Shaw/sub2api/issues/6740.
Models that chats do not have: OpenAI's specification, ResponsesOnlyModel; SillyTavern/pull/5212; the words:
egoist/chatwise-releases/issues/1256, ChatGPTNextWeb/NextChat/issues/6571. All on 2026-11-28.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from oneflow_ai.simulator.wires.openai_shapes import BadRequest

_NONE = "none"
_NAME_CHARACTERS_MOST = 64
_DAY = re.compile(r"-\d{4}-\d{2}-\d{2}$")
# Where a chat takes functions: always, only while the model does not reason, never.
_ALWAYS, _AT_REST, _NEVER = "always", "at rest", "never"


class _Mind(NamedTuple):
    """How a model reasons: the efforts it knows, the one it makes unasked, whether a chat takes functions."""

    efforts: tuple[str, ...] = ()
    unasked: str = "medium"
    functions: str = _ALWAYS
    sampled: bool = False

    def reasons(self, effort: Any) -> bool:
        """Whether it leaves no sampling to the client, with this effort or with none given."""
        return not self.sampled and (effort or self.unasked) != _NONE


_TO_HIGH = ("low", "medium", "high")
_TO_XHIGH = (*_TO_HIGH, "xhigh")
_TO_MAX = (*_TO_XHIGH, "max")
_FROM_MEDIUM = ("medium", "high", "xhigh")
# The first that a name matches whole, its day taken off; what matches none is not judged.
_MINDS: Mapping[str, _Mind] = {
    r"gpt-4.*|gpt-\d(\.\d)?-chat(-latest)?": _Mind((), _NONE),
    # open weights take sampling wherever they are served
    r"gpt-oss.*": _Mind(_TO_HIGH, sampled=True),
    r"o[134](-.*)?": _Mind(_TO_HIGH),
    r"gpt-5(-mini|-nano)?": _Mind(("minimal", *_TO_HIGH)),
    r"gpt-5-pro": _Mind(("high",), "high"),
    r"gpt-5(\.1)?-codex(-mini)?": _Mind(_TO_HIGH),
    r"gpt-5\.1-codex-max|gpt-5\.[23]-codex": _Mind(_TO_XHIGH),
    r"gpt-5\.1": _Mind((_NONE, *_TO_HIGH), _NONE),
    r"gpt-5\.2": _Mind((_NONE, *_TO_XHIGH), _NONE),
    r"gpt-5\.2-pro": _Mind(_FROM_MEDIUM),
    r"gpt-5\.4(-mini|-nano)?": _Mind((_NONE, *_TO_XHIGH), _NONE, _AT_REST),
    r"gpt-5\.4-pro": _Mind(_FROM_MEDIUM, functions=_AT_REST),
    r"gpt-5\.5": _Mind((_NONE, *_TO_XHIGH), functions=_AT_REST),
    r"gpt-5\.5-pro": _Mind(_FROM_MEDIUM, "high", _AT_REST),
    r"gpt-5\.6.*|gpt-6-(sol|luna)": _Mind((_NONE, *_TO_MAX), functions=_AT_REST),
    r"gpt-6\.1-terra": _Mind((_NONE, *_TO_MAX), functions=_NEVER),
    r"gpt-6-astra|gpt-6\.1-sol|gpt-6\.2-(astra|sol)": _Mind(_TO_MAX, functions=_NEVER),
}

_RESPONSES_ONLY = re.compile(
    r"o[13]-pro|o[34](-mini)?-deep-research|computer-use-preview|gpt-5(\.[245])?-pro|gpt-5(\.[23])?-codex"
    r"|gpt-5\.1-codex-max|gpt-5\.6-cyber|gpt-daybreak-(blue|red)-latest"
)

# What a model that reasons does not take, with the values that say nothing.
_CHAT_FIELDS: Mapping[str, tuple[Any, ...]] = {
    "temperature": (1,),
    "top_p": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "stop": ([], ""),
}
_RESPONSES_FIELDS: Mapping[str, tuple[Any, ...]] = {"temperature": (1,), "top_p": (1,), "top_logprobs": (0,)}
_LOGPROBS = "message.output_text.logprobs"
_CHAT_JUDGED = frozenset((*_CHAT_FIELDS, "reasoning_effort", "tools"))
_RESPONSES_JUDGED = frozenset((*_RESPONSES_FIELDS, "reasoning", "include"))


def need_chat(model: str) -> None:
    """Raise `BadRequest` for a model that only Responses have."""
    if len(model) <= _NAME_CHARACTERS_MOST and _has_no_chat(model):
        words = "This is not a chat model and thus not supported in the v1/chat/completions endpoint."
        raise BadRequest(f"{words} Did you mean to use v1/completions?", "", "model", 404)


@lru_cache(maxsize=256)
def _has_no_chat(model: str) -> bool:
    return _RESPONSES_ONLY.fullmatch(_DAY.sub("", model)) is not None


def check_chat(document: Mapping[str, Any]) -> None:
    """Raise `BadRequest` for what the model of a chat does not take."""
    mind = None if _CHAT_JUDGED.isdisjoint(document) else _mind_of(document["model"])
    if mind is None:
        return
    effort = document.get("reasoning_effort")
    if effort is not None and not mind.efforts:
        raise BadRequest("Unrecognized request argument supplied: reasoning_effort", "", None)
    if effort is not None and effort not in mind.efforts:
        words = f"'reasoning_effort' does not support '{effort}' with this model. {_supported(mind)}"
        raise _unsupported_value(words, "reasoning_effort")
    if _functions_refused(mind, effort) and _offers_functions(document.get("tools")):
        words = (
            f"Function tools with reasoning_effort are not supported for {document['model']} in /v1/chat/completions. "
            "To use function tools, use /v1/responses or set reasoning_effort to 'none'."
        )
        raise BadRequest(words, "", "reasoning_effort")
    if mind.reasons(effort) and (name := _first_set(document, _CHAT_FIELDS)):
        if name == "temperature":
            words = f"'temperature' does not support {document[name]} with this model. Only the default (1) value is "
            raise _unsupported_value(f"{words}supported.", name)
        raise _unsupported(name, "unsupported_parameter")


def check_responses(document: Mapping[str, Any]) -> None:
    """Raise `BadRequest` for what the model of a response does not take; the fields are right by themselves."""
    mind = None if _RESPONSES_JUDGED.isdisjoint(document) else _mind_of(document.get("model"))
    if mind is None:
        return
    effort = (document.get("reasoning") or {}).get("effort")
    if effort is not None and not mind.efforts:
        raise _unsupported("reasoning.effort", "unsupported_parameter")
    if effort is not None and effort not in mind.efforts:
        words = f"'{effort}' is not supported with the '{document['model']}' model. {_supported(mind)}"
        raise _unsupported_value(words, "reasoning.effort")
    if not mind.reasons(effort):
        return
    # a null where chat has a code: OpenHands/software-agent-sdk/issues/1837
    if name := _first_set(document, _RESPONSES_FIELDS):
        raise _unsupported(name)
    if _LOGPROBS in (document.get("include") or ()):
        raise _unsupported("include")


def _mind_of(model: Any) -> _Mind | None:
    """How a model reasons, by its name; None where nothing is known of it."""
    return _mind(model) if isinstance(model, str) and len(model) <= _NAME_CHARACTERS_MOST else None


@lru_cache(maxsize=256)
def _mind(model: str) -> _Mind | None:
    # A fine-tuned model is `ft:`, its base, whose it is, and so on.
    name = _DAY.sub("", model.split(":")[1] if model.startswith("ft:") else model)
    return next((mind for pattern, mind in _MINDS.items() if re.fullmatch(pattern, name)), None)


def _functions_refused(mind: _Mind, effort: Any) -> bool:
    return mind.functions == _NEVER or (mind.functions == _AT_REST and mind.reasons(effort))


def _offers_functions(tools: Any) -> bool:
    return any(isinstance(each, dict) and each.get("type") == "function" for each in tools or ())


def _first_set(document: Mapping[str, Any], fields: Mapping[str, tuple[Any, ...]]) -> str:
    """The first of these fields that says something; empty where none does."""
    found = (name for name, silent in fields.items() if document.get(name) not in (None, *silent))
    return next(found, "")


def _supported(mind: _Mind) -> str:
    *before, last = [f"'{each}'" for each in mind.efforts]
    listed = f"{', '.join(before)}, and {last}" if before else last
    return f"Supported values are: {listed}."


def _unsupported_value(words: str, param: str) -> BadRequest:
    return BadRequest(f"Unsupported value: {words}", "unsupported_value", param)


def _unsupported(name: str, code: str = "") -> BadRequest:
    return BadRequest(f"Unsupported parameter: '{name}' is not supported with this model.", code, name)
