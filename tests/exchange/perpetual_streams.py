"""What Binance's perpetuals tell without being asked: combined market streams, and the user stream of a listen key.

Source of fields: Binance's documentation of USDⓈ-M futures.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.exchange.accounts import Account
from tests.exchange.lines import Line
from tests.exchange.lookups import amount
from tests.exchange.market import BookChange, Deal, Markets
from tests.exchange.orders import OrderType, Report
from tests.exchange.perpetual import PerpetualSettlement
from tests.exchange.perpetual_api import funding_words
from tests.exchange.spot_streams import MarketStream, depth_words
from tests.exchange.venue import Venue


class PerpetualMarketStream(MarketStream):
    """Depth, trades and mark prices, each wrapped with the name of its stream."""

    def __init__(self, markets: Markets, now_ms: Callable[[], int]) -> None:
        super().__init__(markets, now_ms)
        self._now = now_ms

    def wrapped(self, stream: str, words: dict[str, object]) -> dict[str, object]:
        return {"stream": stream, "data": words}

    def on_change(self, change: BookChange) -> None:
        symbol, now_ms = change.market.pair.symbol, self._now()
        self.tell(symbol, "depth", {**depth_words(change, now_ms), "T": now_ms, "pu": change.before_id})
        funding = funding_words(change.market, now_ms)
        mark: dict[str, object] = {
            "e": "markPriceUpdate",
            "E": now_ms,
            "s": symbol,
            "p": funding["markPrice"],
            "i": funding["indexPrice"],
            "r": funding["lastFundingRate"],
            "T": funding["nextFundingTime"],
        }
        self.tell(symbol, "markPrice", mark)

    def on_deal(self, deal: Deal) -> None:
        now_ms = self._now()
        words: dict[str, object] = {
            "e": "aggTrade",
            "E": now_ms,
            "s": deal.market.pair.symbol,
            "a": deal.trade_id,
            "p": amount(deal.price),
            "q": amount(deal.quantity),
            "T": now_ms,
            "m": deal.is_sell,
        }
        self.tell(deal.market.pair.symbol, "aggTrade", words)


class PerpetualUserStream:
    """Orders, wallets and positions for a client with a listen key; one without a known key receives nothing."""

    def __init__(
        self, venue: Venue, settlement: PerpetualSettlement, listen_keys: dict[str, Account]
    ) -> None:
        self._settlement = settlement
        self._listen_keys = listen_keys
        self._owners: dict[Line, str] = {}
        venue.listen(self._on_report)

    def opened(self, line: Line) -> None:
        account = self._listen_keys.get(line.query.get("listenKey", ""))
        if account is not None:
            self._owners[line] = account.name

    def heard(self, line: Line, message: dict[str, Any]) -> None:
        """There is nothing to ask for."""

    def left(self, line: Line) -> None:
        self._owners.pop(line, None)

    def _on_report(self, report: Report) -> None:
        events = [_order_words(report)]
        if report.fill is not None:
            events.append(self._account_words(report))
        for line, owner in self._owners.items():
            if owner == report.order.account:
                for event in events:
                    line.say(event)

    def _account_words(self, report: Report) -> dict[str, object]:
        wanted = report.order.wanted
        margin = self._settlement.margin_of(report.order.account)
        wallet = amount(margin.wallet[wanted.pair.quote])
        position = margin.position(wanted.pair.symbol, wanted.position_side)
        return {
            "e": "ACCOUNT_UPDATE",
            "E": report.at_ms,
            "T": report.at_ms,
            "a": {
                "m": "ORDER",
                "B": [{"a": wanted.pair.quote, "wb": wallet, "cw": wallet, "bc": "0"}],
                "P": [
                    {
                        "s": position.symbol,
                        "pa": amount(position.amount),
                        "ep": amount(position.entry),
                        "up": "0",
                        "mt": "cross",
                        "ps": position.side,
                    }
                ],
            },
        }


def _order_words(report: Report) -> dict[str, object]:
    order, fill, wanted = report.order, report.fill, report.order.wanted
    is_maker = wanted.type is OrderType.LIMIT_MAKER
    words: dict[str, object] = {
        "s": wanted.pair.symbol,
        "c": wanted.client_id,
        "S": wanted.side.value,
        "o": "LIMIT" if is_maker else wanted.type.value,
        "f": "GTX" if is_maker else "GTC",
        "q": amount(wanted.quantity),
        "p": amount(wanted.price or Decimal(0)),
        "x": report.execution.value,
        "X": report.status.value,
        "i": order.id,
        "l": amount(fill.quantity if fill else Decimal(0)),
        "z": amount(order.filled),
        "L": amount(fill.price if fill else Decimal(0)),
        "T": report.at_ms,
        "t": fill.id if fill else 0,
        "m": fill.is_maker if fill else False,
        "R": wanted.reduce_only,
        "ps": wanted.position_side,
        "rp": amount(fill.profit if fill else Decimal(0)),
    }
    if fill:
        words |= {"n": amount(fill.commission), "N": fill.commission_asset}
    return {"e": "ORDER_TRADE_UPDATE", "E": report.at_ms, "T": report.at_ms, "o": words}
