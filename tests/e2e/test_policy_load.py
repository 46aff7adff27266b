"""Rules where revisions are loaded: what they find is looked up in Git, kept out of the cache, and never half done."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path

import pytest

from reconciler.catalog.loading import load_catalog
from reconciler.errors import SourceError
from reconciler.settings.model import PolicySettings, SourceSettings
from reconciler.sources.base import Revision
from reconciler.sources.git_source import GitSource
from reconciler.sources.loader import Loader
from reconciler.sources.policy.rules import PolicyRules
from reconciler.sources.worktree import WorktreeSource
from tests.support.repositories import Repository, strategy


class Failing(GitSource):
    """A source that notes how many files each call asks for, and fails at the call that is named."""

    def __init__(self, settings: SourceSettings, cache: Path) -> None:
        super().__init__(settings, cache)
        self.asked: list[int] = []
        self.fails_at = 0

    def blobs(self, ids: Iterable[str]) -> Generator[tuple[str, bytes | None]]:
        wanted = list(ids)
        self.asked.append(len(wanted))
        if len(self.asked) == self.fails_at:
            raise SourceError("git fell silent")
        return super().blobs(wanted)


class Fleet:
    def __init__(self, folder: Path) -> None:
        self.repository = Repository(folder / "repository")
        self.cache = folder / "cache"
        pairs = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
        self.repository.commit({f"strategies/{pair[:3].lower()}.yaml": strategy(pair) for pair in pairs})
        self.source = Failing(SourceSettings(repository=str(self.repository.folder)), self.cache)

    def loader(self, policy: PolicySettings | None = None) -> Loader:
        rules = PolicyRules(policy or PolicySettings(exclusive_markets="error"), load_catalog())
        return Loader(self.source, load_catalog(), self.cache, rules)


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def findings_of(revision: Revision) -> list[str]:
    return [str(problem.location) for _, checked in revision.files for problem in checked.problems]


def test_a_commit_that_touches_one_file_is_judged_with_all_others(fleet: Fleet) -> None:
    loader = fleet.loader()
    assert not findings_of(loader.load())

    fleet.repository.commit({"strategies/eth.yaml": strategy("BTC-USDT")})
    assert findings_of(loader.load()) == ["strategies/btc.yaml:3:15", "strategies/eth.yaml:3:15"]

    fleet.repository.commit({"strategies/btc.yaml": None})
    assert not findings_of(loader.load())


def test_places_cost_one_call_for_the_files_concerned(fleet: Fleet) -> None:
    loader = fleet.loader()
    loader.load()
    fleet.repository.commit({"strategies/eth.yaml": strategy("BTC-USDT", "0.7")})
    fleet.source.asked.clear()
    loader.load()

    assert fleet.source.asked == [1, 2]


def test_what_rules_find_is_no_part_of_the_cache(fleet: Fleet) -> None:
    fleet.repository.commit({"strategies/eth.yaml": strategy("BTC-USDT")})
    assert findings_of(fleet.loader().load())

    assert not findings_of(fleet.loader(PolicySettings()).load())
    assert findings_of(fleet.loader().load())


def test_while_nothing_changes_nothing_is_judged_again(fleet: Fleet) -> None:
    fleet.repository.commit({"strategies/eth.yaml": strategy("BTC-USDT")})
    loader = fleet.loader()
    first = loader.load()
    fleet.source.asked.clear()

    assert loader.load() is first
    assert not fleet.source.asked


def test_a_place_that_cannot_be_read_leaves_the_revision_unread_and_the_next_try_reads_it(
    fleet: Fleet,
) -> None:
    loader = fleet.loader()
    before = loader.load()
    fleet.repository.commit({"strategies/eth.yaml": strategy("BTC-USDT", "0.7")})
    fleet.source.fails_at = len(fleet.source.asked) + 2

    with pytest.raises(SourceError, match="fell silent"):
        loader.load()
    after = loader.load()
    assert findings_of(after) == ["strategies/btc.yaml:3:15", "strategies/eth.yaml:3:15"]
    assert after.commit != before.commit


def test_equal_files_have_places_of_their_own(fleet: Fleet) -> None:
    fleet.repository.commit({"strategies/eth.yaml": strategy("BTC-USDT")})

    assert fleet.repository.git("rev-parse", "HEAD:strategies/eth.yaml") == fleet.repository.git(
        "rev-parse", "HEAD:strategies/btc.yaml"
    )
    assert findings_of(fleet.loader().load()) == ["strategies/btc.yaml:3:15", "strategies/eth.yaml:3:15"]


def test_a_working_tree_is_judged_as_it_stands(fleet: Fleet) -> None:
    fleet.repository.write({"strategies/eth.yaml": "# moved\n" + strategy("BTC-USDT")})
    rules = PolicyRules(PolicySettings(exclusive_markets="error"), load_catalog())
    source = WorktreeSource(fleet.repository.folder, "strategies")

    revision = Loader(source, load_catalog(), fleet.cache, rules).load()
    assert findings_of(revision) == ["strategies/btc.yaml:3:15", "strategies/eth.yaml:4:15"]
