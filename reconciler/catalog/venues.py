"""
What the connectors of Hummingbot 20260922 can do, read from its own code.

Rule 1: facts alone; `venue_rules` decides what follows from them.
Rule 2: candles are those of `CandlesFactory._candles_map`, intervals those of each feed's `intervals`, position modes
those of each connector's `supported_position_modes()`.
"""

from __future__ import annotations

from collections.abc import Mapping

VERSION = "20260922"
"""The version of Hummingbot that these facts were read from."""

PAPER = "_paper_trade"
TESTNET = "_testnet"

GATEWAY_CHAINS = ("ethereum-", "solana-")
"""How the names of Gateway's networks begin (`hummingbot.connector.gateway.common_types.Chain`)."""

_MOST = "1s 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M"
_FROM_A_MINUTE = "1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M"
_FEW = "1m 5m 15m 30m 1h 4h 12h 1d 1w"
_TO_A_DAY = "1m 3m 5m 15m 30m 1h 2h 4h 8h 12h 1d"

CANDLES: Mapping[str, tuple[str, ...]] = {
    connector: tuple(intervals.split())
    for connector, intervals in {
        "aevo_perpetual": _FROM_A_MINUTE,
        "backpack": _MOST,
        "backpack_perpetual": _MOST,
        "binance": _MOST,
        "binance_perpetual": _MOST,
        "bitget": "1m 3m 5m 15m 30m 1h 4h 6h 12h 1d 3d 1w 1M",
        "bitget_perpetual": "1m 3m 5m 15m 30m 1h 2h 4h 6h 12h 1d 3d 1w 1M",
        "bitmart_perpetual": "1m 5m 15m 30m 1h 2h 4h 12h 1d 1w",
        "btc_markets": "1m 3m 5m 15m 30m 1h 2h 3h 4h 6h 1d 1w 1M",
        "bybit": "1m 3m 5m 15m 30m 1h 2h 4h 6h 12h 1d 1w 1M",
        "bybit_perpetual": "1m 3m 5m 15m 30m 1h 2h 4h 6h 12h 1d 1w 1M",
        "decibel_perpetual": _TO_A_DAY,
        "dexalot": "5m 15m 30m 1h 4h 1d",
        "evedex_perpetual": _FROM_A_MINUTE,
        "gate_io": "10s 1m 5m 15m 30m 1h 4h 8h 1d 7d 30d",
        "gate_io_perpetual": "1m 5m 15m 30m 1h 4h 8h 1d 7d",
        "grvt_perpetual": "1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w",
        "hyperliquid": "1m 3m 5m 15m 30m 1h 2h 4h 6h 12h 1d 1w 1M",
        "hyperliquid_perpetual": "1m 3m 5m 15m 30m 1h 2h 4h 6h 12h 1d 1w 1M",
        "kraken": "1m 5m 15m 30m 1h 4h 1d 1w",
        "kucoin": "1s 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 1w 1M",
        "kucoin_perpetual": "1s 1m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d",
        "lighter": _FEW,
        "lighter_perpetual": _FEW,
        "mexc": "1m 5m 15m 30m 1h 4h 1d 1w 1M",
        "mexc_perpetual": "1m 5m 15m 30m 1h 4h 8h 1d 1w 1M",
        "okx": f"{_MOST} 3M",
        "okx_perpetual": f"{_MOST} 3M",
        "pacifica_perpetual": _TO_A_DAY,
    }.items()
}
"""The connectors that have candles → the lengths of a candle that each of them knows."""

INTERVALS = tuple(
    sorted(
        {interval for intervals in CANDLES.values() for interval in intervals},
        key=lambda interval: ("smhdwM".index(interval[-1]), int(interval[:-1])),
    )
)
"""All lengths of a candle that any connector knows."""

ONEWAY_ONLY = frozenset(
    {
        "aevo_perpetual",
        "aevo_perpetual_testnet",
        "architect_perpetual",
        "architect_perpetual_sandbox",
        "backpack_perpetual",
        "decibel_perpetual",
        "decibel_perpetual_testnet",
        "derive_perpetual",
        "derive_perpetual_testnet",
        "dydx_v4_perpetual",
        "evedex_perpetual",
        "grvt_perpetual",
        "grvt_perpetual_testnet",
        "hyperliquid_perpetual",
        "hyperliquid_perpetual_testnet",
        "injective_v2_perpetual",
        "kalshi_perpetual",
        "kucoin_perpetual",
        "lighter_perpetual",
        "lighter_perpetual_testnet",
        "pacifica_perpetual",
        "pacifica_perpetual_testnet",
    }
)
"""The perpetual connectors whose only position mode is ONEWAY."""

ONEWAY_UNLESS_USDT = frozenset({"bybit_perpetual", "bybit_perpetual_testnet"})
"""Connectors that know HEDGE for pairs quoted in USDT alone (`bybit_perpetual_utils.is_linear_perpetual`)."""

MONITORS = frozenset(
    {
        "examples.candles_data_controller",
        "examples.liquidations_monitor_controller",
        "examples.market_status_controller",
        "examples.price_monitor_controller",
    }
)
"""The controllers that watch and place no order: they run on paper trade, too."""

FACTS = (VERSION, CANDLES, sorted(ONEWAY_ONLY), sorted(ONEWAY_UNLESS_USDT), sorted(MONITORS))
"""All of them: a result of a check depends on them."""
