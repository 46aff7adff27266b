"""A repository on this machine is read as it is, at any ref; nothing that it configures is run."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from reconciler.errors import SourceError
from reconciler.settings.model import SourceSettings
from reconciler.sources.base import Head
from reconciler.sources.git_source import GitSource
from reconciler.sources.yaml.document import MAX_BYTES
from tests.support.repositories import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = Repository(tmp_path / "repository")
    repository.commit({"strategies/a.yaml": "a", "strategies/eu/b.yaml": "b", "README.md": "r"}, "first")
    return repository


def source(repository: Repository | Path, tmp_path: Path, **settings) -> GitSource:
    folder = repository.folder if isinstance(repository, Repository) else repository
    return GitSource(SourceSettings(repository=str(folder), **settings), tmp_path / "cache")


def contents(source: GitSource, head: Head | None = None) -> dict[str, bytes | None]:
    tree = source.tree(head or source.refresh())
    texts = dict(source.blobs({file.blob for file in tree.values()}))
    return {path: texts[file.blob] for path, file in tree.items()}


def refusal(source: GitSource) -> SourceError:
    with pytest.raises(SourceError) as error:
        source.refresh()
    return error.value


# -- refs


@pytest.mark.parametrize("ref", ["main", "v1", "annotated", "HEAD", "feature/x", "main~0"])
def test_a_ref_is_a_branch_a_tag_or_whatever_git_takes_for_a_commit(repository, tmp_path, ref) -> None:
    commit = repository.head()
    repository.git("tag", "v1")
    repository.git("tag", "-a", "-m", "x", "annotated")
    repository.git("branch", "feature/x")

    assert source(repository, tmp_path, ref=ref).refresh().commit == commit


@pytest.mark.parametrize("length", [40, 8])
def test_a_ref_may_be_a_commit_by_its_id(repository, tmp_path, length) -> None:
    first = repository.head()
    repository.commit({"strategies/a.yaml": "later"})

    pinned = source(repository, tmp_path, ref=first[:length])

    assert pinned.refresh().commit == first
    assert contents(pinned)["strategies/a.yaml"] == b"a"


def test_a_branch_comes_before_a_tag_of_the_same_name(repository, tmp_path) -> None:
    repository.git("tag", "main")
    commit = repository.commit({"strategies/a.yaml": "later"})

    assert source(repository, tmp_path).refresh().commit == commit


def test_a_new_commit_is_seen_at_the_next_look(repository, tmp_path) -> None:
    looking = source(repository, tmp_path)
    looking.refresh()
    commit = repository.commit({"strategies/a.yaml": "later"})

    assert looking.refresh().commit == commit


def test_a_commit_that_touches_no_strategy_changes_nothing(repository, tmp_path) -> None:
    looking = source(repository, tmp_path)
    before = looking.refresh()
    repository.commit({"README.md": "more"})

    assert looking.changed(before, looking.refresh()) == {}


def test_an_unknown_ref_is_refused_with_the_nearest_name(repository, tmp_path) -> None:
    error = refusal(source(repository, tmp_path, ref="mian"))

    assert "has no branch, tag or commit 'mian'" in str(error)
    assert error.fix == "did you mean main?"


@pytest.mark.parametrize("ref", ["--all", "-q", "main..main", "x y", ""])
def test_a_ref_is_never_an_option(repository, tmp_path, ref) -> None:
    assert "has no branch, tag or commit" in str(refusal(source(repository, tmp_path, ref=ref)))


def test_a_deleted_branch_is_an_error_and_not_an_empty_tree(repository, tmp_path) -> None:
    repository.git("branch", "live")
    looking = source(repository, tmp_path, ref="live")
    looking.refresh()
    repository.git("branch", "-D", "live")

    assert "no branch, tag or commit 'live'" in str(refusal(looking))


def test_a_repository_without_commits_says_so(tmp_path) -> None:
    error = refusal(source(Repository(tmp_path / "new"), tmp_path))

    assert "it has no commits yet" in error.fix


def test_a_missing_folder_of_strategies_is_an_error(repository, tmp_path) -> None:
    looking = source(repository, tmp_path, path="bots")

    with pytest.raises(SourceError, match="has no folder 'bots' at main") as error:
        looking.tree(looking.refresh())

    assert "source.path" in error.value.fix


def test_a_file_is_no_folder_of_strategies(repository, tmp_path) -> None:
    looking = source(repository, tmp_path, path="strategies/a.yaml")

    with pytest.raises(SourceError, match=r"has no folder 'strategies/a\.yaml' at main"):
        looking.tree(looking.refresh())


def test_a_folder_of_strategies_that_goes_away_is_not_an_empty_tree(repository, tmp_path) -> None:
    looking = source(repository, tmp_path)
    before = looking.refresh()
    repository.commit({"strategies/a.yaml": None, "strategies/eu/b.yaml": None})
    after = looking.refresh()

    assert looking.changed(before, after) is None
    with pytest.raises(SourceError, match="has no folder"):
        looking.tree(after)


def test_what_is_no_repository_is_an_error(tmp_path) -> None:
    assert "is not a Git repository" in str(refusal(source(tmp_path, tmp_path)))
    assert "there is not a folder" in str(refusal(source(tmp_path / "gone", tmp_path)))


# -- where the repository is


def test_a_folder_within_a_repository_has_its_own_strategies(tmp_path) -> None:
    repository = Repository(tmp_path / "monorepo")
    repository.commit({"desk/bots/strategies/a.yaml": "a", "strategies/other.yaml": "o"})

    looking = source(repository.folder / "desk" / "bots", tmp_path)

    assert contents(looking) == {"strategies/a.yaml": b"a"}


def test_the_whole_repository_may_be_the_folder_of_strategies(tmp_path) -> None:
    repository = Repository(tmp_path / "flat")
    repository.commit({"a.yaml": "a"})

    assert contents(source(repository, tmp_path, path="")) == {"a.yaml": b"a"}


def test_a_bare_repository_is_read_in_place(repository, tmp_path) -> None:
    bare = repository.bare(tmp_path / "bare.git")

    assert contents(source(bare, tmp_path)) == {"strategies/a.yaml": b"a", "strategies/eu/b.yaml": b"b"}


def test_a_second_working_tree_is_a_repository_too(repository, tmp_path) -> None:
    repository.git("worktree", "add", "-q", str(tmp_path / "second"), "-b", "side")

    assert source(tmp_path / "second", tmp_path, ref="side").refresh().commit == repository.head()


def test_git_s_own_variables_do_not_lead_elsewhere(repository, tmp_path, monkeypatch) -> None:
    other = Repository(tmp_path / "other")
    other.commit({"strategies/other.yaml": "o"})
    monkeypatch.setenv("GIT_DIR", str(other.folder / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.folder))

    assert "strategies/a.yaml" in contents(source(repository.folder, tmp_path))


# -- contents


def test_changed_names_what_was_added_changed_and_removed(repository, tmp_path) -> None:
    looking = source(repository, tmp_path)
    before = looking.refresh()
    repository.commit({"strategies/a.yaml": None, "strategies/eu/b.yaml": "B", "strategies/c.yaml": "c"})
    after = looking.refresh()

    changed = looking.changed(before, after)

    assert changed is not None
    assert changed["strategies/a.yaml"] is None
    tree = looking.tree(after)
    assert {path: file for path, file in changed.items() if file} == {
        path: tree[path] for path in ("strategies/eu/b.yaml", "strategies/c.yaml")
    }


def test_what_differs_from_a_tree_that_is_gone_only_the_whole_tree_can_show(repository, tmp_path) -> None:
    looking = source(repository, tmp_path)

    assert looking.changed(Head("0" * 40, f"{0:040}:strategies"), looking.refresh()) is None


def test_names_with_odd_letters_are_kept(repository, tmp_path) -> None:
    names = {
        "strategies/süd west.yaml": b"1",
        'strategies/"q"\t.yaml': b"2",
        "strategies/new\nline.yaml": b"3",
    }
    repository.commit(dict(names))

    assert contents(source(repository, tmp_path)).items() >= names.items()


def test_a_large_file_is_not_read(repository, tmp_path) -> None:
    repository.commit(
        {"strategies/big.yaml": b"#" * (MAX_BYTES + 1), "strategies/full.yaml": b"#" * MAX_BYTES}
    )

    texts = contents(source(repository, tmp_path))

    assert texts["strategies/big.yaml"] is None
    assert len(texts["strategies/full.yaml"] or b"") == MAX_BYTES
    assert texts["strategies/a.yaml"] == b"a"


def test_a_link_within_the_folder_is_followed_and_one_that_leaves_it_refused(repository, tmp_path) -> None:
    strategies = repository.folder / "strategies"
    (strategies / "in.yaml").symlink_to("eu/b.yaml")
    (strategies / "out.yaml").symlink_to("../README.md")
    (strategies / "abroad.yaml").symlink_to("/etc/passwd")
    (strategies / "folder").symlink_to("eu")
    repository.commit()

    looking = source(repository, tmp_path)
    tree = looking.tree(looking.refresh())

    assert tree["strategies/in.yaml"] == tree["strategies/eu/b.yaml"]
    assert "leaves the folder" in tree["strategies/out.yaml"].problem
    assert "leaves the folder" in tree["strategies/abroad.yaml"].problem
    assert "points to a folder" in tree["strategies/folder"].problem


def test_a_link_changes_with_the_file_that_it_points_to(repository, tmp_path) -> None:
    (repository.folder / "strategies" / "in.yaml").symlink_to("a.yaml")
    repository.commit()
    looking = source(repository, tmp_path)
    before = looking.refresh()
    looking.tree(before)
    repository.commit({"strategies/a.yaml": "later"})
    after = looking.refresh()

    assert looking.changed(before, after) is None
    assert contents(looking, after)["strategies/in.yaml"] == b"later"


def test_a_file_that_becomes_a_link_is_noticed(repository, tmp_path) -> None:
    looking = source(repository, tmp_path)
    before = looking.refresh()
    looking.tree(before)
    repository.write({"strategies/a.yaml": None})
    (repository.folder / "strategies" / "a.yaml").symlink_to("/etc/passwd")
    repository.commit()

    assert looking.changed(before, looking.refresh()) is None


def test_a_submodule_is_a_problem_and_not_an_absence(repository, tmp_path) -> None:
    looking = source(repository, tmp_path)
    before = looking.refresh()
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{repository.head()},strategies/us")
    repository.git("commit", "-q", "-m", "submodule")
    after = looking.refresh()

    assert "submodule" in looking.tree(after)["strategies/us"].problem
    changed = looking.changed(before, after)
    assert changed is not None
    assert changed["strategies/us"] == looking.tree(after)["strategies/us"]


def test_a_damaged_object_is_an_error(repository, tmp_path) -> None:
    looking = source(repository, tmp_path)
    tree = looking.tree(looking.refresh())
    blob = tree["strategies/a.yaml"].blob
    (repository.folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()

    with pytest.raises(SourceError, match="missing"):
        list(looking.blobs([blob]))


def test_a_commit_is_described_in_one_line_without_control_characters(repository, tmp_path) -> None:
    commit = repository.commit(message="Raise \x1b[31mspreads\n\nbody")

    assert source(repository, tmp_path).describe(commit) == f"{commit[:7]} Test: Raise [31mspreads"


# -- nothing of the repository's is run, nothing of ours stays


def test_no_program_that_the_repository_names_is_run(repository, tmp_path) -> None:
    marker = tmp_path / "was-here"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {marker}\nexit 0\n")
    program.chmod(0o755)
    for key in ("core.fsmonitor", "core.sshCommand", "gpg.program", "gpg.ssh.program", "core.pager"):
        repository.git("config", key, str(program))
    for hook in ("post-checkout", "reference-transaction", "post-index-change"):
        (repository.folder / ".git" / "hooks" / hook).symlink_to(program)
    signers = tmp_path / "signers"
    signers.write_text("")

    refusal(source(repository, tmp_path, allowed_signers=str(signers)))
    contents(source(repository, tmp_path))

    assert not marker.exists()


def test_a_replaced_object_is_not_taken_for_the_real_one(repository, tmp_path) -> None:
    first = repository.head()
    second = repository.commit({"strategies/a.yaml": "later"})
    repository.git("replace", second, first)

    assert contents(source(repository, tmp_path))["strategies/a.yaml"] == b"later"


def test_reading_half_of_the_blobs_leaves_no_process(repository, tmp_path) -> None:
    looking = source(repository, tmp_path)
    tree = looking.tree(looking.refresh())
    blobs = looking.blobs([file.blob for file in tree.values()])
    assert isinstance(blobs, Generator)
    next(blobs)
    blobs.close()

    deadline = time.monotonic() + 5
    while _children() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _children() == []


def _children() -> list[str]:
    listing = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "comm="], capture_output=True, text=True, check=False
    )
    return [line for line in listing.stdout.split() if line.startswith("git")]


def test_nothing_is_written_to_the_repository(repository, tmp_path) -> None:
    def state() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in repository.folder.rglob("*")}

    before = state()
    contents(source(repository, tmp_path))

    assert state() == before
