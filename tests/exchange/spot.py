"""Binance spot as far as connectors use it: endpoints, and how orders move balances. Answers are plain data.

Source of paths and fields: Binance's documentation of the spot REST API.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from tests.exchange.accounts import Account
from tests.exchange.lookups import Lookups, amount, pair_filters
from tests.exchange.market import Market
from tests.exchange.orders import Fill, Order, OrderType, Side, Wanted
from tests.exchange.refusals import (
    CANNOT_CANCEL,
    UNSUPPORTED_TIME_IN_FORCE,
    Refused,
    missing,
)
from tests.exchange.requests import Access, Call, Endpoint, Operation
from tests.exchange.venue import Settled, Venue

FEE = Decimal("0.001")
"""Binance's ordinary fee, taken from what is received."""


class SpotSettlement:
    """Buyers lock the quote asset, sellers the base asset; the fee comes off what they get."""

    def reserve(self, account: Account, order: Order) -> None:
        account.lock(*self._at_stake(order, order.wanted.quantity))

    def release(self, account: Account, order: Order) -> None:
        account.unlock(*self._at_stake(order, order.rest))

    def settle(self, account: Account, order: Order, price: Decimal, quantity: Decimal) -> Settled:
        pair, worth = order.wanted.pair, price * quantity
        account.unlock(*self._at_stake(order, quantity))
        if order.wanted.side is Side.BUY:
            paid, paid_asset, got, got_asset = worth, pair.quote, quantity, pair.base
        else:
            paid, paid_asset, got, got_asset = quantity, pair.base, worth, pair.quote
        commission = (got * FEE).quantize(Decimal("1e-8"))
        account.balance(paid_asset).free -= paid
        account.balance(got_asset).free += got - commission
        return Settled(commission, got_asset)

    def _at_stake(self, order: Order, quantity: Decimal) -> tuple[str, Decimal]:
        if order.wanted.side is Side.BUY:
            return order.wanted.pair.quote, quantity * order.limit
        return order.wanted.pair.base, quantity


class _NewOrder(msgspec.Struct, rename="camel"):
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    price: Decimal | None = None
    new_client_order_id: str = ""
    time_in_force: str = ""


