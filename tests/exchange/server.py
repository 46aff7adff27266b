"""The exchange as a server: sockets and HTTP around the venues, streams and controls. Wiring only."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Self

import msgspec
from aiohttp import web

from tests.exchange.accounts import Account, Accounts, account
from tests.exchange.controls import Controls, WrongControl
from tests.exchange.faults import Faults
from tests.exchange.lines import Lines, Stream
from tests.exchange.market import PAIRS, Markets, Pair
from tests.exchange.pace import Paths, keep_trading
from tests.exchange.perpetual import PerpetualSettlement
from tests.exchange.perpetual_api import Perpetual
from tests.exchange.perpetual_streams import PerpetualMarketStream, PerpetualUserStream
from tests.exchange.refusals import Refused
from tests.exchange.requests import Endpoint, Sent, admit
from tests.exchange.spot import Spot, SpotSettlement
from tests.exchange.spot_streams import MarketStream, UserStream
from tests.exchange.venue import Venue
from tests.exchange.views import orders_view, state_view

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CLOSING_S = 2.0
"""How long open connections may take to end when the exchange closes."""


class ExchangeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an exchange is to be like. `trade_every_s`: how often strangers trade, 0 for never."""

    host: str = "127.0.0.1"
    port: int = 0
    pairs: tuple[Pair, ...] = PAIRS
    spread_pct: Decimal = Decimal("0.02")
    trade_every_s: float = 1.0


class Exchange:
    """An exchange that runs while it is entered: `async with Exchange() as exchange:`."""

    def __init__(
        self, settings: ExchangeSettings | None = None, accounts: tuple[Account, ...] | None = None
    ) -> None:
        self._settings = settings or ExchangeSettings()
        self.markets = Markets(self._settings.pairs, self._settings.spread_pct)
        self.accounts = Accounts(accounts or (account(),))
        self.faults = Faults()
        self.lines = Lines()
        self.paths = Paths(self.markets)
        self.requests: Counter[str] = Counter()
        self.spot = Venue(self.markets, self.accounts, SpotSettlement(), now_ms)
        self.settlement = PerpetualSettlement(self.markets)
        self.perpetual = Venue(self.markets, self.accounts, self.settlement, now_ms)
        self.venues = {"spot": self.spot, "perpetual": self.perpetual}
        self.controls = Controls(self)
        self.port = 0
        self._runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=CLOSING_S)
        self._trading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._settings.host, self._settings.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        if self._settings.trade_every_s:
            self._trading = asyncio.create_task(keep_trading(self.markets, self._settings.trade_every_s))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._trading is not None:
            self._trading.cancel()
        self.paths.close()
        self.lines.cut()
        await self._runner.cleanup()

    @property
    def addresses(self) -> dict[str, str | int]:
        """Where it is, under the names that Hummingbot's constants have."""
        place = f"{self._settings.host}:{self.port}"
        return {
            "port": self.port,
            "control_url": f"http://{place}/control",
            "REST_URL": f"http://{place}/api/",
            "WSS_URL": f"ws://{place}/ws",
            "WSS_API_URL": f"ws://{place}/ws-api/v3",
            "PERPETUAL_BASE_URL": f"http://{place}/fapi/",
            "PERPETUAL_WS_URL": f"ws://{place}/",
        }

    def go_down(self) -> None:
        """Be out of reach: connections break, new ones end without an answer. Controls go on."""
        self.faults.is_down = True
        self.lines.cut()

    def come_up(self) -> None:
        self.faults.is_down = False

    # -- HTTP

    def _application(self) -> web.Application:
        perpetual = Perpetual(self.perpetual, self.settlement, now_ms)
        prices = PerpetualMarketStream(self.markets, now_ms)
        streams: dict[str, Stream] = {
            "/ws": MarketStream(self.markets, now_ms),
            "/ws-api/v3": UserStream(self.spot, self.faults, now_ms),
            "/public/stream": prices,
            "/market/stream": prices,
            "/private/ws": PerpetualUserStream(self.perpetual, self.settlement, perpetual.listen_keys),
        }
        application = web.Application()
        for endpoint in Spot(self.spot, now_ms).endpoints() + perpetual.endpoints():
            application.router.add_route(endpoint.method, endpoint.path, self._answering(endpoint))
        for path, stream in streams.items():
            application.router.add_get(path, self._streaming(stream))
        application.router.add_get("/control/{name}", self._look)
        application.router.add_post("/control/{name}", self._control)
        return application

    def _answering(self, endpoint: Endpoint) -> _Handler:
        async def answer(request: web.Request) -> web.Response:
            if self.faults.is_down:
                return _hang_up(request)
            body = await request.text()
            sent = Sent(request.rel_url.raw_query_string, body, request.headers.get("X-MBX-APIKEY", ""))
            response = self._answer(endpoint, sent)
            await asyncio.sleep(self.faults.delay_s(endpoint.operation))
            return _hang_up(request) if self.faults.is_down else response

        return answer

    def _answer(self, endpoint: Endpoint, sent: Sent) -> web.Response:
        self.requests[endpoint.operation] += 1
        try:
            return _json(self._carried_out(endpoint, sent))
        except Refused as refused:
            refusal = refused.refusal
            return _json({"code": refusal.code, "msg": refusal.message}, refusal.status)

    def _carried_out(self, endpoint: Endpoint, sent: Sent) -> object:
        refusing = self.faults.refusal(endpoint.operation)
        if refusing is not None and not refusing.carried_out:
            raise Refused(refusing.refusal)
        said = endpoint.work(admit(endpoint, sent, self.accounts, now_ms()))
        if refusing is not None:
            raise Refused(refusing.refusal)
        return said

    def _streaming(self, stream: Stream) -> _Handler:
        async def converse(request: web.Request) -> web.StreamResponse:
            if self.faults.is_down:
                return _hang_up(request)
            return await self.lines.serve(request, stream)

        return converse

    # -- controls

    async def _look(self, request: web.Request) -> web.Response:
        match request.match_info["name"]:
            case "orders":
                return _json(orders_view(self, only_open=request.query.get("open") == "true"))
            case "state":
                return _json(state_view(self))
        return _json({"error": "nothing to see here: use /control/orders or /control/state"}, 404)

    async def _control(self, request: web.Request) -> web.Response:
        try:
            said = self.controls.post(request.match_info["name"], await request.read())
        except WrongControl as error:
            return _json({"error": str(error)}, 400)
        return _json({} if said is None else said)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def _json(said: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(said), status=status, content_type="application/json")


def _hang_up(request: web.Request) -> web.Response:
    """Break the connection; the response goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
