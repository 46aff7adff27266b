"""What an agent remembers of a strategy, and what it decides about a command, as values. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from reconciler.model.change import Op
from reconciler.model.spec import DEFAULT_ACCOUNT, Config, Wish
from reconciler.model.state import Condition, Lifecycle
from reconciler.protocol.canonical import hash_of
from reconciler.protocol.messages import Reply, StatusMeta


class Strategy(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One strategy of an agent. `config` holds what commands declared, without a runner's defaults.

    `wish` is the state to come back to after a restart. `doing` is the command that a runner is busy with;
    it ends with the process and is never kept.
    """

    name: str
    strategy_id: str
    strategy_type: str
    exchange: str
    trading_pair: str
    config: Config
    spec_hash: str
    account: str = DEFAULT_ACCOUNT
    state: Lifecycle = Lifecycle.STOPPED
    wish: Wish = Wish.STOPPED
    message: str = ""
    conditions: tuple[Condition, ...] = ()
    echo: StatusMeta | None = None
    doing: Op | None = None

    @property
    def own_hash(self) -> str:
        """`spec_hash` as its fields give it."""
        return hash_of(
            name=self.name,
            strategy_type=self.strategy_type,
            exchange=self.exchange,
            trading_pair=self.trading_pair,
            account=self.account,
            config=self.config,
        )

    def having(self, **fields: Any) -> Strategy:  # noqa: ANN401  (any field of its own)
        """Copy with other fields."""
        return msgspec.structs.replace(self, **fields)

    def configured(self, config: Config) -> Strategy:
        """Copy with another config and the hash that belongs to it."""
        changed = self.having(config=config)
        return changed.having(spec_hash=changed.own_hash)


class Work(msgspec.Struct, frozen=True, gc=False):
    """What a runner is to do to one strategy.

    `before`: the state to fall back to when it fails. `config`: the whole new config of an UPDATE.
    `paused`: a START that is to place no orders. `echo`: what the status says of the command once it is done.
    `comeback`: no command asked for it; the agent takes up again what an earlier life left.
    """

    op: Op
    name: str
    before: Lifecycle
    config: Config | None = None
    paused: bool = False
    echo: StatusMeta | None = None
    comeback: bool = False


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What follows from a command or an event; None where nothing does.

    `reply` None: it is answered when `work` is done. `strategy`: what it is from now on. `gone`: it is no more.
    """

    reply: Reply | None = None
    strategy: Strategy | None = None
    gone: bool = False
    work: Work | None = None


class Moved(msgspec.Struct, frozen=True, gc=False):
    """A bot changed its state by itself: it crashed, hit its limit, or somebody stopped it by hand."""

    name: str
    state: Lifecycle
    message: str = ""


class Reconfigured(msgspec.Struct, frozen=True, gc=False):
    """A bot's config was changed by other means than a command; `config` is all of it."""

    name: str
    config: Config
