"""The exchange for tests, spot: what it refuses by itself, what tests have go wrong, and how they rule and see it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from tests.exchange.client import PATIENCE_S, Client, customer
from tests.exchange.server import Exchange, ExchangeSettings


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    async with Exchange(ExchangeSettings(trade_every_s=0)) as running:
        yield running


@pytest.fixture
async def client(exchange: Exchange) -> AsyncIterator[Client]:
    async with customer(exchange.addresses) as made:
        yield made


def error(answer: tuple[int, Any]) -> tuple[int, int]:
    """HTTP status and Binance's code of an answer."""
    return answer[0], answer[1]["code"]


# Refusals as Binance's.


async def test_an_unknown_key_a_wrong_signature_and_a_stale_request_are_refused(client: Client) -> None:
    stranger = client.as_other("nobody", "test-secret")
    forger = client.as_other("test-key", "wrong")
    nameless = client.as_other("", "test-secret")

    assert error(await stranger.place("BUY", "0.01", "59000")) == (401, -2015)
    assert error(await forger.place("BUY", "0.01", "59000")) == (400, -1022)
    assert error(await forger.signed("GET", "/api/v3/account")) == (400, -1022)
    assert error(await nameless.signed("GET", "/api/v3/account")) == (401, -2014)
    assert error(await client.signed("GET", "/api/v3/account", timestamp=1)) == (400, -1021)
    assert (await client.look("state"))["orders"] == 0


@pytest.mark.parametrize(
    ("quantity", "price", "more", "code"),
    [
        ("0.01", "59000.001", {}, -1013),
        ("0.000001", "59000", {}, -1013),
        ("0.00001", "59000", {}, -1013),
        ("NaN", "59000", {}, -1013),
        ("0.01", "-1", {}, -1013),
        ("many", "59000", {}, -1102),
        ("0.01", "59000", {"side": "HOLD"}, -1102),
        ("0.01", "59000", {"symbol": "NOSUCH"}, -1121),
        ("0.01", "59000", {"timeInForce": "FOK"}, -1115),
        ("1000", "59000", {}, -2010),
        ("0.01", "61000", {"type": "LIMIT_MAKER"}, -2010),
    ],
)
async def test_an_order_that_binance_would_refuse_is_refused(
    client: Client, quantity: str, price: str, more: dict[str, str], code: int
) -> None:
    before = await client.balances()

    assert error(await client.place("BUY", quantity, price, **more)) == (400, code)
    assert (await client.look("state"))["orders"] == 0
    assert await client.balances() == before


async def test_a_missing_parameter_is_named(client: Client) -> None:
    _, answer = await client.signed("POST", "/api/v3/order", symbol="BTCUSDT", side="BUY", type="MARKET")

    assert "'quantity'" in answer["msg"]


async def test_only_an_open_order_can_be_cancelled(client: Client) -> None:
    await client.place("BUY", "0.01", "59000", newClientOrderId="mine")
    await client.cancel("mine")

    assert error(await client.cancel("mine")) == (400, -2011)
    assert error(await client.cancel("never-placed")) == (400, -2011)


async def test_a_client_order_id_that_comes_twice_is_counted_and_refused_while_open(client: Client) -> None:
    await client.place("BUY", "0.01", "59000", newClientOrderId="twice")
    answer = await client.place("BUY", "0.01", "59000", newClientOrderId="twice")
    await client.cancel("twice")
    status, _ = await client.place("BUY", "0.01", "59000", newClientOrderId="twice")

    assert error(answer) == (400, -2010)
    assert status == 200, "the id is free again when its order is closed"
    assert (await client.look("state"))["duplicate_client_ids"] == {"twice": 3}


# What tests can have go wrong.


async def test_requests_are_refused_as_often_as_asked(client: Client) -> None:
    await client.control("refuse", operation="place", code=-1008, message="Overloaded.", status=503, times=2)

    answers = [await client.place("BUY", "0.01", "59000") for _ in range(3)]
    assert [answer[0] for answer in answers] == [503, 503, 200]
    assert answers[0][1] == {"code": -1008, "msg": "Overloaded."}
    assert (await client.look("state"))["orders"] == 1


async def test_refusing_ends_when_cleared(client: Client) -> None:
    await client.control("refuse", operation="any", times=None)
    refused = [await client.balances_answer() for _ in range(3)]
    await client.control("clear")

    assert [error(answer) for answer in refused] == [(400, -1000)] * 3
    assert (await client.balances_answer())[0] == 200


async def test_an_order_may_be_taken_though_the_answer_says_otherwise(client: Client) -> None:
    await client.control("refuse", operation="place", status=503, carried_out=True)
    status, _ = await client.place("BUY", "0.01", "59000", newClientOrderId="mine")

    assert status == 503
    assert (await client.order("mine"))[1]["status"] == "NEW"


