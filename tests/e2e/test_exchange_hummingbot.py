"""The real Hummingbot connectors trade on the exchange for tests: spot, paper trade and perpetual.

Needs an interpreter that has Hummingbot, named by RECONCILER_HUMMINGBOT_PYTHON; without it these tests are skipped.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.exchange.process import ExchangeProcess
from tests.exchange.requests import Operation

PYTHON = os.environ.get("RECONCILER_HUMMINGBOT_PYTHON", "")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.hummingbot,
    pytest.mark.timeout(300),  # importing Hummingbot alone takes seconds, on a busy machine a minute
]

PATIENCE_S = 90.0
"""How long to wait for the connector; only a failing test waits that long."""

TRADER = Path(__file__).parents[1] / "exchange" / "trader.py"


class Trader:
    """tests/exchange/trader.py as a child process: one connector and what it believes."""

    def __init__(self, connector: str, addresses: dict[str, Any], folder: Path, key: str) -> None:
        self._log = folder / "trader.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [PYTHON, TRADER, connector, "BTC-USDT", json.dumps(addresses), key, "test-secret"],
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def do(self, what: str, **more: Any) -> dict[str, Any]:
        """Give a command; its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": what, **more}).encode() + b"\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], PATIENCE_S)[0]:
            raise AssertionError(f"no answer to {what} within {PATIENCE_S} s\n{self.log[-3000:]}")
        line = self._process.stdout.readline()
        assert line, f"the trader has ended\n{self.log[-3000:]}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def until(self, is_so: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """Wait until what the connector believes is so; all that it believes."""
        end = time.monotonic() + PATIENCE_S
        while not is_so(state := self.do("state")):
            assert time.monotonic() < end, f"{what}: not within {PATIENCE_S} s\n{state}\n{self.log[-3000:]}"
            time.sleep(0.1)
        return state

    def until_ready(self) -> dict[str, Any]:
        return self.until(lambda state: bool(state["ready"]), "the connector gets ready")

    def order(self, side: str, amount: str, price: str, **more: Any) -> str:
        """Place a limit order on BTC-USDT; its id."""
        answer = self.do(side, pair="BTC-USDT", amount=amount, price=price, **more)
        return str(answer["order_id"])

    def until_happened(self, event: str, order_id: str) -> dict[str, Any]:
        wanted = {"event": event, "order_id": order_id}
        return self.until(lambda state: wanted in state["happened"], f"{event} of {order_id}")


@pytest.fixture
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess() as running:
        yield running


@pytest.fixture
def trader(exchange: ExchangeProcess, tmp_path: Path) -> Iterator[Callable[..., Trader]]:
    """`trader(connector, key="test-key")`: a connector, started, not yet ready."""
    started: list[Trader] = []

    def start(connector: str, key: str = "test-key") -> Trader:
        made = Trader(connector, exchange.addresses, tmp_path, key)
        started.append(made)
        return made

    yield start
    for each in started:
        each.__exit__(None, None, None)


def amounts(said: dict[str, str]) -> dict[str, Decimal]:
    return {asset: Decimal(amount) for asset, amount in said.items()}


def spot_balances(exchange: ExchangeProcess) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """What the exchange says: all that is owned, and what is free."""
    balances = exchange.state()["accounts"]["default"]["balances"]
    free = {asset: Decimal(balance["free"]) for asset, balance in balances.items()}
    return {asset: free[asset] + Decimal(balances[asset]["locked"]) for asset in free}, free


def open_ids(exchange: ExchangeProcess) -> list[str]:
    return sorted(order["client_id"] for order in exchange.orders(only_open=True))


def test_the_spot_connector_places_fills_and_cancels(
    exchange: ExchangeProcess, trader: Callable[..., Trader]
) -> None:
    spot = trader("binance")
    ready = spot.until_ready()
    buy, sell = spot.order("buy", "0.01", "59000"), spot.order("sell", "0.02", "61000")
    spot.until_happened("BuyOrderCreated", buy)
    spot.until_happened("SellOrderCreated", sell)
    resting = open_ids(exchange)
    exchange.fill(buy)
    spot.do("cancel", pair="BTC-USDT", order_id=sell)
    spot.until_happened("BuyOrderCompleted", buy)
    spot.until_happened("OrderCancelled", sell)

    assert Decimal(ready["mids"]["BTC-USDT"]) == 60_000
    assert resting == sorted([buy, sell])
    statuses = {order["client_id"]: order["status"] for order in exchange.orders()}
    assert statuses == {buy: "FILLED", sell: "CANCELED"}
    owned, free = spot_balances(exchange)
    end = spot.until(lambda state: amounts(state["balances"]) == owned, "the balances agree")
    assert amounts(end["available"]) == free
    assert owned["BTC"] == Decimal("100.00999")


def test_the_spot_connector_comes_back_after_a_break_and_misses_nothing(
    exchange: ExchangeProcess, trader: Callable[..., Trader]
) -> None:
    spot = trader("binance")
    spot.until_ready()
    before, during = spot.order("buy", "0.01", "59000"), spot.order("sell", "0.01", "61000")
    spot.until_happened("SellOrderCreated", during)
    exchange.fill(before, "0.004")
    exchange.disconnect()
    exchange.fill(before)
    exchange.until(lambda: exchange.state()["connections"] == 2, "both streams stand again")
    spot.do("poll")
    spot.until_happened("BuyOrderCompleted", before)
    exchange.price("BTC-USDT", "62000")
    spot.until_happened("SellOrderCompleted", during)

    spot.until(lambda state: Decimal(state["mids"]["BTC-USDT"]) == 62_000, "the book is followed again")
    assert exchange.state()["duplicate_client_ids"] == {}


def test_a_refused_order_fails_at_the_connector(
    exchange: ExchangeProcess, trader: Callable[..., Trader]
) -> None:
    spot = trader("binance")
    spot.until_ready()
    exchange.refuse(Operation.PLACE, code=-2010, message="Account has insufficient balance.")
    order = spot.order("buy", "0.01", "59000")

    spot.until_happened("OrderFailure", order)
    assert exchange.orders() == []


def test_a_wrong_key_never_gets_ready(exchange: ExchangeProcess, trader: Callable[..., Trader]) -> None:
    spot = trader("binance", key="nobody")
    spot.until(lambda _: "-2015" in spot.log, "the connector is told that its key is unknown")

    assert "account_balance" in spot.do("state")["not_ready"]


def test_an_exchange_that_is_down_is_found_when_it_comes_up(
    exchange: ExchangeProcess, trader: Callable[..., Trader]
) -> None:
    exchange.down()
    spot = trader("binance")
    not_ready = spot.do("state")["not_ready"]
    exchange.up()

    assert not_ready
    spot.until_ready()


def test_paper_trade_fills_by_the_exchanges_prices(
    exchange: ExchangeProcess, trader: Callable[..., Trader]
) -> None:
    paper = trader("binance_paper_trade")
    paper.until_ready()
    buy, sell = paper.order("buy", "0.01", "59000"), paper.order("sell", "0.01", "61000")
    paper.until(lambda state: len(state["open_orders"]) == 2, "both orders rest")
    exchange.price("BTC-USDT", "58000")
    paper.until_happened("BuyOrderCompleted", buy)
    paper.do("cancel", pair="BTC-USDT", order_id=sell)
    end = paper.until_happened("OrderCancelled", sell)

    assert end["open_orders"] == []
    assert exchange.orders() == [], "paper trade places nothing"


def test_the_perpetual_connector_opens_and_closes_a_position(
    exchange: ExchangeProcess, trader: Callable[..., Trader]
) -> None:
    perpetual = trader("binance_perpetual")
    perpetual.until_ready()
    perpetual.do("leverage", pair="BTC-USDT", leverage=5)
    exchange.until(lambda: exchange.state()["requests"].get("settings", 0) > 1, "the leverage is set")
    buy = perpetual.order("buy", "0.02", "59000", position="OPEN")
    other = perpetual.order("buy", "0.02", "58000", position="OPEN")
    perpetual.until_happened("BuyOrderCreated", other)
    perpetual.do("cancel", pair="BTC-USDT", order_id=other)
    perpetual.until_happened("OrderCancelled", other)
    exchange.fill(buy)
    perpetual.until_happened("BuyOrderCompleted", buy)
    held = perpetual.until(lambda state: bool(state["positions"]), "the position is seen")
    sell = perpetual.order("sell", "0.02", "61000", position="CLOSE")
    perpetual.until_happened("SellOrderCreated", sell)
    exchange.fill(sell)
    closed = perpetual.until(lambda state: not state["positions"], "the position is gone")

    assert [(each["side"], Decimal(each["amount"])) for each in held["positions"]] == [
        ("BOTH", Decimal("0.02"))
    ]
    assert Decimal(held["positions"][0]["entry"]) == 59_000
    assert held["positions"][0]["leverage"] == "5"
    fees = Decimal("0.02") * (59_000 + 61_000) * Decimal("0.0004")
    assert exchange.state()["accounts"]["default"]["margin"]["USDT"] == f"{1_000_040 - fees.normalize():f}"
    assert amounts(closed["balances"])["USDT"] == 1_000_040 - fees


def test_the_perpetual_connector_hedges(exchange: ExchangeProcess, trader: Callable[..., Trader]) -> None:
    perpetual = trader("binance_perpetual")
    perpetual.until_ready()
    perpetual.do("hedge")
    perpetual.until(lambda _: "Position mode switched to" in perpetual.log, "the position mode is set")
    long = perpetual.order("buy", "0.01", "59000", position="OPEN")
    short = perpetual.order("sell", "0.01", "61000", position="OPEN")
    perpetual.until_happened("BuyOrderCreated", long)
    perpetual.until_happened("SellOrderCreated", short)
    exchange.fill(long)
    exchange.fill(short)

    state = perpetual.until(lambda state: len(state["positions"]) == 2, "both positions are seen")
    assert sorted(position["side"] for position in state["positions"]) == ["LONG", "SHORT"]
