"""Binance's perpetuals as far as the connector uses them: the endpoints under /fapi. Answers are plain data.

Source of paths and fields: Binance's documentation of USDⓈ-M futures.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from tests.exchange.accounts import Account
from tests.exchange.lookups import Lookups, amount, pair_filters
from tests.exchange.market import Market
from tests.exchange.orders import Fill, Order, OrderType, Side, Wanted
from tests.exchange.perpetual import PerpetualSettlement, Position
from tests.exchange.refusals import (
    CANNOT_CANCEL,
    NOT_A_MAKER,
    UNSUPPORTED_TIME_IN_FORCE,
    WOULD_TAKE,
    Refused,
    missing,
)
from tests.exchange.requests import Access, Call, Endpoint, Operation
from tests.exchange.venue import Venue

FUNDING_EVERY_MS = 8 * 3_600_000
"""Binance settles funding every eight hours, at 0, 8 and 16 o'clock UTC."""

FUNDING_RATE = Decimal("0.0001")
"""Binance's rate when nothing pulls either way."""

_TYPES = {"GTC": OrderType.LIMIT, "GTX": OrderType.LIMIT_MAKER}


class _NewOrder(msgspec.Struct, rename="camel"):
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    new_client_order_id: str
    price: Decimal | None = None
    time_in_force: str = "GTC"
    position_side: str = "BOTH"
    reduce_only: bool = False


class _Leverage(msgspec.Struct):
    symbol: str
    leverage: int


class _PositionMode(msgspec.Struct, rename="camel"):
    dual_side_position: bool


class Perpetual:
    """The endpoints under /fapi."""

    def __init__(self, venue: Venue, settlement: PerpetualSettlement, now_ms: Callable[[], int]) -> None:
        self._venue = venue
        self._markets = venue.markets
        self._settlement = settlement
        self._now_ms = now_ms
        self._lookups = Lookups(venue)
        self.listen_keys: dict[str, Account] = {}

    def endpoints(self) -> list[Endpoint]:
        public = [
            ("GET", "v1/ping", Operation.PING, lambda _: {}),
            ("GET", "v1/time", Operation.TIME, lambda _: {"serverTime": self._now_ms()}),
            ("GET", "v1/exchangeInfo", Operation.PAIRS, self._pairs),
            ("GET", "v1/depth", Operation.BOOK, self._lookups.book),
            ("GET", "v1/ticker/24hr", Operation.TICKER, self._lookups.ticker),
            ("GET", "v1/ticker/bookTicker", Operation.TICKER, self._lookups.ticker),
            ("GET", "v1/premiumIndex", Operation.FUNDING, self._funding),
        ]
        signed = [
            ("POST", "v1/order", Operation.PLACE, self._place),
            ("GET", "v1/order", Operation.ORDER, lambda call: order_words(self._lookups.found(call))),
            ("DELETE", "v1/order", Operation.CANCEL, self._cancel),
            ("GET", "v1/userTrades", Operation.FILLS, self._fills),
            ("GET", "v2/account", Operation.BALANCES, self._balances),
            ("GET", "v2/positionRisk", Operation.POSITIONS, self._positions),
            ("POST", "v1/leverage", Operation.SETTINGS, self._set_leverage),
            ("GET", "v1/positionSide/dual", Operation.SETTINGS, self._mode),
            ("POST", "v1/positionSide/dual", Operation.SETTINGS, self._set_mode),
            ("GET", "v1/income", Operation.FUNDING, lambda _: []),
        ]
        keyed = [
            ("POST", "v1/listenKey", Operation.SUBSCRIBE, self._listen_key),
            ("PUT", "v1/listenKey", Operation.SUBSCRIBE, self._listen_key),
        ]
        groups = (Access.PUBLIC, public), (Access.SIGNED, signed), (Access.KEY, keyed)
        return [
            Endpoint(method, f"/fapi/{path}", operation, work, access)
            for access, group in groups
            for method, path, operation, work in group
        ]

    # -- what everybody may see

    def _pairs(self, call: Call) -> object:
        return {"symbols": [_pair_words(market) for market in self._markets.by_symbol.values()]}

    def _funding(self, call: Call) -> object:
        return funding_words(self._markets[call.params.get("symbol", "")], self._now_ms())

    # -- what the owner may

    def _place(self, call: Call) -> object:
        new = call.read(_NewOrder)
        if new.type is not OrderType.MARKET and new.price is None:
            raise Refused(missing("price"))
        if new.time_in_force not in _TYPES:
            raise Refused(UNSUPPORTED_TIME_IN_FORCE)
        is_market = new.type is OrderType.MARKET
        wanted = Wanted(
            pair=self._markets[new.symbol].pair,
            side=new.side,
            type=OrderType.MARKET if is_market else _TYPES[new.time_in_force],
            quantity=new.quantity,
            price=None if is_market else new.price,
            client_id=new.new_client_order_id,
            position_side=new.position_side,
            reduce_only=new.reduce_only,
        )
        try:
            return order_words(self._venue.place(call.owner, wanted))
        except Refused as refused:
            raise Refused(NOT_A_MAKER) if refused.refusal == WOULD_TAKE else refused from None

    def _cancel(self, call: Call) -> object:
        order = self._lookups.found(call, CANNOT_CANCEL)
        self._venue.cancel(order)
        return order_words(order)

    def _fills(self, call: Call) -> object:
        return [_fill_words(order, fill) for order, fill in self._lookups.found_fills(call)]

    def _balances(self, call: Call) -> object:
        wallet = self._settlement.margin(call.owner).wallet
        assets = [
            {
                "asset": asset,
                "walletBalance": amount(owned),
                "availableBalance": amount(self._settlement.available(call.owner, asset)),
            }
            for asset, owned in wallet.items()
        ]
        return {"assets": assets, "positions": self._positions(call)}

    def _positions(self, call: Call) -> object:
        margin = self._settlement.margin(call.owner)
        sides = ("LONG", "SHORT") if margin.is_hedging else ("BOTH",)
        return [
            _position_words(margin.position(symbol, side), market, margin.leverage_of(symbol))
            for symbol, market in self._markets.by_symbol.items()
            for side in sides
        ]

    def _set_leverage(self, call: Call) -> object:
        wanted = call.read(_Leverage)
        symbol = self._markets[wanted.symbol].pair.symbol
        self._settlement.margin(call.owner).leverage[symbol] = wanted.leverage
        return {"symbol": symbol, "leverage": wanted.leverage, "maxNotionalValue": "1000000000"}

    def _mode(self, call: Call) -> object:
        return {"dualSidePosition": self._settlement.margin(call.owner).is_hedging}

    def _set_mode(self, call: Call) -> object:
        wanted = call.read(_PositionMode)
        self._settlement.margin(call.owner).set_hedging(is_hedging=wanted.dual_side_position)
        return {"code": 200, "msg": "success"}

    def _listen_key(self, call: Call) -> object:
        key = f"listen-{call.owner.name}"
        self.listen_keys[key] = call.owner
        return {"listenKey": key}


