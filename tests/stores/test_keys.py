"""API keys: what they look like, that only digests are kept, and which of them open the door."""

import asyncio
import hashlib
import hmac
import os
import pickle
import stat
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, text

from oneflow_ai.core.call import Account
from oneflow_ai.core.target import Secret
from oneflow_ai.stores import StoreRefused
from oneflow_ai.stores.key_format import ALPHABET, KEY_CHARACTERS, KeyDigest, looks_valid, new_key
from oneflow_ai.stores.keys import MODELS_MOST, KeyLimits, Keys, keys_were_made
from oneflow_ai.stores.sqlite import Database
from oneflow_ai.stores.tables import api_keys
from oneflow_ai.testing import StepClock

DIGEST = KeyDigest(b"pepper" * 5)
RANDOM = st.binary(min_size=32, max_size=32)


@pytest.fixture
def clock() -> StepClock:
    return StepClock()


@pytest.fixture
def keys(database: Database, clock: StepClock) -> Keys:
    return Keys(database, DIGEST, clock)


def digest(key: Secret) -> bytes:
    return DIGEST(key.reveal().encode())


def files(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.iterdir() if each.name.startswith("oneflow.db"))


@given(RANDOM)
def test_a_key_is_of_the_agreed_shape_and_looks_valid(random: bytes) -> None:
    key = new_key(lambda count: random[:count]).reveal()
    assert len(key) == KEY_CHARACTERS == 3 + 43 + 6
    assert key.startswith("of_")
    assert set(key[3:]) <= set(ALPHABET)
    assert looks_valid(key)


@given(RANDOM, RANDOM)
def test_different_bits_make_different_keys(one: bytes, other: bytes) -> None:
    assert (new_key(lambda count: one) == new_key(lambda count: other)) == (one == other)


@given(RANDOM, st.integers(0, KEY_CHARACTERS - 1), st.characters(exclude_categories=["Cs"]))
def test_any_wrong_character_is_found(random: bytes, place: int, character: str) -> None:
    key = new_key(lambda count: random).reveal()
    changed = key[:place] + character + key[place + 1 :]
    assert looks_valid(changed) == (changed == key)


@given(RANDOM, st.integers(3, 3 + 43 - 2))
def test_swapped_neighbours_are_found(random: bytes, place: int) -> None:
    key = new_key(lambda count: random).reveal()
    swapped = key[:place] + key[place + 1] + key[place] + key[place + 2 :]
    assert looks_valid(swapped) == (swapped == key)


@given(st.text(max_size=2 * KEY_CHARACTERS))
def test_what_is_no_key_does_not_look_valid(text: str) -> None:
    assert not looks_valid(text)


@given(st.binary(max_size=64), st.binary(max_size=300))
def test_the_digest_is_hmac_sha_256(pepper: bytes, key: bytes) -> None:
    assert KeyDigest(pepper)(key) == hmac.digest(pepper, key, hashlib.sha256)


def test_a_digester_shows_no_pepper_and_takes_none_that_is_too_long() -> None:
    assert repr(DIGEST) == "KeyDigest(***)"
    with pytest.raises(TypeError):
        pickle.dumps(DIGEST)
    with pytest.raises(ValueError, match="at most 64"):
        KeyDigest(b"x" * 65)


