"""`.api_keys.json`: plain keys or keys with their moments are read, and what is written is read back alike."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.kept_key import KeptKey
from oneflow_ai.core.target import Secret
from oneflow_ai.settings import SettingsError
from oneflow_ai.settings.keys_file import parsed, written

CHANGED = datetime(2026, 11, 1, tzinfo=UTC)
LATER = datetime(2026, 11, 28, 9, tzinfo=UTC)


def test_a_plain_key_has_been_there_since_the_file_was_changed() -> None:
    found = parsed('{"openai": " sk-a ", "groq": ["g1", "", "g2"]}', CHANGED)
    assert found == {
        "openai": (KeptKey(Secret("sk-a"), CHANGED),),
        "groq": (KeptKey(Secret("g1"), CHANGED), KeptKey(Secret("g2"), CHANGED)),
    }


@pytest.mark.parametrize("ends", ["2026-11-28T09:00:00Z", "2026-11-28T09:00:00", "2026-11-28T10:00:00+01:00"])
def test_a_key_may_say_since_when_and_until_when(ends: str) -> None:
    (key,) = parsed(f'{{"openai": {{"key": "sk-a", "added": "2026-10-01", "ends": "{ends}"}}}}', CHANGED)["openai"]
    assert key == KeptKey(Secret("sk-a"), datetime(2026, 10, 1, tzinfo=UTC), LATER)


SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)
MOMENTS = st.integers(0, 10**9).map(lambda seconds: CHANGED + timedelta(seconds=seconds))
KEYS = st.builds(KeptKey, SECRETS.map(Secret), MOMENTS, st.none() | MOMENTS)


@given(st.dictionaries(st.text(max_size=5), st.lists(KEYS, min_size=1, max_size=3).map(tuple), max_size=3))
def test_what_is_written_is_read_back(keys: dict[str, tuple[KeptKey, ...]]) -> None:
    assert parsed(written(keys), CHANGED) == keys


CANARY = "canary-77aa"
NONE = [
    "[]",
    f'"{CANARY}"',
    f'{{"openai": "{CANARY}"',
    f'{{"openai": 1, "x": "{CANARY}"}}',
    f'{{"openai": {{"kee": "{CANARY}"}}}}',
    f'{{"openai": {{"key": "{CANARY}", "more": 1}}}}',
    f'{{"openai": {{"key": "a", "added": "{CANARY}"}}}}',
    '{"openai": {"key": "a", "ends": 1}}',
    '{"openai": {"key": "a", "ends": "0001-01-01T00:00:00+10:00"}}',
    "[" * 60_000,
]


@pytest.mark.parametrize("text", NONE, ids=range(len(NONE)))
def test_any_other_text_is_refused_without_a_word_of_it(text: str) -> None:
    with pytest.raises(SettingsError) as told:
        parsed(text, CHANGED)
    assert CANARY not in f"{told.value!r} {told.value} {told.value.__cause__!r} {told.value.__context__!r}"
    assert "must be" in str(told.value)