# Words: how Binance writes things.


def funding_words(market: Market, now_ms: int) -> dict[str, object]:
    return {
        "symbol": market.pair.symbol,
        "markPrice": amount(market.mid),
        "indexPrice": amount(market.mid),
        "lastFundingRate": amount(FUNDING_RATE),
        "nextFundingTime": (now_ms // FUNDING_EVERY_MS + 1) * FUNDING_EVERY_MS,
        "time": now_ms,
    }


def order_words(order: Order) -> dict[str, object]:
    wanted = order.wanted
    is_maker = wanted.type is OrderType.LIMIT_MAKER
    return {
        "symbol": wanted.pair.symbol,
        "orderId": order.id,
        "clientOrderId": wanted.client_id,
        "price": amount(wanted.price or Decimal(0)),
        "origQty": amount(wanted.quantity),
        "executedQty": amount(order.filled),
        "cumQuote": amount(order.filled_quote),
        "status": order.status.value,
        "timeInForce": "GTX" if is_maker else "GTC",
        "type": "LIMIT" if is_maker else wanted.type.value,
        "side": wanted.side.value,
        "positionSide": wanted.position_side,
        "reduceOnly": wanted.reduce_only,
        "time": order.placed_at_ms,
        "updateTime": order.updated_at_ms,
    }


def _fill_words(order: Order, fill: Fill) -> dict[str, object]:
    return {
        "symbol": order.wanted.pair.symbol,
        "id": fill.id,
        "orderId": order.id,
        "side": order.wanted.side.value,
        "positionSide": order.wanted.position_side,
        "price": amount(fill.price),
        "qty": amount(fill.quantity),
        "quoteQty": amount(fill.price * fill.quantity),
        "commission": amount(fill.commission),
        "commissionAsset": fill.commission_asset,
        "realizedPnl": amount(fill.profit),
        "time": fill.at_ms,
        "maker": fill.is_maker,
    }


def _position_words(position: Position, market: Market, leverage: int) -> dict[str, object]:
    return {
        "symbol": position.symbol,
        "positionSide": position.side,
        "positionAmt": amount(position.amount),
        "entryPrice": amount(position.entry),
        "markPrice": amount(market.mid),
        "unRealizedProfit": amount(position.profit_at(market.mid)),
        "leverage": str(leverage),
        "marginType": "cross",
    }


def _pair_words(market: Market) -> dict[str, object]:
    pair = market.pair
    return {
        "symbol": pair.symbol,
        "pair": pair.symbol,
        "contractType": "PERPETUAL",
        "status": "TRADING",
        "baseAsset": pair.base,
        "quoteAsset": pair.quote,
        "marginAsset": pair.quote,
        "filters": [
            *pair_filters(pair),
            {"filterType": "MIN_NOTIONAL", "notional": amount(pair.min_notional)},
        ],
    }
