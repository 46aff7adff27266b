"""A `file://` address names a repository of this machine: it is read in place, as a path is, and never copied."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from reconciler.catalog.loading import load_catalog
from reconciler.errors import SourceError
from reconciler.settings.model import SourceSettings
from reconciler.sources.git import folder_of
from reconciler.sources.git_source import GitSource
from reconciler.sources.loader import Loader
from reconciler.sources.watch import watched_folders
from tests.support.repositories import Repository, strategy


class Fleet:
    """A bare repository, somebody who pushes to it, and a reader who has its address."""

    def __init__(self, folder: Path) -> None:
        self.work = Repository(folder / "work")
        self.work.commit(
            {f"strategies/m{number}.yaml": strategy(amount=f"1.{number}") for number in range(3)}
        )
        self.bare = self.work.bare(folder / "fleet here.git")
        self.cache = folder / "cache"
        self.loader = Loader(self.source(self.address), load_catalog(), self.cache)

    @property
    def address(self) -> str:
        return f"file://{self.bare}"

    def source(self, address: str, allowed_signers: str | None = None) -> GitSource:
        settings = SourceSettings(repository=address, allowed_signers=allowed_signers)
        return GitSource(settings, self.cache)

    def push(self, amount: str, *arguments: str) -> str:
        commit = self.work.commit({"strategies/m0.yaml": strategy(amount=amount)})
        self.work.push(*arguments)
        return commit

    def amounts(self) -> list[str]:
        files = self.loader.load().files
        return [str(checked.specs[0].config["order_amount"]) for _, checked in files]


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def everything_in(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}


# -- in place


def test_no_copy_of_it_is_made_and_nothing_is_written_to_it(fleet) -> None:
    before = everything_in(fleet.bare)

    assert fleet.amounts() == ["1.0", "1.1", "1.2"]

    assert everything_in(fleet.bare) == before
    assert not (fleet.cache / "git").exists()


def test_what_is_pushed_is_there_at_the_next_look(fleet) -> None:
    fleet.amounts()
    commit = fleet.push("2.5")

    assert fleet.loader.load().commit == commit
    assert fleet.amounts() == ["2.5", "1.1", "1.2"]


def test_a_push_wakes_up_those_who_wait_for_one(fleet) -> None:
    assert watched_folders(SourceSettings(repository=fleet.address)) == [fleet.bare / "refs"]


def test_a_repository_with_a_working_tree_is_read_at_what_is_committed(fleet) -> None:
    source = fleet.source(f"file://{fleet.work.folder}")
    fleet.work.write({"strategies/m0.yaml": "not committed"})

    tree = source.tree(source.refresh())

    texts = dict(source.blobs([tree["strategies/m0.yaml"].blob]))
    assert list(texts.values()) == [strategy(amount="1.0").encode()]


# -- the address


def test_an_address_means_what_it_means_to_git(fleet) -> None:
    whole = str(fleet.bare)
    spellings = [
        whole,
        whole.replace(" ", "%20"),
        whole.removesuffix(".git"),
        f"/{whole}",
        f"localhost{whole}",
    ]

    for spelling in spellings:
        listed = fleet.work.git("ls-remote", f"file://{spelling}", "refs/heads/main").split()[0]
        assert fleet.source(f"file://{spelling}").refresh().commit == listed, spelling


@pytest.mark.parametrize(
    "address",
    ["https://host/x.git", "ssh://host/x", "git@host:x.git", "FILE:///x", "git+file:///x", "file://host/x"],
)
def test_all_other_addresses_are_of_another_machine(address: str) -> None:
    assert folder_of(address) is None


def test_where_there_is_no_repository_it_is_said(fleet, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=f"there is not a folder {tmp_path}/nowhere"):
        fleet.source(f"file://{tmp_path}/nowhere").refresh()


# -- what others do to it meanwhile


def test_a_forced_push_is_followed_although_the_old_revision_is_gone_for_good(fleet) -> None:
    fleet.push("3.0")
    old = fleet.loader.load().commit
    fleet.work.git("reset", "-q", "--hard", "HEAD~1")
    commit = fleet.push("4.0", "--force", "main")
    for command in (("reflog", "expire", "--expire=now", "--all"), ("gc", "-q", "--prune=now")):
        fleet.work.git("--git-dir", str(fleet.bare), *command)
    with pytest.raises(AssertionError, match="could not get object info"):
        fleet.work.git("--git-dir", str(fleet.bare), "cat-file", "-t", old)

    assert fleet.loader.load().commit == commit
    assert fleet.amounts() == ["4.0", "1.1", "1.2"]


def test_one_that_is_gone_is_an_error_until_it_is_back(fleet) -> None:
    fleet.amounts()
    away = fleet.bare.with_suffix(".away")
    shutil.move(fleet.bare, away)
    with pytest.raises(SourceError, match=r"file://.* is gone") as caught:
        fleet.loader.load()
    assert "the last good revision stays in force" in caught.value.fix

    shutil.move(away, fleet.bare)

    assert fleet.amounts() == ["1.0", "1.1", "1.2"]


def test_packing_it_changes_nothing(fleet) -> None:
    before = fleet.loader.load()
    fleet.work.git("--git-dir", str(fleet.bare), "gc", "-q", "--prune=now")

    assert fleet.loader.load() is before
    fleet.push("5.0")
    assert fleet.amounts() == ["5.0", "1.1", "1.2"]


# -- repositories of all kinds


def test_one_that_borrows_its_objects_by_a_relative_path_can_be_read(fleet) -> None:
    borrower = fleet.bare.parent / "borrower.git"
    fleet.work.git("clone", "-q", "--bare", "--shared", str(fleet.bare), str(borrower))
    (borrower / "objects/info/alternates").write_text(f"../../{fleet.bare.name}/objects\n")
    source = fleet.source(f"file://{borrower}")

    assert len(source.tree(source.refresh())) == 3


def test_one_without_its_history_can_be_read(fleet, tmp_path: Path) -> None:
    fleet.push("6.0")
    shallow = tmp_path / "shallow.git"
    fleet.work.git("clone", "-q", "--bare", "--depth", "1", fleet.address, str(shallow))
    source = fleet.source(f"file://{shallow}")

    assert len(source.tree(source.refresh())) == 3


@pytest.mark.parametrize("named", ["by path", "by address"])
def test_what_a_partial_clone_lacks_is_not_fetched_by_whatever_it_configures(
    fleet, tmp_path: Path, named
) -> None:
    partial, ran = tmp_path / "partial.git", tmp_path / "ran"
    fleet.work.git("--git-dir", str(fleet.bare), "config", "uploadpack.allowFilter", "true")
    fleet.work.git("clone", "-q", "--bare", "--filter=blob:none", fleet.address, str(partial))
    fleet.work.git(
        "--git-dir", str(partial), "config", "remote.origin.uploadpack", f"touch {ran};git-upload-pack"
    )
    source = fleet.source(str(partial) if named == "by path" else f"file://{partial}")
    tree = source.tree(source.refresh())

    with pytest.raises(SourceError, match="git gave 0 of 3 files"):
        list(source.blobs([file.blob for file in tree.values()]))

    assert not ran.exists()


def test_one_of_another_user_can_be_read_as_by_its_path(fleet) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a repository to somebody else")
    for path in (fleet.bare, *fleet.bare.rglob("*")):
        os.chown(path, 65534, 65534)

    assert fleet.amounts() == ["1.0", "1.1", "1.2"]


# -- who may commit


def test_what_nobody_allowed_has_signed_is_no_revision(fleet, tmp_path: Path) -> None:
    signers = tmp_path / "signers"
    signers.write_text("")

    with pytest.raises(SourceError, match="not signed by an allowed signer"):
        fleet.source(fleet.address, allowed_signers=str(signers)).refresh()


def test_the_list_of_signers_may_not_stand_where_a_commit_can_change_it(fleet) -> None:
    signers = fleet.work.folder / "signers"
    signers.write_text("")

    with pytest.raises(SourceError, match="inside of the repository that it guards"):
        fleet.source(f"file://{fleet.work.folder}", allowed_signers=str(signers)).refresh()
