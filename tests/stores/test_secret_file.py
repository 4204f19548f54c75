"""The server's secret: made once, private, never replaced behind the keys that were made with it."""

import os
import pickle
import stat
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.stores import StoreRefused, private_file
from oneflow_ai.stores.private_file import _make_without_links
from oneflow_ai.stores.secret_file import ServerSecret, hkdf_sha256, load, load_or_make

# RFC 5869, appendix A.1 to A.3: secret, salt, info, and what comes out.
VECTORS = [
    (
        "0b" * 22,
        "000102030405060708090a0b0c",
        "f0f1f2f3f4f5f6f7f8f9",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        bytes(range(0x50)).hex(),
        bytes(range(0x60, 0xB0)).hex(),
        bytes(range(0xB0, 0x100)).hex(),
        (
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
            "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
        ),
    ),
    ("0b" * 22, "", "", "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"),
]


def entropy(count: int) -> bytes:
    return bytes(range(count))


@pytest.mark.parametrize(("secret", "salt", "purpose", "derived"), VECTORS)
def test_hkdf_gives_the_rfcs_vectors(secret: str, salt: str, purpose: str, derived: str) -> None:
    made = hkdf_sha256(
        bytes.fromhex(secret),
        salt=bytes.fromhex(salt),
        purpose=bytes.fromhex(purpose),
        length_bytes=len(derived) // 2,
    )
    assert made.hex() == derived


@given(st.binary(max_size=100), st.binary(max_size=100), st.binary(max_size=100), st.integers(1, 400))
def test_hkdf_equals_cryptographys(secret: bytes, salt: bytes, purpose: bytes, length: int) -> None:
    theirs = HKDF(SHA256(), length, salt, purpose).derive(secret)
    assert hkdf_sha256(secret, salt=salt, purpose=purpose, length_bytes=length) == theirs


@pytest.mark.parametrize("length", [0, -1, 8161])
def test_hkdf_refuses_what_it_cannot_give(length: int) -> None:
    with pytest.raises(ValueError, match="8160"):
        hkdf_sha256(b"secret", salt=b"", purpose=b"", length_bytes=length)


def test_each_purpose_has_a_key_of_its_own() -> None:
    secret = ServerSecret(entropy(32))
    assert secret.derive("pepper") == secret.derive("pepper") != secret.derive("vault")


def test_a_secret_is_made_once_at_mode_0600_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "home" / "secret.key"
    made = load_or_make(path, entropy, needed=False)
    again = load_or_make(path, lambda count: b"\xff" * count, needed=True)
    assert made.derive("x") == again.derive("x") == ServerSecret(entropy(32)).derive("x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["secret.key"]


@pytest.mark.parametrize("content", [entropy(32), entropy(64), entropy(32).hex().encode(), b"AB" * 32 + b"\r\n"])
def test_bytes_and_hexadecimal_digits_are_read(tmp_path: Path, content: bytes) -> None:
    assert private_file.make(tmp_path / "secret.key", content)
    assert load(tmp_path / "secret.key") is not None


@pytest.mark.parametrize("content", [b"", b"short", entropy(31), entropy(31).hex().encode() + b"\n"])
def test_fewer_than_32_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    assert private_file.make(tmp_path / "secret.key", content)
    with pytest.raises(StoreRefused, match="32 or more"):
        load(tmp_path / "secret.key")


def test_a_missing_secret_is_refused_when_keys_were_made_with_it(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match="restore it from a backup"):
        load_or_make(tmp_path / "secret.key", entropy, needed=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601])
def test_a_file_open_to_others_is_refused_with_the_command_that_mends_it(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret.key"
    load_or_make(path, entropy, needed=False)
    path.chmod(mode)
    with pytest.raises(StoreRefused, match=f"chmod 600 {path}"):
        load(path)


def test_where_there_are_no_hard_links_a_file_is_made_once_too(tmp_path: Path) -> None:
    made = [_make_without_links(tmp_path / "secret.key", content) for content in (b"one", b"two")]
    assert made == [True, False]
    assert private_file.read(tmp_path / "secret.key") == b"one"


@pytest.mark.skipif(os.name != "posix", reason="named pipes are POSIX's")
def test_a_folder_or_a_pipe_is_no_secret(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(StoreRefused, match="not a plain file"):
            load(path)


def test_of_many_that_make_the_file_at_once_one_wins_and_all_see_its_secret(tmp_path: Path) -> None:
    start, derived = threading.Barrier(8), []

    def make(number: int) -> None:
        start.wait()
        secret = load_or_make(tmp_path / "secret.key", lambda count: bytes([number]) * count, needed=False)
        derived.append(secret.derive("x"))

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(derived) == 8
    assert len(set(derived)) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["secret.key"]


def test_a_secret_cannot_be_printed_or_pickled() -> None:
    secret = ServerSecret(b"canary-secret-of-the-server-0123")
    assert "canary" not in f"{secret} {secret!r}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
