"""How far each v1 strategy gets on the exchange for tests, as the table in docs/real-strategies.md says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.brokers import Mosquitto
from tests.support.real_bots import RealBots, real_bots

pytestmark = [
    pytest.mark.hummingbot,
    pytest.mark.long,
    pytest.mark.timeout(900),
]

TABLE = Path(__file__).parents[2] / "docs" / "real-strategies.md"
FILES: dict[str, tuple[str, str, str]] = {
    "pure_market_making": (
        "binance",
        "BTC-USDT",
        "bid_spread: 0.1%, ask_spread: 0.1%, order_amount: 0.01, order_refresh_time: 5",
    ),
    "perpetual_market_making": (
        "binance_perpetual",
        "ETH-USDT",
        (
            "bid_spread: 0.1%, ask_spread: 0.1%, order_amount: 0.1, order_refresh_time: 5, leverage: 2, "
            "long_profit_taking_spread: 1%, short_profit_taking_spread: 1%, stop_loss_spread: 5%"
        ),
    ),
    "avellaneda_market_making": (
        "binance",
        "ETH-USDT",
        (
            "execution_timeframe_mode: infinite, order_amount: 0.1, order_refresh_time: 5, risk_factor: 0.5, "
            "volatility_buffer_size: 10, trading_intensity_buffer_size: 10"
        ),
    ),
    "cross_exchange_market_making": (
        "binance",
        "SOL-USDT",
        (
            "taker_market: binance_paper_trade, taker_market_trading_pair: SOL-USDT, min_profitability: 0.1%, "
            "order_amount: 1"
        ),
    ),
    "cross_exchange_mining": (
        "binance",
        "SOL-USDT",
        (
            "taker_market: binance_paper_trade, taker_market_trading_pair: SOL-USDT, min_profitability: 0.1%, "
            "order_amount: 1"
        ),
    ),
    "liquidity_mining": (
        "binance",
        "ETH-USDT",
        (
            "token: USDT, order_amount: 50, spread: 0.5%, target_base_pct: 50%, inventory_skew_enabled: false, "
            "volatility_interval: 2, avg_volatility_period: 2"
        ),
    ),
    "amm_arb": (
        "binance",
        "SOL-USDT",
        "connector_2: binance_paper_trade, market_2: SOL-USDT, order_amount: 1, min_profitability: 0.3%",
    ),
    "spot_perpetual_arbitrage": (
        "binance",
        "SOL-USDT",
        (
            "perpetual_connector: binance_perpetual, perpetual_market: SOL-USDT, order_amount: 1, "
            "min_opening_arbitrage_pct: 0.6%"
        ),
    ),
    "hedge": (
        "binance_perpetual",
        "BTC-USDT",
        "hedge_offsets: [0], connector_0: {connector: binance, markets: [BTC-USDT], offsets: [0]}",
    ),
}


@pytest.fixture
def team(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[RealBots]:
    with real_bots(tmp_path, mosquitto.url, f"nine/x{tmp_path.name[-20:]}") as made:
        yield made


def test_each_of_the_nine_gets_as_far_as_the_table_says(team: RealBots) -> None:
    for pair, mid in (("BTC-USDT", 60_000), ("ETH-USDT", 2_000), ("SOL-USDT", 150)):
        path = [str(mid), str(mid * 1.001), str(mid * 0.999)]
        team.exchange.path(pair, path, every_s=0.5, repeat=True)
    for kind, (exchange, pair, config) in FILES.items():
        lines = [
            f"strategy_type: {kind}",
            f"exchange: {exchange}",
            f"trading_pair: {pair}",
            f"config: {{{config}}}",
        ]
        (team.project.folder / "strategies" / f"{kind.replace('_', '-')}.yaml").write_text(
            "\n".join(lines) + "\n"
        )
    team.project.commit("all nine")
    with team.agent(), team.applying():
        team.exchange.until(lambda: all(_is_up(team, kind) for kind in FILES), "all nine run", 240)
        seen = {kind: _how_far(team, kind) for kind in FILES}

    assert seen == _table()


def _is_up(team: RealBots, kind: str) -> bool:
    row = _status(team).get(kind.replace("_", "-"), {})
    return row.get("live") in {"running", "error"}


def _how_far(team: RealBots, kind: str) -> str:
    """`runs` or its state; and whether it placed orders, for those that have a reason to on this exchange."""
    name = kind.replace("_", "-")
    state = _status(team)[name]["live"]
    if _table().get(kind) == "runs, places orders":
        exchange, pair, _ = FILES[kind]
        venue = "perpetual" if exchange.endswith("perpetual") else "spot"
        database = team.state / "bots" / name / "root" / "data" / f"{name}.sqlite"

        def placed() -> bool:
            return any(order["pair"] == pair and order["venue"] == venue for order in team.exchange.orders())

        assert database.exists()
        team.exchange.until(placed, f"orders of {kind}", 150)
        return f"{'runs' if state == 'running' else state}, places orders"
    return "runs" if state == "running" else str(state)


def _status(team: RealBots) -> dict[str, dict[str, Any]]:
    done = team.project.run("status", "-o", "json")
    return {row["name"]: row for row in json.loads(done.stdout)["strategies"]}


def _table() -> dict[str, str]:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", TABLE.read_text(encoding="utf-8"), re.MULTILINE)
    return {kind: far.strip() for kind, far in rows}
