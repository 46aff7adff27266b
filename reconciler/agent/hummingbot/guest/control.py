"""
Begins and halts the one strategy of this process, says how it is, and changes it while it runs. Runs inside Hummingbot.

Rule 1: what is answered is seen, not hoped: a strategy that runs is there, orders that were cancelled are gone.
Rule 2: one thing at a time: a halt waits for a begin.
"""

from __future__ import annotations

import asyncio
import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

CANCELLED_S = 20.0
"""To see that cancelled orders are gone; connectors give each cancel 10 s (KILL_TIMEOUT)."""

SWEEP_S = 1.0
"""Between two tries to cancel what an earlier life left."""

AS_FRACTIONS = {
    "bid_spread",
    "ask_spread",
    "minimum_spread",
    "order_level_spread",
    "order_refresh_tolerance_pct",
    "inventory_target_base_pct",
}
"""Fields in percent which the market making strategies keep as fractions (their start.py divides by 100)."""


class StrategyControl:
    """Begins and halts the one strategy, says how it is, and changes it while it runs."""

    def __init__(self, name: str, *, is_controller: bool) -> None:
        self._name = name
        self._is_controller = is_controller
        self._app: Any = None
        self._turn = asyncio.Lock()
        self._sweeping: asyncio.Task[None] | None = None

    def attach(self, app: Any) -> None:
        self._app = app

    @property
    def _core(self) -> Any:
        return self._app.trading_core

    async def look_for(self, request: Any) -> dict[str, Any]:
        """Answer whether there is such a file; it is read when the strategy begins."""
        if request.strategy != self._name or not self._file().exists():
            raise ValueError(f"there is no strategy {request.strategy} here")
        return {"msg": f"{request.strategy} is here"}

    def _file(self) -> Path:
        folder = "scripts" if self._is_controller else "strategies"
        return Path("conf") / folder / f"{self._name}.yml"

    async def begin(self, request: Any = None) -> dict[str, Any]:
        """Load the strategy from its file and start it; an error if there is none afterwards."""
        del request
        from hummingbot.client.runner import load_and_start_strategy

        async with self._turn:
            if self._core.strategy is not None:
                return {"msg": "it runs already"}
            if self._core.connector_manager.connectors:
                await self._let_go()  # what a halt or a begin that failed has left
            file = f"{self._name}.yml"
            which = {"v2_conf": file} if self._is_controller else {"config_file_name": file}
            started = await load_and_start_strategy(self._app, headless=True, **which)
            if not started or self._core.strategy is None:
                raise RuntimeError("the strategy did not start: see the log")
            self._sweeping = asyncio.create_task(self._sweep(self._orders()))
            return {"msg": "started"}

    async def _sweep(self, left: dict[str, tuple[Any, str]]) -> None:
        """Cancel what an earlier life of this bot left at the exchange: Hummingbot remembers such orders (it restores
        them from its database when a strategy starts), and no strategy looks after them.
        """
        while left:
            for name, (connector, pair) in left.items():
                if connector.ready:
                    connector.cancel(pair, name)
            await asyncio.sleep(SWEEP_S)
            left = {name: where for name, where in left.items() if name in self._orders()}

    def _orders(self) -> dict[str, tuple[Any, str]]:
        """The open orders that the connectors know: client id → connector and pair."""
        return {
            order.client_order_id: (connector, order.trading_pair)
            for connector in self._core.connector_manager.connectors.values()
            for order in connector.limit_orders
        }

    async def halt(self, request: Any = None) -> dict[str, Any]:
        """Stop the strategy, cancel its orders, see that they are gone, and let go of the connectors."""
        del request
        from hummingbot.strategy.strategy_v2_base import StrategyV2Base

        async with self._turn:
            core = self._core
            if self._sweeping is not None:
                self._sweeping.cancel()
            if isinstance(core.strategy, StrategyV2Base):
                await core.strategy.on_stop()  # closes what its executors hold
            if core.strategy is not None:
                await core.stop_strategy()
            await self._let_go()
            return {"msg": "halted"}

    async def _let_go(self) -> None:
        """Cancel all orders and let go of the connectors; with orders left they are kept, so that it can be asked again."""
        if left := await self._cancelled():
            raise RuntimeError(f"{left} orders could not be cancelled")
        await self._core.shutdown(skip_order_cancellation=True)

    async def _cancelled(self) -> int:
        """Cancel all orders, again while any is open; how many are left when the time is up."""
        deadline = time.monotonic() + CANCELLED_S
        while (left := self._open_orders()) and time.monotonic() < deadline:
            await self._core.cancel_outstanding_orders()
            await asyncio.sleep(0.5)
        return left

    def _open_orders(self) -> int:
        return len(self._orders())

    async def status(self, request: Any) -> dict[str, Any]:
        """How it is: without a strategy, waiting for its exchange, or running."""
        del request
        core = self._core
        if core.strategy is None:
            raise RuntimeError("No strategy is currently running!")
        waiting = [name for name, market in core.markets.items() if not market.ready]
        if not waiting and self._sweeping is not None and not self._sweeping.done():
            return {"msg": "Market connectors are not ready: orders of an earlier life are being cancelled"}
        if waiting:
            return {"msg": f"Market connectors are not ready: {', '.join(waiting)}"}
        return {"msg": "running", "data": {"open_orders": self._open_orders()}}

    async def config(self, request: Any) -> dict[str, Any]:
        """Change fields, if any are given; answer with the values that are really in force."""
        if self._core.strategy is None:
            raise RuntimeError("No strategy is currently running!")
        wanted = {name: await self._checked(name, value) for name, value in request.params}
        before = {name: (self._variables()[name].value, _held(self._core.strategy, name)) for name in wanted}
        try:
            for name, value in wanted.items():
                self._set(name, value, value)
        except Exception:
            for name, (value, held) in before.items():
                self._set(name, value, held)
            raise
        return {"config": {"strategy": self._in_force()}, "changes": request.params}

    async def _checked(self, name: str, value: Any) -> Any:
        """The value as Hummingbot keeps it; a ValueError if it is none of the field's, or the field cannot change now."""
        from hummingbot.client.config.config_helpers import parse_cvar_value

        variables, strategy = self._variables(), self._core.strategy
        if name not in variables or not hasattr(type(strategy), name):
            raise ValueError(f"{name} cannot change while the strategy runs")
        parsed = parse_cvar_value(variables[name], value)
        if (error := await variables[name].validate(str(parsed))) is not None:
            raise ValueError(f"{name}: {error}")
        return parsed

    def _set(self, name: str, value: Any, in_strategy: Any) -> None:
        """Set a field in the strategy and in its config."""
        kept = in_strategy / Decimal(100) if name in AS_FRACTIONS else in_strategy
        setattr(self._core.strategy, name, kept)
        self._variables()[name].value = value

    def _variables(self) -> dict[str, Any]:
        """The fields of a strategy with ConfigVars; none of another."""
        found = self._app.strategy_config_map
        return found if isinstance(found, dict) else {}

    def _in_force(self) -> dict[str, Any]:
        strategy = self._core.strategy
        if self._is_controller:
            return _plain(strategy.controllers[self._name].config)
        if variables := self._variables():
            values = {name: variable.value for name, variable in variables.items()}
            return values | {name: _held(strategy, name) for name in values if hasattr(type(strategy), name)}
        return _plain(self._app.strategy_config_map.hb_config)


def _held(strategy: Any, name: str) -> Any:
    value = getattr(strategy, name)
    return value * Decimal(100) if name in AS_FRACTIONS else value


def _plain(model: Any) -> dict[str, Any]:
    """A model's fields by name, enums as their values."""
    found: dict[str, Any] = json.loads(model.model_dump_json())
    return found
