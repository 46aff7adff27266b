"""
Control of the one strategy of this process: starts and halts it, reports its status, changes its config while it runs.
Runs inside Hummingbot.

Rule 1: success is reported of what was seen: a started strategy exists, cancelled orders are gone.
Rule 2: one operation at a time: a halt waits for a start.
"""

from __future__ import annotations

import asyncio
import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

CANCELLED_S = 20.0
"""Until cancelled orders are gone; connectors give each cancel 10 s (KILL_TIMEOUT)."""

SWEEP_S = 1.0
"""Between two attempts to cancel what an earlier process left."""

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
    """The commands of the bridge. Each takes the bridge's request and returns the fields of its response."""

    def __init__(self, name: str, *, is_controller: bool) -> None:
        self._name = name
        self._is_controller = is_controller
        self._app: Any = None
        self._turn = asyncio.Lock()
        self._sweeping: asyncio.Task[None] | None = None

    def attach(self, app: Any) -> None:
        """Control the strategy of this application."""
        self._app = app

    @property
    def _core(self) -> Any:
        return self._app.trading_core

    async def find(self, request: Any) -> dict[str, Any]:
        """Report whether the strategy's file exists; it is read when the strategy starts."""
        file = Path("conf", "scripts" if self._is_controller else "strategies", f"{self._name}.yml")
        if request.strategy != self._name or not file.exists():
            raise ValueError(f"there is no strategy {request.strategy} here")
        return {"msg": f"{request.strategy} is here"}

    async def start(self, request: Any = None) -> dict[str, Any]:
        """Load the strategy from its file and start it.

        Raises:
            RuntimeError: there is no strategy afterwards, or orders of an earlier one cannot be cancelled.
        """
        del request
        from hummingbot.client.runner import load_and_start_strategy

        async with self._turn:
            if self._core.strategy is not None:
                return {"msg": "it runs already"}
            if self._core.connector_manager.connectors:
                await self._release()  # what a halt or a start that failed has left
            file = f"{self._name}.yml"
            which = {"v2_conf": file} if self._is_controller else {"config_file_name": file}
            started = await load_and_start_strategy(self._app, headless=True, **which)
            if not started or self._core.strategy is None:
                raise RuntimeError("the strategy did not start: see the log")
            self._sweeping = asyncio.create_task(self._sweep(self._orders()))
            return {"msg": "started"}

    async def _sweep(self, left: dict[str, tuple[Any, str]]) -> None:
        """Cancel what an earlier process of this bot left at the exchange: Hummingbot restores such orders from its
        database when a strategy starts, and no strategy manages them.
        """
        while left:
            for name, (connector, pair) in left.items():
                if connector.ready:
                    connector.cancel(pair, name)
            await asyncio.sleep(SWEEP_S)
            left = {name: where for name, where in left.items() if name in self._orders()}

    def _orders(self) -> dict[str, tuple[Any, str]]:
        """Return the open orders that the connectors know: client id → connector and pair."""
        return {
            order.client_order_id: (connector, order.trading_pair)
            for connector in self._core.connector_manager.connectors.values()
            for order in connector.limit_orders
        }

    async def halt(self, request: Any = None) -> dict[str, Any]:
        """Stop the strategy, cancel its orders until they are gone, and release the connectors.

        Raises:
            RuntimeError: orders are left; the connectors are kept, so that a halt can be tried again.
        """
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
            await self._release()
            return {"msg": "halted"}

    async def _release(self) -> None:
        """Cancel all orders, repeatedly while any is open, and release the connectors."""
        deadline = time.monotonic() + CANCELLED_S
        while (left := len(self._orders())) and time.monotonic() < deadline:
            await self._core.cancel_outstanding_orders()
            await asyncio.sleep(0.5)
        if left:
            raise RuntimeError(f"{left} orders could not be cancelled")
        await self._core.shutdown(skip_order_cancellation=True)

    async def status(self, request: Any) -> dict[str, Any]:
        """Report that the strategy runs, or waits for its exchange.

        Raises:
            RuntimeError: there is no strategy.
        """
        del request
        core = self._core
        if core.strategy is None:
            raise RuntimeError("No strategy is currently running!")
        waiting = [name for name, market in core.markets.items() if not market.ready]
        if not waiting and self._sweeping is not None and not self._sweeping.done():
            return {"msg": "Market connectors are not ready: orders of an earlier run are being cancelled"}
        if waiting:
            return {"msg": f"Market connectors are not ready: {', '.join(waiting)}"}
        return {"msg": "running", "data": {"open_orders": len(self._orders())}}

    async def config(self, request: Any) -> dict[str, Any]:
        """Change the fields of the request, all or none, and report the values that are in force.

        Raises:
            RuntimeError: there is no strategy.
            ValueError: a field cannot change while the strategy runs, or a value is invalid.
        """
        strategy = self._core.strategy
        if strategy is None:
            raise RuntimeError("No strategy is currently running!")
        wanted = {name: await self._parsed(name, value) for name, value in request.params}
        variables = self._variables()
        before = {name: (variables[name].value, _held(strategy, name)) for name in wanted}
        try:
            for name, value in wanted.items():
                self._set(name, value, value)
        except Exception:
            for name, (value, held) in before.items():
                self._set(name, value, held)
            raise
        if self._is_controller:
            in_force = _plain(strategy.controllers[self._name].config)
        elif variables:
            in_force = {
                name: _held(strategy, name) if hasattr(type(strategy), name) else variable.value
                for name, variable in variables.items()
            }
        else:
            in_force = _plain(self._app.strategy_config_map.hb_config)
        return {"config": {"strategy": in_force}, "changes": request.params}

    async def _parsed(self, name: str, value: Any) -> Any:
        """Return the value as Hummingbot keeps it; ValueError if it is invalid, or the field cannot change now."""
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
        """Return the fields of a strategy with ConfigVars; none for other strategies."""
        found = self._app.strategy_config_map
        return found if isinstance(found, dict) else {}


def _held(strategy: Any, name: str) -> Any:
    """Return a field's value in the strategy, in the unit of its config."""
    value = getattr(strategy, name)
    return value * Decimal(100) if name in AS_FRACTIONS else value


def _plain(model: Any) -> dict[str, Any]:
    """Return a model's fields by name, enums as their values."""
    found: dict[str, Any] = json.loads(model.model_dump_json())
    return found
