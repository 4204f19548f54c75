"""Which models a prompt is too long for, as far as its own length tells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from oneflow_ai.core.call import Call
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.prompt import Document, Part, Text, ToolCall, ToolResult
from oneflow_ai.core.target import Target

# A token is some four characters of English and fewer of most else: no prompt that people or programs write has so many
# in each. Pictures, sound and files other than text are not counted at all.
CHARACTERS_PER_TOKEN_MOST = 16
# Below this no window of today's models is full.
PROMPT_BYTES_LEAST = CHARACTERS_PER_TOKEN_MOST * 4_096


def roomy(targets: Sequence[Target], call: Call) -> Sequence[Target]:
    """The targets but for those that the prompt is certainly too long for; all of them where that is each of them."""
    if call.prompt_bytes < PROMPT_BYTES_LEAST or len(targets) == 1 or call.read is None:
        return targets
    most_tokens = call.prompt_bytes // CHARACTERS_PER_TOKEN_MOST
    if all(_takes(target, most_tokens) for target in targets):
        return targets
    least_tokens = _characters(call) // CHARACTERS_PER_TOKEN_MOST
    return [target for target in targets if _takes(target, least_tokens)] or targets


def _takes(target: Target, tokens: int) -> bool:
    return target.context_window_tokens is None or tokens <= target.context_window_tokens


def _characters(call: Call) -> int:
    """The characters of text in a prompt; none of one that has no middle form."""
    try:
        prompt = call.prompt()
    except Failure:
        # Whoever is asked for it says what is wrong.
        return 0
    return sum(_written(message.parts) for message in prompt.messages)


def _written(parts: Iterable[Part]) -> int:
    count = 0
    for part in parts:
        match part:
            case Text() | Document():
                count += len(part.text)
            case ToolCall():
                count += len(part.arguments)
            case ToolResult():
                count += _written(part.parts)
            case _:
                pass
    return count
