"""Checks of single request fields: type and range, as a table of field to check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from oneflow_ai.core.chain import CHAIN_FIELDS
from oneflow_ai.core.failure import FORBIDDEN_PARAMETER, INVALID_TYPE, INVALID_VALUE, Failure

Check = Callable[[str, Any], None]
FORBIDDEN = ("api_base", "base_url", "api_key", "custom_llm_provider", "extra_headers", "custom_host")
"""Fields that no client sets."""
_OURS = ("model", *CHAIN_FIELDS, "user", "metadata")
TOKENS_MOST = (1 << 31) - 1


def number(least: float, most: float) -> Check:
    """A check for a number of JSON (no bool) from `least` to `most`."""

    def check(name: str, value: Any) -> None:
        if type(value) is not float and type(value) is not int:
            raise Failure(INVALID_TYPE, f"{name} is a number", param=name)
        if not least <= value <= most:
            raise Failure(INVALID_VALUE, f"{name} is from {least:g} to {most:g}", param=name)

    return check


def integer(least: int, most: int) -> Check:
    """A check for an integer from `least` to `most`."""

    def check(name: str, value: Any) -> None:
        if type(value) is not int:
            kind = INVALID_VALUE if type(value) is float else INVALID_TYPE
            raise Failure(kind, f"{name} is an integer", param=name)
        if not least <= value <= most:
            raise Failure(INVALID_VALUE, f"{name} is from {least} to {most}", param=name)

    return check


def of_type(words: str, *types: type) -> Check:
    """A check for one of the JSON types; `words` names them."""

    def check(name: str, value: Any) -> None:
        if type(value) not in types:
            raise Failure(INVALID_TYPE, f"{name} is {words}", param=name)

    return check


def one_of(*words: str) -> Check:
    """A check for one of these words."""

    def check(name: str, value: Any) -> None:
        if value not in words:
            raise Failure(INVALID_VALUE, f"{name} is one of {', '.join(words)}", param=name)

    return check


def forbidden(name: str, value: Any) -> None:
    """Refuses a field that would choose where or as whom the gateway connects (CVE-2024-6587 and its kind)."""
    del value
    raise Failure(FORBIDDEN_PARAMETER, f"{name} is set by the gateway's operator only", param=name)


def run(checks: Mapping[str, Check], body: Mapping[str, Any]) -> None:
    """Apply the table to the fields that the body has; null means absent."""
    for name, value in body.items():
        if value is not None and (check := checks.get(name)) is not None:
            check(name, value)


def unknown(body: Mapping[str, Any], *tables: Mapping[str, Check]) -> tuple[str, ...]:
    """The fields of a body that no table names: only the provider whose wire this is may know what they mean."""
    known = {name for table in tables for name in table}
    found = (name for name, value in body.items() if value is not None)
    return tuple(name for name in found if name not in _OURS and name.partition("[")[0] not in known)
