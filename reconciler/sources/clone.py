"""
A private bare repository that follows one ref of an address.

Rule 1: only what is asked for is fetched: the branch or tag; everything only for a bare commit id.
Rule 2: one process at a time; so a lock file that git finds there was left by one that died.
Rule 3: a clone is a cache: broken, it is moved aside and made again; its address stays out of its files.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import re
import shutil
from pathlib import Path

from reconciler.errors import SourceError
from reconciler.files import FileLock, FileLocked
from reconciler.redact import masked_url
from reconciler.sources.git import Git

ASK_TIMEOUT_S = 30.0
"""A host that does not answer within this is out of reach."""

FETCH_TIMEOUT_S = 120.0

FIRST_FETCH_TIMEOUT_S = 1800.0
"""The whole history of a large repository over a slow line; the host has just answered a question."""

TIDY_EVERY = 1000
"""Fetches between two of git's own clean-ups, which take a while."""

COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ABBREVIATED = re.compile(r"[0-9a-f]{7,64}")
_KINDS = ("heads", "tags")

_QUICK = ("-c", "core.looseCompression=0", "-c", "maintenance.auto=false")
"""A tree of 10,000 files is mostly ids, which do not compress; trying takes as long as the rest of a fetch."""

_FETCH = ("fetch", "--quiet", "--force", "--no-tags", "--no-write-fetch-head", "--update-shallow")
"""A remote may itself be a shallow clone: without the last one, git says nothing and brings nothing of it."""

_TIDYING = ("-c", "gc.auto=1000", "-c", "gc.autoDetach=false")

STAYS = "the last good revision stays in force"
_CHECK = f"check the address, the network and the credentials; {STAYS}"


