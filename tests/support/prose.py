"""What the repository says to people: documents, and the docstrings and comments of code, line by line."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

FOLDERS = ("reconciler", "tests", "benchmarks", "docs", "examples", "schemas", "scripts", ".ci", "strategies")
"""Everything in the repository but single files at its top."""

_GENERATED = ("docs/differences/", "schemas/strategies/", "tests/cases/", "tests/node/")
"""Written by programs, or read by tests."""

_WITH_COMMENTS = {".toml", ".yaml", ".yml", ".sh", ".conf", ".service", ".Dockerfile", ""}


class Line(NamedTuple):
    """One line of prose. `path`: from the root of the repository."""

    path: str
    number: int
    text: str


@cache
def tree() -> tuple[str, ...]:
    """Every file of the repository, from its root; what a build or a test leaves is none."""
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    found += [path for path in ROOT.iterdir() if path.is_file()]
    names = (path.relative_to(ROOT).as_posix() for path in found)
    left = ("__pycache__", "node_modules")
    return tuple(sorted(name for name in names if not any(part in left for part in name.split("/"))))


def lines_of(suffixes: Iterable[str], below: str = "") -> Iterator[Line]:
    """All prose of the files that end so and stand below a folder."""
    for path in tree():
        if path.startswith(below) and not path.startswith(_GENERATED) and Path(path).suffix in suffixes:
            yield from lines_in(path)


def lines_in(path: str) -> Iterator[Line]:
    """The prose of one file: all lines of a document, the docstrings and comments of code."""
    text = (ROOT / path).read_text(encoding="utf-8", errors="replace")
    match Path(path).suffix:
        case ".md" | ".yaml" if path.endswith(".md") or path.startswith("schemas/"):
            found = list(enumerate(text.splitlines(), 1))
        case ".py":
            found = sorted([*_comments(text), *_docstrings(ast.parse(text))])
        case suffix if suffix in _WITH_COMMENTS:
            found = [(at, line) for at, line in enumerate(text.splitlines(), 1) if "#" in line]
        case _:
            found = []
    return (Line(path, number, line) for number, line in found)


def _comments(text: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Docstrings, also those below an assignment: every text that stands alone as a statement."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            for offset, line in enumerate(node.value.value.splitlines()):
                yield node.lineno + offset, line
