"""What an answer used, in the line that `oneflow ask` ends with."""

import pytest

from oneflow_ai.cli.asking import used
from oneflow_ai.core.events import Usage


@pytest.mark.parametrize(
    ("usage", "words"),
    [
        (Usage(12, 40), "12 tokens in, 40 out"),
        (Usage(), "0 tokens in, 0 out"),
        (Usage(3, 196, images=1), "3 tokens in, 196 out, 1 picture"),
        (Usage(images=2), "2 pictures"),
        (Usage(characters=11), "11 characters"),
        (Usage(audio_milliseconds=1_250), "1.2 s of sound"),
        (Usage(10, 5, audio_milliseconds=60_000), "10 tokens in, 5 out, 60.0 s of sound"),
    ],
)
def test_it_tells_of_tokens_where_there_are_some_and_of_all_else(usage: Usage, words: str) -> None:
    assert used(usage) == words
