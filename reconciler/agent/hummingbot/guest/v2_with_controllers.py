"""
Script of a bot's root folder, loaded by Hummingbot: runs its controllers, and publishes their performance every second.

Hummingbot's package has no script that runs controllers; this one does what the bridge and the agent need: it sets
leverage and position mode before the first order, reads the controllers' files again (StrategyV2Base, every 10 s),
reports, and obeys manual_kill_switch.
"""

from __future__ import annotations

import os
from typing import Any

from hummingbot.strategy.strategy_v2_base import StrategyV2Base, StrategyV2ConfigBase
from hummingbot.strategy_v2.models.base import RunnableStatus
from hummingbot.strategy_v2.models.executor_actions import StopExecutorAction

REPORT_S = 1.0


class ControllersConfig(StrategyV2ConfigBase):
    script_file_name: str = os.path.basename(__file__)  # noqa: PTH119  (what Hummingbot compares it with)


class ControllersScript(StrategyV2Base):
    """All controllers that the config lists."""

    _reported_at = 0.0

    def apply_initial_setting(self) -> None:
        """Set what controllers say of their perpetual markets; StrategyV2Base calls this before the first tick."""
        for controller in self.controllers.values():
            config = controller.config
            connector = getattr(config, "connector_name", "")
            if not self.is_perpetual(connector):
                continue
            if (mode := getattr(config, "position_mode", None)) is not None:
                self.set_position_mode(connector, mode)
            pair, leverage = getattr(config, "trading_pair", ""), getattr(config, "leverage", None)
            if pair and leverage is not None:
                self.set_leverage(connector, pair, int(leverage))

    def create_actions_proposal(self) -> list[Any]:
        """None of its own: each controller proposes what it wants. Without this, each tick ends with an error."""
        return []

    def stop_actions_proposal(self) -> list[Any]:
        """As `create_actions_proposal`."""
        return []

    def on_tick(self) -> None:
        super().on_tick()
        if self._is_stop_triggered:
            return
        for name, controller in self.controllers.items():
            self._obey_switch(name, controller)
        if self._pub is not None and self.current_timestamp - self._reported_at >= REPORT_S:
            self._reported_at = self.current_timestamp
            self._pub({name: {"performance": self._performance(name)} for name in self.controllers})

    def _performance(self, name: str) -> dict[str, object]:
        report = self.controller_reports.get(name, {}).get("performance")
        return report.model_dump() if report is not None else {}

    def _obey_switch(self, name: str, controller: Any) -> None:
        """Obey manual_kill_switch: true stops a controller and what it holds; false starts it again."""
        if controller.config.manual_kill_switch and controller.status == RunnableStatus.RUNNING:
            controller.stop()
            held = self.get_executors_by_controller(name)
            actions = [StopExecutorAction(controller_id=name, executor_id=one.id) for one in held]
            self.executor_orchestrator.execute_actions(actions)
        elif not controller.config.manual_kill_switch and controller.status == RunnableStatus.TERMINATED:
            controller.start()
