"""A real Hummingbot connector on the exchange for tests; runs in Hummingbot's own interpreter, not in ours.

`python trader.py CONNECTOR PAIRS ADDRESSES KEY SECRET`: PAIRS with commas between, ADDRESSES as the exchange prints
them. Reads commands, one JSON object a line, and answers each with one line; `{"do": "state"}` shows what the
connector believes. Orders are named by the connector's own ids.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Callable
from decimal import Decimal
from importlib import import_module
from typing import Any

CONSTANTS = {
    "binance": "hummingbot.connector.exchange.binance.binance_constants",
    "binance_paper_trade": "hummingbot.connector.exchange.binance.binance_constants",
    "binance_perpetual": "hummingbot.connector.derivative.binance_perpetual.binance_perpetual_constants",
}

common: Any = import_module("hummingbot.core.data_type.common")
events: Any = import_module("hummingbot.core.event.events")


def lead_to(connector: str, addresses: dict[str, Any]) -> None:
    """Have the connector's constants name the exchange for tests; this has to happen before the connector is made."""
    constants = import_module(CONSTANTS[connector])
    for name, address in addresses.items():
        if hasattr(constants, name):
            setattr(constants, name, address)


def make(connector: str, pairs: list[str], key: str, secret: str) -> Any:
    """Make a connector as Hummingbot's own start does."""
    if connector.endswith("_paper_trade"):
        paper = import_module("hummingbot.connector.exchange.paper_trade")
        market = paper.create_paper_trade_market(connector.removesuffix("_paper_trade"), pairs)
        for asset in {asset for pair in pairs for asset in pair.split("-")}:
            market.set_balance(asset, 1_000_000)
        return market
    if connector == "binance_perpetual":
        module = import_module(
            "hummingbot.connector.derivative.binance_perpetual.binance_perpetual_derivative"
        )
        return module.BinancePerpetualDerivative(
            binance_perpetual_api_key=key, binance_perpetual_api_secret=secret, trading_pairs=pairs
        )
    module = import_module("hummingbot.connector.exchange.binance.binance_exchange")
    return module.BinanceExchange(key, secret, trading_pairs=pairs)


class Trader:
    """One connector, and what happened on it."""

    def __init__(self, market: Any) -> None:
        self._market = market
        self.happened: list[dict[str, str]] = []
        self._forwarders = [self._forwarder(event) for event in events.MarketEvent]

    def _forwarder(self, event: Any) -> Any:
        """Note an event of the connector; it holds listeners weakly, so that we keep them."""
        forward = import_module("hummingbot.core.event.event_forwarder").EventForwarder

        def note(what: Any) -> None:
            self.happened.append({"event": event.name, "order_id": str(getattr(what, "order_id", ""))})

        listener = forward(note)
        self._market.add_listener(event, listener)
        return listener

    def carry_out(self, command: dict[str, Any]) -> dict[str, Any]:
        """Do as a command says: buy, sell, cancel, poll, leverage, hedge, or state."""
        match command["do"]:
            case "state":
                return self._state()
            case "buy" | "sell" as side:
                return {"order_id": self._place(side, command)}
            case "cancel":
                self._market.cancel(command["pair"], command["order_id"])
            case "poll":
                self._market._poll_notifier.set()  # by itself it asks every two minutes
            case "leverage":
                self._market.set_leverage(command["pair"], command["leverage"])
            case "hedge":
                self._market.set_position_mode(common.PositionMode.HEDGE)
            case unknown:
                return {"error": f"no command {unknown!r}"}
        return {}

    def _place(self, side: str, command: dict[str, Any]) -> str:
        place: Callable[..., str] = getattr(self._market, side)
        kind = common.OrderType[command.get("type", "LIMIT")]
        price, extra = Decimal(command.get("price", "NaN")), {}
        if "position" in command:
            extra["position_action"] = common.PositionAction[command["position"]]
        return place(command["pair"], Decimal(command["amount"]), kind, price, **extra)

    def _state(self) -> dict[str, Any]:
        market = self._market
        return {
            "ready": market.ready,
            "not_ready": [name for name, ready in market.status_dict.items() if not ready],
            "balances": {asset: str(amount) for asset, amount in market.get_all_balances().items()},
            "available": {asset: str(amount) for asset, amount in market.available_balances.items()},
            "open_orders": sorted(order.client_order_id for order in market.limit_orders),
            "mids": self._mids() if market.ready else {},
            "positions": self._positions() if hasattr(market, "account_positions") else [],
            "happened": self.happened,
        }

    def _positions(self) -> list[dict[str, str]]:
        return [
            {
                "pair": position.trading_pair,
                "side": position.position_side.name,
                "amount": str(position.amount),
                "entry": str(position.entry_price),
                "leverage": str(position.leverage),
            }
            for position in self._market.account_positions.values()
        ]

    def _mids(self) -> dict[str, str]:
        return {pair: str(self._market.get_mid_price(pair)) for pair in self._market.order_books}


async def _answer(trader: Trader) -> None:
    """Answer commands until stdin ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        print(json.dumps(trader.carry_out(json.loads(line))), flush=True)


async def _main(connector: str, pairs: str, addresses: str, key: str, secret: str) -> None:
    lead_to(connector, json.loads(addresses))
    market = make(connector, pairs.split(","), key, secret)
    clock_module: Any = import_module("hummingbot.core.clock")
    clock = clock_module.Clock(clock_module.ClockMode.REALTIME, 0.5)
    clock.add_iterator(market)
    trader = Trader(market)
    with clock:
        ticking = asyncio.create_task(clock.run())
        await _answer(trader)
        ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticking
    await market.stop_network()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    asyncio.run(_main(*sys.argv[1:]))
