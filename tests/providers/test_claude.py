"""What all who serve Claude share: as many cache marks as a request may have."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.prompt import Message, Prompt, Text, Tool, ToolCall, ToolResult
from oneflow_ai.providers.claude import CACHE_MARKS_MOST, with_fit_marks

MARKS = st.sampled_from(["", "5m", "1h"])


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    """Prompts with marks wherever one may stand."""

    def text(name: str) -> Text:
        return Text(name, draw(MARKS))

    turns = [Message("user", (text("a"), ToolResult("c", (text("b"), text("c")), cache=draw(MARKS))))]
    turns.append(Message("system", (text("d"),)))
    turns.append(Message("assistant", (text("e"), ToolCall("c", "f", "{}", cache=draw(MARKS)))))
    order = draw(st.permutations(turns))
    return Prompt(tuple(order), tools=tuple(Tool(name, cache=draw(MARKS)) for name in ("f", "g")))


def marks(prompt: Prompt) -> list[str]:
    """All marks in the order of the cache: of the tools, of what the system says, of the turns."""
    found = [tool.cache for tool in prompt.tools]
    for message in sorted(prompt.messages, key=lambda message: message.role != "system"):
        for part in message.parts:
            if isinstance(part, ToolResult):
                found += [inner.cache for inner in part.parts]
            found.append(getattr(part, "cache", ""))
    return found


@given(prompts())
def test_the_last_marks_are_kept_and_no_more_than_a_request_may_have(prompt: Prompt) -> None:
    found, told = with_fit_marks(prompt)
    before, after = marks(prompt), marks(found)
    kept = [mark for mark in before if mark][-CACHE_MARKS_MOST:]
    assert [mark for mark in after if mark] == kept
    assert told == (() if before == after else ("cache_control",))
    assert len(before) == len(after)
    first = next((place for place, mark in enumerate(after) if mark), len(after))
    assert after[first:] == before[first:]
