"""A process has as many files as it may have, and knows how many those are."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")

ASK = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 512))
from oneflow_ai.telemetry.files import open_files_most
print(open_files_most(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_a_low_limit_is_raised_as_far_as_it_may_be() -> None:
    told = subprocess.run([sys.executable, "-c", ASK], capture_output=True, check=True, text=True)
    assert told.stdout.split() == ["512", "512", "512"]
