"""A fleet in one process: a broker, a machine with bots, reconcilers, Git, and a ledger of what really happened.

Everything is the product's own (memory transport, agent, simulated runner, live, reconcile, SQLite store); only
the clock jumps.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from reconciler.catalog.catalog import HOT
from reconciler.catalog.loading import load_catalog
from reconciler.model.spec import Config, Key, StrategySpec, Wish
from reconciler.model.state import Desired
from reconciler.protocol.messages import CommandMessage, encode
from reconciler.transport.base import ClientIdentity, Publish
from reconciler.transport.memory import MemoryTransport
from tests.convergence.controller import TARGET, Controller
from tests.convergence.host import Host
from tests.convergence.ledger import EVERY, Effect, Ledger
from tests.convergence.wire import LONGEST_DELAY_S, ROOT, Broker, Line, Weather

FOREIGN = "theirs"
"""A strategy of somebody else's, made by hand; nothing of ours may touch it, whatever Git says."""

THEIR_CONFIG: Config = {"bid_spread": 1, "ask_spread": 1, "order_amount": 1, "order_refresh_time": 30}


class Git:
    """What the files say. `held`: those that cannot be read now; `unsure`: of one it is not even known whose it is."""

    def __init__(self) -> None:
        self.specs: dict[Key, StrategySpec] = {}
        self.held: set[Key] = set()
        self.unsure = False
        self.commits = 0

    def desired(self) -> Desired:
        specs = {key: spec for key, spec in self.specs.items() if key not in self.held}
        return Desired(f"{self.commits:040x}", "main", specs, frozenset(self.held), unsure=self.unsure)


