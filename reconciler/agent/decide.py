"""
Command × strategy → decision: the new strategy, the answer, and what a runner has to do. Pure.

Rule 1: a success says that it is so, not that it was asked for: what a runner must do is answered when done.
Rule 2: what may place orders is written down before it is begun, so that a crash finds it again.
Rule 3: what lowers risk is never refused for a hash that differs.
Rule 4: a stop overtakes whatever a runner is busy with.
"""

from __future__ import annotations

from collections.abc import Callable

from reconciler.agent.model import ConfigChanged, Decision, StateChanged, Strategy, Work
from reconciler.agent.responses import Refusal, as_refusal, done, refused
from reconciler.agent.transitions import BUSY_RETRY_S, Rejected, Transition, transition
from reconciler.agent.validation import Validator
from reconciler.errors import CommandRejected
from reconciler.model.change import ConfigMode, Op
from reconciler.model.spec import DEFAULT_ACCOUNT, Config, Wish
from reconciler.model.state import Condition, Lifecycle
from reconciler.protocol.codes import ErrorCode
from reconciler.protocol.messages import Command, CommandMeta, Reply, StatusMeta

NOTHING = Decision()

_LIVE = frozenset({Lifecycle.RUNNING, Lifecycle.PAUSED})
_RAISES_RISK = frozenset({Op.START, Op.RESUME})

_WISH = {
    Lifecycle.RUNNING: Wish.RUNNING,
    Lifecycle.PAUSED: Wish.PAUSED,
    Lifecycle.STOPPED: Wish.STOPPED,
    Lifecycle.ERROR: Wish.STOPPED,
}
"""What to come back to after a restart, by the state that a strategy came to rest in."""

_WISH_AHEAD = {Op.START: Wish.RUNNING, Op.PAUSE: Wish.PAUSED, Op.STOP: Wish.STOPPED}
"""Wishes written down before the runner begins; a resume that was cut off comes back paused."""

ORDERS_MAY_BE_OPEN = "OrdersMayBeOpen"


def decide(
    op: Op, command: Command, held: Strategy | None, rules: Validator, new_id: Callable[[], str]
) -> Decision:
    """Decide about one command. `held`: the strategy of its name; `new_id`: names one that is created."""
    try:
        move = _permitted(op, held)
        if held is None:
            return _create(command, rules, new_id)
        return _DECIDERS[op](op, command, held, move, rules)
    except Refusal as refusal:
        return Decision(reply=refused(op, command.strategy_name, refusal, held.spec_hash if held else None))


def _permitted(op: Op, held: Strategy | None) -> Transition:
    found = transition(op, held.state, held.doing) if held else transition(op, None, None)
    if isinstance(found, Rejected):
        pause_s = BUSY_RETRY_S if found.code is ErrorCode.BUSY else None
        raise Refusal(found.code, found.reason, field="strategy_name", retry_after_s=pause_s)
    return found


def _create(command: Command, rules: Validator, new_id: Callable[[], str]) -> Decision:
    meta = command.meta
    strategy = Strategy(
        name=command.strategy_name,
        strategy_id=new_id(),
        strategy_type=command.strategy_type,
        exchange=command.exchange,
        trading_pair=command.trading_pair,
        config=command.config or {},
        spec_hash="",
        account=(meta.account if meta else "") or DEFAULT_ACCOUNT,
        echo=_echo(meta),
    )
    rules.check(strategy)
    strategy = strategy.having(spec_hash=strategy.own_hash)
    _check_hash(strategy.spec_hash, meta)
    return _answered(Op.CREATE, strategy)


def _answered(op: Op, strategy: Strategy) -> Decision:
    return Decision(strategy=strategy, reply=_success(op, strategy))


def _success(op: Op, strategy: Strategy) -> Reply:
    return done(op, strategy.name, strategy.strategy_id, strategy.spec_hash)


def _echo(meta: CommandMeta | None, before: StatusMeta | None = None) -> StatusMeta | None:
    """What the status says of the last Extended command; a Basic one leaves it as it was."""
    return StatusMeta(owner=meta.owner, commit=meta.commit, epoch=meta.epoch) if meta else before


def _check_hash(own: str, meta: CommandMeta | None) -> None:
    if meta is not None and meta.spec_hash is not None and meta.spec_hash != own:
        raise Refusal(
            ErrorCode.CONFLICT,
            "the strategy would not be what the sender expects: somebody else changed it",
            field="meta.spec_hash",
            details={"spec_hash": own},
        )


# What a runner has to do: start, stop, pause, resume, delete.


def _move(op: Op, command: Command, held: Strategy, move: Transition, rules: Validator) -> Decision:
    del rules
    if op in _RAISES_RISK:
        _check_hash(held.spec_hash, command.meta)
    strategy = held.having(
        state=move.during, wish=_WISH_AHEAD.get(op, held.wish), doing=op, message="", conditions=()
    )
    if op is Op.DELETE:
        strategy = held.having(doing=op)
    return Decision(
        strategy=strategy, work=Work(op, held.name, held.state, echo=_echo(command.meta, held.echo))
    )


# Update.


def _update(op: Op, command: Command, held: Strategy, move: Transition, rules: Validator) -> Decision:
    _refuse_identity(command, held)
    changed = held.configured(_new_config(command, held))
    if changed.spec_hash != held.spec_hash:
        rules.check_config(changed)
    _check_hash(changed.spec_hash, command.meta)
    echo = _echo(command.meta, held.echo)
    if held.state in _LIVE and changed.spec_hash != held.spec_hash:
        rules.check_hot(held, changed.config)
        work = Work(op, held.name, held.state, config=changed.config, echo=echo)
        return Decision(strategy=held.having(doing=op), work=work)
    mended = {"message": "", "conditions": ()} if held.state is Lifecycle.ERROR else {}
    return _answered(op, changed.having(state=move.after, echo=echo, **mended))


