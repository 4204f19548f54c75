"""On what a benchmark ran: processor, system, versions, day."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.gateways import nginx_path

LIBRARIES = ("oneflow-ai", "aiohttp", "httptools", "msgspec", "orjson", "uvicorn", "uvloop")


def machine() -> dict[str, str]:
    """What a figure needs beside it to mean anything, by name."""
    found = {
        "processor": _processor(),
        "cores": str(os.cpu_count() or 0),
        "system": platform.system(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    path = nginx_path()
    if path is not None:
        said = subprocess.run([path, "-v"], capture_output=True, text=True, check=False).stderr
        found["nginx"] = said.strip().rpartition("/")[2]
    found["day"] = datetime.now(UTC).date().isoformat()
    return found


def machine_line(found: dict[str, str]) -> str:
    """The same as a sentence."""
    where = f"{found['processor']}, {found['cores']} cores, {found['system']}, {found['python']}"
    versions = ", ".join(f"{name} {value}" for name, value in found.items() if name in (*LIBRARIES, "nginx"))
    return f"{where}; {versions}; {found['day']}."


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return name[1].strip() if name else platform.machine()
