"""The house rules that a machine can hold over the source: sizes, directions, words, and what must be written down."""

import graphlib
from collections.abc import Callable, Iterator

import grimp
import pytest

from tests.house import documented, measures, ratchets, rules
from tests.house.source import PACKAGE, PURE, Module, modules

FOLDERS = (f"src/{PACKAGE}", "tests", "tools", "benchmarks")
EVERYWHERE = [module for folder in FOLDERS for module in modules(folder)]
SOURCE = modules()

MEASURES = {
    "lines": (measures.module_lengths, ratchets.MODULE_LINES_MOST, EVERYWHERE),
    "lines of code in a body": (measures.function_lengths, ratchets.FUNCTION_LINES_MOST, EVERYWHERE),
    "silenced limits": (measures.silenced, ratchets.SILENCED_MOST, EVERYWHERE),
}

# Finer than the layers of pyproject.toml: who may import a module, and what a module may import.
ONLY_IMPORTED_BY = {
    "settings": {"", "__main__", "app", "cli", "client", "control", "manager", "server"},
    "testing": {"simulator"},
}
ONLY_IMPORTS = {"catalog": {"core", "policy"}, "settings": {"core", "policy"}, "testing": {"core"}}


@pytest.mark.parametrize("measure", MEASURES)
def test_no_place_is_over_its_number(measure: str) -> None:
    measured: Callable[[Module], Iterator[tuple[str, int]]]
    measured, most, where = MEASURES[measure]
    numbers = dict(pair for module in where for pair in measured(module))
    assert ratchets.over(measure, most, numbers) == []


def test_every_entry_is_of_a_measure_that_is_taken() -> None:
    assert {entry.measure for entry in ratchets.ENTRIES} <= MEASURES.keys()


def test_mocks_are_rare_and_unknown_to_the_pure_half() -> None:
    tested = modules("tests")
    pure = [module for module in tested if module.parts[1:2] and module.parts[1] in PURE]
    number = sum(map(measures.tests, tested))
    assert sum(map(measures.mocks, pure)) == 0
    assert sum(map(measures.mocks, tested)) * 100 < ratchets.MOCKS_PER_100_TESTS_MOST * number


@pytest.mark.parametrize("rule", rules.RULES)
def test_the_source_keeps_the_rule(rule: str) -> None:
    faults = [f"{module.path}:{line}: {fault}" for module in SOURCE for line, fault in rules.RULES[rule](module)]
    assert faults == []


def provider_names() -> frozenset[str]:
    table = pytest.importorskip(f"{PACKAGE}.providers.table")
    return frozenset(table.TABLE)


def test_a_provider_is_named_only_in_its_own_file_and_the_table() -> None:
    dialects = frozenset(module.parts[-1] for module in SOURCE if module.top == "dialects")
    named = [
        f"{module.path}:{line}: {fault}"
        for module in SOURCE
        for line, fault in rules.names_a_provider(module, provider_names(), dialects)
    ]
    assert named == []


def test_providers_do_not_know_each_other() -> None:
    faults = [
        f"{module.path}:{line}: {fault}" for module in SOURCE for line, fault in rules.knows_another_provider(module)
    ]
    assert faults == []


def imported(**options: bool) -> dict[str, set[str]]:
    """Gives each module of the package and those that it imports."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None, **options)
    return {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    """All imports, those for type checking too: to know a type is to know its module."""
    return imported()


def top(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def test_no_import_goes_in_a_circle() -> None:
    # Two types of `core` may name each other for the type checker; when the program runs there is no circle.
    graphlib.TopologicalSorter(imported(exclude_type_checking_imports=True)).prepare()


def test_some_modules_are_imported_only_by_some(graph: dict[str, set[str]]) -> None:
    faults = [
        f"{name} imports {other}"
        for name, others in graph.items()
        for other in others
        if top(other) in ONLY_IMPORTED_BY and top(name) not in ONLY_IMPORTED_BY[top(other)] | {top(other)}
    ]
    assert faults == []


def test_some_modules_import_only_some(graph: dict[str, set[str]]) -> None:
    faults = [
        f"{name} imports {other}"
        for name, others in graph.items()
        for other in others
        if top(name) in ONLY_IMPORTS and top(other) not in ONLY_IMPORTS[top(name)] | {top(name)}
    ]
    assert faults == []


PRESENT = [sort for sort in documented.SORTS if any("/".join(module.parts) == sort.module for module in SOURCE)]


@pytest.mark.parametrize("sort", PRESENT, ids=lambda sort: sort.what)
def test_every_name_a_user_meets_is_documented(sort: documented.Documented) -> None:
    names = set(sort.names())
    assert names, f"found no {sort.what} to look for"
    assert documented.undocumented(names, documented.documentation()) == []
