"""Golden exchanges: files of a wire's answers, each with the events or the failure that it stands for."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from oneflow_ai.core.events import Delta, Usage
from oneflow_ai.core.failure import Failure

HERE = Path(__file__).parent


def golden(wire: str, *kinds: str) -> list[Any]:
    """A wire's golden files of these kinds, each under its own name."""
    found = [(path.stem, json.loads(path.read_text("utf-8"))) for path in files(wire)]
    return [pytest.param(file, id=name) for name, file in found if file["kind"] in kinds]


def files(wire: str) -> list[Path]:
    """All golden files of a wire."""
    return sorted((HERE / wire).glob("*.json"))


def body_of(file: dict[str, Any]) -> bytes:
    """The answer's bytes; `encoding` latin-1 is for those that are no UTF-8."""
    return "".join(file["response"]["body"]).encode(file.get("encoding", "utf-8"))


def assert_failure(
    file: dict[str, Any], failure_of: Callable[[int, Mapping[str, str], bytes], Failure], body: bytes | None = None
) -> None:
    """That an unsuccessful answer gives the failure which its file expects."""
    answer = file["response"]
    failure = failure_of(answer["status"], answer["headers"], body_of(file) if body is None else body)
    shown = {name: getattr(failure, name) for name in file["expected"] if name != "kind"}
    assert {"kind": failure.kind.code, **shown} == file["expected"]


def wanted(file: dict[str, Any], *, raw: bool) -> dict[str, Any]:
    """The events that a file of a wire with named events expects, of the raw or of the middle form."""
    expected = file["expected"]
    end = expected["end"]
    return {
        "raw": "".join(expected["raw"]).encode() if raw else b"",
        "content_events": expected["content_events"] if raw else 0,
        "deltas": [] if raw else [Delta(*delta) for delta in expected["deltas"]],
        "vectors": [],
        "usage": None if expected["usage"] is None else Usage(**expected["usage"]),
        "end": {
            **end,
            "reason": end["reason"]["raw" if raw else "middle"],
            "chunk": end["chunk"] if raw else None,
        },
    }
