"""Holds the locks to their promise: each package pinned and hashed, no address, in step with pyproject.toml.

Run as `python -m tools.check_locks`.
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.tracked import ROOT, report

DIRECT_MOST = 20
LOCKS = ("requirements.txt", "requirements-build.txt", "requirements-dev.txt")
_ENTRY = re.compile(r"^(?P<pin>[A-Za-z0-9][^\\#]*?)\s*\\?$")


@dataclass(frozen=True, slots=True)
class Pin:
    """One locked package: its requirement with `==`, and its hashes."""

    requirement: Requirement
    hashes: frozenset[str]

    @property
    def version(self) -> str:
        """The one version that is allowed."""
        return str(self.requirement.specifier).removeprefix("==")


def parse_lock(text: str) -> dict[str, Pin]:
    """Gives the pins of a lock by canonical name; a package split by markers keeps its last pin and all hashes."""
    pins: dict[str, Pin] = {}
    name = ""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("--hash="):
            pin = pins[name]
            pins[name] = Pin(pin.requirement, pin.hashes | {stripped.removeprefix("--hash=").rstrip(" \\")})
        elif entry := _ENTRY.match(line):
            requirement = Requirement(entry["pin"])
            name = canonicalize_name(requirement.name)
            pins[name] = Pin(requirement, pins[name].hashes if name in pins else frozenset())
    return pins


def lock_faults(name: str, text: str) -> Iterator[str]:
    """Yields what is wrong with one lock by itself."""
    if "://" in text:
        yield f"{name}: names an address"
    pins = parse_lock(text)
    if not pins:
        yield f"{name}: holds no package"
    for package, pin in pins.items():
        if not str(pin.requirement.specifier).startswith("=="):
            yield f"{name}: {package} is not pinned"
        if not pin.hashes or not all(digest.startswith("sha256:") for digest in pin.hashes):
            yield f"{name}: {package} has no sha256 hash"


def missing(name: str, declared: list[str], pins: Mapping[str, Pin]) -> Iterator[str]:
    """Yields each declared requirement that the lock does not fulfil."""
    for requirement in map(Requirement, declared):
        pin = pins.get(canonicalize_name(requirement.name))
        if pin is None or not requirement.specifier.contains(pin.version, prereleases=True):
            yield f"{name}: does not fulfil {requirement} (run `make lock`)"


def apart(name: str, part: Mapping[str, Pin], whole: Mapping[str, Pin]) -> Iterator[str]:
    """Yields each package of a lock that the development lock has otherwise or not at all."""
    for package, pin in part.items():
        other = whole.get(package)
        if other is None or (other.version, other.hashes) != (pin.version, pin.hashes):
            yield f"{name}: {package} differs from requirements-dev.txt (run `make lock`)"


def complaints() -> Iterator[str]:
    """Yields everything that is wrong with the locks of this repository."""
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in LOCKS}
    for name, text in texts.items():
        yield from lock_faults(name, text)
    run, build, dev = (parse_lock(text) for text in texts.values())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    direct = project["project"]["dependencies"]
    groups = project["dependency-groups"]
    yield from missing("requirements.txt", direct, run)
    yield from missing("requirements-build.txt", [*project["build-system"]["requires"], *groups["build"]], build)
    yield from missing("requirements-dev.txt", [entry for entry in groups["dev"] if isinstance(entry, str)], dev)
    yield from apart("requirements.txt", run, dev)
    yield from apart("requirements-build.txt", build, dev)
    if len(direct) > DIRECT_MOST:
        yield f"pyproject.toml: {len(direct)} direct dependencies, at most {DIRECT_MOST}"


def main() -> int:
    """Reads the three locks; gives the exit status."""
    return report(list(complaints()))


if __name__ == "__main__":
    sys.exit(main())