async def test_the_user_stream_can_be_refused(client: Client) -> None:
    await client.control("refuse", operation="subscribe", code=-1003, message="Too many.", status=429)
    async with client.socket("/ws-api/v3") as reader:
        refused = await reader.ask(client.subscription())
        taken = await reader.ask(client.subscription())

    assert (refused["status"], refused["error"]["code"]) == (429, -1003)
    assert taken["status"] == 200


async def test_a_delayed_answer_comes_after_the_deed(client: Client) -> None:
    await client.control("delay", operation="place", seconds=PATIENCE_S, times=1)
    async with client.user_stream() as reader:
        late = asyncio.create_task(client.place("BUY", "0.01", "59000", newClientOrderId="mine"))
        await reader.event("executionReport")

    assert not late.done()
    late.cancel()
    await asyncio.gather(late, return_exceptions=True)
    assert (await client.place("BUY", "0.01", "59000"))[0] == 200, "the next one is not late"


async def test_all_websockets_can_be_broken(client: Client) -> None:
    async with client.user_stream() as user, client.socket("/ws") as market:
        assert (await client.look("state"))["connections"] == 2
        _, broken = await client.control("disconnect")
        await user.end()
        await market.end()

    assert broken == {"connections": 2}
    async with client.user_stream():
        assert (await client.look("state"))["connections"] == 1, "they can come again"


async def test_down_means_no_answer_and_up_means_that_orders_are_still_there(client: Client) -> None:
    await client.place("BUY", "0.01", "59000", newClientOrderId="mine")
    async with client.user_stream() as reader:
        await client.control("down")
        await reader.end()
    with pytest.raises(aiohttp.ClientError):
        await client.order("mine")
    with pytest.raises(aiohttp.ClientError):
        await client.ask("/api/v3/ping")
    with pytest.raises(aiohttp.ClientError):
        async with client.socket("/ws"):
            pass
    await client.control("fill", client_id="mine")
    await client.control("up")

    assert (await client.order("mine"))[1]["status"] == "FILLED"


async def test_balances_can_be_set(client: Client) -> None:
    await client.control("balance", asset="USDT", free="100")

    assert error(await client.place("BUY", "0.01", "59000")) == (400, -2010)


@pytest.mark.parametrize(
    ("name", "fields", "hint"),
    [
        ("prise", {}, "use one of price"),
        ("price", {"pair": "BTC-USDT"}, "the fields are pair, mid, spread_pct"),
        ("price", {"pair": "BTC-USDT", "mid": "1", "speed": 2}, "the fields are pair"),
        ("price", {"pair": "DOGE-USDT", "mid": "1"}, "Invalid symbol"),
        ("price", {"pair": "BTC-USDT", "mid": "0"}, "a number above 0"),
        ("path", {"pair": "BTC-USDT", "prices": ["1", "NaN"]}, "a number above 0"),
        ("fill", {"client_id": "nobody"}, "see GET /control/orders"),
        ("balance", {"asset": "USDT", "free": "1", "account": "nobody"}, "use one of default"),
        ("refuse", {"operation": "dance"}, "the fields are operation"),
    ],
)
async def test_a_wrong_control_says_how_it_is_right(
    client: Client, name: str, fields: dict[str, Any], hint: str
) -> None:
    status, answer = await client.control(name, **fields)

    assert status == 400
    assert hint in answer["error"]


# What tests can look at.


async def test_every_order_is_remembered_with_its_times(client: Client) -> None:
    await client.place("BUY", "0.01", "59000", newClientOrderId="first")
    await client.cancel("first")
    await client.place("SELL", "0.02", "61000", newClientOrderId="second")

    every, still_open = await client.look("orders"), await client.look("orders?open=true")
    assert [(order["client_id"], order["status"]) for order in every] == [
        ("first", "CANCELED"),
        ("second", "NEW"),
    ]
    assert every[0]["placed_at_ms"] <= every[0]["updated_at_ms"] <= every[1]["placed_at_ms"]
    assert [order["client_id"] for order in still_open] == ["second"]
    assert (still_open[0]["price"], still_open[0]["quantity"]) == ("61000", "0.02")
    state = await client.look("state")
    assert (state["orders"], state["open_orders"], state["cancels"], state["fills"]) == (2, 1, 1, 0)
    assert state["requests"]["place"] == 2
    assert state["accounts"]["default"]["balances"]["BTC"] == {"free": "99.98", "locked": "0.02"}


async def test_a_test_in_the_same_loop_needs_no_http(exchange: Exchange, client: Client) -> None:
    await client.place("BUY", "0.01", "59000")
    exchange.markets.move(exchange.markets["BTC-USDT"], Decimal(58_000))

    assert exchange.spot.open_orders() == []