async def test_a_new_key_opens_its_account_with_its_limits(keys: Keys) -> None:
    models = ("text", "openai/*")
    made = await keys.create("Ann", KeyLimits(10, 20, 3, models=models))
    assert await keys.load_all() == {digest(made.key): Account(made.row.id, "Ann", 10, 20, 3, models)}
    assert made.row.prefix == made.key.reveal()[:7]
    assert await keys.list_rows() == [made.row]


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "two\nlines", "\x1b[31m"])
async def test_a_name_that_cannot_be_shown_is_refused(keys: Keys, name: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        await keys.create(name)


def test_limits_below_nothing_and_ends_without_a_zone_are_refused() -> None:
    with pytest.raises(ValueError, match="below 0"):
        KeyLimits(concurrency=-1)
    with pytest.raises(ValueError, match="time zone"):
        KeyLimits(expires_at=datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused


@pytest.mark.parametrize("model", ["", "a b", "a,b", "*/m", "a**", "é", "a\n", "m" * 257])
def test_a_model_that_no_call_could_name_is_refused(model: str) -> None:
    with pytest.raises(ValueError, match="without spaces or commas"):
        KeyLimits(models=("text", model))


@pytest.mark.parametrize(
    "broken",
    [
        {"models": "{not json"},
        {"models": "5"},
        {"models": '"text"'},
        {"models": '{"text": 1}'},
        {"models": '["text", 5]'},
        {"models": b"\xff"},
        {"concurrency": "many"},
        {"tokens_per_minute": -1},
        {"digest": "text"},
        {"expires_at": "tomorrow"},
        {"name": b"\xff"},
    ],
    ids=str,
)
async def test_a_row_that_cannot_be_read_opens_nothing_and_hides_no_other(
    broken: dict[str, object], database: Database, keys: Keys
) -> None:
    good, bad, gone = [await keys.create(name, KeyLimits(models=("text",))) for name in ("Ann", "Bob", "Cid")]
    await keys.revoke(gone.row.id)
    column, value = next(iter(broken.items()))
    spoil = text(f"UPDATE api_keys SET {column} = :value WHERE id = :id")  # noqa: S608 names of columns, from above
    await database.write(lambda connection: connection.execute(spoil, {"value": value, "id": bad.row.id}).close())
    assert await keys.load_all() == {digest(good.key): Account(good.row.id, "Ann", models=("text",))}
    assert keys.unreadable == (bad.row.id,)
    await keys.revoke(good.row.id)
    assert await keys.load_all() == {}
    await database.write(lambda connection: connection.execute(delete(api_keys)).close())
    assert await keys.load_all() == {}
    assert not keys.unreadable


@pytest.mark.parametrize(
    "broken",
    [
        {"models": "{not json"},
        {"models": "5"},
        {"concurrency": "many"},
        {"tokens_per_minute": -1},
        {"created_at": "yesterday"},
        {"created_at": 2**62},
        {"expires_at": "tomorrow"},
        {"revoked_at": "never"},
        {"name": b"\xff"},
    ],
    ids=str,
)
async def test_a_row_that_cannot_be_read_is_told_in_the_list_and_can_be_revoked(
    broken: dict[str, object], database: Database, keys: Keys
) -> None:
    good, bad = [await keys.create(name, KeyLimits(models=("text",))) for name in ("Ann", "Bob")]
    column, value = next(iter(broken.items()))
    spoil = text(f"UPDATE api_keys SET {column} = :value WHERE id = :id")  # noqa: S608 names of columns, from above
    await database.write(lambda connection: connection.execute(spoil, {"value": value, "id": bad.row.id}).close())
    assert await keys.list_rows() == [good.row]
    assert keys.unlisted == (bad.row.id,)
    assert await keys.next_expiry() is None
    revoked = await keys.revoke(bad.row.id)
    assert revoked is not None and (revoked.id, revoked.limits) == (bad.row.id, KeyLimits())
    assert revoked.revoked_at is not None
    assert await keys.load_all() == {digest(good.key): Account(good.row.id, "Ann", models=("text",))}
    assert not keys.unreadable


def test_a_key_has_a_bounded_number_of_models() -> None:
    assert KeyLimits(models=("*",) * MODELS_MOST).models[0] == "*"
    with pytest.raises(ValueError, match="at most 100 models"):
        KeyLimits(models=("*",) * (MODELS_MOST + 1))


async def test_a_revoked_key_opens_nothing_and_keeps_the_moment_it_was_revoked(keys: Keys, clock: StepClock) -> None:
    made = await keys.create("Ann")
    first = await keys.revoke(made.row.id)
    clock.step(60)
    again = await keys.revoke(made.row.id)
    assert first == again
    assert first is not None
    assert first.revoked_at == clock.utc() - timedelta(seconds=60)
    assert await keys.load_all() == {}
    assert await keys.revoke("key_unknown") is None


async def test_a_key_ends_at_its_moment(keys: Keys, clock: StepClock) -> None:
    end = clock.utc() + timedelta(hours=1)
    made = await keys.create("for an hour", KeyLimits(expires_at=end))
    await keys.create("for ever")
    assert await keys.next_expiry() == end
    clock.step(3_599)
    assert digest(made.key) in await keys.load_all()
    clock.step(1)
    assert digest(made.key) not in await keys.load_all()
    assert await keys.next_expiry() is None


async def test_the_version_differs_after_every_key_made_or_revoked_by_anyone(
    keys: Keys, database: Database, clock: StepClock
) -> None:
    seen = [await keys.version()]
    other = await Database.open(database.path)
    for _ in range(3):
        clock.step(1)
        made = await Keys(other, DIGEST, clock).create("Ann")
        seen.append(await keys.version())
        await Keys(other, DIGEST, clock).revoke(made.row.id)
        seen.append(await keys.version())
    await other.close()
    assert len(set(seen)) == len(seen)
    assert await keys.version() == seen[-1]


async def test_no_key_is_in_the_files_of_the_database(keys: Keys, database: Database) -> None:
    made = [await keys.create(f"key {number}") for number in range(20)]
    kept = files(database.path.parent)
    assert made[0].row.id.encode() in kept
    assert not [each for each in made if each.key.reveal()[3:].encode() in kept]
    assert all(each.key.reveal() not in repr(each) for each in made)


async def test_the_first_key_is_made_once_and_written_for_its_owner_alone(keys: Keys, tmp_path: Path) -> None:
    made = await keys.ensure_first_key(tmp_path)
    path = tmp_path / "first-key"
    assert made is not None
    assert path.read_text() == made.reveal() + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert await keys.ensure_first_key(tmp_path) is None
    assert list(await keys.load_all()) == [digest(made)]


async def test_a_revoked_first_key_is_not_made_again(keys: Keys, tmp_path: Path) -> None:
    await keys.ensure_first_key(tmp_path)
    (row,) = await keys.list_rows()
    await keys.revoke(row.id)
    assert await keys.ensure_first_key(tmp_path) is None


async def test_the_first_key_of_an_earlier_database_is_set_aside(keys: Keys, tmp_path: Path) -> None:
    (tmp_path / "first-key").write_text("of_earlier\n")
    made = await keys.ensure_first_key(tmp_path)
    assert made is not None
    assert (tmp_path / "first-key").read_text() == made.reveal() + "\n"
    assert (tmp_path / "first-key.old").read_text() == "of_earlier\n"


async def test_of_processes_that_start_at_once_one_makes_the_first_key(keys: Keys, database: Database) -> None:
    others = [await Database.open(database.path) for _ in range(3)]
    home = database.path.parent
    made = await asyncio.gather(
        *(Keys(each, DIGEST, StepClock()).ensure_first_key(home) for each in (database, *others))
    )
    (key,) = [each for each in made if each is not None]
    assert (home / "first-key").read_text() == key.reveal() + "\n"
    assert list(await keys.load_all()) == [digest(key)]
    for other in others:
        await other.close()


async def test_without_a_place_for_its_file_no_first_key_is_made(keys: Keys, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("not a folder")
    with pytest.raises(StoreRefused, match="cannot write"):
        await keys.ensure_first_key(tmp_path / "home")
    assert await keys.list_rows() == []


async def test_that_keys_were_made_is_known_even_when_all_are_revoked(keys: Keys, database: Database) -> None:
    assert not await keys_were_made(database)
    made = await keys.create("Ann")
    await keys.revoke(made.row.id)
    assert await keys_were_made(database)


def test_keys_come_from_the_systems_randomness_by_default() -> None:
    assert new_key(os.urandom) != new_key(os.urandom)
