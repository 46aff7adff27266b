"""The three lists in docs/architecture.md: how few files one opens to follow a value through the product."""

from __future__ import annotations

import re

import pytest

from tests.support.code_shape import ROOT, distance, modules, reached_from

DOCUMENT = ROOT / "docs" / "architecture.md"

MOST = {
    "From a strategy file to an MQTT packet": 25,
    "From a status to a plan": 12,
    "From a command to a Hummingbot process": 18,
}

_ITEM = re.compile(r"^(?:\d+\.|-) \[[^\]]+\]\(\.\./([\w/]+\.py)\)", re.MULTILINE)
each_list = pytest.mark.parametrize("heading", MOST)


def _files(heading: str) -> list[str]:
    """The files that a section of the document lists, in its order."""
    section = re.search(
        rf"^##+ {re.escape(heading)}$\n(.*?)(?=^#|\Z)", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL
    )
    assert section, f"docs/architecture.md has no section {heading!r}"
    return _ITEM.findall(section[1])


def _listed(heading: str) -> list[str]:
    """The modules of these files."""
    by_path = {module.path: name for name, module in modules().items()}
    return [by_path[path] for path in _files(heading)]


@each_list
def test_a_list_is_as_short_as_was_promised_and_names_files_that_are_there(heading: str) -> None:
    files = _files(heading)

    assert len(files) > 1
    assert len(files) <= MOST[heading], f"{len(files)} files"
    assert len(set(files)) == len(files)
    assert [path for path in files if not (ROOT / path).is_file()] == []


@each_list
def test_each_file_imports_one_before_it_or_is_imported_or_run_by_one(heading: str) -> None:
    listed = _listed(heading)

    alone = [
        name
        for place, name in enumerate(listed)
        if place
        and not any(name in reached_from(before) or before in reached_from(name) for before in listed[:place])
    ]
    assert alone == []


@each_list
def test_no_file_is_left_out_on_the_way(heading: str) -> None:
    """From one of the files imports lead to both ends, through the list in as few steps as through the package."""
    listed = _listed(heading)

    ways = {
        top: [(distance(top, end, listed), distance(top, end, modules())) for end in (listed[0], listed[-1])]
        for top in listed
    }
    whole = [
        top for top, legs in ways.items() if all(ours is not None and ours == best for ours, best in legs)
    ]
    assert whole, f"steps through the list and through the package: {ways}"
