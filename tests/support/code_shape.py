"""The package as its source shows it: modules, what each imports or runs as a program, functions, classes."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "reconciler"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One file of the package. `path`: from the root of the repository."""

    name: str
    path: str
    tree: ast.Module

    @property
    def functions(self) -> Iterator[Function]:
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))


@cache
def modules() -> Mapping[str, Module]:
    """Every module of the package, by its dotted name."""
    found = (_module(path) for path in sorted((ROOT / PACKAGE).rglob("*.py")))
    return {module.name: module for module in found}


def _module(path: Path) -> Module:
    relative = path.relative_to(ROOT)
    dotted = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
    return Module(dotted, relative.as_posix(), ast.parse(path.read_text()))


@cache
def imported_at_once(name: str) -> frozenset[str]:
    """The modules of the package that are imported while this one is."""
    return frozenset(_imports(modules()[name], _run_on_import(modules()[name].tree.body)))


@cache
def reached_from(name: str) -> frozenset[str]:
    """The modules that this one imports anywhere, and those whose file it names as a string, to run it.

    What it imports from a package may come from a module of it, so that module counts, too.
    """
    module = modules()[name]
    nodes = list(ast.walk(module.tree))
    strings = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    run = {other.name for other in modules().values() if other.path.rpartition("/")[2] in strings}
    found = _imports(module, nodes) | run
    packages = [other for other in found if modules()[other].path.endswith("__init__.py")]
    return frozenset(found.union(*map(reached_from, packages)) - {name})


def _run_on_import(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements at the top of a module, and within its conditions; what only type checkers see is none."""
    for node in body:
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
            yield from _run_on_import([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from _run_on_import(node.body)


def _imports(module: Module, nodes: Iterable[ast.AST]) -> set[str]:
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return (found & modules().keys()) - {module.name}


@cache
def longest_chain(name: str) -> tuple[str, ...]:
    """The longest chain of imports from a module, itself included. Raises RecursionError where imports go in circles."""
    chains = (longest_chain(other) for other in sorted(imported_at_once(name)))
    return (name, *max(chains, key=len, default=()))


def distance(start: str, end: str, within: Iterable[str]) -> int | None:
    """How many imports lead from one module to another through `within`; None if none do."""
    allowed = set(within)
    far = {start: 0}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        if here == end:
            return far[here]
        for there in (reached_from(here) & allowed) - far.keys():
            far[there] = far[here] + 1
            waiting.append(there)
    return None


def code_length(function: Function) -> int:
    """Lines of a function without its docstring."""
    assert function.end_lineno is not None
    length = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function, clean=False) is not None:
        said = function.body[0]
        assert said.end_lineno is not None
        length -= said.end_lineno - said.lineno + 1
    return length


def used_once(module: Module) -> list[str]:
    """Private functions of a module that one place of it names."""
    names = [node.id for node in ast.walk(module.tree) if isinstance(node, ast.Name)]
    names += [node.attr for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)]
    private = [
        function.name
        for function in module.functions
        if function.name.startswith("_") and not function.name.startswith("__")
    ]
    return [f"{module.path}: {name}" for name in private if names.count(name) == 1]


def public_classes(module: Module) -> list[str]:
    return [
        node.name
        for node in module.tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
