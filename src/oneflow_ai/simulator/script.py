"""Script files: lists of rules that say which requests meet which fault."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from oneflow_ai.simulator.faults.table import read
from oneflow_ai.simulator.options import Rule

RULES_MOST = 1_000


class ScriptError(ValueError):
    """A script that cannot be played; the text says what and where."""


class _Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rule: tuple[Rule, ...] = ()


def load_script(path: Path | str) -> tuple[Rule, ...]:
    """Give the rules of a TOML or JSON file, by its name's ending; raises `ScriptError`."""
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
        document = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise ScriptError(f"{file}: {error}") from error
    try:
        return script_rules(document)
    except ScriptError as error:
        raise ScriptError(f"{file}: {error}") from error


def script_rules(document: Any) -> tuple[Rule, ...]:
    """Give the rules of a decoded script, `{"rule": [{"fault": "F23", …}, …]}`; raises `ScriptError`."""
    try:
        rules = msgspec.convert(document, _Script).rule
    except msgspec.ValidationError as error:
        raise ScriptError(str(error)) from error
    if len(rules) > RULES_MOST:
        raise ScriptError(f"{len(rules)} rules, at most {RULES_MOST}")
    for number, rule in enumerate(rules):
        check_rule(rule, f"rule[{number}]")
    return rules


def check_rule(rule: Rule, where: str = "rule") -> Rule:
    """Give the rule back when it can be played; raises `ScriptError`."""
    try:
        read(rule.fault)
    except ValueError as error:
        raise ScriptError(f"{where}: {error}") from error
    if not 0 <= rule.probability <= 1:
        raise ScriptError(f"{where}: probability is {rule.probability}, must be from 0 to 1")
    return rule
