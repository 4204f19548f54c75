"""Each rule finds the fault it is there for, and lets its neighbour pass."""

import pytest

from tests.house.rules import RULES, knows_another_provider, names_a_provider
from tests.house.source import module

FAULTY = [
    ("no_callers_code", "eval(text)"),
    ("no_callers_code", "compile(text, 'a', 'exec')"),
    ("no_callers_code", "import pickle"),
    ("no_callers_code", "from marshal import loads"),
    ("no_callers_code", "import subprocess"),
    ("no_callers_code", "from os import system"),
    ("no_callers_code", "os.execvp(a, b)"),
    ("no_callers_code", "await asyncio.create_subprocess_shell(a)"),
    ("no_callers_code", "yaml.load(text)"),
    ("no_callers_code", "jinja2.Environment()"),
    ("no_callers_code", "importlib.import_module(name)"),
    ("no_callers_code", "importlib.import_module(places[name])"),
    ("no_callers_code", "import ctypes.util"),
    ("no_built_sql", "connection.execute(text(f'SELECT * FROM {table}'))"),
    ("no_built_sql", "connection.execute('SELECT ' + column)"),
    ("no_built_sql", "connection.execute('SELECT %s' % column)"),
    ("no_built_sql", "sqlalchemy.text('SELECT {}'.format(column))"),
    ("pure_half_is_pure", "datetime.now(UTC)"),
    ("pure_half_is_pure", "datetime.datetime.utcnow()"),
    ("pure_half_is_pure", "open(path)"),
    ("pure_half_is_pure", "import urllib.request"),
    ("pure_half_is_pure", "from urllib.request import urlopen"),
    ("only_settings_reads_the_environment", "os.environ['HOME']"),
    ("only_settings_reads_the_environment", "os.getenv('HOME')"),
    ("only_settings_reads_the_environment", "from os import environ"),
    ("no_empty_names", "class KeyManager: pass"),
    ("no_empty_names", "class BaseStore: pass"),
    ("no_empty_names", "class RequestData: pass"),
    ("no_empty_names", "def parse_helper(): pass"),
    ("ignores_give_reasons", "a = b  # noqa: S101"),
    ("ignores_give_reasons", "a = b  # type: ignore[arg-type]"),
    ("ignores_give_reasons", "a = b  # noqa"),
]

SOUND = [
    ("no_callers_code", "re.compile(text)"),
    ("no_callers_code", "from oneflow_ai.policy import compile"),
    ("no_callers_code", "importlib.import_module('oneflow_ai.cli')"),
    ("no_callers_code", "importlib.import_module(_PLACES[name])"),
    ("no_callers_code", "yaml.safe_load(text)"),
    ("no_built_sql", "connection.execute(text('SELECT :a'), {'a': value})"),
    ("no_built_sql", "connection.execute(select(table))"),
    ("no_built_sql", "connection.execute(start + end)"),
    ("pure_half_is_pure", "datetime(2026, 1, 1, tzinfo=UTC)"),
    ("pure_half_is_pure", "from urllib.parse import urlsplit"),
    ("only_settings_reads_the_environment", "environment['HOME']"),
    ("no_empty_names", "class ProviderManager: pass"),
    ("no_empty_names", "class Database: pass"),
    ("no_empty_names", "def data_received(): pass"),
    ("ignores_give_reasons", "a = b  # noqa: S101 - a bug otherwise"),
    ("ignores_give_reasons", "a = b  # type: ignore[arg-type]  # the stub is wrong"),
]


def found(rule: str, text: str) -> list[int]:
    return [line for line, _ in RULES[rule](module(text, "src/oneflow_ai/policy/sample.py"))]


@pytest.mark.parametrize(("rule", "text"), FAULTY)
def test_the_rule_finds(rule: str, text: str) -> None:
    assert set(found(rule, text)) == {1}


@pytest.mark.parametrize(("rule", "text"), SOUND)
def test_the_rule_lets_pass(rule: str, text: str) -> None:
    assert found(rule, text) == []


def test_only_the_pure_half_must_be_pure() -> None:
    assert list(RULES["pure_half_is_pure"](module("open(path)", "src/oneflow_ai/stores/sqlite.py"))) == []


def test_settings_may_read_the_environment() -> None:
    sample = module("os.environ['HOME']", "src/oneflow_ai/settings.py")
    assert list(RULES["only_settings_reads_the_environment"](sample)) == []


@pytest.mark.parametrize(
    ("path", "text", "faults"),
    [
        ("flow/attempt.py", "if name == 'openai': pass", 1),
        ("flow/attempt.py", "if name in ('groq', 'azure'): pass", 2),
        ("flow/attempt.py", "match name:\n    case 'groq': pass", 1),
        ("flow/attempt.py", "wanted = 'groq'", 1),
        ("flow/attempt.py", "wanted = 'openai/gpt-6'", 1),
        ("flow/attempt.py", "dialect = 'openai'", 0),
        ("flow/attempt.py", "'''groq'''\nwanted = 'other'", 0),
        ("providers/groq.py", "if name == 'groq': pass", 0),
        ("providers/groq_stream.py", "wanted = 'groq'", 0),
        ("providers/sse.py", "wanted = 'groq'", 1),
        ("providers/table.py", "wanted = 'groq'", 0),
        ("simulator/wire.py", "wanted = 'groq'", 0),
        ("dialects/openai.py", "wanted = 'groq'", 0),
    ],
)
def test_a_providers_name_stays_at_home(path: str, text: str, faults: int) -> None:
    sample = module(text, f"src/oneflow_ai/{path}")
    named = names_a_provider(sample, frozenset({"openai", "groq", "azure"}), frozenset({"openai"}))
    assert len(list(named)) == faults


@pytest.mark.parametrize(
    ("path", "text", "faults"),
    [
        ("providers/groq.py", "from oneflow_ai.providers.mistral import Adapter", 1),
        ("providers/groq.py", "from oneflow_ai.providers import mistral", 1),
        ("providers/groq.py", "from oneflow_ai.providers.groq_stream import Decoder", 0),
        ("providers/groq.py", "from oneflow_ai.providers.openai_stream import Decoder", 0),
        ("providers/groq.py", "from oneflow_ai.providers import sse", 0),
        ("providers/table.py", "from oneflow_ai.providers.mistral import Adapter", 0),
    ],
)
def test_a_provider_knows_only_the_wire_that_many_share(path: str, text: str, faults: int) -> None:
    assert len(list(knows_another_provider(module(text, f"src/oneflow_ai/{path}")))) == faults
