"""
Steps → commands. Pure.

Rule 1: a Basic peer gets exactly the given keys in the given order, and nothing else.
Rule 2: what only `meta` can say is refused for a Basic peer: without it a removed key would stay, or the strategy
would trade with another account.
"""

from __future__ import annotations

import msgspec

from reconciler.errors import CommandRejected
from reconciler.model.change import ConfigMode, Op, Step
from reconciler.model.spec import DEFAULT_ACCOUNT, StrategySpec
from reconciler.protocol.codes import ErrorCode
from reconciler.protocol.messages import CommandMessage, CommandMeta


def build(step: Step, name: str, meta: CommandMeta | None) -> tuple[Op, CommandMessage]:
    """Make the command that carries out `step` on strategy `name`; `meta` None for a Basic peer.

    What the step itself knows (spec hash, config mode, account) is put into `meta`.

    Raises:
        CommandRejected: a command to a Basic peer cannot say what the step needs; sending less would do something else.
    """
    if meta is None:
        _refuse_beyond_basic(step)
    else:
        account = _spec(step).account if step.op is Op.CREATE else meta.account
        meta = msgspec.structs.replace(
            meta, spec_hash=step.spec_hash, config_mode=step.config_mode, account=account
        )
    command = CommandMessage(strategy_name=name, meta=meta)
    if step.op is Op.CREATE:
        spec = _spec(step)
        command.strategy_type = spec.strategy_type
        command.exchange = spec.exchange
        command.trading_pair = spec.trading_pair
        command.config = spec.config
    elif step.op is Op.UPDATE:
        command.config = step.config if step.config is not None else {}
    return step.op, command


def _spec(step: Step) -> StrategySpec:
    if step.spec is None:
        raise ValueError(f"a {step.op} step needs the whole spec")
    return step.spec


def _refuse_beyond_basic(step: Step) -> None:
    """Rule 2."""
    if step.op is Op.UPDATE and step.config_mode is ConfigMode.REPLACE:
        raise CommandRejected(
            ErrorCode.UNSUPPORTED_OPERATION, "this peer cannot remove a config key by an update"
        )
    if step.op is Op.CREATE and _spec(step).account != DEFAULT_ACCOUNT:
        raise CommandRejected(
            ErrorCode.UNSUPPORTED_OPERATION, "a command to this peer cannot name an account"
        )
