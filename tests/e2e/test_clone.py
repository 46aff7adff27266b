"""A remote is followed through a private clone that survives what remotes, networks and kills do to it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reconciler.errors import SourceError
from reconciler.settings.model import SourceSettings
from reconciler.sources.git_source import GitSource
from tests.support.repositories import Repository, another_machine, elsewhere


class Remote:
    """A bare repository on a machine that is reached by ssh, and somebody who pushes to it."""

    def __init__(self, folder: Path) -> None:
        self.work = Repository(folder / "work")
        self.work.commit({"strategies/a.yaml": "a", "strategies/b.yaml": "b"})
        self.bare = self.work.bare(folder / "remote.git")
        self.url = elsewhere(self.bare)

    def push(self, text: str, *arguments: str) -> str:
        commit = self.work.commit({"strategies/a.yaml": text})
        self.work.push(*arguments)
        return commit


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remote:
    for name, value in another_machine(tmp_path).items():
        monkeypatch.setenv(name, value)
    return Remote(tmp_path)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def follow(url: str, cache: Path, ref: str = "main", patience: float = 1.0) -> GitSource:
    return GitSource(SourceSettings(repository=url, ref=ref), cache, patience=patience)


def text_of_a(source: GitSource) -> bytes | None:
    tree = source.tree(source.refresh())
    ((_, text),) = source.blobs([tree["strategies/a.yaml"].blob])
    return text


def refusal(source: GitSource) -> SourceError:
    with pytest.raises(SourceError) as error:
        source.refresh()
    return error.value


def clone_of(cache: Path) -> Path:
    (folder,) = (path for path in (cache / "git").iterdir() if path.is_dir() and path.suffix != ".broken")
    return folder


# -- what is followed


def test_a_remote_that_is_a_shallow_clone_is_followed(remote, cache, tmp_path) -> None:
    remote.push("later")
    shallow = tmp_path / "shallow"
    remote.work.git("clone", "-q", "--bare", "--depth", "1", f"file://{remote.bare}", str(shallow))

    assert text_of_a(follow(elsewhere(shallow), cache)) == b"later"


def test_a_push_is_seen_at_the_next_look(remote, cache) -> None:
    source = follow(remote.url, cache)
    assert text_of_a(source) == b"a"
    commit = remote.push("later")

    assert source.refresh().commit == commit
    assert text_of_a(source) == b"later"


def test_a_new_process_finds_the_clone_again(remote, cache) -> None:
    follow(remote.url, cache).refresh()
    commit = remote.push("later")

    assert follow(remote.url, cache).refresh().commit == commit


def test_a_force_push_is_followed(remote, cache) -> None:
    source = follow(remote.url, cache)
    remote.push("one")
    source.refresh()
    remote.work.git("reset", "-q", "--hard", "HEAD~1")
    commit = remote.push("other", "--force", "main")

    assert source.refresh().commit == commit
    assert text_of_a(source) == b"other"


def test_only_the_branch_that_is_asked_for_is_fetched(remote, cache) -> None:
    remote.work.git("checkout", "-q", "-b", "huge")
    other = remote.push("huge", "huge")
    follow(remote.url, cache).refresh()

    refs = subprocess.run(
        ["git", "-C", str(clone_of(cache)), "for-each-ref", "--format=%(refname)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert refs == ["refs/heads/main"]
    found = subprocess.run(
        ["git", "-C", str(clone_of(cache)), "cat-file", "-e", other], capture_output=True, check=False
    )
    assert found.returncode != 0


def test_a_tag_is_followed_also_when_it_moves(remote, cache) -> None:
    remote.work.git("tag", "live")
    remote.work.push("live")
    source = follow(remote.url, cache, ref="live")
    source.refresh()
    commit = remote.push("later")
    remote.work.git("tag", "-f", "live")
    remote.work.push("--force", "live")

    assert source.refresh().commit == commit


@pytest.mark.parametrize("length", [40, 10])
def test_a_commit_is_found_by_its_id(remote, cache, length) -> None:
    first = remote.work.head()
    remote.push("later")
    source = follow(remote.url, cache, ref=first[:length])

    assert source.refresh().commit == first
    assert text_of_a(source) == b"a"


def test_a_commit_that_is_there_needs_no_remote(remote, cache) -> None:
    source = follow(remote.url, cache, ref=remote.work.head())
    source.refresh()
    shutil.rmtree(remote.bare)

    assert source.refresh().commit == remote.work.head()


def test_a_branch_that_is_made_after_a_tag_of_its_name_was_deleted_is_followed(remote, cache) -> None:
    remote.work.git("tag", "live")
    remote.work.push("live")
    source = follow(remote.url, cache, ref="live")
    source.refresh()
    remote.work.push("--delete", "live")
    commit = remote.push("later", "main", "main:refs/heads/live")

    assert source.refresh().commit == commit


def test_a_deleted_branch_is_an_error_until_it_is_back(remote, cache) -> None:
    remote.work.push("main:live")
    source = follow(remote.url, cache, ref="live")
    source.refresh()
    remote.work.push("--delete", "live")
    assert "has no branch, tag or commit 'live'" in str(refusal(source))

    commit = remote.push("back", "main", "main:live")

    assert source.refresh().commit == commit


def test_an_unknown_branch_is_refused_with_the_nearest_name(remote, cache) -> None:
    assert refusal(follow(remote.url, cache, ref="mian")).fix == "did you mean main?"


def test_two_processes_may_fetch_at_once(remote, cache) -> None:
    program = (
        "import sys; from pathlib import Path; from reconciler.settings.model import SourceSettings;"
        "from reconciler.sources.git_source import GitSource;"
        "s = GitSource(SourceSettings(repository=sys.argv[1]), Path(sys.argv[2]));"
        "print([s.refresh().commit for _ in range(5)][-1])"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", program, remote.url, str(cache)], stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    outputs = [child.communicate(timeout=60)[0].decode().strip() for child in children]

    assert outputs == [remote.work.head()] * 3


# -- what is out of reach


def test_a_remote_that_is_gone_is_an_error_that_says_so(remote, cache) -> None:
    source = follow(remote.url, cache)
    source.refresh()
    shutil.move(remote.bare, remote.bare.with_suffix(".away"))
    error = refusal(source)
    assert "cannot fetch ssh://" in str(error)
    assert "last good revision stays" in error.fix

    shutil.move(remote.bare.with_suffix(".away"), remote.bare)

    assert text_of_a(source) == b"a"


def test_a_remote_that_is_gone_does_not_cost_the_clone(remote, cache) -> None:
    source = follow(remote.url, cache)
    source.refresh()
    inode = clone_of(cache).stat().st_ino
    shutil.rmtree(remote.bare)
    refusal(source)

    assert clone_of(cache).stat().st_ino == inode


def test_a_host_that_never_answers_is_given_up(cache, tmp_path, monkeypatch) -> None:
    slow = tmp_path / "slow-ssh"
    slow.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(slow))

    error = refusal(follow("ssh://git@localhost/x", cache, patience=0.02))

    assert "took longer than 0.6 s" in str(error)
    assert str(error).count("cannot fetch") == 1
    assert not _runs(int((tmp_path / "pid").read_text()))


def _runs(pid: int) -> bool:
    """A zombie does not: its parent, which is not us, has yet to notice."""
    state = subprocess.run(
        ["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return state.stdout.strip() not in {"", "Z"}


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "git://127.0.0.1/x"])
def test_no_other_protocol_is_spoken(cache, url) -> None:
    assert "not allowed" in str(refusal(follow(url, cache)))


def test_an_address_is_never_a_program(cache, tmp_path) -> None:
    refusal(follow(f"ext::touch {tmp_path}/was-here", cache))

    assert not (tmp_path / "was-here").exists()


def test_credentials_are_in_no_error_and_in_no_file(cache) -> None:
    error = refusal(follow("https://user:s3cr3t@127.0.0.1:1/x.git", cache))

    assert "s3cr3t" not in f"{error} {error.fix} {error.__cause__}"
    assert "https://***@127.0.0.1:1/x.git" in str(error)
    content = b"".join(path.read_bytes() for path in cache.rglob("*") if path.is_file())
    assert b"s3cr3t" not in content


# -- what is left behind


def test_a_lock_that_a_killed_git_left_is_removed(remote, cache) -> None:
    source = follow(remote.url, cache)
    source.refresh()
    commit = remote.push("later")
    for lock in ("refs/heads/main.lock", "packed-refs.lock", "HEAD.lock", "shallow.lock", "config.lock"):
        (clone_of(cache) / lock).write_text("")

    assert source.refresh().commit == commit


@pytest.mark.parametrize(
    "damage", ["no HEAD", "no objects", "no refs", "empty ref", "nonsense ref", "no commit", "half a config"]
)
def test_a_damaged_clone_is_made_again(remote, cache, damage) -> None:
    follow(remote.url, cache).refresh()
    clone = clone_of(cache)
    ref = clone / "refs" / "heads" / "main"
    match damage:
        case "no HEAD":
            (clone / "HEAD").unlink()
        case "no objects":
            shutil.rmtree(clone / "objects")
        case "no refs":
            shutil.rmtree(clone / "refs")
        case "empty ref":
            ref.write_text("")
        case "nonsense ref":
            ref.write_text("f" * 40 + "\n")
        case "no commit":
            commit = remote.work.head()
            _drop(clone, commit)
        case "half a config":
            (clone / "config").write_text("[core")

    assert text_of_a(follow(remote.url, cache)) == b"a"


def _drop(clone: Path, name: str) -> None:
    """Unpack everything, and remove one object."""
    for pack in (clone / "objects" / "pack").glob("*.pack"):
        away = clone / pack.name
        pack.rename(away)
        for rest in (clone / "objects" / "pack").iterdir():
            rest.unlink()
        subprocess.run(["git", "-C", str(clone), "unpack-objects", "-q"], stdin=away.open("rb"), check=True)
    (clone / "objects" / name[:2] / name[2:]).unlink()


def test_a_clone_that_lost_a_file_is_made_again_at_the_next_look(remote, cache) -> None:
    source = follow(remote.url, cache)
    blob = source.tree(source.refresh())["strategies/a.yaml"].blob
    _drop(clone_of(cache), blob)
    with pytest.raises(SourceError, match="missing"):
        text_of_a(source)

    assert text_of_a(source) == b"a"


def test_what_was_broken_is_put_aside_once(remote, cache) -> None:
    for _ in range(3):
        follow(remote.url, cache).refresh()
        (clone_of(cache) / "HEAD").unlink()
    follow(remote.url, cache).refresh()

    assert len(list((cache / "git").glob("*.broken"))) == 1


@pytest.mark.parametrize("delay_s", [0.0, 0.02, 0.05, 0.1, 0.2])
def test_a_kill_in_the_middle_of_a_first_fetch_is_survived(remote, cache, delay_s) -> None:
    remote.work.commit({f"strategies/{n}.yaml": os.urandom(2000).hex() for n in range(300)})
    remote.work.push()
    program = (
        "import sys; from pathlib import Path; from reconciler.settings.model import SourceSettings;"
        "from reconciler.sources.git_source import GitSource; import git;"
        "print('go', flush=True);"
        "GitSource(SourceSettings(repository=sys.argv[1]), Path(sys.argv[2])).refresh()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, remote.url, str(cache)],
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"go\n"
        time.sleep(delay_s)
        os.kill(child.pid, signal.SIGKILL)

    assert follow(remote.url, cache).refresh().commit == remote.work.head()
    assert text_of_a(follow(remote.url, cache)) == b"a"
