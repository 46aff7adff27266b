"""One suite over every source: a repository here by path and by address, one elsewhere, a working tree as it stands."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from reconciler.catalog.loading import load_catalog
from reconciler.errors import SourceError
from reconciler.settings.model import SourceSettings
from reconciler.sources.base import Source
from reconciler.sources.loader import Loader, open_source
from reconciler.sources.worktree import WorktreeSource
from reconciler.sources.yaml.document import MAX_BYTES
from tests.support.repositories import Repository, another_machine, elsewhere, strategy

PUSHED = ("address here", "another machine")
"""Kinds of sources that see a change once it is pushed."""


class Place:
    """A repository and the source that reads it, whatever its kind."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.repository = Repository(folder / "repository")
        self.repository.commit({"strategies/a.yaml": strategy(), "README.md": "r"})
        url = str(self.repository.folder)
        if kind in PUSHED:
            bare = self.repository.bare(folder / "remote.git")
            url = elsewhere(bare) if kind == "another machine" else f"file://{bare}"
        self.settings = SourceSettings(repository=url, worktree=kind == "worktree")
        self.cache = folder / "cache"
        self.source = open_source(self.settings, self.cache)

    def change(self, files: dict[str, str | bytes | None]) -> None:
        """Make `files` what the source shows."""
        self.repository.commit(files)
        if self.kind in PUSHED:
            self.repository.push()
        if self.kind == "worktree":
            time.sleep(0.02)  # a file system's clock ticks every few milliseconds


@pytest.fixture(params=["folder", *PUSHED, "worktree"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name, value in another_machine(tmp_path).items():
        monkeypatch.setenv(name, value)
    return Place(request.param, tmp_path)


def contents(source: Source) -> dict[str, bytes | None]:
    tree = source.tree(source.refresh())
    texts = dict(source.blobs([file.blob for file in tree.values()]))
    return {path: texts[file.blob] for path, file in tree.items()}


def test_the_tree_is_what_is_below_the_folder(place: Place) -> None:
    place.change({"strategies/eu/b.yaml": "b", "other/c.yaml": "c"})

    assert contents(place.source) == {
        "strategies/a.yaml": strategy().encode(),
        "strategies/eu/b.yaml": b"b",
    }


def test_while_nothing_changes_the_head_is_the_same(place: Place) -> None:
    assert place.source.refresh() == place.source.refresh()


@pytest.mark.parametrize(
    "change",
    [
        {"strategies/a.yaml": "b"},
        {"strategies/a.yaml": None, "strategies/x.yaml": "x"},
        {"strategies/b.yaml": "b"},
        {"strategies/z/z.yaml": ""},
    ],
)
def test_a_change_makes_another_head(place: Place, change: dict[str, str | bytes | None]) -> None:
    before = place.source.refresh()
    place.change(change)
    after = place.source.refresh()

    assert after != before


def test_the_changes_since_a_tree_make_the_new_one_of_it_or_are_not_reported(place: Place) -> None:
    old = place.source.refresh()
    tree = dict(place.source.tree(old))
    place.change({"strategies/a.yaml": None, "strategies/b.yaml": "b", "strategies/c/c.yaml": "c"})
    new = place.source.refresh()

    changed = place.source.changed(old, new)

    if changed is not None:
        tree.update({path: file for path, file in changed.items() if file is not None})
        assert {path: file for path, file in tree.items() if changed.get(path, file)} == place.source.tree(
            new
        )


def test_equal_files_have_one_id_and_it_is_git_s(place: Place) -> None:
    place.change({"strategies/b.yaml": "same", "strategies/c.yaml": "same"})
    tree = place.source.tree(place.source.refresh())

    assert tree["strategies/b.yaml"] == tree["strategies/c.yaml"]
    blob = place.repository.git("hash-object", "strategies/b.yaml")
    assert tree["strategies/b.yaml"].blob == blob


def test_a_large_file_is_not_read(place: Place) -> None:
    place.change({"strategies/big.yaml": b"#" * (MAX_BYTES + 1)})

    assert contents(place.source)["strategies/big.yaml"] is None


def test_links_are_followed_inside_and_refused_outside(place: Place) -> None:
    strategies = place.repository.folder / "strategies"
    (strategies / "in.yaml").symlink_to("a.yaml")
    (strategies / "out.yaml").symlink_to("../README.md")
    (strategies / "gone.yaml").symlink_to("nowhere.yaml")
    (strategies / "loop.yaml").symlink_to("loop.yaml")
    (strategies / "folder").symlink_to(".")
    place.change({})
    tree = place.source.tree(place.source.refresh())

    assert tree["strategies/in.yaml"] == tree["strategies/a.yaml"]
    assert "leaves the folder" in tree["strategies/out.yaml"].problem
    for name in ("gone.yaml", "loop.yaml", "folder"):
        assert tree[f"strategies/{name}"].problem, name


def test_a_pipe_in_a_working_tree_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "strategies").mkdir()
    os.mkfifo(tmp_path / "strategies" / "a.yaml")
    source = WorktreeSource(tmp_path, "strategies")

    ((_, checked),) = Loader(source, load_catalog(), tmp_path / "cache").load().files

    assert [problem.what for problem in checked.problems] == ["there is no strategy in this file"]


def test_a_missing_folder_is_an_error_and_not_an_empty_tree(place: Place) -> None:
    place.source.refresh()
    place.change({"strategies/a.yaml": None})
    if place.kind == "worktree":
        (place.repository.folder / "strategies").rmdir()

    with pytest.raises(SourceError, match="folder"):
        place.source.tree(place.source.refresh())


def test_every_source_loads_to_the_same_files(place: Place) -> None:
    place.change({
        "strategies/eu/b.yaml": strategy("ETH-USDT"),
        "strategies/_draft.yaml": "no: strategy",
        "strategies/.hidden/x.yaml": "no: strategy",
        "strategies/notes.txt": "no strategy",
        "strategies/bad.yaml": "a: 1\na: 2\n",
    })  # fmt: skip
    revision = Loader(place.source, load_catalog(), place.cache).load()

    assert [path for path, _ in revision.files] == [
        "strategies/a.yaml",
        "strategies/bad.yaml",
        "strategies/eu/b.yaml",
    ]
    files = dict(revision.files)
    assert files["strategies/eu/b.yaml"].specs[0].trading_pair == "ETH-USDT"
    assert str(files["strategies/bad.yaml"].problems[0].location) == "strategies/bad.yaml:2:1"
    assert revision.commit == ("worktree" if place.kind == "worktree" else place.repository.head())
