"""
Git → revisions, trees and blobs, by driving git's own plumbing. The only user of GitPython.

Rule 1: every call has a time limit, asks nobody for a password, runs no hook and no helper.
Rule 2: what is asked for is what is fetched; nothing is ever written to a repository that is not ours.
Rule 3: an error says what was tried, git's own reason and what to do; never an address with its password.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from reconciler.errors import SourceError
from reconciler.settings import SourceSettings

FETCH_TIMEOUT_S = 120.0
"""A first clone of a large repository over a slow line; later fetches take a fraction of a second."""

READ_TIMEOUT_S = 60.0

MAX_BLOB_BYTES = 1024 * 1024
"""A strategy file's limit (design.md, The strategy file); a larger blob is never read whole."""

_REMOTE = re.compile(r"^[a-z+]+://|^[\w.-]+@[\w.-]+:")
_PASSWORD = re.compile(r"(?<=://)[^/@\s]*@")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_ALLOW_PROTOCOL": "file:https:ssh",
    "GIT_CONFIG_NOSYSTEM": "1",
    "LC_ALL": "C",
}

_SAFE = ("-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "safe.directory=*")


class TreeFile(msgspec.Struct, frozen=True, gc=False):
    """A file of a revision; `link` for a symbolic link, whose blob is the path that it points to."""

    blob: str
    link: bool = False


class Head(msgspec.Struct, frozen=True, gc=False):
    """A revision: its commit and the tree id of the strategies' folder; equal trees hold equal files."""

    commit: str
    tree: str


def masked(text: str) -> str:
    """`text` without user names and passwords in addresses."""
    return _PASSWORD.sub("***@", text)


def is_remote(repository: str) -> bool:
    """Whether `repository` is an address rather than a folder of this machine."""
    return _REMOTE.match(repository) is not None


class GitSource:
    """One repository at one ref: a folder that is read as it is, or an address behind a private bare clone."""

    def __init__(self, settings: SourceSettings, cache_dir: Path) -> None:
        self._settings = settings
        self.ref = settings.ref
        self.path = settings.path.strip("/")
        self.remote = is_remote(settings.repository)
        mark = hashlib.sha256(settings.repository.encode()).hexdigest()[:16]
        self._folder = cache_dir / "git" / mark if self.remote else Path(settings.repository)
        self._git: Any = None
        self._verified: set[str] = set()

    # -- revisions

    def refresh(self) -> Head:
        """Fetch if there is something to fetch from, and say which revision `ref` is now.

        Raises:
            SourceError: out of reach, no repository, no such ref or folder, or not signed as it must be.
        """
        if self.remote:
            self._fetch()
        head = self._head()
        self._verify(head.commit)
        return head

    def _head(self) -> Head:
        spec = f"{self.ref}^{{commit}}"
        try:
            out = self._run("rev-parse", spec, f"{self.ref}:{self.path}")
        except SourceError as error:
            raise self._explain() from error
        commit, tree = out.decode().split()
        return Head(commit, tree)

    def _explain(self) -> SourceError:
        """Say which of the usual causes it was that a ref could not be read."""
        where = masked(self._settings.repository)
        with contextlib.suppress(SourceError):
            self._run("rev-parse", "--git-dir")
            refs = self._run("for-each-ref", "--format=%(refname:short)").decode().split()
            if not self._known(self.ref):
                near = difflib.get_close_matches(self.ref, refs, 1)
                hint = (
                    f"did you mean {near[0]}?"
                    if near
                    else f"there are: {', '.join(refs[:5]) or 'no refs yet'}"
                )
                return SourceError(f"{where} has no branch, tag or commit {self.ref!r}", fix=hint)
            fix = "set source.path to the folder of the strategies, or commit it"
            return SourceError(f"{where} has no folder {self.path!r} at {self.ref}", fix=fix)
        return SourceError(
            f"{where} is no Git repository", fix="run `git init` there, or set source.repository"
        )

    def _known(self, ref: str) -> bool:
        try:
            self._run("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        except SourceError:
            return False
        return True

    def _verify(self, commit: str) -> None:
        """Refuse a commit that none of the allowed signers has signed."""
        signers = self._settings.allowed_signers
        if signers is None or commit in self._verified:
            return
        try:
            self._run("-c", f"gpg.ssh.allowedSignersFile={signers}", "verify-commit", commit)
        except SourceError as error:
            raise SourceError(
                f"commit {commit[:7]} is not signed by an allowed signer",
                fix=f"sign it (git commit -S) with a key that {signers} lists",
            ) from error
        self._verified.add(commit)

    # -- contents

    def tree(self, head: Head) -> dict[str, TreeFile]:
        """All files below the strategies' folder, by their path from the repository's root."""
        out = self._run("ls-tree", "-r", "-z", "--full-tree", head.commit, "--", f"{self.path}/")
        files = {}
        for line in out.decode(errors="surrogateescape").split("\0")[:-1]:
            mode, kind, rest = line.split(" ", 2)
            blob, _, path = rest.partition("\t")
            if kind == "blob":
                files[path] = TreeFile(blob, link=mode == "120000")
        return files

    def changed(self, old: Head, new: Head) -> dict[str, TreeFile | None]:
        """The files below the folder that differ between two revisions; None for one that is gone."""
        out = self._run("diff-tree", "-r", "-z", "--no-renames", old.tree, new.tree)
        fields = out.decode(errors="surrogateescape").split("\0")
        files: dict[str, TreeFile | None] = {}
        for meta, path in zip(fields[::2], fields[1::2], strict=False):
            _, mode, _, blob, status = meta.split(" ")
            gone = status == "D" or mode == "160000"
            files[f"{self.path}/{path}"] = None if gone else TreeFile(blob, link=mode == "120000")
        return files

    def blobs(self, ids: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """The contents of blobs, through one process; None for one that is larger than MAX_BLOB_BYTES."""
        wanted = list(ids)
        if not wanted:
            return
        sizes = self._run("cat-file", "--batch-check", stdin=_lines(wanted)).decode().splitlines()
        small = [line.split()[0] for line in sizes if int(line.split()[2]) <= MAX_BLOB_BYTES]
        out = memoryview(self._run("cat-file", "--batch", stdin=_lines(small)))
        position = 0
        for blob in small:
            start = position + len(blob) + len(" blob ")
            end = bytes(out[start : start + 24]).index(b"\n") + start
            size = int(out[start:end])
            yield blob, bytes(out[end + 1 : end + 1 + size])
            position = end + 2 + size
        for blob in set(wanted) - set(small):
            yield blob, None

    def describe(self, commit: str) -> str:
        """Author and subject of a commit, for people."""
        return self._run("show", "-s", "--format=%an: %s", commit).decode(errors="replace").strip()

    # -- the private clone

    def _fetch(self) -> None:
        if not (self._folder / "HEAD").exists():
            self._clone()
        try:
            self._run(
                "fetch", "--quiet", "--prune", "--force", "--no-write-fetch-head",
                "origin", "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*",
                timeout_s=FETCH_TIMEOUT_S,
            )  # fmt: skip
        except SourceError as error:
            if not self._sound():
                self._discard()
            raise SourceError(
                f"cannot fetch {masked(self._settings.repository)}: {_reason(error)}",
                fix="check the address, the network and the credentials; the last good revision stays in force",
            ) from error

    def _clone(self) -> None:
        """Make an empty bare repository that knows where to fetch from; a half-made one is made anew."""
        self._discard()
        self._folder.mkdir(parents=True)
        self._run("init", "--quiet", "--bare", ".")
        self._run("config", "remote.origin.url", self._settings.repository)

    def _sound(self) -> bool:
        for stale in self._folder.glob("**/*.lock"):
            stale.unlink(missing_ok=True)
        try:
            self._run("rev-parse", "--git-dir")
            self._run("for-each-ref", "--count=1")
        except SourceError:
            return False
        return True

    def _discard(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    # -- git itself

    def _run(self, *arguments: str, stdin: bytes | None = None, timeout_s: float = READ_TIMEOUT_S) -> bytes:
        """Run one git command in the repository and return what it printed.

        Raises:
            SourceError: it failed or took too long; the message is git's own.
        """
        process = self._start(arguments, stdin)
        try:
            out, err = process.communicate(stdin, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            _kill(process)
            raise SourceError(f"git {arguments[0]} took longer than {timeout_s:.0f} s") from None
        if process.returncode != 0:
            raise SourceError(masked(err.decode(errors="replace").strip()) or f"git {arguments[0]} failed")
        return bytes(out)

    def _start(self, arguments: tuple[str, ...], stdin: bytes | None) -> subprocess.Popen[bytes]:
        from git import Git
        from git.exc import GitCommandNotFound

        if self._git is None:
            self._git = Git(str(self._folder))
        try:
            started = self._git.execute(
                ["git", *_SAFE, *arguments],
                istream=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                as_process=True,
                env=_ENVIRONMENT,
                start_new_session=True,
            )
        except GitCommandNotFound as error:
            missing = not self._folder.is_dir()
            what = f"{self._folder} is no folder" if missing else "git is not installed"
            raise SourceError(what, fix="set source.repository" if missing else "install git") from error
        process: subprocess.Popen[bytes] = started.proc
        started.proc = None  # its wrapper would kill the process when it is collected
        return process


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End git and what it started (ssh, upload-pack), and wait for it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _lines(ids: Iterable[str]) -> bytes:
    return "".join(f"{blob}\n" for blob in ids).encode()


def _reason(error: SourceError) -> str:
    """The telling line of git's complaint."""
    lines = [line for line in str(error).splitlines() if line.startswith(("fatal:", "error:", "ssh:"))]
    return (lines or str(error).splitlines() or ["no reason given"])[0]
