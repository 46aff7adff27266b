"""Decisions of an agent, in the forms in which tests look at them."""

from __future__ import annotations

from reconciler.agent.decide import decide
from reconciler.agent.model import Decision, Strategy, Work
from reconciler.model.change import Op
from reconciler.model.state import Lifecycle
from reconciler.protocol.messages import CommandMessage
from tests.support.agent_builders import command, rules, strategy


def decide_on(
    op: Op, held: Lifecycle | Strategy | None = None, given: CommandMessage | None = None
) -> Decision:
    before = strategy(held) if isinstance(held, Lifecycle) else held
    return decide(op, given or command(op), before, rules(), lambda: "17")


def refusal_of(decision: Decision) -> str:
    assert decision.reply is not None, decision
    assert decision.strategy is None, "a refused command changes nothing"
    assert decision.work is None
    return decision.reply.error_code


def works_on(op: Op, state: Lifecycle, *, given: CommandMessage | None = None) -> tuple[Work, Strategy]:
    decision = decide_on(op, state, given)
    assert decision.work is not None
    assert decision.strategy is not None
    return decision.work, decision.strategy
