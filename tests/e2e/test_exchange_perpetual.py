"""The exchange for tests, perpetuals: positions, margin and settings for a plain client over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from tests.exchange.client import Client, customer
from tests.exchange.perpetual import Position
from tests.exchange.server import Exchange, ExchangeSettings


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with (
        Exchange(ExchangeSettings(trade_every_s=0)) as exchange,
        customer(exchange.addresses) as made,
    ):
        yield made


async def place(client: Client, side: str, quantity: str, price: str | None, /, **more: Any) -> Any:
    """Place an order on BTCUSDT's perpetual; its answer."""
    params: dict[str, Any] = {"symbol": "BTCUSDT", "side": side, "quantity": quantity}
    params |= {"type": "MARKET"} if price is None else {"type": "LIMIT", "price": price, "timeInForce": "GTC"}
    params |= {"newClientOrderId": f"{side}-{quantity}-{price}"} | more
    return (await client.signed("POST", "/fapi/v1/order", **params))[1]


async def positions(client: Client) -> dict[str, tuple[str, str]]:
    """Amount and entry of BTCUSDT's positions, by side."""
    _, every = await client.signed("GET", "/fapi/v2/positionRisk")
    return {
        each["positionSide"]: (each["positionAmt"], each["entryPrice"])
        for each in every
        if each["symbol"] == "BTCUSDT"
    }


async def wallet(client: Client) -> tuple[Decimal, Decimal]:
    """What is in the wallet, and what of it is free."""
    _, account = await client.signed("GET", "/fapi/v2/account")
    usdt = next(each for each in account["assets"] if each["asset"] == "USDT")
    return Decimal(usdt["walletBalance"]), Decimal(usdt["availableBalance"])


@pytest.mark.parametrize(
    ("trades", "amount", "entry", "profit"),
    [
        ([("1", "100")], "1", "100", "0"),
        ([("1", "100"), ("1", "200")], "2", "150", "0"),
        ([("2", "100"), ("-1", "150")], "1", "100", "50"),
        ([("2", "100"), ("-2", "150")], "0", "0", "100"),
        ([("1", "100"), ("-3", "150")], "-2", "150", "50"),
        ([("-2", "100"), ("1", "80")], "-1", "100", "20"),
        ([("-1", "100"), ("1", "130")], "0", "0", "-30"),
    ],
)
def test_a_position_averages_what_opens_it_and_realises_what_closes_it(
    trades: list[tuple[str, str]], amount: str, entry: str, profit: str
) -> None:
    position = Position("BTCUSDT", "BOTH")

    realised = sum(position.add(Decimal(quantity), Decimal(price)) for quantity, price in trades)
    assert (position.amount, position.entry) == (Decimal(amount), Decimal(entry))
    assert realised == Decimal(profit)


