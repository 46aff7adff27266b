"""The short cut for a commit that touches few files leads where the long way leads."""

from __future__ import annotations

import pytest

from reconciler.catalog.loading import load_catalog
from reconciler.desired import amended, desired_of
from reconciler.settings.model import Settings
from reconciler.sources.base import Revision
from reconciler.sources.check import check
from tests.support.repositories import strategy

SETTINGS = Settings()


NAMED = "strategy_name: {name}\n" + strategy()
TWO = NAMED.format(name="one") + "---\n" + NAMED.format(name="two")


def revision(commit: str, **files: str) -> Revision:
    texts = {"plain": strategy(), **files}
    checked = ((f"s/{stem}.yaml", text) for stem, text in sorted(texts.items()))
    return Revision(
        commit, "main", tuple((path, check(text.encode(), path, load_catalog())) for path, text in checked)
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (strategy(), strategy(amount="7")),
        (strategy(), NAMED.format(name="other")),
        (NAMED.format(name="one"), NAMED.format(name="two")),
        (TWO, NAMED.format(name="one")),
        (TWO, NAMED.format(name="two")),
        (NAMED.format(name="one"), TWO),
    ],
)
def test_the_short_cut_leads_where_the_long_way_leads(old: str, new: str) -> None:
    before, after = revision("1", changed=old), revision("2", changed=new)

    assert amended(desired_of(before, SETTINGS), before, after, SETTINGS) == desired_of(after, SETTINGS)
