"""
What an agent accepts: strategy types and their fields, exchanges, pairs and accounts.

Rule 1: no clock, file or socket: the same config is always judged the same.
Rule 2: a config is checked whole, against the schema of its type and against what its fields ask of each other.
"""

from __future__ import annotations

import msgspec

from reconciler.agent.model import Strategy
from reconciler.agent.responses import Refusal
from reconciler.catalog import Catalog
from reconciler.catalog.catalog import HOT
from reconciler.model.pair import PAIR, pair_fault
from reconciler.model.spec import DEFAULT_ACCOUNT, Config
from reconciler.protocol.canonical import canonical_json
from reconciler.protocol.codes import ErrorCode


class Validator(msgspec.Struct, frozen=True, kw_only=True):
    """Refuses what this agent cannot run. `accounts`: names of the credentials profiles that it holds."""

    catalog: Catalog
    accounts: frozenset[str] = frozenset({DEFAULT_ACCOUNT})

    def check(self, strategy: Strategy) -> None:
        """Check a strategy that is to be created.

        Raises:
            Refusal: with the first field that is wrong.
        """
        if strategy.strategy_type not in self.catalog.types:
            raise Refusal(
                ErrorCode.UNKNOWN_STRATEGY_TYPE,
                f"{strategy.strategy_type} is not known here",
                field="strategy_type",
            )
        if strategy.exchange not in self.catalog.exchanges(strategy.strategy_type):
            raise Refusal(
                ErrorCode.UNSUPPORTED_EXCHANGE, f"{strategy.exchange} is not supported here", field="exchange"
            )
        if PAIR.fullmatch(strategy.trading_pair) is None:
            reason = ": ".join(pair_fault(strategy.trading_pair))
            raise Refusal(ErrorCode.INVALID_TRADING_PAIR, reason, field="trading_pair")
        if strategy.account not in self.accounts:
            raise Refusal(
                ErrorCode.INVALID_CONFIG, f"no account {strategy.account} is held here", field="account"
            )
        self.check_config(strategy)

    def check_config(self, strategy: Strategy) -> None:
        """Check the whole config against the schema of its strategy type.

        Raises:
            Refusal: INVALID_CONFIG for the first field that is wrong.
        """
        kind, config = strategy.strategy_type, strategy.config
        unkept = self.catalog.relations(
            kind, config, exchange=strategy.exchange, trading_pair=strategy.trading_pair
        )
        for violation in [*self.catalog.violations(kind, config), *unkept]:
            field = ".".join(str(part) for part in violation.path)
            raise Refusal(ErrorCode.INVALID_CONFIG, f"{violation.what}: {violation.fix}", field=field)

    def check_hot(self, held: Strategy, config: Config) -> None:
        """Check that a bot that is up can take `config` without a restart.

        Raises:
            Refusal: INVALID_STATE, naming the first field that needs a restart, and what to do instead.
        """
        for field in changed_fields(held.config, config):
            if self.catalog.apply_mode(held.strategy_type, field) != HOT:
                raise Refusal(
                    ErrorCode.INVALID_STATE,
                    f"{field} cannot change while the strategy is {held.state}: stop, update, then start it",
                    field=field,
                )


def changed_fields(before: Config, after: Config) -> list[str]:
    """List the fields that are new, gone, or of another value; 0.10 and 0.1 are the same value."""
    return [
        name
        for name in sorted(before.keys() | after.keys())
        if name not in before
        or name not in after
        or canonical_json(before[name]) != canonical_json(after[name])
    ]
