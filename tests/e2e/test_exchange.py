"""The exchange for tests, spot: a plain client trades on it over real sockets, and tests rule it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.exchange.client import Client, customer
from tests.exchange.server import Exchange, ExchangeSettings

QUIET = ExchangeSettings(trade_every_s=0)


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    async with Exchange(QUIET) as running:
        yield running


@pytest.fixture
async def client(exchange: Exchange) -> AsyncIterator[Client]:
    async with customer(exchange.addresses) as made:
        yield made


def error(answer: tuple[int, Any]) -> tuple[int, int]:
    """HTTP status and Binance's code of an answer."""
    return answer[0], answer[1]["code"]


# What everybody may see.


async def test_the_book_stands_around_the_middle_price(client: Client) -> None:
    status, book = await client.ask("/api/v3/depth", symbol="BTCUSDT", limit=5)

    assert status == 200
    assert book["bids"][0][0] == "59994.00000000"
    assert book["asks"][0][0] == "60006.00000000"
    assert [float(price) for price, _ in book["asks"]] == sorted(float(price) for price, _ in book["asks"])
    assert len(book["bids"]) == 5


async def test_pairs_come_with_their_filters(client: Client) -> None:
    _, info = await client.ask("/api/v3/exchangeInfo")

    filters = {
        pair["symbol"]: {each["filterType"]: each for each in pair["filters"]} for pair in info["symbols"]
    }
    assert filters["BTCUSDT"]["PRICE_FILTER"]["tickSize"] == "0.01000000"
    assert filters["BTCUSDT"]["LOT_SIZE"]["stepSize"] == "0.00001000"
    assert filters["BTCUSDT"]["NOTIONAL"]["minNotional"] == "5.00000000"
    assert {"ETHUSDT", "SOLUSDT", "ETHBTC"} < filters.keys()


async def test_tickers_report_one_pair_or_of_all(client: Client) -> None:
    _, one = await client.ask("/api/v3/ticker/bookTicker", symbol="ETHUSDT")
    _, every = await client.ask("/api/v3/ticker/24hr")

    assert (one["bidPrice"], one["askPrice"]) == ("1999.80000000", "2000.20000000")
    assert len(every) == len(QUIET.pairs)
    assert error(await client.ask("/api/v3/ticker/24hr", symbol="NOSUCH")) == (400, -1121)


async def test_subscribers_hear_of_prices_and_trades_without_a_gap(
    exchange: Exchange, client: Client
) -> None:
    _, book = await client.ask("/api/v3/depth", symbol="BTCUSDT")
    async with client.socket("/ws") as reader:
        await reader.ask({"method": "SUBSCRIBE", "params": ["btcusdt@depth@100ms", "btcusdt@trade"], "id": 1})

        await client.control("price", pair="BTC-USDT", mid="60100")
        await client.place("BUY", "0.01", None)

        change = await reader.wait_for(lambda message: message.get("e") == "depthUpdate")
        trade = await reader.wait_for(lambda message: message.get("e") == "trade")
    assert change["U"] == book["lastUpdateId"] + 1
    assert ["59994.00000000", "0.00000000"] in change["b"]
    assert change["b"][-1][0] < "60100"
    assert (trade["s"], trade["q"], trade["m"]) == ("BTCUSDT", "0.01000000", False)


async def test_who_unsubscribed_receives_no_more(client: Client) -> None:
    async with client.socket("/ws") as reader:
        await reader.ask({"method": "SUBSCRIBE", "params": ["btcusdt@depth", "ethusdt@depth"], "id": 1})
        await reader.ask({"method": "UNSUBSCRIBE", "params": ["btcusdt@depth"], "id": 2})
        await client.control("price", pair="BTC-USDT", mid="60100")
        await client.control("price", pair="ETH-USDT", mid="2100")

        assert (await reader.wait_for(lambda _: True))["s"] == "ETHUSDT"


