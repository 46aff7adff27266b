"""What an agent says of itself and its strategies, as messages. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from reconciler.agent.records import Strategy
from reconciler.protocol.batches import CAPABILITY as BATCHES
from reconciler.protocol.canonical import inventory_digest
from reconciler.protocol.messages import AgentInventory, AgentPresence, Status, encode

CAPABILITIES = ("idempotency", "epoch", "config_mode", "spec_hash", "account", BATCHES, "numbered")
"""`numbered`: what a session tells of itself is numbered without a gap, so that a loss shows."""
SIGNATURES = "signatures"
"""One more capability: commands must be signed."""


class Voice:
    """One session's messages, each numbered higher than all before it.

    `session` names this life of the agent: statuses, birth and will carry it.
    """

    def __init__(
        self,
        *,
        agent: str,
        session: str,
        capabilities: Sequence[str],
        strategy_types: Sequence[str],
        heartbeat_s: float,
    ) -> None:
        self.agent = agent
        self.session = session
        self._seq = 0
        self._presence = AgentPresence(
            agent=agent,
            state="online",
            session=session,
            capabilities=tuple(capabilities),
            strategy_types=tuple(strategy_types),
            heartbeat_s=heartbeat_s,
        )

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    def status(self, strategy: Strategy, now: str) -> bytes:
        """One strategy's state. `now`: RFC 3339."""
        return encode(
            Status(
                strategy_name=strategy.name,
                state=strategy.state,
                strategy_id=strategy.strategy_id,
                strategy_type=strategy.strategy_type,
                exchange=strategy.exchange,
                trading_pair=strategy.trading_pair,
                config=strategy.config,
                message=strategy.message or None,
                timestamp=now,
                agent=self.agent,
                session=self.session,
                seq=self._next(),
                spec_hash=strategy.spec_hash,
                account=strategy.account,
                observed_at=now,
                conditions=strategy.conditions,
                meta=strategy.echo,
            )
        )

    def presence(self, epoch: int) -> bytes:
        """Birth or heartbeat. `epoch`: the highest seen."""
        return encode(msgspec.structs.replace(self._presence, seq=self._next(), epoch=epoch))

    def farewell(self) -> bytes:
        """What is left behind as last will, or said on leaving."""
        return encode(msgspec.structs.replace(self._presence, state="offline", seq=self._seq))

    def inventory(self, names: Collection[str]) -> bytes:
        """Proof of how many strategies there are, and which."""
        return encode(
            AgentInventory(
                agent=self.agent,
                session=self.session,
                seq=self._next(),
                count=len(names),
                digest=inventory_digest(names),
            )
        )
