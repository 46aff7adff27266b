"""
Runs inside Hummingbot: a controller of our own for tests, as small as one can be: an order on each side, renewed.

In CI it stands for the controllers of a Hummingbot checkout, which our repository does not carry.
"""

from decimal import Decimal

from hummingbot.core.data_type.common import MarketDict, PositionMode, PriceType, TradeType
from hummingbot.strategy_v2.controllers.controller_base import ControllerBase, ControllerConfigBase
from hummingbot.strategy_v2.executors.order_executor.data_types import ExecutionStrategy, OrderExecutorConfig
from hummingbot.strategy_v2.models.executor_actions import CreateExecutorAction, StopExecutorAction
from pydantic import Field


class TwoSidedConfig(ControllerConfigBase):
    controller_name: str = "two_sided"
    controller_type: str = "market_making"
    connector_name: str = "binance"
    trading_pair: str = "BTC-USDT"
    order_amount: Decimal = Field(default=Decimal("0.01"), gt=0, json_schema_extra={"is_updatable": True})
    spread: Decimal = Field(default=Decimal("0.002"), gt=0, json_schema_extra={"is_updatable": True})
    leverage: int = Field(default=1, gt=0)
    position_mode: PositionMode = PositionMode.HEDGE

    def update_markets(self, markets: MarketDict) -> MarketDict:
        return markets.add_or_update(self.connector_name, self.trading_pair)


class TwoSided(ControllerBase):
    async def update_processed_data(self) -> None:
        """The middle price, from which both orders are as far as the spread says."""
        self.processed_data["mid"] = self.market_data_provider.get_price_by_type(
            self.config.connector_name, self.config.trading_pair, PriceType.MidPrice
        )

    def determine_executor_actions(self) -> list:
        active = [one for one in self.executors_info if one.is_active]
        wanted = {side: self._price(side) for side in (TradeType.BUY, TradeType.SELL)}
        wrong = [one for one in active if one.config.price != wanted[one.config.side]]
        if wrong:
            return [StopExecutorAction(controller_id=self.config.id, executor_id=one.id) for one in wrong]
        there = {one.config.side for one in active}
        return [self._order(side, price) for side, price in wanted.items() if side not in there]

    def _price(self, side: TradeType) -> Decimal:
        away = -self.config.spread if side is TradeType.BUY else self.config.spread
        return (self.processed_data["mid"] * (1 + away)).quantize(Decimal("0.01"))

    def _order(self, side: TradeType, price: Decimal) -> CreateExecutorAction:
        config = OrderExecutorConfig(
            timestamp=self.market_data_provider.time(),
            controller_id=self.config.id,
            connector_name=self.config.connector_name,
            trading_pair=self.config.trading_pair,
            side=side,
            amount=self.config.order_amount,
            price=price,
            execution_strategy=ExecutionStrategy.LIMIT,
            leverage=self.config.leverage,
        )
        return CreateExecutorAction(controller_id=self.config.id, executor_config=config)
