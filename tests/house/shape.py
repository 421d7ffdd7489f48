"""What the house rules say about the shape of the code, read from its syntax trees. Never imports what it judges."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

LONGEST = 60
DOMAIN_WORDS = {"planta", "plantas", "linea", "lineas", "turno", "turnos", "unidad", "unidades"}
CONTAINERS = {
    "dict",
    "list",
    "set",
    "bytearray",
    "defaultdict",
    "OrderedDict",
    "Counter",
    "deque",
    "WeakValueDictionary",
}
MUTATIONS = {
    "add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft", "remove",
    "setdefault", "sort", "reverse", "update",
}  # fmt: skip
CACHES = {"cache", "lru_cache"}
STATEFUL = {
    "count",
    "cycle",
    "Lock",
    "RLock",
    "Event",
    "Condition",
    "Semaphore",
    "local",
    "ContextVar",
    "Queue",
    "Random",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef
Trees = Mapping[str, ast.Module]


def modules(package: Path) -> dict[str, ast.Module]:
    """Return the syntax tree of each module below `package` by its dotted name."""
    found = {}
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(file.read_text(), str(file))
    return found


def long_functions(trees: Trees) -> list[str]:
    """Return functions of more than 60 lines, from `def` to their end, docstring included."""
    return [
        f"{name}.{node.name}: {lines} lines"
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, Function) and (lines := (node.end_lineno or 0) - node.lineno + 1) > LONGEST
    ]


def import_cycle(trees: Trees) -> list[str]:
    """Return the modules of one import cycle, or nothing; imports inside functions do not count."""
    graph = {name: set(_imported(name, tree, trees)) - {name} for name, tree in trees.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def module_state(trees: Trees) -> list[str]:
    """Return where a module keeps state.

    That is `global`, a container of the module that its own code changes, an object made to change (a lock, a counter)
    and a cache on a function.
    """
    return [f"{name}: {what}" for name, tree in trees.items() for what in _state(tree)]


def missing_docstrings(trees: Trees) -> list[str]:
    """Return modules whose first line says nothing, and public functions and classes without a docstring."""
    missing = []
    for name, tree in trees.items():
        first = (ast.get_docstring(tree, clean=False) or "").split("\n")[0].strip()
        missing += [] if first else [name]
        missing += [
            f"{name}.{node.name}"
            for node in tree.body
            if isinstance(node, Definition) and not node.name.startswith("_") and not ast.get_docstring(node)
        ]
    return missing


def domain_identifiers(trees: Trees) -> list[str]:
    """Return identifiers with one of the users' words in them; `arrowflow.samples` is made of those words."""
    return [
        f"{name}: {identifier}"
        for name, tree in trees.items()
        if not name.startswith("arrowflow.samples")
        for identifier in [name, *_identifiers(tree)]
        if DOMAIN_WORDS & set(_words(identifier))
    ]


def _imported(importer: str, tree: ast.Module, known: Trees) -> Iterator[str]:
    for node in _outside_functions(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{importer} imports by dots; the house writes names in full"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield from (name for name in ([whole] if whole in known else [node.module]) if name in known)


def _outside_functions(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, Function | ast.Lambda):
            yield node
            yield from _outside_functions(node)


def _state(tree: ast.Module) -> Iterator[str]:
    containers = set(_module_containers(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield f"global {', '.join(node.names)}"
        elif (changed := _changed_name(node)) in containers:
            yield f"{changed} is changed in line {node.lineno}"
    for node in tree.body:
        if isinstance(node, Function) and {_maker(one) for one in node.decorator_list} & CACHES:
            yield f"{node.name} keeps a cache"
        elif isinstance(node, ast.Assign | ast.AnnAssign) and _maker(node.value) in STATEFUL:
            yield f"{_maker(node.value)} in line {node.lineno} is made to change"


def _module_containers(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and _is_container(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def _is_container(value: ast.expr | None) -> bool:
    literal = isinstance(value, ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp | ast.SetComp)
    return literal or _maker(value) in CONTAINERS


def _maker(value: ast.expr | None) -> str:
    """Return the last name of what is called, or of what stands there uncalled."""
    called = value.func if isinstance(value, ast.Call) else value
    return "" if called is None else _last_name(called)


def _changed_name(node: ast.AST) -> str | None:
    """Return the plain name that `node` changes in place, if it does."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        return _last_name(node.value)
    if isinstance(node, ast.AugAssign):
        return _last_name(node.target)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATIONS:
        return _last_name(node.func.value)
    return None


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _identifiers(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        for field in ("id", "attr", "arg", "name", "asname", "rest"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                yield value


def _words(identifier: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", identifier)]
