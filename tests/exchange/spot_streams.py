"""What Binance spot tells without being asked: the market streams, and the user stream of the WebSocket API.

Source of methods and fields: Binance's documentation of the spot WebSocket streams and WebSocket API.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.exchange.accounts import Account
from tests.exchange.faults import Faults
from tests.exchange.lines import Line
from tests.exchange.lookups import amount, level_words
from tests.exchange.market import BookChange, Deal, Markets
from tests.exchange.orders import Execution, Report
from tests.exchange.refusals import UNKNOWN_METHOD, Refused
from tests.exchange.requests import Operation, admit_subscriber
from tests.exchange.venue import Venue


class MarketStream:
    """Depth and trades of the symbols that each client subscribed to: `btcusdt@depth@100ms`, `btcusdt@trade`."""

    def __init__(self, markets: Markets, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._subscribed: dict[Line, set[str]] = {}
        markets.listen(self.on_change, self.on_deal)

    def opened(self, line: Line) -> None:
        self._subscribed[line] = set()

    def heard(self, line: Line, message: dict[str, Any]) -> None:
        streams = set(message.get("params") or ())
        if message.get("method") == "SUBSCRIBE":
            self._subscribed[line] |= streams
        elif message.get("method") == "UNSUBSCRIBE":
            self._subscribed[line] -= streams
        line.say({"result": None, "id": message.get("id")})

    def left(self, line: Line) -> None:
        del self._subscribed[line]

    def tell(self, symbol: str, kind: str, words: dict[str, object]) -> None:
        """Say `words` to all who subscribed to that kind of news of a symbol."""
        wanted = f"{symbol.lower()}@{kind}"
        for line, streams in self._subscribed.items():
            for stream in streams:
                if stream == wanted or stream.startswith(f"{wanted}@"):
                    line.say(self.wrapped(stream, words))

    def wrapped(self, stream: str, words: dict[str, object]) -> dict[str, object]:
        """`words` as they go over the line."""
        del stream
        return words

    def on_change(self, change: BookChange) -> None:
        symbol = change.market.pair.symbol
        self.tell(symbol, "depth", depth_words(change, self._now_ms()))

    def on_deal(self, deal: Deal) -> None:
        now_ms, symbol = self._now_ms(), deal.market.pair.symbol
        words: dict[str, object] = {
            "e": "trade",
            "E": now_ms,
            "s": symbol,
            "t": deal.trade_id,
            "p": amount(deal.price),
            "q": amount(deal.quantity),
            "T": now_ms,
            "m": deal.is_sell,
        }
        self.tell(symbol, "trade", words)


def depth_words(change: BookChange, now_ms: int) -> dict[str, object]:
    return {
        "e": "depthUpdate",
        "E": now_ms,
        "s": change.market.pair.symbol,
        "U": change.before_id + 1,
        "u": change.market.update_id,
        "b": level_words(change.bids),
        "a": level_words(change.asks),
    }


class UserStream:
    """Orders and balances for their owners, who ask for them by `userDataStream.subscribe.signature`."""

    def __init__(self, venue: Venue, faults: Faults, now_ms: Callable[[], int]) -> None:
        self._venue = venue
        self._faults = faults
        self._now_ms = now_ms
        self._ids = itertools.count()
        self._subscribed: dict[Line, dict[int, Account]] = {}
        venue.listen(self._on_report)

    def opened(self, line: Line) -> None:
        self._subscribed[line] = {}

    def heard(self, line: Line, message: dict[str, Any]) -> None:
        answer: dict[str, object] = {"id": message.get("id"), "status": 200}
        try:
            answer["result"] = self._carried_out(line, message)
        except Refused as refused:
            refusal = refused.refusal
            answer["status"] = refusal.status
            answer["error"] = {"code": refusal.code, "msg": refusal.message}
        line.say(answer)

    def left(self, line: Line) -> None:
        del self._subscribed[line]

    def _carried_out(self, line: Line, message: dict[str, Any]) -> object:
        match message.get("method"):
            case "ping":
                return {}
            case "time":
                return {"serverTime": self._now_ms()}
            case "userDataStream.subscribe.signature":
                return {"subscriptionId": self._subscribe(line, message.get("params") or {})}
        raise Refused(UNKNOWN_METHOD)

    def _subscribe(self, line: Line, params: dict[str, Any]) -> int:
        refusing = self._faults.refusal(Operation.SUBSCRIBE)
        if refusing is not None:
            raise Refused(refusing.refusal)
        account = admit_subscriber(params, self._venue.accounts, self._now_ms())
        subscription_id = next(self._ids)
        self._subscribed[line][subscription_id] = account
        return subscription_id

    def _on_report(self, report: Report) -> None:
        owner = self._venue.accounts.by_name[report.order.account]
        events = report_words(report), balance_words(report, owner)
        for line, subscriptions in self._subscribed.items():
            for subscription_id, account in subscriptions.items():
                if account is owner:
                    for event in events:
                        line.say({"subscriptionId": subscription_id, "event": event})


def report_words(report: Report) -> dict[str, object]:
    order, fill = report.order, report.fill
    wanted, canceled = order.wanted, report.execution is Execution.CANCELED
    return {
        "e": "executionReport",
        "E": report.at_ms,
        "s": wanted.pair.symbol,
        "c": f"cancel-{order.id}" if canceled else wanted.client_id,
        "C": wanted.client_id if canceled else "",
        "S": wanted.side.value,
        "o": wanted.type.value,
        "f": "GTC",
        "q": amount(wanted.quantity),
        "p": amount(wanted.price or Decimal(0)),
        "x": report.execution.value,
        "X": report.status.value,
        "r": "NONE",
        "i": order.id,
        "l": amount(fill.quantity if fill else Decimal(0)),
        "z": amount(order.filled),
        "L": amount(fill.price if fill else Decimal(0)),
        "n": amount(fill.commission) if fill else "0",
        "N": fill.commission_asset if fill else None,
        "T": report.at_ms,
        "t": fill.id if fill else -1,
        "w": order.is_open,
        "m": fill.is_maker if fill else False,
        "O": order.placed_at_ms,
        "Z": amount(order.filled_quote),
    }


def balance_words(report: Report, owner: Account) -> dict[str, object]:
    """The balances that an order can have changed."""
    pair = report.order.wanted.pair
    balances = [(asset, owner.balance(asset)) for asset in (pair.base, pair.quote)]
    return {
        "e": "outboundAccountPosition",
        "E": report.at_ms,
        "u": report.at_ms,
        "B": [{"a": asset, "f": amount(each.free), "l": amount(each.locked)} for asset, each in balances],
    }
