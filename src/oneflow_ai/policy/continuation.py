"""Whether an answer that broke off may be gone on with by another model, and what that one is asked. Pure."""

from __future__ import annotations

from dataclasses import replace

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.prompt import Audio, Message, Prompt, Text, ToolCall, ToolResult
from oneflow_ai.core.target import Target

KEPT_BYTES_MOST = 256 << 10
"""An answer that is longer is not gone on with."""
CONTINUATIONS_MOST = 2
# Of more or longer ones nobody looks whether an answer broke off within one.
STOPS_MOST = 16
STOP_CHARACTERS_MOST = 64
# Where a provider keeps an answer unless it is told not to, its client may come back for it: by the provider's id.
_KEEPING_WIRES = ("responses",)
_NEVER = (Audio, ToolCall, ToolResult)


def prompt_of(call: Call) -> Prompt | None:
    """What another model would be asked to go on with an answer to this call; None where that is never done.

    It is for streams of one text: without tools, a form that it must have, probabilities, sound, or anything else that
    only one wire has.
    """
    if call.operation is not Operation.CHAT or not call.stream or call.read is None or call.answers != 1:
        return None
    if call.wire in _KEEPING_WIRES and call.body.get("store") is not False:
        return None
    try:
        prompt = call.prompt()
    except Failure:
        # Whoever must read it tells what is wrong with it.
        return None
    return prompt if _is_of_text(prompt) else None


def goes_on(target: Target, cut: Target) -> bool:
    """Whether a target goes on with the answer that another began: an invented one is never mixed with a real one."""
    able = target.prefill and target.continue_cut
    return able and target.place != cut.place and target.simulated == cut.simulated


def may_go_on(failure: Failure) -> bool:
    """Whether an answer that broke off so may be gone on with: by a fault of the provider, or on the way to it."""
    return failure.kind.cause == "upstream" and failure.kind.other


def continued(prompt: Prompt, text: str, spoken_tokens: int) -> Prompt | None:
    """The prompt with the answer as far as it came, for the rest of its tokens; None where there is no going on.

    The beginning ends in no white space, which is refused; where it ends within what might be a stop sequence, the
    next model could not tell. What is gone on with is not thought about.
    """
    begun = text.rstrip()
    if not begun or any(_ends_within(text, stop) for stop in prompt.stop):
        return None
    left_tokens = None if prompt.max_tokens is None else max(prompt.max_tokens - spoken_tokens, 1)
    return replace(
        prompt,
        messages=(*prompt.messages, Message("assistant", (Text(begun),))),
        begun=True,
        max_tokens=left_tokens,
        effort=None,
        thinking_tokens=None,
        show_reasoning=False,
    )


def _is_of_text(prompt: Prompt) -> bool:
    odd = prompt.tools or prompt.n != 1 or prompt.format or prompt.logprobs or prompt.top_logprobs or prompt.further
    if odd or not prompt.messages or prompt.messages[-1].role != "user":
        return False
    if len(prompt.stop) > STOPS_MOST or any(len(stop) > STOP_CHARACTERS_MOST for stop in prompt.stop):
        return False
    return not any(isinstance(part, _NEVER) for message in prompt.messages for part in message.parts)


def _ends_within(text: str, stop: str) -> bool:
    return any(text.endswith(stop[:length]) for length in range(1, len(stop)))
