"""The check of the locks finds what would let an unpinned, unhashed or outdated package through."""

import pytest

from tools.check_locks import apart, complaints, lock_faults, missing, parse_lock

HASH = "--hash=sha256:" + "0" * 64
LOCK = (
    f"one==1.2 ; sys_platform == 'linux' \\\n    {HASH}\n    # via three\ntwo-words==3 \\\n    {HASH} \\\n    {HASH}1\n"
)


def test_a_lock_is_read_by_canonical_name() -> None:
    pins = parse_lock(LOCK)
    assert {name: (pin.version, len(pin.hashes)) for name, pin in pins.items()} == {
        "one": ("1.2", 1),
        "two-words": ("3", 2),
    }


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (LOCK, ""),
        (f"# from https://example.com\n{LOCK}", "names an address"),
        ("", "holds no package"),
        ("one==1.2\n", "one has no sha256 hash"),
        ("one==1.2 \\\n    --hash=md5:0\n", "one has no sha256 hash"),
        (f"one>=1.2 \\\n    {HASH}\n", "one is not pinned"),
    ],
)
def test_a_fault_of_one_lock_is_named(text: str, fault: str) -> None:
    assert list(lock_faults("a.txt", text)) == ([f"a.txt: {fault}"] if fault else [])


@pytest.mark.parametrize(("declared", "number"), [("one>=1", 0), ("one>=2", 1), ("Two_Words", 0), ("four", 1)])
def test_what_is_declared_must_be_locked(declared: str, number: int) -> None:
    assert len(list(missing("a.txt", [declared], parse_lock(LOCK)))) == number


def test_a_package_has_one_version_in_all_locks() -> None:
    other = parse_lock(LOCK.replace("==3", "==4"))
    assert list(apart("a.txt", parse_lock(LOCK), other)) == [
        "a.txt: two-words differs from requirements-dev.txt (run `make lock`)"
    ]


def test_the_locks_of_this_repository_are_sound() -> None:
    assert list(complaints()) == []
