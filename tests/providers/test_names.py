"""Names of tools that a target does not take: under which others they are sent, and that none is lost by it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.prompt import Message, Prompt, Text, Tool, ToolCall, ToolResult
from oneflow_ai.providers.anthropic_prompt import NAMES as ANTHROPIC
from oneflow_ai.providers.gemini_prompt import NAMES as GEMINI
from oneflow_ai.providers.names import LETTERS_64, with_fit_names

LONG = "mcp__plugin_everything-at-once_github__" + "create_" * 8 + "pull_request_review"
RULES = (LETTERS_64, ANTHROPIC, GEMINI)
HI = Message("user", (Text("Hi"),))


def offered(*names: str) -> Prompt:
    return Prompt((HI,), tuple(map(Tool, names)))


def sent(*names: str, rule: re.Pattern[str] = LETTERS_64) -> list[str]:
    return [tool.name for tool in with_fit_names(offered(*names), rule)[0].tools]


@pytest.mark.parametrize(
    ("name", "rule", "expected"),
    [
        ("ns.tool:a", LETTERS_64, "ns_tool_a_d813aa2a"),
        ("ns.tool:a", ANTHROPIC, "ns_tool_a_d813aa2a"),
        ("ns.tool:a", GEMINI, "ns.tool:a"),
        (LONG, LETTERS_64, "mcp__plugin_ever_eate_create_create_pull_request_review_32086432"),
        (LONG, ANTHROPIC, LONG),
        (LONG, GEMINI, "mcp__plugin_ever_eate_create_create_pull_request_review_32086432"),
        ("3d", LETTERS_64, "3d"),
        ("3d", GEMINI, "_3d_da0568a2"),
        ("погода", LETTERS_64, "_______c1d5a896"),
        ("", LETTERS_64, ""),
    ],
)
def test_a_name_keeps_what_it_is_known_by(name: str, rule: re.Pattern[str], expected: str) -> None:
    assert sent(name, rule=rule) == [expected]


def test_tools_their_choice_and_their_calls_have_one_name() -> None:
    called = Message("assistant", (Text("So."), ToolCall("1", "a.b", "{}"), ToolCall("2", "fits", "{}")))
    results = Message("user", (ToolResult("1", (Text("x"),)), ToolResult("2", (Text("y"),))))
    prompt = Prompt((HI, called, results), (Tool("a.b", "Words"), Tool("fits")), tool_choice="tool", tool_name="a.b")
    found, names = with_fit_names(prompt, LETTERS_64)
    ((name, own),) = names
    assert (own, LETTERS_64.fullmatch(name) is not None) == ("a.b", True)
    assert found == Prompt(
        (HI, Message("assistant", (Text("So."), ToolCall("1", name, "{}"), ToolCall("2", "fits", "{}"))), results),
        (Tool(name, "Words"), Tool("fits")),
        tool_choice="tool",
        tool_name=name,
    )


def test_a_call_of_a_tool_that_is_offered_no_more_has_the_same_name() -> None:
    (name,) = sent("a.b")
    found, names = with_fit_names(Prompt((HI, Message("assistant", (ToolCall("1", "a.b", "{}"),)))), LETTERS_64)
    assert (found.messages[1].parts, names) == ((ToolCall("1", name, "{}"),), ((name, "a.b"),))


def test_what_fits_is_the_very_prompt() -> None:
    prompt = offered("a", "b-c_9")
    found, names = with_fit_names(prompt, LETTERS_64)
    assert (found is prompt, names) == (True, ())


def test_a_name_that_is_taken_is_not_given() -> None:
    (taken,) = sent("a.b")
    found, names = with_fit_names(offered("a.b", taken), LETTERS_64)
    other, kept = (tool.name for tool in found.tools)
    assert (kept, names) == (taken, ((other, "a.b"),))
    assert other != taken


NAMES = st.text("ab.:_-0я" + chr(0xD800), min_size=1, max_size=4) | st.text("ab.", min_size=60, max_size=200)


@given(st.lists(NAMES, max_size=8, unique=True), st.sampled_from(RULES))
def test_no_two_become_one_and_all_fit(given_names: list[str], rule: re.Pattern[str]) -> None:
    found, names = with_fit_names(offered(*given_names), rule)
    written = [tool.name for tool in found.tools]
    own = dict(names)
    assert all(map(rule.fullmatch, written))
    assert len({*written}) == len(given_names)
    assert [own.get(name, name) for name in written] == given_names
    assert all(name in written for name in given_names if rule.fullmatch(name))
    assert with_fit_names(found, rule) == (found, ())
