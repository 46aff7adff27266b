"""
Messages folded into Observed: what is known of the bots of one target. Pure.

`LiveState` is the door. `agents` holds what one agent says of itself, `evidence` what one message says of one
strategy.
"""

from reconciler.observed.live_state import AgentNews, Fold, LiveState

__all__ = ["AgentNews", "Fold", "LiveState"]
