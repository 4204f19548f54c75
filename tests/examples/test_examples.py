"""Every example runs as it stands: as a program of its own, every provider being at the simulator with a dummy key."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from oneflow_ai.simulator import FAST, SimulatorOptions, ThreadedSimulator, run_in_thread
from tests.manager.world import key_of, variables

FOLDER = Path(__file__).resolve().parents[2] / "examples"
SECONDS_MOST = 60
# What each prints, as a pattern.
PRINTS = {
    "quick_start": r'This is a simulated answer to "Write a haiku about AI".*\nopenai/gpt-6-luna: \$0\.0\d+',
    "managed_providers": r"text by openai, tried openai: .*image by .*lighthouse\.png.*speech by .*best for text: o",
    "production_setup": r"ada: success\nada: success\ngrace: success\nada has cost \$0\.\d+ of .*What is a linker",
    "batch_with_tqdm": r"20 of 20 answered for \$0\.\d+",
    "compare_providers": r"gpt: This is .*claude: This is ",
    "main_integration": r"gpt: .*credits left\nclaude: .*image: \d+ bytes.*audio: \d+ bytes.*spent \$0\.\d+",
    "web_server": "",
    "cached_answers": r"4 questions, 2 calls",
    "cheap_model": r"gpt-6-luna: \$.*claude-sonnet-5-5: \$",
    "rate_limited_loop": r"100 of 100 answered in ",
    "dashboard": r"round 3: 6 requests, 100\.0% of them answered\n  openai +available +3 +100\.0%",
    "alerts": r"ALERT: calls have cost \$0\.\d+",
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[ThreadedSimulator]:
    with run_in_thread(SimulatorOptions(pace=FAST)) as simulator:
        yield simulator


@pytest.fixture
def environment(tmp_path: Path, simulator: ThreadedSimulator) -> dict[str, str]:
    """All that an example knows of the world."""
    kept = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PYTHONWARNINGS": "error"}
    return {**kept, **variables(tmp_path / "home", simulator)}


def test_every_example_is_run_here() -> None:
    assert {file.stem for file in FOLDER.glob("*.py")} == set(PRINTS)


@pytest.mark.parametrize("name", sorted(set(PRINTS) - {"web_server"}))
def test_an_example_does_what_it_says(name: str, tmp_path: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_MOST,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(PRINTS[name], done.stdout, re.DOTALL), done.stdout
    if name != "batch_with_tqdm":
        assert done.stderr == ""
    assert key_of("openai") not in done.stdout + done.stderr


def test_the_web_server_answers(tmp_path: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, str(FOLDER / "web_server.py"), "0"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            with urlopen(address, timeout=SECONDS_MOST) as reply:  # noqa: S310 - the address that the example printed
                result = json.load(reply)
            with urlopen(address.partition("/ask")[0] + "/status", timeout=SECONDS_MOST) as reply:  # noqa: S310 - as above
                summary = json.load(reply)
        finally:
            server.kill()
    assert (result["status"], result["provider_name"], result["simulated"]) == ("success", "openai", False)
    assert summary["total_requests"] == 1