async def test_strangers_trade_when_nobody_else_does() -> None:
    async with (
        Exchange(ExchangeSettings(trade_every_s=0.05)) as exchange,
        customer(exchange.addresses) as client,
        client.socket("/ws") as reader,
    ):
        await reader.ask({"method": "SUBSCRIBE", "params": ["ethusdt@trade"], "id": 1})
        trades = [await reader.wait_for(lambda message: "t" in message) for _ in range(8)]

    assert {trade["m"] for trade in trades} == {True, False}
    reach = {abs(float(trade["p"]) - 2_000): float(trade["q"]) for trade in trades}
    assert len(reach) > 2, "trades reach to different depths"
    assert [reach[depth] for depth in sorted(reach)] == sorted(reach.values(), reverse=True)


# Orders.


async def test_a_resting_order_locks_its_money_until_it_is_cancelled(client: Client) -> None:
    _, order = await client.place("BUY", "0.01", "59000", newClientOrderId="mine")
    locked = await client.balances()
    _, cancelled = await client.cancel("mine")

    assert order["status"] == "NEW"
    assert locked["USDT"] == ("9999410.00000000", "590.00000000")
    assert (cancelled["status"], cancelled["origClientOrderId"]) == ("CANCELED", "mine")
    assert (await client.balances())["USDT"] == ("10000000.00000000", "0.00000000")


async def test_a_filled_order_changes_hands_less_the_fee(client: Client) -> None:
    await client.place("BUY", "0.01", "59000", newClientOrderId="mine")
    status, _ = await client.control("fill", client_id="mine")

    assert status == 200
    assert (await client.order("mine"))[1]["status"] == "FILLED"
    balances = await client.balances()
    assert balances["BTC"] == ("100.00999000", "0.00000000")
    assert balances["USDT"] == ("9999410.00000000", "0.00000000")


async def test_a_sale_pays_its_fee_in_the_quote(client: Client) -> None:
    await client.place("SELL", "0.01", "61000", newClientOrderId="mine")
    await client.control("fill", client_id="mine")

    balances = await client.balances()
    assert balances["BTC"] == ("99.99000000", "0.00000000")
    assert balances["USDT"] == ("10000609.39000000", "0.00000000")


async def test_an_order_can_be_filled_in_parts(client: Client) -> None:
    _, placed = await client.place("BUY", "0.03", "59000", newClientOrderId="mine")
    await client.control("fill", client_id="mine", quantity="0.01")
    _, part = await client.order("mine")
    await client.control("fill", client_id="mine")
    _, fills = await client.signed("GET", "/api/v3/myTrades", symbol="BTCUSDT", orderId=placed["orderId"])

    assert (part["status"], part["executedQty"]) == ("PARTIALLY_FILLED", "0.01000000")
    assert [fill["qty"] for fill in fills] == ["0.01000000", "0.02000000"]
    assert fills[0]["commissionAsset"] == "BTC"
    assert fills[0]["isBuyer"]
    assert fills[0]["isMaker"]


async def test_what_is_left_of_a_part_filled_order_is_given_back(client: Client) -> None:
    await client.place("SELL", "0.03", "61000", newClientOrderId="mine")
    await client.control("fill", client_id="mine", quantity="0.01")
    await client.cancel("mine")

    assert (await client.balances())["BTC"] == ("99.99000000", "0.00000000")


async def test_the_price_fills_what_it_reaches_at_the_orders_own_price(client: Client) -> None:
    await client.place("BUY", "0.01", "59000", newClientOrderId="near")
    await client.place("BUY", "0.01", "57000", newClientOrderId="far")
    await client.control("price", pair="BTC-USDT", mid="58000")

    near, far = (await client.order("near"))[1], (await client.order("far"))[1]
    assert (near["status"], near["cummulativeQuoteQty"]) == ("FILLED", "590.00000000")
    assert far["status"] == "NEW"


async def test_a_crossing_order_takes_the_books_price(client: Client) -> None:
    _, bought = await client.place("BUY", "0.01", "61000")
    _, sold = await client.place("SELL", "0.01", None)

    assert (bought["status"], bought["fills"][0]["price"]) == ("FILLED", "60006.00000000")
    assert (sold["status"], sold["fills"][0]["price"]) == ("FILLED", "59994.00000000")
    assert (await client.balances())["USDT"][1] == "0.00000000", "nothing stays locked"


