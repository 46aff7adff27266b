"""A plain client of the exchange for tests: signs as Binance's clients do, knows nothing of the server's insides."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import aiohttp

from tests.exchange.requests import signature

PATIENCE_S = 30.0
"""Limit of a request, and of waiting for a message; only a failing test waits that long."""

Answer = tuple[int, Any]
"""HTTP status and JSON."""


class Client:
    """One customer. `path` starts with /api or /fapi."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        addresses: dict[str, Any],
        key: str = "test-key",
        secret: str = "test-secret",
    ) -> None:
        self._session = session
        self._addresses = addresses
        self._root = str(addresses["REST_URL"]).removesuffix("/api/")
        self._sockets = self._root.replace("http://", "ws://")
        self._key = key
        self._secret = secret
        self._ids = itertools.count(1)

    def as_other(self, key: str, secret: str) -> Client:
        """Another customer on the same exchange."""
        return Client(self._session, self._addresses, key, secret)

    async def ask(self, path: str, **params: Any) -> Answer:
        """GET what everybody may see."""
        return await self._send("GET", f"{path}?{urlencode(params)}", "", {})

    async def signed(self, method: str, path: str, **params: Any) -> Answer:
        """Ask for what only the owner may; a POST carries its parameters in the body, as Hummingbot does."""
        params = {"timestamp": time.time_ns() // 1_000_000, **params}
        payload = urlencode(params)
        signed = f"{payload}&signature={signature(self._secret, payload)}"
        headers = {"X-MBX-APIKEY": self._key}
        if method == "POST":
            return await self._send(method, path, signed, headers)
        return await self._send(method, f"{path}?{signed}", "", headers)

    async def place(self, side: str, quantity: str, price: str | None, /, **more: Any) -> Answer:
        """Place an order on BTCUSDT: at `price`, or at the market's."""
        params: dict[str, Any] = {
            "symbol": "BTCUSDT",
            "side": side,
            "quantity": quantity,
            "newClientOrderId": f"order-{next(self._ids)}",
        }
        params |= {"type": "MARKET"} if price is None else {"type": "LIMIT", "price": price}
        if price is not None:
            params["timeInForce"] = "GTC"
        return await self.signed("POST", "/api/v3/order", **(params | more))

    async def cancel(self, client_id: str, symbol: str = "BTCUSDT") -> Answer:
        return await self.signed("DELETE", "/api/v3/order", symbol=symbol, origClientOrderId=client_id)

    async def order(self, client_id: str, symbol: str = "BTCUSDT") -> Answer:
        return await self.signed("GET", "/api/v3/order", symbol=symbol, origClientOrderId=client_id)

    async def balances_answer(self) -> Answer:
        return await self.signed("GET", "/api/v3/account")

    async def balances(self) -> dict[str, tuple[str, str]]:
        """What is free and locked of each asset."""
        _, account = await self.balances_answer()
        return {each["asset"]: (each["free"], each["locked"]) for each in account["balances"]}

    async def control(self, control: str, /, **fields: Any) -> Answer:
        """Use a control of the exchange."""
        async with self._session.post(f"{self._root}/control/{control}", json=fields) as response:
            return response.status, await response.json()

    async def look(self, what: str) -> Any:
        """Look at `state` or `orders`."""
        async with self._session.get(f"{self._root}/control/{what}") as response:
            return await response.json()

    @asynccontextmanager
    async def socket(self, path: str) -> AsyncIterator[SocketReader]:
        """A WebSocket at `path`."""
        async with self._session.ws_connect(self._sockets + path) as socket:
            yield SocketReader(socket)

    @asynccontextmanager
    async def user_stream(self) -> AsyncIterator[SocketReader]:
        """The user stream of the WebSocket API, subscribed."""
        async with self.socket("/ws-api/v3") as reader:
            answer = await reader.ask(self.subscription())
            assert answer["status"] == 200, answer
            yield reader

    def subscription(self, **otherwise: Any) -> dict[str, Any]:
        """The signed request for the user stream; `otherwise` changes its parameters after signing."""
        params: dict[str, Any] = {"apiKey": self._key, "timestamp": time.time_ns() // 1_000_000}
        payload = "&".join(f"{key}={value}" for key, value in sorted(params.items()))
        params |= {"signature": signature(self._secret, payload)} | otherwise
        return {"id": "1", "method": "userDataStream.subscribe.signature", "params": params}

    async def _send(self, method: str, path: str, body: str, headers: dict[str, str]) -> Answer:
        headers = {**headers, "Content-Type": "application/json"}
        async with self._session.request(
            method, self._root + path, data=body, headers=headers, timeout=aiohttp.ClientTimeout(PATIENCE_S)
        ) as response:
            return response.status, await response.json()


@asynccontextmanager
async def customer(addresses: dict[str, Any]) -> AsyncIterator[Client]:
    """A client of the account that is always there."""
    async with aiohttp.ClientSession() as session:
        yield Client(session, addresses)


class SocketReader:
    """Reads the messages of a WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a message and wait for the next one."""
        await self._socket.send_json(message)
        return await self.wait_for(lambda _: True)

    async def wait_for(self, is_meant: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for a message; others are passed over."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                message: dict[str, Any] = await self._socket.receive_json()
                if is_meant(message):
                    return message

    async def event(self, name: str) -> dict[str, Any]:
        """Wait for an event of the user stream of spot."""
        message = await self.wait_for(lambda message: message.get("event", {}).get("e") == name)
        event: dict[str, Any] = message["event"]
        return event

    async def end(self) -> None:
        """Wait until the connection is broken."""
        async with asyncio.timeout(PATIENCE_S):
            while not self._socket.closed:
                await self._socket.receive()
