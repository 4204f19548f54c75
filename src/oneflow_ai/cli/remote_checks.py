"""Has a running server ask its providers whether they answer, over its control routes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from oneflow_ai.answer import OneFlowError
from oneflow_ai.cli.failures import Refused
from oneflow_ai.cli.remote import Remote
from oneflow_ai.core.failure import INVALID_VALUE, RATE_LIMIT_EXCEEDED

# Nothing is wrong with these: the kind has no free call, or the last check was a moment ago.
_NOT_CHECKED = (INVALID_VALUE.code, RATE_LIMIT_EXCEEDED.code)


async def remote_checks(remote: Remote, name: str | None) -> list[dict[str, Any]]:
    """What each provider of a server, or the named one, answers to its free call, a row for each key.

    Raises `Refused`, and `OneFlowError` for a named provider that the server does not check.
    """
    if name is not None:
        return await _checked(remote, name)
    names = await _configured(remote)
    answers = await asyncio.gather(*(_checked(remote, one) for one in names), return_exceptions=True)
    rows: list[dict[str, Any]] = []
    for one, answer in zip(names, answers, strict=True):
        if isinstance(answer, OneFlowError):
            rows.append(unchecked(one, answer.code, answer.message, failed=answer.code not in _NOT_CHECKED))
        elif isinstance(answer, BaseException):
            raise answer
        else:
            rows += answer
    return rows


async def _configured(remote: Remote) -> Sequence[str]:
    found = await remote.get("/api/providers")
    names = [str(row["name"]) for row in found["providers"] if row["configured"]]
    if not names:
        raise Refused(f"oneflow providers check: no provider of {remote.url} has a key")
    return names


async def _checked(remote: Remote, name: str) -> list[dict[str, Any]]:
    found = await remote.post(f"/api/providers/{quote(name, safe='')}/check")
    return [{"provider": name, "simulated": found["simulated"], **each} for each in found["credentials"]]


def unchecked(name: str, code: str, message: str, *, failed: bool) -> dict[str, Any]:
    """The row of a provider that was not asked; `failed` says whether that is a fault."""
    return {
        "provider": name,
        "simulated": False,
        "credential": name,
        "ok": False if failed else None,
        "status": None,
        "code": code,
        "message": message,
        "models": None,
        "account": None,
        "seconds": 0.0,
    }
