"""What `policy` can say: rules that hold for all strategy files together. Values only; a rule not set is off."""

from __future__ import annotations

from decimal import Decimal

import msgspec

OFF, WARNING, ERROR = "off", "warning", "error"
"""What a rule does to files that break it."""

DEFAULT_FEES = "default"
"""The row of `fees` for exchanges without one of their own."""


class TotalRow(msgspec.Struct, frozen=True, kw_only=True):
    """The most that strategies may order on one exchange and pair together; `*` stands for any letters.

    `base`, `quote`: in that asset of the pair. `severity`: None takes the policy's.
    """

    exchange: str = "*"
    trading_pair: str = "*"
    base: Decimal | None = None
    quote: Decimal | None = None
    severity: str | None = None


class LimitRow(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one config field where it trades on a pair. `field`: `config.` and the field's name.

    `min`, `max`: numbers in the field's own unit, or with % or bps.
    """

    field: str = ""
    exchange: str = "*"
    trading_pair: str = "*"
    min: str | None = None
    max: str | None = None
    severity: str | None = None


class FeeRow(msgspec.Struct, frozen=True, kw_only=True):
    """What an exchange takes of each trade, in percent. None: nobody said."""

    maker: Decimal | None = None
    taker: Decimal | None = None


class PolicySettings(msgspec.Struct, frozen=True, kw_only=True):
    """`severity`: of all rules that have none of their own. `fees`: by exchange."""

    severity: str = ERROR
    exclusive_markets: str = OFF
    max_leverage: Decimal | None = None
    allowed_exchanges: tuple[str, ...] = ()
    allowed_strategy_types: tuple[str, ...] = ()
    required_labels: tuple[str, ...] = ()
    require_owner: bool = False
    max_total_amount: tuple[TotalRow, ...] = ()
    limits: tuple[LimitRow, ...] = ()
    fees: dict[str, FeeRow] = {}