class Spot:
    """The endpoints under /api/v3."""

    def __init__(self, venue: Venue, now_ms: Callable[[], int]) -> None:
        self._venue = venue
        self._markets = venue.markets
        self._now_ms = now_ms
        self._lookups = Lookups(venue)

    def endpoints(self) -> list[Endpoint]:
        public = [
            ("/ping", Operation.PING, lambda _: {}),
            ("/time", Operation.TIME, lambda _: {"serverTime": self._now_ms()}),
            ("/exchangeInfo", Operation.PAIRS, self._pairs),
            ("/depth", Operation.BOOK, self._lookups.book),
            ("/ticker/24hr", Operation.TICKER, self._lookups.ticker),
            ("/ticker/price", Operation.TICKER, self._lookups.ticker),
            ("/ticker/bookTicker", Operation.TICKER, self._lookups.ticker),
        ]
        signed = [
            ("POST", "/order", Operation.PLACE, self._place),
            ("DELETE", "/order", Operation.CANCEL, self._cancel),
            ("GET", "/order", Operation.ORDER, lambda call: order_words(self._lookups.found(call))),
            ("GET", "/openOrders", Operation.ORDERS, self._open_orders),
            ("GET", "/myTrades", Operation.FILLS, self._fills),
            ("GET", "/account", Operation.BALANCES, self._balances),
        ]
        return [Endpoint("GET", f"/api/v3{path}", operation, work) for path, operation, work in public] + [
            Endpoint(method, f"/api/v3{path}", operation, work, Access.SIGNED)
            for method, path, operation, work in signed
        ]

    # -- what everybody may see

    def _pairs(self, call: Call) -> object:
        markets = self._markets.by_symbol.values()
        return {
            "timezone": "UTC",
            "serverTime": self._now_ms(),
            "rateLimits": [],
            "exchangeFilters": [],
            "symbols": [_pair_words(market) for market in markets],
        }

    # -- what the owner may

    def _place(self, call: Call) -> object:
        new = call.read(_NewOrder)
        if new.type is OrderType.LIMIT and new.time_in_force != "GTC":
            raise Refused(UNSUPPORTED_TIME_IN_FORCE)
        if new.type is not OrderType.MARKET and new.price is None:
            raise Refused(missing("price"))
        wanted = Wanted(
            pair=self._markets[new.symbol].pair,
            side=new.side,
            type=new.type,
            quantity=new.quantity,
            price=None if new.type is OrderType.MARKET else new.price,
            client_id=new.new_client_order_id or f"web-{len(self._venue.orders) + 1}",
        )
        order = self._venue.place(call.owner, wanted)
        fills = [_fill_of_order_words(fill) for fill in order.fills]
        return {**order_words(order), "transactTime": order.updated_at_ms, "fills": fills}

    def _cancel(self, call: Call) -> object:
        order = self._lookups.found(call, CANNOT_CANCEL)
        self._venue.cancel(order)
        return {**order_words(order), "origClientOrderId": order.wanted.client_id}

    def _open_orders(self, call: Call) -> object:
        symbol = call.params.get("symbol")
        orders = self._venue.open_orders(call.owner)
        return [order_words(order) for order in orders if symbol in {None, order.wanted.pair.symbol}]

    def _fills(self, call: Call) -> object:
        return [_fill_words(order, fill) for order, fill in self._lookups.found_fills(call)]

    def _balances(self, call: Call) -> object:
        balances = call.owner.balances
        return {
            "canTrade": True,
            "accountType": "SPOT",
            "updateTime": self._now_ms(),
            "balances": [
                {"asset": asset, "free": amount(balance.free), "locked": amount(balance.locked)}
                for asset, balance in balances.items()
            ],
        }


# Words: how Binance writes things.


def order_words(order: Order) -> dict[str, object]:
    wanted = order.wanted
    return {
        "symbol": wanted.pair.symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": wanted.client_id,
        "price": amount(wanted.price or Decimal(0)),
        "origQty": amount(wanted.quantity),
        "executedQty": amount(order.filled),
        "cummulativeQuoteQty": amount(order.filled_quote),
        "status": order.status.value,
        "timeInForce": "GTC",
        "type": wanted.type.value,
        "side": wanted.side.value,
        "time": order.placed_at_ms,
        "updateTime": order.updated_at_ms,
        "isWorking": order.is_open,
    }


def _fill_of_order_words(fill: Fill) -> dict[str, object]:
    return {
        "tradeId": fill.id,
        "price": amount(fill.price),
        "qty": amount(fill.quantity),
        "commission": amount(fill.commission),
        "commissionAsset": fill.commission_asset,
    }


def _fill_words(order: Order, fill: Fill) -> dict[str, object]:
    return {
        "symbol": order.wanted.pair.symbol,
        "id": fill.id,
        "orderId": order.id,
        "price": amount(fill.price),
        "qty": amount(fill.quantity),
        "quoteQty": amount(fill.price * fill.quantity),
        "commission": amount(fill.commission),
        "commissionAsset": fill.commission_asset,
        "time": fill.at_ms,
        "isBuyer": order.wanted.side is Side.BUY,
        "isMaker": fill.is_maker,
    }


def _pair_words(market: Market) -> dict[str, object]:
    pair = market.pair
    return {
        "symbol": pair.symbol,
        "status": "TRADING",
        "baseAsset": pair.base,
        "quoteAsset": pair.quote,
        "baseAssetPrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": [kind.value for kind in OrderType],
        "isSpotTradingAllowed": True,
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "filters": [
            *pair_filters(pair),
            {"filterType": "NOTIONAL", "minNotional": amount(pair.min_notional)},
        ],
    }
