"""Revisions are loaded whole; only what is new is read and checked, also after a restart."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path

import pytest

from reconciler.catalog import Catalog
from reconciler.catalog.loading import HUMMINGBOT_VERSION, load_catalog, schema_text
from reconciler.errors import SourceError
from reconciler.settings.model import SourceSettings
from reconciler.sources.base import Head, Revision
from reconciler.sources.git_source import GitSource
from reconciler.sources.loader import Loader
from reconciler.sources.yaml.document import MAX_BYTES
from tests.support.repositories import Repository, strategy


class Counting(GitSource):
    """A source that notes what is asked of it."""

    def __init__(self, settings: SourceSettings, cache: Path) -> None:
        super().__init__(settings, cache)
        self.read: list[str] = []
        self.trees = 0

    def tree(self, head: Head):
        self.trees += 1
        return super().tree(head)

    def blobs(self, ids: Iterable[str]) -> Generator[tuple[str, bytes | None]]:
        wanted = list(ids)
        self.read += wanted
        return super().blobs(wanted)


class Fleet:
    def __init__(self, folder: Path) -> None:
        self.repository = Repository(folder / "repository")
        self.cache = folder / "cache"
        self.repository.commit({f"strategies/{n}.yaml": strategy(amount=f"0.{n + 1}") for n in range(5)})
        self.restart()

    def restart(self, catalog: Catalog | None = None) -> None:
        self.source = Counting(SourceSettings(repository=str(self.repository.folder)), self.cache)
        self.loader = Loader(self.source, catalog or load_catalog(), self.cache)

    def load(self) -> Revision:
        self.source.read.clear()
        return self.loader.load()


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def other_catalog() -> Catalog:
    """The same schemas, written differently."""
    strategies = {
        "pure_market_making": schema_text(
            f"strategies/{HUMMINGBOT_VERSION}/pure_market_making.schema.json"
        ).encode()
    }
    return Catalog.from_schemas(schema_text("strategy.schema.json").encode() + b" ", strategies)


def test_all_files_are_checked_in_order_of_their_path(fleet) -> None:
    revision = fleet.load()

    assert [path for path, _ in revision.files] == [f"strategies/{n}.yaml" for n in range(5)]
    assert str(revision.files[3][1].specs[0].config["order_amount"]) == "0.4"
    assert (revision.commit, revision.ref) == (fleet.repository.head(), "main")


def test_while_nothing_changes_the_same_revision_is_given(fleet) -> None:
    assert fleet.load() is fleet.load()


def test_only_a_changed_file_is_read(fleet) -> None:
    before = dict(fleet.load().files)
    fleet.repository.commit({"strategies/2.yaml": strategy(amount="9")})

    after = dict(fleet.load().files)

    assert len(fleet.source.read) == 1
    assert fleet.source.trees == 1
    assert [path for path in after if after[path] is not before[path]] == ["strategies/2.yaml"]


def test_added_and_removed_files_are_noticed(fleet) -> None:
    fleet.load()
    fleet.repository.commit({"strategies/2.yaml": None, "strategies/eu/x.yaml": strategy(amount="7")})

    paths = [path for path, _ in fleet.load().files]

    assert "strategies/2.yaml" not in paths
    assert "strategies/eu/x.yaml" in paths


def test_a_commit_next_to_the_strategies_is_a_new_revision_of_the_same_files(fleet) -> None:
    before = fleet.load()
    commit = fleet.repository.commit({"README.md": "r"})
    after = fleet.load()

    assert after.commit == commit
    assert after.files is before.files
    assert fleet.source.read == []


def test_after_a_restart_nothing_is_read_again(fleet) -> None:
    before = fleet.load()
    fleet.restart()

    assert fleet.load() == before
    assert fleet.source.read == []


def test_problems_come_back_from_the_cache_too(fleet) -> None:
    fleet.repository.commit({"strategies/2.yaml": "strategy_type: x\n"})
    before = fleet.load()
    assert dict(before.files)["strategies/2.yaml"].problems
    fleet.restart()

    assert fleet.load() == before


def test_with_other_schemas_everything_is_checked_again(fleet) -> None:
    fleet.load()
    fleet.restart(other_catalog())
    fleet.load()

    assert len(fleet.source.read) == 5


def test_a_file_that_cannot_be_read_is_read_again_at_the_next_look(fleet) -> None:
    before = fleet.load()
    fleet.repository.commit({"strategies/2.yaml": strategy(amount="9"), "strategies/3.yaml": None})
    blob = fleet.repository.git("rev-parse", "HEAD:strategies/2.yaml")
    file = fleet.repository.folder / ".git" / "objects" / blob[:2] / blob[2:]
    away = file.rename(fleet.cache / "away")
    with pytest.raises(SourceError):
        fleet.load()
    away.rename(file)

    after = dict(fleet.load().files)

    assert after.keys() == dict(before.files).keys() - {"strategies/3.yaml"}
    assert str(after["strategies/2.yaml"].specs[0].config["order_amount"]) == "9"


def test_a_lost_cache_costs_time_and_nothing_else(fleet) -> None:
    before = fleet.load()
    (fleet.cache / "checked").write_bytes(b"\x00nonsense\n" * 100)
    fleet.restart()

    assert fleet.load() == before
    assert len(fleet.source.read) == 5


def test_a_renamed_file_has_its_places_under_its_new_name(fleet) -> None:
    fleet.load()
    fleet.repository.git("mv", "strategies/2.yaml", "strategies/two.yaml")
    fleet.repository.commit()
    checked = dict(fleet.load().files)["strategies/two.yaml"]

    assert checked.specs[0].location.file == "strategies/two.yaml"
    assert fleet.source.read == []


def test_equal_files_are_checked_once_and_placed_twice(fleet) -> None:
    fleet.repository.commit({"strategies/x.yaml": "a: 1", "strategies/y.yaml": "a: 1"})
    files = dict(fleet.load().files)

    for path in ("strategies/x.yaml", "strategies/y.yaml"):
        assert {problem.location.file for problem in files[path].problems} == {path}


def test_a_file_that_is_too_large_is_a_problem(fleet) -> None:
    fleet.repository.commit({"strategies/big.yaml": b"#" * (MAX_BYTES + 1)})
    (problem,) = dict(fleet.load().files)["strategies/big.yaml"].problems

    assert "more than the 1,048,576 bytes" in problem.what


def test_a_link_that_leads_out_holds_its_strategy(fleet) -> None:
    link = fleet.repository.folder / "strategies" / "2.yaml"
    link.unlink()
    link.symlink_to("/etc/passwd")
    fleet.repository.commit()
    checked = dict(fleet.load().files)["strategies/2.yaml"]

    assert "leaves the folder" in checked.problems[0].what
    assert checked.broken == (None,)


def test_a_submodule_in_the_place_of_a_folder_is_a_problem(fleet) -> None:
    fleet.repository.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},strategies/eu")
    fleet.repository.git("commit", "-q", "-m", "submodule")

    assert "submodule" in dict(fleet.load().files)["strategies/eu"].problems[0].what


@pytest.mark.parametrize("path", ["strategies/_old", "strategies/.cache", "strategies/_eu.yaml"])
def test_what_counts_for_nothing_may_be_a_link_anywhere(fleet, path) -> None:
    (fleet.repository.folder / path).symlink_to("/etc/passwd")
    fleet.repository.commit()

    assert path not in dict(fleet.load().files)