async def test_prices_walk_along_a_path(client: Client) -> None:
    await client.place("SELL", "0.01", "61000", newClientOrderId="mine")
    async with client.socket("/ws") as reader:
        await reader.ask({"method": "SUBSCRIBE", "params": ["btcusdt@depth"], "id": 1})
        await client.control("path", pair="BTC-USDT", prices=["60500", "61500", "60000"], every_s=0.01)
        for _ in range(3):
            await reader.wait_for(lambda message: message.get("e") == "depthUpdate")

    assert (await client.order("mine"))[1]["status"] == "FILLED"
    assert (await client.look("state"))["prices"]["BTC-USDT"]["mid"] == "60000"


async def test_a_repeated_path_is_left_when_a_price_is_set(client: Client) -> None:
    async with client.socket("/ws") as reader:
        await reader.ask({"method": "SUBSCRIBE", "params": ["btcusdt@depth"], "id": 1})
        await client.control("path", pair="BTC-USDT", prices=["60500", "61500"], every_s=0.01, repeat=True)
        for _ in range(5):
            await reader.wait_for(lambda message: message.get("e") == "depthUpdate")
    await client.control("price", pair="BTC-USDT", mid="60000")
    await asyncio.sleep(0.1)

    assert (await client.look("state"))["prices"]["BTC-USDT"]["mid"] == "60000"


# The user stream.


async def test_owners_hear_of_their_orders_and_balances(client: Client) -> None:
    async with client.user_stream() as reader:
        await client.place("BUY", "0.01", "59000", newClientOrderId="mine")
        placed, reserved = (
            await reader.event("executionReport"),
            await reader.event("outboundAccountPosition"),
        )
        await client.control("fill", client_id="mine")
        filled, paid = await reader.event("executionReport"), await reader.event("outboundAccountPosition")

    assert (placed["x"], placed["X"], placed["c"]) == ("NEW", "NEW", "mine")
    assert {"a": "USDT", "f": "9999410.00000000", "l": "590.00000000"} in reserved["B"]
    assert (filled["x"], filled["X"], filled["l"], filled["L"]) == (
        "TRADE",
        "FILLED",
        "0.01000000",
        "59000.00000000",
    )
    assert (filled["n"], filled["N"]) == ("0.00001000", "BTC")
    assert {"a": "USDT", "f": "9999410.00000000", "l": "0.00000000"} in paid["B"]


async def test_a_cancel_names_the_order_where_binance_does(client: Client) -> None:
    await client.place("BUY", "0.01", "59000", newClientOrderId="mine")
    async with client.user_stream() as reader:
        await client.cancel("mine")
        report = await reader.event("executionReport")

    assert (report["x"], report["X"], report["C"]) == ("CANCELED", "CANCELED", "mine")
    assert report["c"] != "mine"


async def test_nobody_sees_anothers_orders(client: Client) -> None:
    await client.control("account", name="other", api_key="key-2", api_secret="two", balances={"USDT": "900"})
    other = client.as_other("key-2", "two")
    async with other.user_stream() as reader:
        await client.place("BUY", "0.01", "59000", newClientOrderId="not-mine")
        await other.place("BUY", "0.01", "59000", newClientOrderId="mine")
        report = await reader.event("executionReport")

    assert report["c"] == "mine"
    assert (await other.balances())["USDT"] == ("310.00000000", "590.00000000")
    assert error(await other.order("not-mine")) == (400, -2013)


async def test_the_stream_is_only_for_who_signs(client: Client) -> None:
    async with client.socket("/ws-api/v3") as reader:
        unknown = await reader.ask(client.subscription(apiKey="nobody"))
        unsigned = await reader.ask(client.subscription(signature="0" * 64))
        strange = await reader.ask({"id": "2", "method": "order.place"})
        alive = await reader.ask({"id": "3", "method": "ping"})

    assert (unknown["status"], unknown["error"]["code"]) == (401, -2015)
    assert (unsigned["status"], unsigned["error"]["code"]) == (400, -1022)
    assert strange["status"] == 400
    assert alive["status"] == 200
