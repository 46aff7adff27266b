"""Plain technical English: turns of phrase and names that were given up do not come back."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.support.prose import ROOT, Line, lines_of, tree

WORDS = re.compile(
    r"\b(anew|beside|mend|mends|mended|mending|begun|whoever|told|hears|himself|herself|bury|buried)\b",
    re.IGNORECASE,
)
"""With what is written instead: again, next to, repair or fix, started, the user, reported or notified, is called with,
it, remove.
"""

RETIRED = re.compile(
    r"\b(Desk|Herald|Voice|Workshop|Courier|Letter|Ear|Keeper|Switchboard|TargetLink|Fold|Wire|Heard|Inside|Meddler|Ask"
    r"|Asks|Asking|Live)\b"
)
"""Classes that have the field's names now (docs/glossary.md); only where code means them, since some begin sentences."""

PARTS = re.compile(
    r"anew|asking|beside|begun|blame|bury|courier|desk|doom|ear|herald|keeper|meddler|mend(s|ed)?|switchboard|tether|told"
    r"|voice|whoever|workshop",
    re.IGNORECASE,
)
"""Words that no identifier has in it, written as `snake_case` or `CamelCase`."""

KEPT = {("reconciler/store/sqlite.py", "told")}
"""A table of state.db: files on disk keep their names."""

_DOCUMENTS = (".md", ".yaml", ".toml", ".sh", ".conf", ".service", "")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def test_documents_are_in_plain_english() -> None:
    found = [
        hit for line in lines_of(_DOCUMENTS) if not line.path.startswith("tests/") for hit in _hits(line)
    ]
    assert not found, "\n".join(found)


def test_docstrings_and_comments_are_in_plain_english() -> None:
    found = [hit for line in lines_of((".py",), "reconciler/") for hit in _hits(line)]
    assert not found, "\n".join(found)


def test_messages_are_in_plain_english() -> None:
    found = [hit for line in _messages() for hit in _hits(line)]
    assert not found, "\n".join(found)


def test_identifiers_are_words_of_the_field() -> None:
    found = [
        f"{path}:{number}: {name}"
        for path in _modules()
        for number, name in sorted(_names(path))
        if RETIRED.fullmatch(name) or _has_retired_part(name)
    ]
    assert not found, "\n".join(found)


def test_no_file_has_a_name_that_was_given_up() -> None:
    found = [path for path in tree() if path.startswith("reconciler/") and _has_retired_part(Path(path).stem)]
    assert not found, "\n".join(found)


def test_what_was_given_up_is_found() -> None:
    """One of each kind, so that the patterns above cannot quietly match nothing."""
    assert list(_hits(Line("a.md", 1, "Whoever was told begins anew"))) == [
        "a.md:1: whoever",
        "a.md:1: told",
        "a.md:1: anew",
    ]
    assert list(_hits(Line("a.md", 1, "besides, `Desk.take` recommends"))) == ["a.md:1: Desk"]
    assert _has_retired_part("look_anew")
    assert _has_retired_part("MOST_TOLD")
    assert not _has_retired_part("search_year")


def _has_retired_part(name: str) -> bool:
    return any(PARTS.fullmatch(part) for part in _WORD.findall(name))


def _hits(line: Line) -> Iterator[str]:
    """What is forbidden in a line; in code marks a class by the name that it had."""
    for word in WORDS.findall(line.text):
        yield f"{line.path}:{line.number}: {word.lower()}"
    for code in re.findall(r"`([^`]+)`", line.text):
        yield from (f"{line.path}:{line.number}: {name}" for name in RETIRED.findall(code))


def _modules() -> Iterator[str]:
    return (path for path in tree() if path.startswith("reconciler/") and path.endswith(".py"))


@cache
def _parsed(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def _messages() -> Iterator[Line]:
    """Every text in code but the docstrings: what people may come to read."""
    for path in _modules():
        standing = {id(node.value) for node in ast.walk(_parsed(path)) if isinstance(node, ast.Expr)}
        for node in ast.walk(_parsed(path)):
            match node:
                case ast.Constant(value=str() as text) if (
                    id(node) not in standing and (path, text) not in KEPT
                ):
                    yield from (Line(path, node.lineno, part) for part in text.splitlines())


def _names(path: str) -> set[tuple[int, str]]:
    """What the module itself names: classes, functions, arguments, variables, attributes, keywords."""
    found: set[tuple[int, str]] = set()
    for node in ast.walk(_parsed(path)):
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                found.add((node.lineno, node.name))
            case ast.arg():
                found.add((node.lineno, node.arg))
            case ast.Name(ctx=ast.Store()):
                found.add((node.lineno, node.id))
            case ast.Attribute(ctx=ast.Store()):
                found.add((node.lineno, node.attr))
            case ast.alias(asname=str() as name):
                found.add((node.lineno, name))
    return found
