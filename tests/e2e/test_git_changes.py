"""What differs between two revisions is reported file by file, or not at all: it never makes less of a fleet than there is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reconciler.errors import SourceError
from reconciler.settings.model import SourceSettings
from reconciler.sources.base import Head, TreeFile
from reconciler.sources.git_source import GitSource
from tests.support.repositories import Repository

BOTH: dict[str, str | bytes | None] = {"a.yaml": "a", "eu/b.yaml": "b"}


class Fleet:
    """A repository with two strategies below `folder`, of which `place` is the one that is named in the settings."""

    def __init__(self, root: Path, folder: str = "strategies", place: str = "") -> None:
        self.repository = Repository(root / "repository")
        self._folder = f"{place}/{folder}".strip("/")
        self.commit(BOTH)
        settings = SourceSettings(repository=str(self.repository.folder / place), path=folder)
        self.source = GitSource(settings, root / "cache")
        self.before = self.source.refresh()
        self.source.tree(self.before)

    def commit(self, files: dict[str, str | bytes | None]) -> None:
        self.repository.commit({f"{self._folder}/{path}".strip("/"): text for path, text in files.items()})

    def changed(self) -> dict[str, TreeFile | None] | None:
        return self.source.changed(self.before, self.source.refresh())


@pytest.mark.parametrize(
    ("folder", "place", "shown"),
    [
        ("strategies", "", "strategies/a.yaml"),
        ("deep/down/strategies", "", "deep/down/strategies/a.yaml"),
        ("strategies", "desk", "strategies/a.yaml"),
        ("", "", "a.yaml"),
        ("", "desk", "a.yaml"),
        ("str*[a]?", "", "str*[a]?/a.yaml"),
        (":(top)x", "", ":(top)x/a.yaml"),
    ],
)
def test_changes_have_the_paths_of_the_tree_wherever_its_folder_is(tmp_path, folder, place, shown) -> None:
    fleet = Fleet(tmp_path, folder, place)
    fleet.commit({"a.yaml": "other"})

    changed = fleet.changed()

    assert changed == {shown: fleet.source.tree(fleet.source.refresh())[shown]}


def test_what_lies_next_to_the_folder_is_not_reported(tmp_path) -> None:
    fleet = Fleet(tmp_path)
    fleet.repository.commit({"strategies2/x.yaml": "x", "strategies.yaml": "x", "x/strategies/x.yaml": "x"})

    assert fleet.changed() == {}


def test_a_file_that_went_away_is_reported_while_others_are_left(tmp_path) -> None:
    fleet = Fleet(tmp_path)
    fleet.commit({"a.yaml": None})

    assert fleet.changed() == {"strategies/a.yaml": None}


def test_a_folder_that_became_a_file_is_no_folder_without_strategies(tmp_path) -> None:
    fleet = Fleet(tmp_path)
    shutil.rmtree(fleet.repository.folder / "strategies")
    fleet.repository.commit({"strategies": "a file"})

    assert fleet.changed() is None
    with pytest.raises(SourceError):
        fleet.source.tree(fleet.source.refresh())


def test_a_folder_that_became_a_link_is_no_folder_without_strategies(tmp_path) -> None:
    fleet = Fleet(tmp_path)
    root = fleet.repository.folder
    (root / "strategies").rename(root / "elsewhere")
    (root / "strategies").symlink_to("elsewhere")
    fleet.repository.commit()

    assert fleet.changed() is None
    with pytest.raises(SourceError):
        fleet.source.tree(fleet.source.refresh())


def test_all_files_of_a_whole_repository_may_go(tmp_path) -> None:
    fleet = Fleet(tmp_path, "")
    fleet.commit(dict.fromkeys(BOTH))

    assert fleet.changed() == dict.fromkeys(BOTH)


def test_from_a_revision_that_is_no_more_nothing_is_known(tmp_path) -> None:
    fleet = Fleet(tmp_path)
    gone = Head("f" * 40, f"{'f' * 40}:strategies")

    assert fleet.source.changed(gone, fleet.source.refresh()) is None