async def test_an_order_holds_margin_and_a_fill_makes_a_position(client: Client) -> None:
    await client.signed("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=10)
    order = await place(client, "BUY", "1", "59000")
    held = await wallet(client)
    await client.control("fill", client_id=order["clientOrderId"])

    assert order["status"] == "NEW"
    assert held == (Decimal(1_000_000), Decimal(994_100))
    assert await positions(client) == {"BOTH": ("1.00000000", "59000.00000000")}
    owned, free = await wallet(client)
    assert owned == Decimal("999976.4"), "less the fee of 0.04 %"
    assert free == owned - 6_000, "a tenth of the position's worth at the market"


async def test_a_cancelled_order_holds_no_margin(client: Client) -> None:
    order = await place(client, "BUY", "1", "59000")
    _, cancelled = await client.signed(
        "DELETE", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId=order["clientOrderId"]
    )

    assert cancelled["status"] == "CANCELED"
    assert await wallet(client) == (Decimal(1_000_000), Decimal(1_000_000))


async def test_closing_realises_the_profit(client: Client) -> None:
    await place(client, "BUY", "1", None)
    await client.control("price", pair="BTC-USDT", mid="66000")
    await place(client, "SELL", "1", None, reduceOnly="true")

    _, fills = await client.signed("GET", "/fapi/v1/userTrades", symbol="BTCUSDT")
    assert [fill["realizedPnl"] for fill in fills] == ["0.00000000", "5987.40000000"]
    fees = sum(Decimal(fill["commission"]) for fill in fills)
    assert (await wallet(client))[0] == Decimal("1005987.4") - fees
    assert await positions(client) == {"BOTH": ("0.00000000", "0.00000000")}


async def test_what_only_reduces_needs_something_to_reduce(client: Client) -> None:
    refused = await place(client, "SELL", "1", "61000", reduceOnly="true")
    await place(client, "BUY", "1", None)
    taken = await place(client, "SELL", "1", "61000", reduceOnly="true")

    assert refused["code"] == -2022
    assert taken["status"] == "NEW"


async def test_an_order_beyond_the_margin_is_refused(client: Client) -> None:
    assert (await place(client, "BUY", "400", "59000"))["code"] == -2019


async def test_a_makers_order_that_would_take_is_refused(client: Client) -> None:
    refused = await place(client, "BUY", "1", "61000", timeInForce="GTX")
    taken = await place(client, "BUY", "1", "59000", timeInForce="GTX")

    assert refused["code"] == -5022
    assert (taken["timeInForce"], taken["type"]) == ("GTX", "LIMIT")


async def test_a_hedging_account_has_long_and_short_positions(client: Client) -> None:
    _, changed = await client.signed("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
    _, again = await client.signed("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
    await place(client, "BUY", "1", None, positionSide="LONG")
    await place(client, "SELL", "2", None, positionSide="SHORT")

    assert changed == {"code": 200, "msg": "success"}
    assert again["code"] == -4059
    assert (await client.signed("GET", "/fapi/v1/positionSide/dual"))[1] == {"dualSidePosition": True}
    assert await positions(client) == {
        "LONG": ("1.00000000", "60006.00000000"),
        "SHORT": ("-2.00000000", "59994.00000000"),
    }
    assert (await place(client, "BUY", "1", "59000"))["code"] == -4061, "a side has to be named"
    _, stuck = await client.signed("POST", "/fapi/v1/positionSide/dual", dualSidePosition="false")
    assert stuck["code"] == -4068


async def test_who_brings_a_listen_key_receives_orders_and_positions(client: Client) -> None:
    _, answer = await client.signed("POST", "/fapi/v1/listenKey")
    async with client.socket(f"/private/ws?listenKey={answer['listenKey']}") as reader:
        order = await place(client, "BUY", "1", "59000")
        placed = await reader.wait_for(lambda message: message["e"] == "ORDER_TRADE_UPDATE")
        await client.control("fill", client_id=order["clientOrderId"])
        filled = await reader.wait_for(lambda message: message["e"] == "ORDER_TRADE_UPDATE")
        account = await reader.wait_for(lambda message: message["e"] == "ACCOUNT_UPDATE")

    assert (placed["o"]["x"], placed["o"]["t"]) == ("NEW", 0)
    assert (filled["o"]["X"], filled["o"]["l"], filled["o"]["N"]) == ("FILLED", "1.00000000", "USDT")
    assert (account["a"]["P"][0]["pa"], account["a"]["P"][0]["ep"]) == ("1.00000000", "59000.00000000")
    assert account["a"]["B"][0]["wb"] == "999976.40000000"


async def test_market_streams_are_wrapped_and_chained(client: Client) -> None:
    streams = ["btcusdt@depth", "btcusdt@aggTrade", "btcusdt@markPrice"]
    async with client.socket("/public/stream") as reader:
        await reader.ask({"method": "SUBSCRIBE", "params": streams, "id": 1})
        await client.control("price", pair="BTC-USDT", mid="60100")
        first = await reader.wait_for(lambda message: message["stream"] == "btcusdt@depth")
        mark = await reader.wait_for(lambda message: message["stream"] == "btcusdt@markPrice")
        await client.control("price", pair="BTC-USDT", mid="60200")
        second = await reader.wait_for(lambda message: message["stream"] == "btcusdt@depth")
        await place(client, "BUY", "1", None)
        trade = await reader.wait_for(lambda message: message["stream"] == "btcusdt@aggTrade")

    assert second["data"]["pu"] == first["data"]["u"]
    assert mark["data"]["p"] == "60100.00000000"
    assert trade["data"]["q"] == "1.00000000"


async def test_funding_is_reported(client: Client) -> None:
    _, funding = await client.ask("/fapi/v1/premiumIndex", symbol="BTCUSDT")
    _, income = await client.signed("GET", "/fapi/v1/income", symbol="BTCUSDT", incomeType="FUNDING_FEE")

    assert (funding["markPrice"], funding["lastFundingRate"]) == ("60000.00000000", "0.00010000")
    assert funding["nextFundingTime"] > funding["time"]
    assert income == []


async def test_spot_and_perpetuals_share_prices_but_not_orders_or_money(client: Client) -> None:
    await client.place("BUY", "0.01", "59000", newClientOrderId="spot")
    await place(client, "BUY", "0.01", "59000", newClientOrderId="perpetual")
    await client.control("price", pair="BTC-USDT", mid="58000")

    orders = await client.look("orders")
    assert [(order["venue"], order["client_id"], order["status"]) for order in orders] == [
        ("spot", "spot", "FILLED"),
        ("perpetual", "perpetual", "FILLED"),
    ]
    account = (await client.look("state"))["accounts"]["default"]
    assert account["balances"]["BTC"]["free"] == "100.00999"
    assert account["positions"] == [
        {"pair": "BTC-USDT", "side": "BOTH", "amount": "0.01", "entry": "59000", "leverage": 20}
    ]
