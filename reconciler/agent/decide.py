"""
CommandMessage × strategy → decision: the new strategy, the reply, and what a runner has to do.

Rule 1: no clock, file, socket or event loop: the same command for the same strategy gives the same decision.
Rule 2: a success states that the command has taken effect: what a runner must do is answered when it is done.
Rule 3: what may place orders is written down before the runner starts it, so that a crash finds it again.
Rule 4: what lowers risk is never refused because a hash differs.
Rule 5: a stop supersedes the command that a runner is busy with.
"""

from __future__ import annotations

from collections.abc import Callable

from reconciler.agent.model import ConfigChanged, Decision, StateChanged, Strategy, Work
from reconciler.agent.responses import Refusal, as_refusal, done, refused
from reconciler.agent.transitions import BUSY_RETRY_S, Rejected, Transition, transition
from reconciler.agent.validation import Validator
from reconciler.errors import CommandRejected
from reconciler.model.change import STATE_AFTER, ConfigMode, Op
from reconciler.model.spec import DEFAULT_ACCOUNT, IDENTITY_FIELDS, Wish
from reconciler.model.state import Condition, Lifecycle
from reconciler.protocol.codes import ErrorCode
from reconciler.protocol.messages import CommandMessage, CommandMeta, Reply, StatusMeta

NOTHING = Decision()

_LIVE = frozenset({Lifecycle.RUNNING, Lifecycle.PAUSED})
_RAISES_RISK = frozenset({Op.START, Op.RESUME})

_WISH = {
    Lifecycle.RUNNING: Wish.RUNNING,
    Lifecycle.PAUSED: Wish.PAUSED,
    Lifecycle.STOPPED: Wish.STOPPED,
    Lifecycle.ERROR: Wish.STOPPED,
}
"""The state to restore after a restart, by the state that a strategy came to rest in."""

_WISH_AHEAD = {Op.START: Wish.RUNNING, Op.PAUSE: Wish.PAUSED, Op.STOP: Wish.STOPPED}
"""Wishes written down before the runner starts; a resume that was interrupted is restored as paused."""

ORDERS_MAY_BE_OPEN = "OrdersMayBeOpen"


def decide(
    op: Op, command: CommandMessage, held: Strategy | None, validator: Validator, new_id: Callable[[], str]
) -> Decision:
    """Decide about one command. `held`: the strategy of its name; `new_id`: makes the id of one that is created."""
    own_hash = held.spec_hash if held else None
    allowed = transition(op, held.state, held.doing) if held else transition(op, None, None)
    if isinstance(allowed, Rejected):
        pause_s = BUSY_RETRY_S if allowed.code is ErrorCode.BUSY else None
        refusal = Refusal(allowed.code, allowed.reason, field="strategy_name", retry_after_s=pause_s)
        return Decision(reply=refused(op, command.strategy_name, refusal, own_hash))
    try:
        if held is None:
            return _create(command, validator, new_id)
        if op is Op.UPDATE:
            return _update(command, held, allowed, validator)
        if op in _RAISES_RISK:
            _check_hash(held.spec_hash, command.meta)
    except Refusal as error:
        return Decision(reply=refused(op, command.strategy_name, error, own_hash))
    strategy = held.having(doing=op)
    if op is not Op.DELETE:
        wish = _WISH_AHEAD.get(op, held.wish)
        strategy = strategy.having(state=allowed.during, wish=wish, message="", conditions=())
    return Decision(
        strategy=strategy, work=Work(op, held.name, held.state, echo=_echo(command.meta, held.echo))
    )


def _create(command: CommandMessage, validator: Validator, new_id: Callable[[], str]) -> Decision:
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
    validator.check(strategy)
    strategy = strategy.having(spec_hash=strategy.own_hash)
    _check_hash(strategy.spec_hash, meta)
    return _answered(Op.CREATE, strategy)


def _answered(op: Op, strategy: Strategy) -> Decision:
    return Decision(
        strategy=strategy, reply=done(op, strategy.name, strategy.strategy_id, strategy.spec_hash)
    )


def _echo(meta: CommandMeta | None, before: StatusMeta | None = None) -> StatusMeta | None:
    """The status's echo of the last Extended command; a Basic command leaves it unchanged."""
    return StatusMeta(owner=meta.owner, commit=meta.commit, epoch=meta.epoch) if meta else before


def _check_hash(own: str, meta: CommandMeta | None) -> None:
    if meta is not None and meta.spec_hash is not None and meta.spec_hash != own:
        raise Refusal(
            ErrorCode.CONFLICT,
            "the strategy would not be what the sender expects: somebody else changed it",
            field="meta.spec_hash",
            details={"spec_hash": own},
        )