class World:
    """The parts and what may happen to them. `basic`: the reconciler treats the agent as a Basic peer."""

    def __init__(self, folder: Path, *, basic: bool) -> None:
        self.basic = basic
        self.folder = folder
        self.weather = Weather(random.Random(7))
        self.hub = Broker()
        self.ledger = Ledger()
        self.git = Git()
        self.host = Host(folder / "agent", self.hub, self.weather, self.ledger)
        self._stores = itertools.count()
        self.controller = self.new_controller()
        self.ghost: tuple[Controller, Desired] | None = None
        self.foreign_lives = False

    def new_controller(self, *, shares: bool = False) -> Controller:
        """Another process of a reconciler; it has a store of its own unless it `shares` the present one."""
        file = self.controller.file if shares else self.folder / f"state-{next(self._stores)}.db"
        return Controller(file, self.hub, self.weather, name=f"ctl-{file.stem}", basic=self.basic)

    # Git. Each commit says what it calls for.

    def commit(self, new: StrategySpec) -> None:
        key, name = new.key, new.name
        old = self.git.specs.get(key)
        self.git.held.discard(key)
        self.git.specs[key] = new
        self.git.commits += 1
        if old != new and name != FOREIGN:
            self.ledger.allow(name, *self._called_for(old, new))
            self.ledger.pardon(name)

    def remove(self, key: Key) -> None:
        self.git.held.discard(key)
        self.git.commits += 1
        if self.git.specs.pop(key, None) is not None and key.name != FOREIGN:
            self.ledger.allow(key.name, Effect.STOP, Effect.DELETE)

    def _called_for(self, old: StrategySpec | None, new: StrategySpec) -> set[Effect]:
        """What becoming `new` may take: no start, for one, if a running bot takes the change."""
        up = new.state is not Wish.STOPPED
        starts = {Effect.START} if up else set()
        if old is None:
            there = new.name in self.ledger.exist
            return {Effect.CREATE, *starts, *({Effect.STOP, Effect.DELETE} if there else ())}
        if old.trading_pair != new.trading_pair or (self.basic and old.config.keys() - new.config.keys()):
            return {Effect.CREATE, *starts, Effect.STOP, Effect.DELETE}
        found: set[Effect] = set()
        if _needs_restart(old.config, new.config):
            found |= {Effect.STOP, *starts}
        if (old.state is Wish.STOPPED) is up:
            found.add(Effect.START if up else Effect.STOP)
        return found

    # By hand.

    async def hand(self, op: str, name: str, **fields: Any) -> None:
        """Somebody with another tool publishes a command of the given API, and waits a moment; it may come later."""
        line = MemoryTransport(self.hub, ClientIdentity("hand"))
        await line.connect()
        await line.publish(
            Publish(f"{ROOT}/strategy/{op}", encode(CommandMessage(strategy_name=name, **fields)))
        )
        await asyncio.sleep(1.0)
        await line.close()

    async def hand_makes_theirs(self) -> None:
        """Somebody else's strategy comes to be, and runs."""
        self.ledger.allow(FOREIGN, Effect.CREATE, Effect.START)
        fields = {"strategy_type": "pure_market_making", "exchange": "kraken", "trading_pair": "X-Y"}
        await self.hand("create", FOREIGN, **fields, config=THEIR_CONFIG)
        await self.hand("start", FOREIGN)
        self.foreign_lives = True

    async def hand_stops(self, name: str) -> None:
        if name in self.ledger.up or self.weather.delays:
            self.ledger.allow(name, Effect.STOP, Effect.START)
        self.ledger.pardon(name)
        await self.hand("stop", name)

    async def hand_deletes(self, name: str) -> None:
        await self.hand_stops(name)
        if name in self.ledger.exist or self.weather.delays:
            self.ledger.allow(name, Effect.DELETE, Effect.CREATE, Effect.START)
        await self.hand("delete", name)

    # Machines and lines.

    async def replace_the_machine(self) -> None:
        """Nobody makes theirs again, and from then on its name is nobody's."""
        await self.host.lose_state()
        self.git.specs.pop(key_of(FOREIGN), None)
        self.foreign_lives = False

    def lines(self) -> list[Line]:
        candidates = [self.host.line, self.controller.line if self.controller.live else None]
        if self.ghost is not None:
            candidates.append(self.ghost[0].line)
        return [line for line in candidates if line is not None]

    async def restart_broker(self, *, remembers: bool, agent_first: bool) -> None:
        broken = self.hub.crash(self.lines(), remembers=remembers)
        await asyncio.sleep(0.5)
        for line in broken if agent_first else reversed(broken):
            if not line.connected:
                line.restore()
            await asyncio.sleep(0.2)

    # Two reconcilers.

    async def fail_over(self) -> None:
        """Another machine takes over; the old process is only suspended, with what Git said then."""
        await self.end_ghost()
        await self.controller.start()
        desired = self.git.desired()
        ours = {key: spec for key, spec in desired.specs.items() if key.name != FOREIGN}
        self.ghost = (self.controller, msgspec.structs.replace(desired, specs=ours))
        self.controller = self.new_controller()

    async def ghost_wakes(self, *, at_once: bool) -> None:
        """The old one makes a pass, `at_once`: during one of the new one's.

        Alone, and once bots have heard of the new one, it must be without effect.
        """
        assert self.ghost is not None
        ghost, desired = self.ghost
        await asyncio.sleep(LONGEST_DELAY_S + 1.0)  # what the new one has sent is carried out by then
        agent = self.host.agent
        fenced = agent is not None and 0 < ghost.epoch < agent.processor.epoch and not ghost.renews
        if not fenced:
            self._open_the_ledger(desired)
        before = len(self.ledger.effects)
        new = self.controller.make_pass(self.git.desired()) if at_once else asyncio.sleep(0)
        await asyncio.gather(new, ghost.make_pass(desired))
        if fenced and not at_once and self.ledger.effects[before:]:
            self.ledger.wrong.append(f"a reconciler of the past did {self.ledger.effects[before:]}")

    def _open_the_ledger(self, past: Desired) -> None:
        """It may bring about what was wanted once, and the new one has to put that right."""
        names = {key.name for key in (*self.git.specs, *past.specs)} | self.ledger.exist
        for name in names - {FOREIGN}:
            self.ledger.allow(name, *EVERY, *EVERY)

    async def end_ghost(self) -> None:
        if self.ghost is not None:
            await self.ghost[0].kill()
            self.ghost = None

    async def close(self) -> None:
        await self.end_ghost()
        await self.controller.kill()
        await self.host.kill()


def _needs_restart(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    catalog = load_catalog()
    changed = [field for field in old.keys() | new.keys() if old.get(field) != new.get(field)]
    return any(catalog.apply_mode("pure_market_making", field) != HOT for field in changed)


def key_of(name: str) -> Key:
    return Key(TARGET, name)
