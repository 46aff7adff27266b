"""The exchange for tests as a process of its own, ruled from other processes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.exchange.client import customer
from tests.exchange.process import PATIENCE_S, ExchangeProcess
from tests.exchange.requests import Operation

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def process() -> Iterator[ExchangeProcess]:
    """One process for the module: each test looks at its own orders only."""
    with ExchangeProcess({"trade_every_s": 0}) as running:
        yield running


def get(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=PATIENCE_S) as response:
        return json.load(response)


def test_it_says_where_it_is_under_hummingbots_names(process: ExchangeProcess) -> None:
    addresses = process.addresses

    assert get(f"{addresses['REST_URL']}v3/ping") == {}
    assert get(f"{addresses['PERPETUAL_BASE_URL']}v1/ping") == {}
    assert addresses["WSS_URL"] == f"ws://127.0.0.1:{addresses['port']}/ws"
    assert addresses["WSS_API_URL"] == f"ws://127.0.0.1:{addresses['port']}/ws-api/v3"


async def test_every_control_is_a_method(process: ExchangeProcess) -> None:
    process.account("guest", "guest-key", "guest-secret", {"USDT": "1000"})
    process.balance("BTC", "1", account="guest")
    process.price("BTC-USDT", "50000", spread_pct="0.1")
    async with customer(process.addresses) as owner:
        guest = owner.as_other("guest-key", "guest-secret")
        process.refuse(Operation.PLACE, code=-1008, status=503)
        refused = await guest.place("BUY", "0.001", "49000")
        process.refuse(Operation.ANY, times=None)
        process.clear()
        await guest.place("BUY", "0.001", "49000", newClientOrderId="guest-buys")
        await guest.place("SELL", "0.5", "52000", newClientOrderId="guest-sells")
        part = process.fill("guest-sells", "0.2")
        process.path("BTC-USDT", ["51000", "48000"], every_s=0.01)
        process.until(lambda: process.state()["prices"]["BTC-USDT"]["mid"] == "48000", "the path is walked")
        async with guest.user_stream() as reader:
            broken = process.disconnect()
            await reader.end()

    assert refused[0] == 503
    assert (part["status"], part["filled"]) == ("PARTIALLY_FILLED", "0.2")
    assert broken == 1
    mine = {order["client_id"]: order for order in process.orders() if order["account"] == "guest"}
    assert mine["guest-buys"]["status"] == "FILLED"
    assert [order["client_id"] for order in process.orders(only_open=True)] == ["guest-sells"]
    assert process.state()["accounts"]["guest"]["balances"]["BTC"] == {"free": "0.500999", "locked": "0.3"}


def test_down_is_out_of_reach_but_for_controls(process: ExchangeProcess) -> None:
    process.down()
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        get(f"{process.addresses['REST_URL']}v3/ping")
    is_down = process.state()["is_down"]
    process.up()

    assert is_down
    assert get(f"{process.addresses['REST_URL']}v3/ping") == {}


def test_delays_hold_answers_back(process: ExchangeProcess) -> None:
    process.delay(Operation.PING, 60, times=1)
    with pytest.raises(TimeoutError):
        urllib.request.urlopen(f"{process.addresses['REST_URL']}v3/ping", timeout=0.3)

    assert get(f"{process.addresses['REST_URL']}v3/ping") == {}


def test_a_control_that_is_wrong_fails_the_test_with_its_fix(process: ExchangeProcess) -> None:
    with pytest.raises(AssertionError, match="see GET /control/orders"):
        process.fill("nobody's")


def test_what_does_not_come_fails_the_test_with_what_there_is(process: ExchangeProcess) -> None:
    with pytest.raises(AssertionError, match=r"the moon falls(?s:.*)open_orders"):
        process.until(lambda: False, "the moon falls", patience_s=0.1)


def test_pairs_and_spread_are_settings() -> None:
    doge = {"base": "DOGE", "quote": "USDT", "tick": "0.00001", "step": "1", "price": "0.2"}
    with ExchangeProcess({"pairs": [doge], "spread_pct": "1"}) as process:
        prices = process.state()["prices"]

    assert prices == {"DOGE-USDT": {"mid": "0.2", "bid": "0.199", "ask": "0.201"}}


def test_it_does_not_outlive_its_parent() -> None:
    """The parent is killed; the exchange notices that its stdin has ended."""
    program = (
        "import time; from tests.exchange.process import ExchangeProcess\n"
        "with ExchangeProcess() as process:\n"
        "    print(process.addresses['REST_URL'], flush=True)\n"
        "    time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    address = parent.stdout.readline().strip()
    assert get(f"{address}v3/ping") == {}
    parent.kill()
    parent.wait(PATIENCE_S)
    parent.stdout.close()

    with pytest.raises((urllib.error.URLError, ConnectionError)):
        _get_until_refused(f"{address}v3/ping")


def _get_until_refused(address: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        get(address)