def _update(command: CommandMessage, held: Strategy, allowed: Transition, validator: Validator) -> Decision:
    """Change the config: at once if no bot needs to take it, else through the runner."""
    given, meta = command.config or {}, command.meta
    for field in IDENTITY_FIELDS:  # what a strategy trades, and where, is fixed when it is created
        if getattr(command, field) not in ("", getattr(held, field)) or field in given:
            raise Refusal(
                ErrorCode.IMMUTABLE_FIELD,
                "it cannot change: delete the strategy and create it again",
                field=field,
            )
    replace = meta is not None and meta.config_mode is ConfigMode.REPLACE
    changed = held.configured(given if replace else {**held.config, **given})
    if changed.spec_hash != held.spec_hash:
        validator.check_config(changed)
    _check_hash(changed.spec_hash, meta)
    echo = _echo(meta, held.echo)
    if held.state in _LIVE and changed.spec_hash != held.spec_hash:
        validator.check_hot(held, changed.config)
        work = Work(Op.UPDATE, held.name, held.state, config=changed.config, echo=echo)
        return Decision(strategy=held.having(doing=Op.UPDATE), work=work)
    cleared = {"message": "", "conditions": ()} if held.state is Lifecycle.ERROR else {}
    return _answered(Op.UPDATE, changed.having(state=allowed.after, echo=echo, **cleared))


# The result of a runner's work.


def finish(work: Work, held: Strategy, error: CommandRejected | None) -> Decision:
    """Conclude `work` on `held`; `error` says why it failed."""
    if error is None and held.state is Lifecycle.ERROR and work.op not in {Op.STOP, Op.DELETE}:
        error = Refusal(ErrorCode.INVALID_STATE, held.message or "it stopped itself with an error")
    if error is not None:
        return _failed(work, held, as_refusal(error))
    if work.op is Op.DELETE:
        reply = done(work.op, held.name, held.strategy_id, held.spec_hash)
        return Decision(strategy=held, gone=True, reply=reply)
    strategy = held.having(doing=None, echo=work.echo)
    if work.config is not None:
        strategy = strategy.configured(work.config)
    else:
        state = Lifecycle.PAUSED if work.paused else STATE_AFTER[work.op]
        strategy = strategy.having(state=state, wish=_WISH[state])
    return _answered(work.op, strategy)


def _failed(work: Work, held: Strategy, refusal: Refusal) -> Decision:
    """Fall back: a start that failed left nothing running; a stop that failed may have left orders open.

    A strategy that cannot be restored after a restart is in error: no command asked for it, so no reply reports
    it. So is one whose start can never succeed as it is.
    """
    strategy = held.having(doing=None)
    if held.state is not Lifecycle.ERROR:
        lost = work.op is Op.START and (work.recovery or refusal.lasting)
        state = Lifecycle.ERROR if lost else _FALLBACK.get(work.op, work.before)
        strategy = strategy.having(state=state, wish=_WISH[state])
    if work.op in _FALLBACK:
        strategy = strategy.having(message=f"{work.op} failed: {refusal.reason}")
    if work.op is Op.STOP:
        strategy = strategy.having(conditions=(Condition(ORDERS_MAY_BE_OPEN, reason="StopFailed"),))
    return Decision(strategy=strategy, reply=refused(work.op, held.name, refusal, held.spec_hash))


_FALLBACK = {Op.START: Lifecycle.STOPPED, Op.STOP: Lifecycle.ERROR}
"""Where a command that failed leaves a strategy, if that is not where it was before."""


def superseded(op: Op, held: Strategy) -> Reply:
    """The reply to a command that a stop has superseded; the strategy goes on with the stop."""
    return refused(op, held.name, Refusal(ErrorCode.CONFLICT, "a stop superseded it"), held.spec_hash)


# Changes without a command.


def apply_event(event: StateChanged | ConfigChanged, held: Strategy | None) -> Decision:
    """Record what a bot did without a command."""
    if held is None:
        return NOTHING
    if isinstance(event, ConfigChanged):
        return Decision(strategy=held.configured(event.config))
    if held.doing in {Op.STOP, Op.DELETE}:
        return NOTHING  # it is going down anyway; the runner's return reports how that ended
    wish = _WISH.get(event.state, held.wish)
    return Decision(strategy=held.having(state=event.state, message=event.message, wish=wish))


def recover(held: Strategy, found: Lifecycle | None) -> Decision:
    """Decide at the agent's start what a strategy of an earlier process needs.

    `found`: how its bot still runs, None if it does not. A bot that still runs is never started again.
    """
    if held.state is Lifecycle.ERROR:
        return NOTHING
    if held.wish is Wish.STOPPED:
        if found is not None:
            return _recovery(held, Op.STOP, Lifecycle.STOPPING)
        settled = held.state is Lifecycle.STOPPED
        return NOTHING if settled else Decision(strategy=held.having(state=Lifecycle.STOPPED))
    if found is None:
        return _recovery(held, Op.START, Lifecycle.STARTING, paused=held.wish is Wish.PAUSED)
    if found is Lifecycle.RUNNING and held.wish is Wish.PAUSED:
        return _recovery(held, Op.PAUSE, Lifecycle.RUNNING)
    return Decision(strategy=held.having(state=found, wish=_WISH.get(found, held.wish)))


def _recovery(held: Strategy, op: Op, state: Lifecycle, *, paused: bool = False) -> Decision:
    work = Work(op, held.name, state, paused=paused, echo=held.echo, recovery=True)
    return Decision(strategy=held.having(state=state, doing=op), work=work)
