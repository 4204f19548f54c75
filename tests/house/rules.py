"""What must not stand in the source, by syntax tree: a rule takes a module and yields the line and the fault."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping

from tests.house.source import PURE, Module, docstrings, dotted, imports

Rule = Callable[[Module], Iterator[tuple[int, str]]]

# Whoever may choose these strings or bytes may run code.
_CODE_BUILTINS = {"__import__", "compile", "eval", "exec"}
_CODE_MODULES = {
    "code",
    "codeop",
    "ctypes",
    "dill",
    "jsonpickle",
    "marshal",
    "pickle",
    "pty",
    "runpy",
    "shelve",
    "subprocess",
}
_CODE_CALLS = re.compile(
    r"os\.(system|popen|posix_spawnp?|fork|forkpty|(exec|spawn)[lv]p?e?)"
    r"|(\w+\.)*create_subprocess_(exec|shell)"
    r"|(\w+\.)*subprocess_(exec|shell)"
    r"|yaml\.(unsafe_|full_)?load(_all)?"
    r"|jinja2\.(Environment|Template)"
)
_SQL_CALLS = {"DDL", "exec_driver_sql", "execute", "executemany", "executescript", "literal_column", "text"}

_CLOCK_CALLS = re.compile(r"(datetime\.)?(datetime|date)\.(now|utcnow|today)")
_WORLD_BUILTINS = {"breakpoint", "input", "open", "print"}
_WORLD_MODULES = ("urllib.request", "urllib.error", "email.utils.make_msgid", "email.utils.localtime")

_EMPTY_WORDS = {"helper", "helpers", "manager", "util", "utils"}
_EMPTY_NOUNS = _EMPTY_WORDS | {
    "base",
    "data",
    "info",
}  # of classes and modules; a function may decode an SSE `data` line
_EMPTY_ALLOWED = {
    "ProviderManager",  # the first edition's names, part of the contract
    "initialize_provider_manager",
    "manager",
    "provider_manager",
    "base",  # providers/base.py, named by the house
}


def no_callers_code(module: Module) -> Iterator[tuple[int, str]]:
    """No way for data to become code: no eval and its kin, no pickles, no processes, no import by a computed name."""
    for line, name in imports(module.tree):
        if name.partition(".")[0] in _CODE_MODULES or _CODE_CALLS.fullmatch(name):
            yield line, f"imports {name}"
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        if name in _CODE_BUILTINS or _CODE_CALLS.fullmatch(name):
            yield node.lineno, f"calls {name}"
        elif name.endswith("import_module") and not (node.args and _is_fixed(node.args[0])):
            yield node.lineno, "imports by a computed name"


def _is_fixed(node: ast.expr) -> bool:
    # A word, or a place in a table of the module's own.
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Subscript) and dotted(node.value).isupper())


def no_built_sql(module: Module) -> Iterator[tuple[int, str]]:
    """No statement is put together from strings: values are bound."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and node.args and _is_built(node.args[0]):
            name = dotted(node.func)
            if name.rpartition(".")[2] in _SQL_CALLS:
                yield node.lineno, f"{name} with a built string"


def _is_built(node: ast.expr) -> bool:
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(value, ast.FormattedValue) for value in node.values)
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add | ast.Mod) and any(
            isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, str))
            for side in (node.left, node.right)
        )
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format"


def pure_half_is_pure(module: Module) -> Iterator[tuple[int, str]]:
    """Core, policy, providers and dialects ask no clock and touch no file (import-linter holds what they import)."""
    if module.top not in PURE:
        return
    for line, name in imports(module.tree):
        if name.startswith(_WORLD_MODULES):
            yield line, f"imports {name}"
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        if name in _WORLD_BUILTINS or _CLOCK_CALLS.fullmatch(name):
            yield node.lineno, f"calls {name}"


def only_settings_reads_the_environment(module: Module) -> Iterator[tuple[int, str]]:
    """The process's environment is read in `settings` alone."""
    if module.top == "settings":
        return
    reads = {"os.environ", "os.environb", "os.getenv", "os.getenvb"}
    yield from ((line, f"imports {name}") for line, name in imports(module.tree) if name in reads)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and dotted(node) in reads:
            yield node.lineno, f"reads {dotted(node)}"


def no_empty_names(module: Module) -> Iterator[tuple[int, str]]:
    """No module, class or function is called after nothing: manager, helper, base, utils, data, info."""
    stem = module.path.rpartition("/")[2].removesuffix(".py")
    defined = [(1, stem, _EMPTY_NOUNS)]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef):
            defined.append((node.lineno, node.name, _EMPTY_NOUNS))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            defined.append((node.lineno, node.name, _EMPTY_WORDS))
    for line, name, empty in defined:
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")
        if name not in _EMPTY_ALLOWED and empty & set(words):
            yield line, f"the name {name}"


def ignores_give_reasons(module: Module) -> Iterator[tuple[int, str]]:
    """Whoever silences a check names its code and says why, on the same line."""
    silencer = re.compile(
        r"#\s*(noqa(?::\s*[A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*)?|type:\s*ignore(?:\[[\w,\s-]+\])?)(?P<reason>.*)"
    )
    for number, line in enumerate(module.text.splitlines(), start=1):
        if (found := silencer.search(line)) and not re.search(r"[a-z]{2,}", found["reason"]):
            yield number, f"no reason after {found[1]}"


RULES: Mapping[str, Rule] = {
    rule.__name__: rule
    for rule in (
        no_callers_code,
        no_built_sql,
        pure_half_is_pure,
        only_settings_reads_the_environment,
        no_empty_names,
        ignores_give_reasons,
    )
}


# ---- rules that need to know the providers, or all modules

_KNOW_PROVIDERS = {"catalog", "manager", "settings", "simulator"}
_SHARED_BY_PROVIDERS = {
    "base", "claude", "context", "form", "headers", "names", "openai", "picture", "schema", "sse", "table",
}  # fmt: skip


def names_a_provider(module: Module, providers: frozenset[str], dialects: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Yields each place that treats one provider apart: its name in a branch, or as a word or model id anywhere.

    A dialect may carry a vendor's name (`openai`), so such a word alone is only a fault in a branch.
    """
    stem = module.parts[-1] if module.parts else ""
    at_home = module.top == "providers" and (stem == "table" or stem.partition("_")[0] in providers)
    if at_home or module.top in _KNOW_PROVIDERS or (module.top == "dialects" and stem in dialects):
        return
    told = {id(node) for node in docstrings(module.tree)}
    branches = {id(node) for branch in _branches(module.tree) for node in ast.walk(branch)}
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in told:
            continue
        word, slash, _ = node.value.partition("/")
        if word in providers and (slash or word not in dialects or id(node) in branches):
            yield node.lineno, f"the provider's name {node.value!r}"


def _branches(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If | ast.IfExp | ast.While | ast.Assert):
            yield node.test
        elif isinstance(node, ast.Compare | ast.match_case):
            yield node.pattern if isinstance(node, ast.match_case) else node


def knows_another_provider(module: Module) -> Iterator[tuple[int, str]]:
    """Yields each import of another provider's file; the wire and the models that many share, and tools, are free."""
    if module.top != "providers" or module.parts[-1:] == ("table",):
        return
    own = module.parts[-1].partition("_")[0]
    for line, name in imports(module.tree):
        parts = name.split(".")
        other = parts[2].partition("_")[0] if parts[:2] == ["oneflow_ai", "providers"] and parts[2:] else own
        if other not in _SHARED_BY_PROVIDERS | {own}:
            yield line, f"imports {name}"
