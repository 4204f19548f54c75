"""What is installed is what the repository holds: the wheel's files, its names, and the same bytes each time."""

import hashlib
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import oneflow_ai
from tools.tracked import ROOT, tracked_files

TOP_LEVEL = {"oneflow_ai", "enhanced_real_api.py", "provider_manager.py"}


def build(folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the tree as it stands."""
    return build(tmp_path_factory.mktemp("first"))


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return [name for name in archive.namelist() if ".dist-info/" not in name]


def test_the_wheel_holds_exactly_the_tracked_sources(wheel: Path) -> None:
    assert sorted(names(wheel)) == sorted(path.relative_to("src").as_posix() for path in tracked_files("src"))


def test_the_wheel_puts_only_our_names_beside_other_packages(wheel: Path) -> None:
    assert {name.partition("/")[0] for name in names(wheel)} <= TOP_LEVEL
    assert not [name for name in names(wheel) if name.endswith(".pth")]
    assert "oneflow_ai/py.typed" in names(wheel)


def test_the_wheel_carries_its_command_and_its_licence(wheel: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    described = f"oneflow_ai-{project['version']}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(f"{described}/entry_points.txt").decode().split() == [
            "[console_scripts]",
            "oneflow",
            "=",
            "oneflow_ai.cli:main",
        ]
        assert archive.read(f"{described}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()


def test_the_package_says_the_version_it_is_released_as() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert oneflow_ai.__version__ == project["version"]


def test_the_wheel_is_the_same_each_time(wheel: Path, tmp_path: Path) -> None:
    again = build(tmp_path)
    assert again.name == wheel.name
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(wheel.read_bytes()).digest()
