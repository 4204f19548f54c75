"""What stands in the query of an address of ElevenLabs': read, checked, and handed on to a provider of that wire."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from oneflow_ai.core.failure import INVALID_TYPE, INVALID_VALUE, TOO_MANY_ITEMS, Failure
from oneflow_ai.dialects import checks

PAIRS_MOST = 128
VALUE_CHARACTERS_MOST = 1_024
Pairs = tuple[tuple[str, str], ...]
# What says as whom one calls is never handed on.
_NEVER = frozenset({"token", "single_use_token", "authorization", "xi-api-key", "xi_api_key", "api_key"})


def read(query: bytes) -> Pairs:
    """The pairs that may be handed on, in their order; raises `Failure` for what is none."""
    if not query:
        return ()
    try:
        pairs = parse_qsl(
            query.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=PAIRS_MOST, errors="strict"
        )
    except UnicodeDecodeError:
        raise Failure(INVALID_VALUE, "the address's query is not valid UTF-8") from None
    except ValueError:
        raise Failure(TOO_MANY_ITEMS, f"the address's query has at most {PAIRS_MOST} fields") from None
    for name, value in pairs:
        if len(name) + len(value) > VALUE_CHARACTERS_MOST or not (name + value).isprintable():
            raise Failure(INVALID_VALUE, f"a field of the query has at most {VALUE_CHARACTERS_MOST} characters")
    return tuple(pair for pair in pairs if pair[0].lower() not in _NEVER)


def checked(pairs: Pairs, table: Mapping[str, checks.Check]) -> dict[str, str]:
    """The fields of a table, each once, checked; raises `Failure`."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in table:
            if name in found:
                raise Failure(INVALID_TYPE, f"{name} is given twice", param=name)
            table[name](name, value)
            found[name] = value
    return found


LOGGING: Mapping[str, checks.Check] = {"enable_logging": checks.one_of("true", "false", "True", "False", "1", "0")}


def unlogged(fields: Mapping[str, str]) -> tuple[str, ...]:
    """The name of the field that forbids to keep anything, where it does: no other wire can promise that."""
    told = fields.get("enable_logging", "true").lower()
    return ("enable_logging",) if told in ("false", "0") else ()
