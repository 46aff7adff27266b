"""What both APIs look up alike: books, tickers, a client's orders and fills; and how Binance writes numbers."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tests.exchange.market import Market, Pair
from tests.exchange.orders import Fill, Order
from tests.exchange.refusals import UNKNOWN_ORDER, Refusal, Refused
from tests.exchange.requests import Call
from tests.exchange.venue import Venue


class _Which(msgspec.Struct, rename="camel"):
    symbol: str
    order_id: int | None = None
    orig_client_order_id: str | None = None


class _Trades(msgspec.Struct, rename="camel"):
    symbol: str
    order_id: int | None = None
    start_time: int = 0


class _Symbol(msgspec.Struct):
    symbol: str | None = None
    limit: int = 100


class Lookups:
    """What can be asked of any venue."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._markets = venue.markets

    def book(self, call: Call) -> object:
        wanted = call.read(_Symbol)
        market = self._markets[wanted.symbol or ""]
        return {
            "lastUpdateId": market.update_id,
            "bids": level_words(market.bids()[: wanted.limit]),
            "asks": level_words(market.asks()[: wanted.limit]),
        }

    def ticker(self, call: Call) -> object:
        symbol = call.read(_Symbol).symbol
        if symbol is not None:
            return _ticker_words(self._markets[symbol])
        return [_ticker_words(market) for market in self._markets.by_symbol.values()]

    def found(self, call: Call, otherwise: Refusal = UNKNOWN_ORDER) -> Order:
        """The order that a request is about; refused `otherwise`."""
        which = call.read(_Which)
        order = self._venue.find(
            call.owner,
            self._markets[which.symbol].pair.symbol,
            order_id=which.order_id,
            client_id=which.orig_client_order_id,
        )
        if order is None:
            raise Refused(otherwise)
        return order

    def found_fills(self, call: Call) -> list[tuple[Order, Fill]]:
        """The fills that a request is about, oldest order first."""
        wanted = call.read(_Trades)
        return [
            (order, fill)
            for order in self._venue.orders
            if order.account == call.owner.name and order.wanted.pair.symbol == wanted.symbol
            if wanted.order_id in {None, order.id}
            for fill in order.fills
            if fill.at_ms >= wanted.start_time
        ]


def amount(value: Decimal) -> str:
    return f"{value:.8f}"


def level_words(levels: list[tuple[Decimal, Decimal]]) -> list[list[str]]:
    return [[amount(price), amount(quantity)] for price, quantity in levels]


def _ticker_words(market: Market) -> dict[str, object]:
    (bid, bid_quantity), (ask, ask_quantity) = market.bids()[0], market.asks()[0]
    return {
        "symbol": market.pair.symbol,
        "price": amount(market.last_price),
        "lastPrice": amount(market.last_price),
        "bidPrice": amount(bid),
        "bidQty": amount(bid_quantity),
        "askPrice": amount(ask),
        "askQty": amount(ask_quantity),
    }


def pair_filters(pair: Pair) -> list[dict[str, str]]:
    """The filters of price and quantity, the same on every venue."""
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": amount(pair.tick),
            "maxPrice": "1000000.00000000",
            "tickSize": amount(pair.tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": amount(pair.step),
            "maxQty": "9000.00000000",
            "stepSize": amount(pair.step),
        },
    ]
