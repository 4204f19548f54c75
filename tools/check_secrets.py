"""Looks in every tracked file for secrets of known shapes; `pragma: allowlist secret` on a line marks a made-up one.

Run as `python -m tools.check_secrets`. Detectors that guess by randomness or by variable name are left out: golden
files and hashes are full of what they take for secrets.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from detect_secrets.core.scan import scan_file
from detect_secrets.settings import default_settings

from tools.tracked import ROOT, numbered_lines, report, tracked_files

GUESSING = ("Base64HighEntropyString", "HexHighEntropyString", "IPPublicDetector", "KeywordDetector")
ALLOWED = "pragma: allowlist secret"

# Shapes that detect-secrets lacks, from the providers' own keys, checked 2026-11-24.
SHAPES = {
    "Anthropic key": re.compile(r"\bsk-ant-[a-z]+\d\d-[\w-]{80,}"),
    "ElevenLabs key": re.compile(r"\bsk_[0-9a-f]{48}\b"),
    "Google key": re.compile(r"\bAIza[\w-]{35}\b"),
    "Groq key": re.compile(r"\bgsk_[A-Za-z0-9]{52}\b"),
    "OneFlow key": re.compile(r"\bof_[A-Za-z0-9]{49}\b"),
    "OpenAI key": re.compile(r"\bsk-(?:proj|svcacct|admin)-[\w-]{60,}"),
}


def own_shapes(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[str]:
    """Yields `path:line: what` for each key of our own list of shapes."""
    for number, line in lines:
        for what, shape in SHAPES.items():
            if ALLOWED not in line and shape.search(line):
                yield f"{path}:{number}: {what}"


def known_shapes(paths: Iterable[Path]) -> Iterator[str]:
    """Yields `path:line: what` for each secret that detect-secrets knows."""
    with default_settings() as settings:
        settings.disable_plugins(*GUESSING)
        for path in paths:
            for secret in scan_file(str(ROOT / path)):
                yield f"{path}:{secret.line_number}: {secret.type}"


def main() -> int:
    """Reads every tracked file; gives the exit status."""
    paths = tracked_files()
    own = [complaint for path in paths for complaint in own_shapes(path, numbered_lines(path))]
    return report([*own, *known_shapes(paths)])


if __name__ == "__main__":
    sys.exit(main())