def _new_config(command: Command, held: Strategy) -> Config:
    given = command.config or {}
    replace = command.meta is not None and command.meta.config_mode is ConfigMode.REPLACE
    return given if replace else {**held.config, **given}


_IDENTITY = ("strategy_type", "exchange", "trading_pair")


def _refuse_identity(command: Command, held: Strategy) -> None:
    """What a strategy trades, and where, is fixed when it is created."""
    config = command.config or {}
    for field in _IDENTITY:
        if getattr(command, field) not in ("", getattr(held, field)) or field in config:
            raise Refusal(
                ErrorCode.IMMUTABLE_FIELD,
                "it cannot change: delete the strategy and create it anew",
                field=field,
            )


_Decider = Callable[[Op, Command, Strategy, Transition, Validator], Decision]

_DECIDERS: dict[Op, _Decider] = {
    Op.START: _move,
    Op.STOP: _move,
    Op.PAUSE: _move,
    Op.RESUME: _move,
    Op.DELETE: _move,
    Op.UPDATE: _update,
}


# What became of a runner's work.


def finish(work: Work, held: Strategy, error: CommandRejected | None) -> Decision:
    """Conclude `work` on `held`; `error` says why it failed."""
    if error is None and held.state is Lifecycle.ERROR and work.op not in {Op.STOP, Op.DELETE}:
        error = Refusal(ErrorCode.INVALID_STATE, held.message or "it stopped itself with an error")
    if error is not None:
        return _failed(work, held, as_refusal(error))
    if work.op is Op.DELETE:
        return Decision(strategy=held, gone=True, reply=_success(work.op, held))
    strategy = held.having(doing=None, echo=work.echo)
    if work.config is not None:
        strategy = strategy.configured(work.config)
    else:
        state = Lifecycle.PAUSED if work.paused else _AFTER[work.op]
        strategy = strategy.having(state=state, wish=_WISH[state])
    return _answered(work.op, strategy)


_AFTER = {
    Op.START: Lifecycle.RUNNING,
    Op.RESUME: Lifecycle.RUNNING,
    Op.PAUSE: Lifecycle.PAUSED,
    Op.STOP: Lifecycle.STOPPED,
}


def _failed(work: Work, held: Strategy, refusal: Refusal) -> Decision:
    """Fall back: a start that failed left nothing running; a stop that failed may have left orders open.

    What should have come back after a restart and cannot is an error: nobody asked, so nobody is answered. So is
    a start of what cannot run as it is.
    """
    strategy = held.having(doing=None)
    if held.state is not Lifecycle.ERROR:
        lost = work.op is Op.START and (work.comeback or refusal.lasting)
        state = Lifecycle.ERROR if lost else _FALLBACK.get(work.op, work.before)
        strategy = strategy.having(state=state, wish=_WISH[state])
    if work.op in _FALLBACK:
        strategy = strategy.having(message=f"{work.op} failed: {refusal.reason}")
    if work.op is Op.STOP:
        strategy = strategy.having(conditions=(Condition(ORDERS_MAY_BE_OPEN, reason="StopFailed"),))
    return Decision(strategy=strategy, reply=refused(work.op, held.name, refusal, held.spec_hash))


_FALLBACK = {Op.START: Lifecycle.STOPPED, Op.STOP: Lifecycle.ERROR}
"""Where a command that failed leaves a strategy, if that is not where it was before."""


def overtaken(op: Op, held: Strategy) -> Reply:
    """The answer to a command that a stop has overtaken; the strategy goes on with the stop."""
    return refused(op, held.name, Refusal(ErrorCode.CONFLICT, "a stop overtook it"), held.spec_hash)


# What happens by itself.


def happened(event: StateChanged | ConfigChanged, held: Strategy | None) -> Decision:
    """Take in what a bot did without a command."""
    if held is None:
        return NOTHING
    if isinstance(event, ConfigChanged):
        return Decision(strategy=held.configured(event.config))
    if held.doing in {Op.STOP, Op.DELETE}:
        return NOTHING  # it is on its way out anyway; the runner's answer tells how that ended
    wish = _WISH.get(event.state, held.wish)
    return Decision(strategy=held.having(state=event.state, message=event.message, wish=wish))


def come_back(held: Strategy, found: Lifecycle | None) -> Decision:
    """Decide at the agent's start what a strategy of an earlier life needs.

    `found`: how its bot still runs, None if it does not. A bot that still runs is never started again.
    """
    if held.state is Lifecycle.ERROR:
        return NOTHING
    if held.wish is Wish.STOPPED:
        return _settle(held) if found is None else _take_up(held, Op.STOP, Lifecycle.STOPPING)
    if found is None:
        return _take_up(held, Op.START, Lifecycle.STARTING, paused=held.wish is Wish.PAUSED)
    if found is Lifecycle.RUNNING and held.wish is Wish.PAUSED:
        return _take_up(held, Op.PAUSE, Lifecycle.RUNNING)
    return Decision(strategy=held.having(state=found, wish=_WISH.get(found, held.wish)))


def _settle(held: Strategy) -> Decision:
    return (
        NOTHING
        if held.state is Lifecycle.STOPPED
        else Decision(strategy=held.having(state=Lifecycle.STOPPED))
    )


def _take_up(held: Strategy, op: Op, state: Lifecycle, *, paused: bool = False) -> Decision:
    work = Work(op, held.name, state, paused=paused, echo=held.echo, comeback=True)
    return Decision(strategy=held.having(state=state, doing=op), work=work)
