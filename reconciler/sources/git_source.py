"""
One repository at one ref → revisions: a folder that is read in place, or an address of another machine behind a
private clone (docs/decisions/reading-git.md).

Rule 1: nothing is ever written to a repository that is not ours.
Rule 2: a revision that nobody allowed has signed is no revision.
Rule 3: a symbolic link is followed within the strategies' folder and nowhere else.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path

from reconciler.errors import SourceError
from reconciler.redact import masked_url
from reconciler.settings.model import SourceSettings
from reconciler.sources.base import Head, TreeFile, followed_links
from reconciler.sources.clone import COMMIT, STAYS, Clone, no_such_ref
from reconciler.sources.git import Git, folder_of

_IN_PLACE = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}
"""What a partial clone lacks is missing: to fetch it would write there, with programs that its configuration names."""

_LINK, _SUBMODULE = "120000", "160000"


class GitSource:
    """The strategies' folder of one repository at one ref. `patience`: stretches all time limits of fetching."""

    def __init__(self, settings: SourceSettings, cache_dir: Path, *, patience: float = 1.0) -> None:
        self._settings = settings
        self._clone = None
        self.ref = settings.ref
        self.path = settings.path.strip("/")
        self._place = folder_of(settings.repository)
        if self._place is None:
            self._clone = Clone(settings.repository, settings.ref, cache_dir, patience=patience)
        self._git = self._clone.git if self._clone else None
        self._folder = self.path
        self._spelling = ""
        self._verified = ""
        self._has_links = False

    # -- revisions

    def refresh(self) -> Head:
        """Fetch if there is something to fetch from, and return which revision `ref` is now.

        One git call of an unchanged folder, once it is known what kind of name `ref` is.

        Raises:
            SourceError: out of reach, no repository, no such ref, or not signed as it must be.
        """
        if self._clone is not None:
            self._clone.fetch()
        git = self._opened()
        for spelling in filter(None, (self._spelling, *_spellings(self.ref))):
            found = git.try_run("rev-parse", "--verify", "--quiet", f"{spelling}^{{commit}}")
            if found is not None:
                self._spelling = spelling
                commit = found.decode().strip()
                self._verify(commit)
                return Head(commit, f"{commit}:{self._folder}")
        self._spelling = ""
        raise self._unreadable_ref(git)

    def _opened(self) -> Git:
        if self._git is None:
            assert self._place is not None  # else there is a clone
            git_dir, below = find_repository(self._place)
            self._folder = f"{below}/{self.path}".strip("/")
            self._git = Git(git_dir, environment=_IN_PLACE)
            signers = self._settings.allowed_signers
            tree = git_dir.parent.resolve() if git_dir.name == ".git" else None
            if signers is not None and tree is not None and Path(signers).resolve().is_relative_to(tree):
                what = f"source.allowed_signers {signers} is inside of the repository that it guards"
                raise SourceError(what, fix="put it where a commit cannot change it")
        return self._git

    def _unreadable_ref(self, git: Git) -> SourceError:
        """Why `ref` could not be read; a clone that is broken is made again at the next fetch."""
        where = masked_url(self._settings.repository)
        if not git.git_dir.is_dir():
            return SourceError(f"{where} is gone", fix=f"bring it back, or set source.repository; {STAYS}")
        refs = git.try_run("for-each-ref", "--format=%(refname)")
        if refs is None:
            self._distrust()
            return SourceError(f"{where} cannot be read by git", fix="repair the repository: git fsck")
        return no_such_ref(where, self.ref, refs.decode(errors="replace").split())

    def _verify(self, commit: str) -> None:
        """Rule 2; each commit once."""
        signers = self._settings.allowed_signers
        if signers is None or commit == self._verified:
            return
        if not Path(signers).is_file():
            raise SourceError(
                f"source.allowed_signers: there is no file {signers}", fix="make it, or correct the path"
            )
        option = f"gpg.ssh.allowedSignersFile={signers}"
        if self._opened().try_run("-c", option, "verify-commit", commit) is None:
            raise SourceError(
                f"commit {commit[:7]} is not signed by an allowed signer",
                fix=f"sign it (git commit -S, gpg.format ssh) with a key that {signers} lists",
            )
        self._verified = commit

    # -- contents

    def tree(self, head: Head) -> dict[str, TreeFile]:
        """All files below the strategies' folder; links and submodules as what they stand for.

        Raises:
            SourceError: there is no such folder, or it cannot be read.
        """
        listing = self._opened().try_run("ls-tree", "-r", "-z", head.folder)
        if listing is None and not self._has_folder(head):
            what = f"{masked_url(self._settings.repository)} has no folder {self.path!r} at {self.ref}"
            raise SourceError(what, fix="set source.path to the folder of the strategies, or commit it")
        if listing is None:
            listing = self._read("ls-tree", "-r", "-z", head.folder)
        files: dict[str, TreeFile] = {}
        links: dict[str, str] = {}
        for line in listing.decode(errors="replace").split("\0")[:-1]:
            meta, _, path = line.partition("\t")
            mode, _, blob = meta.split(" ")
            if mode == _LINK:
                links[path] = blob
            files[path] = _tree_file(mode, blob)
        self._has_links = bool(links)
        if links:
            texts = dict(self.blobs(set(links.values())))
            targets = {path: (texts[blob] or b"").decode(errors="replace") for path, blob in links.items()}
            files |= followed_links(targets, files)
        return {self._placed(path): file for path, file in files.items()}

    def changed(self, old: Head, new: Head) -> dict[str, TreeFile | None] | None:
        """The files that differ; None where links exist, since they differ with what they point to.

        Asked of the commits, not of the folders' trees: git reads a tree that is named itself twice, and 10,000 files
        are many (benchmarks.one_change).
        """
        below = ("--", self._folder) if self._folder else ()
        diff = (
            "--literal-pathspecs",
            "diff-tree",
            "-r",
            "-z",
            "--no-renames",
            old.commit,
            new.commit,
            *below,
        )
        out = None if self._has_links else self._opened().try_run(*diff)
        if out is None:
            return None
        folder = f"{self._folder}/" if self._folder else ""
        fields = out.decode(errors="replace").split("\0")
        files: dict[str, TreeFile | None] = {}
        for meta, path in zip(fields[::2], fields[1::2], strict=False):
            _, mode, _, blob, status = meta.split(" ")
            if mode == _LINK or not path.startswith(folder):
                return None
            files[self._placed(path.removeprefix(folder))] = None if status == "D" else _tree_file(mode, blob)
        if None in files.values() and not self._has_folder(new):
            return None
        return files

    def _has_folder(self, head: Head) -> bool:
        return self._opened().try_run("cat-file", "-t", head.folder) == b"tree\n"

    def blobs(self, ids: Iterable[str]) -> Generator[tuple[str, bytes | None]]:
        """The contents of blobs by one process; None for one that is larger than a strategy file may be."""
        try:
            yield from self._opened().blobs(ids)
        except SourceError:
            self._distrust()
            raise

    def describe(self, commit: str) -> str:
        """Short id, author and subject of a commit, for people."""
        text = self._read("show", "-s", "--format=%h %an: %s", commit).decode(errors="replace").strip()
        return "".join(character for character in text if character.isprintable())

    def _read(self, *arguments: str) -> bytes:
        try:
            return self._opened().run(*arguments)
        except SourceError:
            self._distrust()
            raise

    def _distrust(self) -> None:
        if self._clone is not None:
            self._clone.distrust()

    def _placed(self, path: str) -> str:
        return f"{self.path}/{path}" if self.path else path


