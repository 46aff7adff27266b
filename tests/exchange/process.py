"""The exchange as a process of its own, for tests that start other processes next to it, and its controls by name."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.exchange.requests import Operation

PATIENCE_S = 60.0
"""How long to wait for what must come; only a failing test waits that long."""

ANSWER_S = 30.0
"""Limit of one control: the exchange answers at once, a busy machine may not."""

_ROOT = Path(__file__).parents[2]


class ExchangeRemote:
    """Rules an exchange over HTTP; each method is the control of its name. Decimals go as text."""

    def __init__(self, control_url: str) -> None:
        self._url = control_url

    def price(self, pair: str, mid: str, spread_pct: str | None = None) -> None:
        """Set the middle price, and the spread in percent of it; fills what the book reaches."""
        self._post("price", pair=pair, mid=mid, spread_pct=spread_pct)

    def path(self, pair: str, prices: list[str], *, every_s: float = 1.0, repeat: bool = False) -> None:
        """Walk along `prices`."""
        self._post("path", pair=pair, prices=prices, every_s=every_s, repeat=repeat)

    def fill(self, client_id: str, quantity: str | None = None) -> dict[str, Any]:
        """Fill an open order, whole or in part; the order."""
        filled: dict[str, Any] = self._post("fill", client_id=client_id, quantity=quantity)
        return filled

    def refuse(self, operation: Operation, *, times: int | None = 1, **how: object) -> None:
        """Refuse the next requests; `how`: code, message, status, carried_out."""
        self._post("refuse", operation=operation, times=times, **how)

    def delay(self, operation: Operation, seconds: float, *, times: int | None = None) -> None:
        """Answer later."""
        self._post("delay", operation=operation, seconds=seconds, times=times)

    def clear(self) -> None:
        """Refuse and delay no more."""
        self._post("clear")

    def disconnect(self) -> int:
        """Break all WebSockets; how many there were."""
        broken: int = self._post("disconnect")["connections"]
        return broken

    def down(self) -> None:
        """Be out of reach, but for controls."""
        self._post("down")

    def up(self) -> None:
        self._post("up")

    def balance(self, asset: str, free: str, account: str = "default") -> None:
        """Set what is free of an asset."""
        self._post("balance", asset=asset, free=free, account=account)

    def account(
        self, name: str, api_key: str, api_secret: str, balances: dict[str, str] | None = None
    ) -> None:
        """Open one more account."""
        self._post("account", name=name, api_key=api_key, api_secret=api_secret, balances=balances)

    def orders(self, *, only_open: bool = False) -> list[dict[str, Any]]:
        """Every order there ever was, or those that are open."""
        found: list[dict[str, Any]] = self._ask(f"orders?open={'true' if only_open else 'false'}")
        return found

    def state(self) -> dict[str, Any]:
        """Counts, prices, balances, requests; see docs/testing-exchange.md."""
        state: dict[str, Any] = self._ask("state")
        return state

    def until(self, is_so: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until `is_so`; `what` names it for who reads the failure."""
        end = time.monotonic() + patience_s
        while not is_so():
            if time.monotonic() > end:
                raise AssertionError(f"not within {patience_s} s: {what}\n{self.state()}\n{self.orders()}")
            time.sleep(0.1)

    def _post(self, control: str, /, **fields: object) -> Any:
        return self._ask(control, json.dumps(fields).encode())

    def _ask(self, what: str, body: bytes | None = None) -> Any:
        request = urllib.request.Request(f"{self._url}/{what}", data=body)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"the exchange refused a control: {error.read().decode()}") from None


class ExchangeProcess(ExchangeRemote):
    """An exchange that runs while it is entered; `addresses` says where."""

    def __init__(self, settings: dict[str, Any] | None = None) -> None:
        self._settings = settings or {}
        self.addresses: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.exchange", "--tethered", "--settings", json.dumps(self._settings)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None, "a pipe was asked for"
        if not select.select([self._process.stdout], [], [], PATIENCE_S)[0]:
            self.close()
            raise AssertionError(f"the exchange did not say where it is within {PATIENCE_S} s")
        self.addresses = json.loads(self._process.stdout.readline())
        super().__init__(self.addresses["control_url"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process, gently first."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
