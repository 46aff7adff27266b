"""Strategy files of a fleet and the rules of a policy over them; what a test does not name is as it should be."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from reconciler.catalog.loading import load_catalog
from reconciler.errors import Problem
from reconciler.settings.model import PolicySettings
from reconciler.sources.base import Checked
from reconciler.sources.check import check
from reconciler.sources.policy.rules import PolicyRules


def maker(pair: str = "BTC-USDT", exchange: str = "binance", head: str = "", **config: Any) -> str:
    """A pure_market_making file; `head`: further lines at its top. A config field that is None is left out."""
    fields: dict[str, Any] = {
        "bid_spread": "0.5%",
        "ask_spread": "0.5%",
        "order_amount": 1,
        "order_refresh_time": 30,
        **config,
    }
    return strategy("pure_market_making", exchange, pair, head, **fields)


def strategy(kind: str, exchange: str, pair: str = "BTC-USDT", head: str = "", **config: Any) -> str:
    """A file of any strategy type."""
    lines = [f"strategy_type: {kind}", f"exchange: {exchange}", f"trading_pair: {pair}"]
    lines += [head] if head else []
    fields = [f"  {name}: {value}" for name, value in config.items() if value is not None]
    return "\n".join([*lines, "config:" if fields else "config: {}", *fields]) + "\n"


def cross(taker: str = "kucoin", pair: str = "BTC-USDT", exchange: str = "binance", **config: Any) -> str:
    """A file of a strategy on two exchanges."""
    fields: dict[str, Any] = {
        "taker_market": taker,
        "taker_market_trading_pair": pair,
        "min_profitability": "1%",
        "order_amount": 1,
    }
    return strategy("cross_exchange_market_making", exchange, **(fields | config))


class Fleet:
    """Files by name, each checked and found good, and which of them were read once more for their places."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._texts = {f"s/{name}.yaml": text.encode() for name, text in files.items()}
        checked = ((path, check(text, path, load_catalog())) for path, text in self._texts.items())
        self.files = tuple(checked)
        self.read: set[str] = set()
        broken = [problem for _, each in self.files if each.broken for problem in each.problems]
        assert not broken, "\n".join(map(str, broken))

    def judged(self, **policy: Any) -> dict[str, Checked]:
        """The files as they are under this policy."""
        rules = PolicyRules(PolicySettings(**policy), load_catalog())
        return dict(rules.judge(self.files, self._read))

    def _read(self, paths: Collection[str]) -> dict[str, bytes]:
        self.read |= set(paths)
        return {path: self._texts[path] for path in paths}


def problems(files: Mapping[str, str], **policy: Any) -> list[Problem]:
    """What a policy finds in files (name → text), in file order; not what is wrong with them besides."""
    fleet = Fleet(files)
    before = {problem for _, checked in fleet.files for problem in checked.problems}
    after = (problem for checked in fleet.judged(**policy).values() for problem in checked.problems)
    return [problem for problem in after if problem not in before]


def told(files: Mapping[str, str], **policy: Any) -> list[str]:
    """The same, each as its place and its path."""
    return [f"{problem.location} {problem.path}" for problem in problems(files, **policy)]
