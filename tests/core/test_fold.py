"""A whole answer folded from its pieces: the same whatever the pieces' size, each thing with its own."""

from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.events import Delta
from oneflow_ai.core.fold import Called, Choice, Fold, Thought


def folded(*deltas: Delta) -> dict[int, Choice]:
    fold = Fold()
    for delta in deltas:
        fold.add(delta)
    return fold.whole()


@given(st.lists(st.tuples(st.sampled_from(["text", "reasoning", "refusal"]), st.text()), max_size=20))
def test_texts_are_their_pieces_joined(pieces: list[tuple[str, str]]) -> None:
    choices = folded(*(Delta(kind, text) for kind, text in pieces))
    found = choices.get(0, Choice())
    assert found.text == "".join(text for kind, text in pieces if kind == "text")
    assert found.refusal == "".join(text for kind, text in pieces if kind == "refusal")
    assert found.reasoning == "".join(text for kind, text in pieces if kind == "reasoning")


def test_each_choice_has_its_own() -> None:
    choices = folded(Delta("text", "a"), Delta("text", "b", 1), Delta("text", "c"))
    assert {index: choice.text for index, choice in choices.items()} == {0: "ac", 1: "b"}


def test_a_tools_arguments_go_to_its_call_however_calls_are_mixed() -> None:
    choices = folded(
        Delta("tool_call", "first", tool_id="1"),
        Delta("tool_call", "second", tool_index=1, tool_id="2"),
        Delta("tool_arguments", '{"a"', tool_index=0),
        Delta("tool_arguments", "{}", tool_index=1),
        Delta("tool_arguments", ":1}", tool_index=0),
        Delta("tool_signature", "seal", tool_index=1, wire="gemini"),
    )
    assert choices[0].tools == {
        0: Called("1", "first", '{"a":1}'),
        1: Called("2", "second", "{}", "seal", "gemini"),
    }


def test_a_seal_ends_a_block_of_reasoning() -> None:
    choices = folded(
        Delta("reasoning", "one "),
        Delta("reasoning", "block"),
        Delta("signature", "s1", wire="anthropic"),
        Delta("sealed", "dark", wire="anthropic"),
        Delta("reasoning", "another"),
    )
    assert choices[0].thoughts == [
        Thought("one block", "s1", wire="anthropic"),
        Thought(sealed="dark", wire="anthropic"),
        Thought("another"),
    ]


def test_a_piece_of_a_call_that_never_began_is_nobodys() -> None:
    assert (
        folded(Delta("tool_arguments", "{}", tool_index=3), Delta("tool_signature", "s", tool_index=3))[0].tools == {}
    )
