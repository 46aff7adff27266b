"""
Git's own plumbing on one repository. The only user of GitPython.

Rule 1: every call has a time limit, asks nobody for a password, runs no hook, and no program that a
repository's own configuration names.
Rule 2: an error is git's own reason, never an address with its password.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote_to_bytes

from reconciler.errors import SourceError
from reconciler.redact import masked_url
from reconciler.sources.yaml.document import MAX_BYTES

READ_TIMEOUT_S = 60.0
"""Reading what is on this machine takes milliseconds; a minute means that a disk does not answer."""

CHUNK_BYTES = 1 << 16
"""What a pipe holds on Linux."""

_HERE = re.compile(r"file://(?:localhost)?(/.*)", re.DOTALL)
_REMOTE = re.compile(r"[a-z+]+://|[\w.-]+@[\w.-]+:", re.IGNORECASE)

_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_ALLOW_PROTOCOL": "file:https:ssh",
    "GIT_NO_REPLACE_OBJECTS": "1",  # refs/replace would show other files than those that were signed
    "LC_ALL": "C",
}

_SAFE = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "gc.auto": "0",
    "gpg.program": "false",
    "gpg.x509.program": "false",
    "gpg.ssh.program": "ssh-keygen",
}
"""Beats what a repository configures. Only SSH signatures can be good: OpenPGP's know no list of signers."""


def is_remote(repository: str) -> bool:
    """Whether `repository` is an address rather than a path."""
    return _REMOTE.match(repository) is not None


def folder_of(repository: str) -> Path | None:
    """The folder of this machine that a path or a `file://` address names; None for what has to be fetched.

    An address is read as git reads it: a whole path, with %20 for a space, of which `.git` may be left out.
    """
    if not is_remote(repository):
        return Path(repository)
    path = _HERE.fullmatch(repository)
    if path is None:
        return None
    folder = Path(os.fsdecode(unquote_to_bytes(path[1])))
    bare = folder.with_name(f"{folder.name}.git") if folder.name else folder
    return bare if bare.is_dir() and not folder.exists() else folder


class Git:
    """git on the repository at `git_dir`, wherever it was started and whatever GIT_DIR says."""

    def __init__(self, git_dir: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self.git_dir = git_dir
        self._environment = {**_ENVIRONMENT, **(environment or {})}
        self._options = [f"--git-dir={git_dir}"]
        for key, value in _SAFE.items():
            self._options += ["-c", f"{key}={value}"]

    def run(self, *arguments: str, timeout_s: float = READ_TIMEOUT_S) -> bytes:
        """Run one command and return what it printed.

        Raises:
            SourceError: it failed or took too long; the message is git's own.
        """
        with self._process(arguments) as process:
            try:
                out, err = process.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                raise SourceError(f"git {_verb(arguments)} took longer than {timeout_s:g} s") from None
            if process.returncode != 0:
                said = err.decode(errors="replace").strip()
                raise SourceError(masked_url(said) or f"git {_verb(arguments)} failed")
            return bytes(out)

    def try_run(self, *arguments: str) -> bytes | None:
        """As `run`; None if it failed."""
        try:
            return self.run(*arguments)
        except SourceError:
            return None

    def blobs(self, ids: Iterable[str]) -> Generator[tuple[str, bytes | None]]:
        """The contents of blobs by one process; None for one larger than a strategy file may be.

        Raises:
            SourceError: one is missing or broken, or git falls silent or ends too early.
        """
        wanted, given = list(ids), 0
        with tempfile.TemporaryFile() as listed:
            listed.writelines(f"{blob}\n".encode() for blob in wanted)
            listed.seek(0)
            with self._process(("cat-file", "--batch"), listed) as process:
                for found in parse_batch(lambda: _read(process.stdout), MAX_BYTES):
                    given += 1
                    yield found
        if given < len(wanted):
            what = f"git gave {given:,} of {len(wanted):,} files and ended"
            raise SourceError(what, fix="repair the repository: git fsck; a partial clone lacks files")

    @contextlib.contextmanager
    def _process(
        self, arguments: tuple[str, ...], stdin: IO[bytes] | int = subprocess.DEVNULL
    ) -> Iterator[Any]:
        """A running git; however the block ends, git and what it started (ssh, upload-pack) are gone afterwards.

        GitPython runs git while it is imported, so it is imported here: other commands work without git.
        """
        from git import Git as Command
        from git.exc import GitCommandNotFound

        try:
            process: Any = Command(str(self.git_dir)).execute(
                ["git", *self._options, *arguments],
                istream=stdin,  # type: ignore[arg-type]  # the stubs leave out that Popen takes files of all kinds
                as_process=True,
                env=self._environment,
                start_new_session=True,
            )
        except GitCommandNotFound as error:
            raise SourceError("git is not installed", fix="install git, and have it on PATH") from error
        try:
            yield process
        finally:
            if process.proc.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.proc.pid, signal.SIGKILL)
                process.proc.wait()
            for pipe in filter(None, (process.proc.stdout, process.proc.stderr)):
                pipe.close()


def _read(output: IO[bytes]) -> bytes:
    """The next chunk; empty at the end."""
    poll = select.poll()
    poll.register(output, select.POLLIN)
    if not poll.poll(READ_TIMEOUT_S * 1000):
        raise SourceError(f"git cat-file printed nothing for {READ_TIMEOUT_S:g} s")
    return os.read(output.fileno(), CHUNK_BYTES)


def _verb(arguments: tuple[str, ...]) -> str:
    """The command among `arguments`, for messages."""
    return next(word for word in arguments if not word.startswith("-") and "=" not in word)


def parse_batch(read: Callable[[], bytes], max_bytes: int) -> Iterator[tuple[str, bytes | None]]:
    """Yield (id, contents) of each blob; None for one over `max_bytes`, which is passed by without being kept.

    `read` gives the next chunk, empty at the end.

    Raises:
        SourceError: an object is missing, or the output ends within one.
    """
    buffer = _Buffer(read)
    while header := buffer.line():
        blob, kind, *size = header.split()
        if kind != "blob" or not size:
            raise SourceError(f"object {blob[:12]} is {kind}, not a file", fix="repair it: git fsck")
        length = int(size[0])
        if length > max_bytes:
            buffer.skip(length + 1)
            yield blob, None
        else:
            yield blob, buffer.take(length + 1)[:-1]


class _Buffer:
    """Bytes that were read and not yet taken."""

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read
        self._chunk = b""
        self._at = 0

    def line(self) -> str:
        """The next line without its end; empty when there is nothing more."""
        while (end := self._chunk.find(b"\n", self._at)) < 0:
            if not self._more():
                return ""
        line = self._chunk[self._at : end]
        self._at = end + 1
        return line.decode()

    def take(self, length: int) -> bytes:
        while len(self._chunk) - self._at < length:
            self._must_have_more()
        self._at += length
        return self._chunk[self._at - length : self._at]

    def skip(self, length: int) -> None:
        while (there := len(self._chunk) - self._at) < length:
            length -= there
            self._at = len(self._chunk)
            self._must_have_more()
        self._at += length

    def _more(self) -> bool:
        chunk = self._read()
        self._chunk = self._chunk[self._at :] + chunk
        self._at = 0
        return bool(chunk)

    def _must_have_more(self) -> None:
        if not self._more():
            raise SourceError("git ended in the middle of a file", fix="repair the repository: git fsck")
