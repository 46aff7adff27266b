"""What documents, docstrings and comments cite is there: documents, their sections, paths, modules, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from posixpath import normpath

from tests.support.prose import ROOT, Line, lines_of, tree

SUFFIXES = (".md", ".py", ".toml", ".yaml", ".sh", ".conf", "")

FOREIGN = re.compile(
    r"(bin/path_util|bin/hummingbot_quickstart|setup|start|trade_fill|hummingbot/[\w/]+)\.py"
)
"""Files of Hummingbot itself; those in its package are cited from `hummingbot/` on."""

FOLDERS = ("reconciler", "tests", "benchmarks", "docs", "examples", "schemas", "scripts", ".ci")
"""Where cited paths begin. `strategies` is not among them: most of its files are somebody's examples."""

_DOCUMENT = re.compile(r"(?<![\w/.*-])((?:\.\./)*[\w/-]+\.md)\b(?:, ([A-Z][\w ]*\w))?")
_PATH = re.compile(rf"(?<![\w/.-])(?:\.\./)*((?:{'|'.join(map(re.escape, FOLDERS))})/[\w./*-]*[\w/*])")
_CODE_FILE = re.compile(r"(?<![\w/.*-])([\w/]+\.py)\b")
_MODULE = re.compile(r"(?<![\w/.-])((?:reconciler|tests|benchmarks)(?:\.[a-z_]\w*)+)(?![\w/])")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"#+ (.*)")
_PLACEHOLDER = re.compile(r"(?<![A-Z])(NAME|NNNN|PACKAGE|VERSION)(?![A-Z])")
_NO_MODULE = {"yaml", "xml", "sarif", "json", "sock", "service", "md", "toml"}
"""What stands behind `reconciler.` where it is a file."""


def test_everything_that_is_cited_is_there() -> None:
    missing = [
        f"{line.path}:{line.number}: {citation}: not found"
        for line in lines_of(SUFFIXES)
        for citation in dict.fromkeys(_unresolved(line))
    ]
    assert not missing, "\n".join(missing)


def test_a_dead_citation_is_found() -> None:
    """One of each kind, so that the patterns above cannot quietly match nothing."""
    dead = {
        "as nowhere.md says": "nowhere.md",
        "(protocol.md, No such section)": "protocol.md, No such section",
        "see docs/decisions/nothing.md": "docs/decisions/nothing.md",
        "in tests/unit/test_nothing.py": "tests/unit/test_nothing.py",
        "held by plan/nothing.py": "plan/nothing.py",
        "`python -m benchmarks.nothing`": "benchmarks.nothing",
        "[here](nowhere/at/all)": "nowhere/at/all",
        "[there](../README.md#no-such-heading)": "../README.md#no-such-heading",
    }
    for text, citation in dead.items():
        assert citation in set(_unresolved(Line("docs/any.md", 1, text))), text


def test_a_living_citation_is_none_of_them() -> None:
    for text in (
        "(protocol.md, Extended) and README.md",
        "tests/unit, reconciler/protocol/*.py and docs/decisions",
        "`python -m benchmarks.cold_plan`, reconciler.protocol.codes.reaction, reconciler.yaml",
        "[the wire](protocol.md#error-codes) and [elsewhere](https://example.org/x.md)",
    ):
        assert list(_unresolved(Line("docs/any.md", 1, text))) == [], text


def _unresolved(line: Line) -> Iterator[str]:
    """The citations of a line that lead nowhere."""
    text = re.sub(r"https?://\S+", "", line.text)
    if line.path.endswith(".md"):
        yield from (target for target in _LINK.findall(text) if not _leads_somewhere(line.path, target))
        text = _LINK.sub("", text)
    yield from _dead_documents(line.path, text)
    for path in _PATH.findall(text):
        if not path.endswith(".md") and not _PLACEHOLDER.search(path) and not _is_there(line.path, path):
            yield path
    known = (FOREIGN, _PATH)
    code = (path for path in _CODE_FILE.findall(text) if not any(one.fullmatch(path) for one in known))
    yield from (path for path in code if not _is_code(path))
    yield from (module for module in _MODULE.findall(text) if not _is_module(module))


def _dead_documents(path: str, text: str) -> Iterator[str]:
    """Documents of which there is no file, or no such section: `protocol.md, Extended`."""
    for document, section in _DOCUMENT.findall(text):
        found = _resolve(path, document)
        if found is None and not _PLACEHOLDER.search(document):
            yield document
        elif found is not None and section and not _has_section(found, section):
            yield f"{document}, {section}"


def _leads_somewhere(path: str, target: str) -> bool:
    """Whether a Markdown link of `path` has a file, and a heading for its anchor."""
    if "://" in target or target.startswith("mailto:"):
        return True
    name, _, anchor = target.partition("#")
    found = normpath(str(PurePosixPath(path).parent / name)) if name else path
    if not (ROOT / found).exists():
        return False
    return not anchor or anchor in _anchors(found)


def _resolve(path: str, document: str) -> str | None:
    """The file that a document's name means: next to the one that names it, at the root, or in docs."""
    near = normpath(str(PurePosixPath(path).parent / document))
    return next((name for name in (near, document, f"docs/{document}") if (ROOT / name).is_file()), None)


def _is_there(path: str, cited: str) -> bool:
    """Whether a path of the repository exists, or files of a pattern."""
    if "*" in cited:
        return any(PurePosixPath(name).match(cited) for name in tree())
    return (ROOT / cited).exists() or (ROOT / PurePosixPath(path).parent / cited).exists()


@cache
def _is_code(cited: str) -> bool:
    """Whether a Python file is cited by the end of its path, such as `plan/planner.py`."""
    return any(name == cited or name.endswith(f"/{cited}") for name in tree())


@cache
def _is_module(dotted: str) -> bool:
    """Whether a dotted name is a module or package, or something in one."""
    parts = dotted.split(".")
    if len(parts) == 2 and parts[1] in _NO_MODULE:
        return True
    for end in range(len(parts), 1, -1):
        path = ROOT.joinpath(*parts[:end])
        if path.is_dir() or path.with_suffix(".py").is_file():
            source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            rest = parts[end:]
            return not rest or (
                source.is_file() and re.search(rf"\b{rest[0]}\b", source.read_text()) is not None
            )
    return False


@cache
def _text_of(path: str) -> str:
    return Path(ROOT / path).read_text(encoding="utf-8")


def _has_section(path: str, section: str) -> bool:
    """Whether a document has the cited words as the beginning of a heading or in bold."""
    text = _text_of(path).lower()
    return re.search(rf"(^#+ |\*\*){re.escape(section.lower())}", text, re.MULTILINE) is not None


@cache
def _anchors(path: str) -> frozenset[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = (_HEADING.fullmatch(line) for line in _text_of(path).splitlines())
    titles = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", found[1]) for found in headings if found)
    return frozenset(re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles)
