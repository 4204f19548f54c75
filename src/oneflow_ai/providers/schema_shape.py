"""What a schema that a wire takes looks like as a whole: how deep it is, where it leads, how much it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

DEFINED = ("$defs", "definitions")


def levels(part: Any, level: int = 0) -> int:
    """How deep objects are nested in a part, but for what it defines for others."""
    if isinstance(part, list):
        return max((levels(each, level) for each in part), default=level)
    if not isinstance(part, dict):
        return level
    level += "properties" in part
    return max((levels(each, level) for name, each in part.items() if name not in DEFINED), default=level)


def leads_back(schema: Mapping[str, Any]) -> bool:
    """Whether a schema, whose references lead to the whole or to what it defines, comes back to where it began."""
    leads = {
        f"#/{name}/{key}": set(_references(part)) for name in DEFINED for key, part in schema.get(name, {}).items()
    }
    leads["#"] = {each for name, part in schema.items() if name not in DEFINED for each in _references({name: part})}
    clear: set[str] = set()
    for start in leads:
        # Each place is left but once: what can be reached from a place that is clear is clear too.
        path, ahead = [start], [iter(leads[start] - clear)]
        while ahead:
            reached = next(ahead[-1], None)
            if reached is None:
                ahead.pop()
                clear.add(path.pop())
            elif reached in path:
                return True
            elif reached not in clear:
                path.append(reached)
                ahead.append(iter(leads.get(reached, set()) - clear))
    return False


def spent(part: Any) -> tuple[int, int]:
    """How many properties may be missing, and how many things may be of several types."""
    if isinstance(part, list):
        found = [spent(each) for each in part]
    elif isinstance(part, dict):
        found = [spent(each) for each in part.values()]
        properties = part.get("properties")
        if isinstance(properties, dict) and isinstance(part.get("additionalProperties"), bool):
            found.append((len(properties.keys() - set(part.get("required") or ())), 0))
        found.append((0, int("anyOf" in part or isinstance(part.get("type"), list))))
    else:
        return 0, 0
    return sum(optional for optional, _ in found), sum(unions for _, unions in found)


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        for name, each in part.items():
            if name == "$ref" and isinstance(each, str):
                yield each
            else:
                yield from _references(each)
    elif isinstance(part, list):
        for each in part:
            yield from _references(each)
