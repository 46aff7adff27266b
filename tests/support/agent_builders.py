"""Builders for tests of the agent: commands as a controller writes them, strategies as an agent keeps them."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Any

from reconciler.agent.model import Strategy
from reconciler.agent.validation import Validator
from reconciler.catalog.loading import load_catalog
from reconciler.model.change import Op
from reconciler.model.state import Lifecycle
from reconciler.protocol.canonical import hash_of
from reconciler.protocol.messages import CommandMessage, CommandMeta

CONFIG: dict[str, Any] = {
    "bid_spread": Decimal("0.1"),
    "ask_spread": Decimal("0.1"),
    "order_amount": Decimal("0.01"),
    "order_refresh_time": 30,
}

IDENTITY = {"strategy_type": "pure_market_making", "exchange": "binance", "trading_pair": "BTC-USDT"}


@cache
def rules() -> Validator:
    return Validator(catalog=load_catalog())


def meta(**fields: Any) -> CommandMeta:
    return CommandMeta(**{"v": 1, "request_id": "r1", **fields})


def command(op: Op, *, name: str = "mm", meta: CommandMeta | None = None, **fields: Any) -> CommandMessage:
    """What `op` needs; other fields as given."""
    needed: dict[str, Any] = {}
    if op is Op.CREATE:
        needed = {**IDENTITY, "config": CONFIG}
    elif op is Op.UPDATE:
        needed = {"config": {"bid_spread": Decimal("0.2")}}
    return CommandMessage(strategy_name=name, meta=meta, **{**needed, **fields})


def spec_hash(name: str = "mm", account: str = "default", **config: Any) -> str:
    """Hash of the strategy that `strategy` builds, with other values in its config."""
    return hash_of(name=name, account=account, config={**CONFIG, **config}, **IDENTITY)


def strategy(state: Lifecycle = Lifecycle.STOPPED, **fields: Any) -> Strategy:
    built = Strategy(
        **{
            "name": "mm",
            "strategy_id": "17",
            "config": CONFIG,
            "spec_hash": "",
            "state": state,
            **IDENTITY,
            **fields,
        }
    )
    return built.having(spec_hash=built.own_hash)