def _spellings(ref: str) -> tuple[str, ...]:
    """What `ref` may mean, the most likely first. A branch comes before a tag, whatever git itself prefers."""
    if ref.startswith("-"):
        return ()
    named = (f"refs/heads/{ref}", f"refs/tags/{ref}", ref)
    return named[::-1] if COMMIT.fullmatch(ref) else named


def find_repository(folder: Path) -> tuple[Path, str]:
    """The git directory that `folder` belongs to, and the folder's path within its tree.

    Raises:
        SourceError: no repository is there or above.
    """
    whole = folder.resolve()
    if not whole.is_dir():
        raise SourceError(f"there is not a folder {folder}", fix="set source.repository")
    if all((whole / part).exists() for part in ("HEAD", "objects", "refs")):
        return whole, ""
    for place in (whole, *whole.parents):
        git = place / ".git"
        if git.exists():
            below = whole.relative_to(place).as_posix()
            if git.is_file():  # a submodule or a second working tree: it says where the repository is
                target = git.read_text(errors="replace").removeprefix("gitdir:").strip()
                git = (git.parent / target).resolve()
            return git, "" if below == "." else below
    raise SourceError(f"{folder} is not a Git repository", fix="run git init there, or set source.repository")


def _tree_file(mode: str, blob: str) -> TreeFile:
    if mode == _SUBMODULE:
        return TreeFile("", "a submodule: the strategies in it are not read", "commit the files themselves")
    return TreeFile(blob)