class Clone:
    """The clone of `address` below `cache_dir`; `git` reads it."""

    def __init__(self, address: str, ref: str, cache_dir: Path, *, patience: float = 1.0) -> None:
        mark = hashlib.sha256(address.encode()).hexdigest()[:16]
        self._folder = (cache_dir / "git" / mark).absolute()
        self._address = address
        self._ref = ref
        self._patience = patience
        self._kind: str | None = None
        self._fetches = 0
        config = {"remote.origin.url": address, "http.lowSpeedLimit": "1000", "http.lowSpeedTime": "30"}
        environment = {
            "GIT_CONFIG_COUNT": str(len(config))
        }  # neither the list of processes nor a file shows it
        for number, (key, value) in enumerate(config.items()):
            environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        self.git = Git(self._folder, environment=environment)

    def fetch(self) -> None:
        """Bring what `ref` names up to date.

        Raises:
            SourceError: the address is out of reach or has no such ref.
        """
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(FileLock(self._folder.with_suffix(".lock"))) as lock:
            try:
                lock.acquire(FETCH_TIMEOUT_S * self._patience)
            except FileLocked:
                what = f"another process is still fetching {masked_url(self._address)}"
                raise SourceError(what, fix="wait for it, or stop it") from None
            if not (self._folder / "HEAD").is_file():
                self._remake()
            for place in ("*.lock", "refs/**/*.lock", "objects/info/*.lock", "objects/pack/tmp_*"):
                for leftover in self._folder.glob(place):  # rule 2: a git that was killed left it
                    leftover.unlink(missing_ok=True)
            try:
                self._follow()
            except _NoSuchRef:
                raise
            except SourceError as error:
                if self._is_sound(error):
                    raise
                self._remake()
                self._follow()

    def distrust(self) -> None:
        """Something in the clone cannot be read: make it again at the next fetch."""
        (self._folder / "HEAD").unlink(missing_ok=True)

    # -- what to fetch

    def _follow(self) -> None:
        """Fetch `ref`: nothing for a commit that is here, else what it was last time, else what the address offers."""
        ask = self.git.try_run
        if COMMIT.fullmatch(self._ref) and ask("cat-file", "-e", f"{self._ref}^{{commit}}") is not None:
            return
        names = {kind: f"refs/{kind}/{self._ref}" for kind in _KINDS}
        here = (kind for kind in _KINDS if ask("rev-parse", "--verify", "--quiet", names[kind]) is not None)
        kind = self._kind or next(here, None)
        if kind is not None and self._fetch_again(kind):
            return
        offered = self._offered()
        self._kind = next((kind for kind in _KINDS if names[kind] in offered), None)
        if self._kind is not None:
            self._fetch(f"+{names[self._kind]}:{names[self._kind]}")
        elif _ABBREVIATED.fullmatch(self._ref):
            self._fetch("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
        else:
            raise no_such_ref(self._address, self._ref, sorted(offered))

    def _fetch_again(self, kind: str) -> bool:
        """Fetch the ref as what it was last time; False if the address has it no longer."""
        ref = f"refs/{kind}/{self._ref}"
        try:
            self._fetch(f"+{ref}:{ref}", timeout_s=FETCH_TIMEOUT_S)
        except SourceError as error:
            if "couldn't find remote ref" not in str(error):
                raise
            self.git.run("update-ref", "-d", ref)
            self._kind = None
            return False
        self._kind = kind
        return True

    def _offered(self) -> set[str]:
        try:
            out = self.git.run(
                "ls-remote", "--heads", "--tags", "--refs", "--quiet", "origin",
                timeout_s=ASK_TIMEOUT_S * self._patience,
            )  # fmt: skip
        except SourceError as error:
            raise _Unreachable(self._failed(error), fix=_CHECK) from error
        return {line.partition("\t")[2] for line in out.decode(errors="replace").splitlines()}

    def _fetch(self, *refspecs: str, timeout_s: float = FIRST_FETCH_TIMEOUT_S) -> None:
        self._fetches += 1
        options = _TIDYING if self._fetches % TIDY_EVERY == 0 else _QUICK
        try:
            self.git.run(*options, *_FETCH, "origin", *refspecs, timeout_s=timeout_s * self._patience)
        except SourceError as error:
            raise SourceError(self._failed(error), fix=_CHECK) from error

    def _failed(self, error: SourceError) -> str:
        return f"cannot fetch {masked_url(self._address)}: {reason(error)}"

    # -- the folder

    def _is_sound(self, error: SourceError) -> bool:
        """Whether the clone is whole, so that `error` is the remote's."""
        if self.git.try_run("for-each-ref", "--format=%(objecttype) %(tree)") is None:
            return False
        if isinstance(error, _Unreachable):
            return True
        self._offered()
        return self.git.try_run("fsck", "--connectivity-only", "--no-dangling") is not None

    def _remake(self) -> None:
        """Begin with an empty repository; what was there is kept next to it, for people to look at."""
        aside = self._folder.with_suffix(".broken")
        if self._folder.exists():
            shutil.rmtree(aside, ignore_errors=True)
            self._folder.rename(aside)
        self._folder.mkdir()
        self.git.run("init", "--quiet", "--bare")
        self._kind = None


class _Unreachable(SourceError):
    """The address does not answer."""


class _NoSuchRef(SourceError):
    """The address answers, and has no such ref: nothing to repair here."""


def no_such_ref(repository: str, ref: str, refs: list[str]) -> SourceError:
    """What to say when `ref` is none of `refs` (full names)."""
    names = list(dict.fromkeys(re.sub(r"^refs/(heads|tags|remotes)/", "", full) for full in refs))
    near = difflib.get_close_matches(ref, names, 1)
    listed = f"set source.ref; there are: {', '.join(names[:5])}"
    fix = f"did you mean {near[0]}?" if near else listed if names else "it has no commits yet: make the first"
    return _NoSuchRef(f"{masked_url(repository)} has no branch, tag or commit {ref!r}", fix=fix)


def reason(error: SourceError) -> str:
    """The line of git's error output that says why."""
    lines = str(error).splitlines()
    reasons = [line for line in lines if line.startswith(("fatal:", "error:", "ssh:"))]
    return (reasons or lines or ["no reason given"])[0]
