"""The vault: keys lie sealed, each bound to its row; a lost or other secret is told; changes are whole."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from itertools import count, pairwise
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import insert, select, text, update

from oneflow_ai.core.kept_key import KeptKey
from oneflow_ai.core.target import Secret
from oneflow_ai.policy.rotation import rotated
from oneflow_ai.stores import StoreRefused
from oneflow_ai.stores.secret_file import ServerSecret
from oneflow_ai.stores.sqlite import Database, look
from oneflow_ai.stores.tables import provider_keys
from oneflow_ai.stores.vault import Opened, Seal, Vault, open_rows, sealed_rows, unopened, vault_is_used
from oneflow_ai.testing import StepClock

ORIGIN = "https://api.openai.com"
KEY = "sk-canary-of-the-vault-4711"
ROW = ("pk_1", "openai", ORIGIN)
SEAL = Seal(ServerSecret(b"s" * 32))
OTHER_SEAL = Seal(ServerSecret(b"t" * 32))


@pytest.fixture
def clock() -> StepClock:
    return StepClock()


@pytest_asyncio.fixture
async def vault(database: Database, clock: StepClock) -> AsyncIterator[Vault]:
    """A vault whose chance is repeatable."""
    numbers = count(1)
    yield Vault(database, SEAL, clock, lambda length: next(numbers).to_bytes(length, "big"))


async def keep(vault: Vault, *keys: str, provider: str = "openai", origin: str = ORIGIN) -> None:
    await vault.change(provider, origin, lambda _: [KeptKey(Secret(key)) for key in keys], replacing=True)


async def revealed(vault: Vault, provider: str = "openai") -> list[str]:
    return [key.secret.reveal() for key in (await vault.open()).keys.get(provider, ())]


def test_a_sealed_key_opens_to_itself() -> None:
    sealed = SEAL.close(Secret(KEY), ROW, b"n" * 12)
    assert SEAL.open(sealed, ROW).reveal() == KEY
    assert KEY.encode() not in sealed


@pytest.mark.parametrize(
    "row", [("pk_2", *ROW[1:]), ("pk_1", "groq", ORIGIN), ("pk_1", "openai", "https://evil.example")]
)
def test_a_sealed_key_opens_in_its_own_row_alone(row: tuple[str, str, str]) -> None:
    sealed = SEAL.close(Secret(KEY), ROW, b"n" * 12)
    with pytest.raises(ValueError, match="sealed otherwise"):
        SEAL.open(sealed, row)


@pytest.mark.parametrize("at", [0, 11, 12, -1])
def test_a_sealed_key_of_which_a_bit_was_changed_does_not_open(at: int) -> None:
    sealed = bytearray(SEAL.close(Secret(KEY), ROW, b"n" * 12))
    sealed[at] ^= 1
    with pytest.raises(ValueError, match="sealed otherwise"):
        SEAL.open(bytes(sealed), ROW)


@pytest.mark.parametrize("sealed", [b"", b"n" * 12, b"n" * 27])
def test_what_is_too_short_does_not_open(sealed: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever the cipher gives: each counts as unreadable
        SEAL.open(sealed, ROW)


def test_another_secret_neither_opens_nor_has_the_same_name() -> None:
    with pytest.raises(ValueError, match="sealed otherwise"):
        OTHER_SEAL.open(SEAL.close(Secret(KEY), ROW, b"n" * 12), ROW)
    assert SEAL.name != OTHER_SEAL.name


def test_a_seal_never_prints_and_is_not_serialised() -> None:
    assert f"{SEAL!r} {SEAL}" == "Seal(***) Seal(***)"
    with pytest.raises(TypeError, match="not serialised"):
        copy.copy(SEAL)


async def test_no_key_stands_in_the_files_of_the_database(database: Database, vault: Vault) -> None:
    await keep(vault, KEY)
    files = list(database.path.parent.glob(f"{database.path.name}*"))
    assert files
    assert all(KEY.encode() not in path.read_bytes() for path in files)


async def test_an_opened_vault_never_prints_a_key(vault: Vault) -> None:
    await keep(vault, KEY)
    opened = await vault.open()
    assert await revealed(vault) == [KEY]
    assert KEY not in f"{opened!r} {opened} {opened.keys!r}"


async def test_keys_keep_their_order_and_their_moments(vault: Vault, clock: StepClock) -> None:
    await keep(vault, "a")
    clock.jump_wall(60)
    now = clock.utc()
    await vault.change("openai", ORIGIN, lambda keys: rotated(keys, KeptKey(Secret("b"), now), now))
    first, second = (await vault.open()).keys["openai"]
    assert (first.secret.reveal(), first.added_at, first.ends_at) == ("b", now, None)
    assert (second.secret.reveal(), second.ends_at) == ("a", now + timedelta(hours=24))
    assert {first.origin, second.origin} == {ORIGIN}


async def test_a_key_whose_time_is_over_is_given_to_no_change_and_forgotten(
    database: Database, vault: Vault, clock: StepClock
) -> None:
    await keep(vault, "a")
    now = clock.utc()
    await vault.change("openai", ORIGIN, lambda keys: rotated(keys, KeptKey(Secret("b"), now), now))
    clock.jump_wall(timedelta(hours=24).total_seconds() - 1)
    await vault.forget_ended()
    assert await revealed(vault) == ["b", "a"]
    clock.jump_wall(1)
    seen: list[str] = []

    def note(keys: tuple[KeptKey, ...]) -> Sequence[KeptKey]:
        seen.extend(key.secret.reveal() for key in keys)
        return keys

    await vault.change("openai", ORIGIN, note)
    assert seen == ["b"]
    await vault.forget_ended()
    rows = await database.read(lambda connection: connection.execute(select(provider_keys.c.id)).all())
    assert len(rows) == 1


async def test_a_change_that_fails_changes_nothing(vault: Vault) -> None:
    await keep(vault, "a")

    def fail(keys: tuple[KeptKey, ...]) -> Sequence[KeptKey]:
        raise LookupError

    with pytest.raises(LookupError):
        await vault.change("openai", ORIGIN, fail)
    assert await revealed(vault) == ["a"]


async def test_providers_do_not_touch_each_others_keys(vault: Vault) -> None:
    await keep(vault, "a")
    await keep(vault, "b", "c", provider="groq", origin="https://api.groq.com")
    await keep(vault)
    assert (await revealed(vault), await revealed(vault, "groq")) == ([], ["b", "c"])


async def test_every_change_changes_the_version(vault: Vault, clock: StepClock) -> None:
    versions = [await vault.version()]
    for keys in (("a",), ("b",), ("b", "c"), ()):
        await keep(vault, *keys)
        versions.append(await vault.version())
    await keep(vault, "a")
    now = clock.utc()
    before = await vault.version()
    await vault.change("openai", ORIGIN, lambda keys: [key.until(now + timedelta(1)) for key in keys])
    assert await vault.version() != before
    assert all(one != other for one, other in pairwise(versions))


async def test_keys_of_another_secret_are_told_and_only_replaced_on_purpose(
    database: Database, clock: StepClock
) -> None:
    await keep(Vault(database, OTHER_SEAL, clock), KEY)
    vault = Vault(database, SEAL, clock)
    opened = await vault.open()
    assert (dict(opened.keys), opened.foreign) == ({}, ("openai",))
    with pytest.raises(StoreRefused, match="was sealed with another server secret .of openai.: restore that secret"):
        await vault.change("openai", ORIGIN, lambda keys: keys)
    await keep(vault, "new")
    assert await revealed(vault) == ["new"]


async def test_a_swapped_row_does_not_open_and_hides_no_other(database: Database, vault: Vault) -> None:
    """Threat 15: what was sealed for one row is worth nothing in another."""
    await keep(vault, "a")
    await keep(vault, KEY, provider="groq", origin="https://api.groq.com")
    sealed = select(provider_keys.c.sealed).where(provider_keys.c.provider == "groq").scalar_subquery()
    swap = update(provider_keys).where(provider_keys.c.provider == "openai").values(sealed=sealed)
    await database.write(lambda connection: connection.execute(swap))
    opened = await vault.open()
    assert (list(opened.keys), opened.damaged) == (["groq"], ("openai",))
    assert "is damaged (of openai)" in unopened(opened)


async def test_a_row_that_nobody_wrote_so_is_damaged(database: Database, vault: Vault) -> None:
    row = {"id": "x", "provider": "openai", "origin": "", "sealed": b"", "sealed_by": SEAL.name, "added_at": 10**18}
    await database.write(lambda connection: connection.execute(insert(provider_keys).values(row)))
    assert await vault.open() == Opened({}, (), ("openai",))


async def test_the_vault_is_used_once_it_holds_a_key(database: Database, vault: Vault) -> None:
    assert not await vault_is_used(database)
    await keep(vault, KEY)
    assert await vault_is_used(database)


async def test_a_look_reads_what_is_there_and_makes_nothing(database: Database, vault: Vault, tmp_path: Path) -> None:
    await keep(vault, KEY)
    rows = look(database.path, sealed_rows)
    assert open_rows(rows, SEAL).keys["openai"][0].secret.reveal() == KEY
    broken = tmp_path / "broken.db"
    broken.write_text("no database at all, by its first bytes")
    with pytest.raises(StoreRefused, match="cannot read the database"):
        look(broken, sealed_rows)


async def test_a_database_older_than_vaults_has_none(database: Database) -> None:
    await database.write(lambda connection: connection.execute(text("DROP TABLE provider_keys")))
    assert look(database.path, sealed_rows) == []
