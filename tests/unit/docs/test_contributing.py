"""CONTRIBUTING.md names the files that a command, a setting, a strategy field and a message touch: they have them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

import msgspec
import pytest

from reconciler import __version__
from reconciler.cli.main import COMMANDS
from reconciler.model.spec import StrategySpec
from reconciler.protocol import messages
from reconciler.settings.keys import known_keys
from reconciler.settings.parsing import parse
from tests.support.prose import ROOT, tree

GUIDE = (ROOT / "CONTRIBUTING.md").read_text()

_ROW = re.compile(r"^\| `([^`]+)` \| (.*) \|$", re.MULTILINE)

SHAPES = (
    messages.AgentInventory,
    messages.AgentPresence,
    messages.CommandMessage,
    messages.CommandMeta,
    messages.LogRecord,
    messages.Notification,
    messages.Performance,
    messages.Position,
    messages.Reply,
    messages.ReplyMeta,
    messages.Status,
    messages.StatusMeta,
)


class Row(NamedTuple):
    """One file of a list; `always`: whatever is added touches it."""

    path: str
    always: bool


def rows(title: str) -> list[Row]:
    """The table below a heading of CONTRIBUTING.md."""
    section = GUIDE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return [Row(path, not what.startswith("if ")) for path, what in _ROW.findall(section)]


LISTS = {
    title: rows(title)
    for title in ("Add a command", "Add a setting", "Add a strategy field", "Add a message on the wire")
}


@cache
def text_of(path: str) -> str:
    """A file's text, or that of all files of a folder."""
    files = [path] if (ROOT / path).is_file() else [name for name in tree() if name.startswith(f"{path}/")]
    return "\n".join((ROOT / name).read_text(encoding="utf-8", errors="replace") for name in files)


def lacking(title: str, patterns: Mapping[str, str], *, suffix: str = "") -> list[str]:
    """Files of a list that always change, end in `suffix` and do not have what each thing's pattern looks for."""
    return [
        f"{path} lacks {thing}"
        for path, always in LISTS[title]
        if always and path.endswith(suffix)
        for thing, pattern in patterns.items()
        if re.search(pattern, text_of(path.replace("NAME", _module_of(thing)))) is None
    ]


def _module_of(thing: str) -> str:
    return thing if thing in COMMANDS else "NAME"


@pytest.mark.parametrize("title", LISTS)
def test_every_list_has_files_and_all_of_them_exist(title: str) -> None:
    missing = [row.path for row in LISTS[title] if "NAME" not in row.path and not (ROOT / row.path).exists()]

    assert LISTS[title]
    assert missing == []


def test_every_command_is_in_every_file_of_its_list() -> None:
    patterns = {name: rf"\bdef {name}\b|[`\"]{name}[`\" ]" for name in COMMANDS}

    assert lacking("Add a command", patterns) == []


def test_every_setting_is_in_every_file_of_its_list() -> None:
    """A document has the whole key, code the field: durations end in `_s` there."""
    patterns = {key: rf"`{re.escape(key)}`|\b{key.rpartition('.')[2]}(_s)?: " for key in known_keys()}

    assert lacking("Add a setting", patterns) == []


def test_settings_are_documented_by_their_whole_key_and_with_their_default() -> None:
    table = dict(_documented())
    known = known_keys()
    missing = known.keys() - table.keys()
    wrong = {
        key: table[key] for key in known.keys() & table.keys() if not _means(key, table[key], known[key])
    }

    assert missing == set()
    assert wrong == {}


def _means(key: str, text: str, default: object) -> bool:
    """Whether a default as it is documented is the one in code; nothing documents that there is none."""
    return parse(key, text, default) == default if text else not default


def _documented() -> Iterator[tuple[str, str]]:
    """Key and default of each row of docs/settings.md; a row may have several keys."""
    for keys, default in re.findall(
        r"^\| (`[^|]*) \| ([^|]*) ?\|", text_of("docs/settings.md"), re.MULTILINE
    ):
        yield from ((key, default.strip().strip("`")) for key in re.findall(r"`([^`]+)`", keys))


def test_every_field_of_the_strategy_file_is_in_every_file_of_its_list() -> None:
    fields = [field.name for field in msgspec.structs.fields(StrategySpec) if field.name != "location"]
    keys = {"strategy_name" if field == "name" else field for field in fields}

    assert json.loads(text_of("schemas/strategy.schema.json"))["properties"].keys() == keys
    assert lacking("Add a strategy field", {field: rf"(\b|_){field}\b" for field in fields}) == []


def test_every_message_is_in_every_file_of_its_list() -> None:
    """A document has each key, code each class."""
    keys = {field.encode_name for shape in SHAPES for field in msgspec.structs.fields(shape)}
    classes = {shape.__name__: rf"\b{shape.__name__}\b" for shape in SHAPES}
    title = "Add a message on the wire"

    assert lacking(title, {key: rf"\b{key}\b" for key in keys}, suffix=".md") == []
    assert lacking(title, {key: rf"\b{key}\b" for key in keys}, suffix=".yaml") == []
    assert lacking(title, classes, suffix=".py") == []


def test_the_changelog_and_the_supported_versions_know_the_version() -> None:
    major, minor, _ = __version__.split(".")

    assert f"\n## [{__version__}] - " in text_of("CHANGELOG.md")
    assert "\n## [Unreleased]\n" in text_of("CHANGELOG.md")
    assert f"| {major}.{minor}.x | yes |" in text_of("SECURITY.md")
