"""With `allowed_signers`, only commits that one of them has signed are revisions."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler.errors import SourceError
from reconciler.settings.model import SourceSettings
from reconciler.sources.git_source import GitSource
from tests.support.repositories import Repository


class Signer:
    """A person with an SSH key."""

    def __init__(self, folder: Path, name: str) -> None:
        self.key = folder / name
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.key)], check=True
        )
        self.line = f"{name}@example.com {self.key.with_suffix('.pub').read_text()}"

    def commit(self, repository: Repository, text: str) -> str:
        repository.write({"strategies/a.yaml": text})
        repository.git("add", "-A")
        repository.git("commit", "-q", "-S", "-m", text, gpg__format="ssh", user__signingkey=str(self.key))
        return repository.head()


@pytest.fixture
def alice(tmp_path: Path) -> Signer:
    return Signer(tmp_path, "alice")


@pytest.fixture
def mallory(tmp_path: Path) -> Signer:
    return Signer(tmp_path, "mallory")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture
def source(tmp_path: Path, repository: Repository, alice: Signer) -> GitSource:
    signers = tmp_path / "allowed_signers"
    signers.write_text(alice.line)
    return GitSource(
        SourceSettings(repository=str(repository.folder), allowed_signers=str(signers)), tmp_path / "cache"
    )


def refusal(source: GitSource) -> SourceError:
    with pytest.raises(SourceError) as error:
        source.refresh()
    return error.value


def test_a_commit_by_an_allowed_signer_is_a_revision(source, repository, alice) -> None:
    commit = alice.commit(repository, "signed")

    assert source.refresh().commit == commit


def test_an_unsigned_commit_is_refused_by_name_and_with_a_fix(source, repository) -> None:
    commit = repository.commit({"strategies/a.yaml": "unsigned"})

    error = refusal(source)

    assert commit[:7] in str(error)
    assert "git commit -S" in error.fix


def test_a_commit_signed_by_somebody_else_is_refused(source, repository, mallory) -> None:
    mallory.commit(repository, "mine now")

    assert "not signed by an allowed signer" in str(refusal(source))


def test_an_unsigned_commit_on_top_of_a_signed_one_is_refused(source, repository, alice) -> None:
    alice.commit(repository, "signed")
    source.refresh()
    repository.commit({"strategies/a.yaml": "unsigned"})

    assert "not signed" in str(refusal(source))


def test_a_signature_taken_from_another_commit_does_not_count(source, repository, alice) -> None:
    signed = alice.commit(repository, "signed")
    raw = repository.git("cat-file", "commit", signed)
    tree = repository.git("rev-parse", f"{signed}^{{tree}}")
    repository.commit({"strategies/a.yaml": "forged"})
    forged = raw.replace(tree, repository.git("rev-parse", "HEAD^{tree}")) + "\n"
    (repository.folder / "commit").write_text(forged)
    commit = repository.git("hash-object", "-t", "commit", "-w", "commit")
    repository.git("update-ref", "refs/heads/main", commit)

    assert "not signed by an allowed signer" in str(refusal(source))


def test_the_repository_cannot_name_its_own_signers(source, repository, mallory) -> None:
    own = repository.folder / "own"
    own.write_text(mallory.line)
    repository.git("config", "gpg.ssh.allowedSignersFile", str(own))
    repository.git("config", "gpg.minTrustLevel", "undefined")
    mallory.commit(repository, "mine now")

    assert "not signed by an allowed signer" in str(refusal(source))


def test_a_list_of_signers_inside_of_the_repository_is_refused(repository, tmp_path, alice) -> None:
    alice.commit(repository, "signed")
    inside = repository.folder / "signers"
    inside.write_text(alice.line)
    settings = SourceSettings(repository=str(repository.folder), allowed_signers=str(inside))

    assert "inside of the repository" in str(refusal(GitSource(settings, tmp_path / "cache")))


def test_a_missing_list_of_signers_is_named(repository, tmp_path, alice) -> None:
    alice.commit(repository, "signed")
    settings = SourceSettings(repository=str(repository.folder), allowed_signers=str(tmp_path / "gone"))

    assert "there is no file" in str(refusal(GitSource(settings, tmp_path / "cache")))
