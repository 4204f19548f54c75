"""What is kept of an answer for who may go on with it, and how the parts are joined."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oneflow_ai.core.events import Delta
from oneflow_ai.core.ports import Head
from oneflow_ai.core.prompt import Message, Prompt, Text
from oneflow_ai.flow.continuing import Continuing
from oneflow_ai.policy.continuation import CONTINUATIONS_MOST, KEPT_BYTES_MOST
from oneflow_ai.testing import ListeningClient
from tests.policy.places import target
from tests.ports.calls import call

PROMPT = Prompt((Message("user", (Text("hello"),)),), max_tokens=100)
CALL = replace(call(), stream=True, wire="openai")


def begun(*pieces: str) -> tuple[Continuing, ListeningClient]:
    """One that the first model has said these pieces to."""
    client = ListeningClient()
    found = Continuing(CALL, PROMPT, client)
    said(found, "a", *pieces)
    return found, client


def said(found: Continuing, name: str, *pieces: str) -> None:
    found.begin(Head(target(name), 1))
    for piece in pieces:
        found.send(Delta("text", piece))


def text_of(client: ListeningClient) -> str:
    return "".join(event.text for event in client.events if isinstance(event, Delta) and event.kind == "text")


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        (("The sea",), (" is wide",), "The sea is wide"),
        (("The sea ",), (" is wide",), "The sea is wide"),
        (("The sea", " "), (" ", "is", " wide"), "The sea is wide"),
        (("The sea ",), ("is wide",), "The sea is wide"),
        (("The sea:\n\n",), ("\n", "\n- wide"), "The sea:\n\n- wide"),
        (("The sea:\n",), ("\n\n- wide",), "The sea:\n\n- wide"),
        (("The sea:\n",), (" wide",), "The sea:\n wide"),
        (("The sea  ",), (" ", " ", " is wide"), "The sea   is wide"),
    ],
    ids=str,
)
def test_white_space_at_the_seam_is_told_once(first: tuple[str, ...], second: tuple[str, ...], joined: str) -> None:
    found, client = begun(*first)
    assert found.next_call(1) is not None
    said(found, "b", *second)
    assert text_of(client) == joined


def test_the_client_is_begun_for_once_and_told_who_goes_on() -> None:
    found, client = begun("The sea")
    assert found.next_call(1) is not None
    said(found, "b", " is wide")
    assert client.head is not None
    assert client.head.target.place == "a/m"
    assert [event for event in client.events if isinstance(event, Delta) and event.kind == "continued"] == [
        Delta("continued", "b/m")
    ]


def test_the_rest_is_a_call_of_its_own() -> None:
    found, _ = begun("The ", "sea ")
    rest = found.next_call(2)
    assert rest is not None
    assert rest.id not in ("", CALL.id)
    assert (rest.account, rest.deadline_seconds) == (CALL.account, CALL.deadline_seconds)
    assert (rest.wire, rest.translated, rest.output_most_tokens) == ("", True, 98)
    assert rest.prompt_bytes == CALL.prompt_bytes + len("The sea ")
    assert rest.prompt().messages[-1] == Message("assistant", (Text("The sea"),))


def test_what_was_gone_on_with_may_be_once_more_and_no_further() -> None:
    found, _ = begun("one")
    rests = []
    for number in range(CONTINUATIONS_MOST + 1):
        rests.append(found.next_call(1))
        said(found, f"b{number}", f" and {number}")
    assert [rest is None for rest in rests] == [False] * CONTINUATIONS_MOST + [True]
    last = rests[CONTINUATIONS_MOST - 1]
    assert last is not None
    assert last.prompt().messages[-1] == Message("assistant", (Text("one and 0"),))
    assert last.output_most_tokens == 98
    assert len({rest.id for rest in rests if rest is not None}) == CONTINUATIONS_MOST


@pytest.mark.parametrize("kind", ["reasoning", "refusal", "tool_call", "citation", "logprobs", "sealed", "text"])
def test_an_answer_with_more_than_one_text_is_not_kept(kind: str) -> None:
    found, client = begun("The sea")
    found.send(Delta(kind, "x", index=1 if kind == "text" else 0))
    said(found, "a", " is wide")
    assert found.next_call(1) is None
    assert text_of(client).startswith("The sea")


def test_an_answer_that_is_too_long_is_not_kept() -> None:
    piece = "\N{SNOWMAN}" * 1_024
    number = KEPT_BYTES_MOST // len(piece.encode())
    found, _ = begun(*[piece] * number)
    assert found.next_call(1) is not None
    found, client = begun(*[piece] * number, *"abcd" * 512)
    assert found.next_call(1) is None
    assert text_of(client).endswith("abcd")
