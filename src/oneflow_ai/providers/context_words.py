"""What servers say of a prompt that is longer than their model takes: their own words, or those of the model's maker.

Where each of them was read stands in the table of its test. All alternatives are literals or bounded, so that a long
message costs no more than its length. That `max_tokens` alone is too large is told in other words: a model that takes
longer prompts would not help.
"""

from __future__ import annotations

import re

_WORDS = re.compile(
    r"maximum context|max context length|context window"
    r"|maximum prompt length|maximum model length|maximum (?:allowed )?input length"
    r"|prompt (?:is )?too long|prompt \([^()]{1,80}\) is too long|input is too long|too many input tokens"
    r"|exceeds? (?:the )?(?:available )?context (?:length|limit|size)"
    r"|(?:longer|greater) than the (?:model's )?context length|exceeds? (?:customer )?model maximum"
    r"|input tokens? exceeds? (?:the configured limit|maximum length)|range of input length should be"
    r"|input token count.{0,80}exceeds the maximum|maximum number of tokens allowed"
    r"|total number of tokens .{0,40}cannot exceed|too many total text bytes"
    r"|reduce the length of the (?:messages|prompt|input)|`inputs` tokens \+ `max_new_tokens`",
    re.IGNORECASE,
)


def tells_of_context(message: str) -> bool:
    """Whether an error's message says that the prompt is too long for the model."""
    return _WORDS.search(message) is not None
