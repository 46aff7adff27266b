"""The events that histories are made of: commits, deeds of people, faults of every part, and passes amid them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from decimal import Decimal

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from reconciler.errors import CommandRejected
from reconciler.model.spec import Key, StrategySpec, Wish
from reconciler.protocol.topics import TopicKind
from tests.convergence.stage import Stage
from tests.convergence.wire import ANSWERS, COMMANDS, STATES
from tests.convergence.world import FOREIGN, key_of

NAMES = ("a", "b", "c")
names = st.sampled_from(NAMES)
wishes = st.sampled_from(list(Wish))
spreads = st.sampled_from([Decimal("0.1"), Decimal("0.2"), Decimal("0.30")])
chances = st.sampled_from([0.0, 0.3, 1.0])
delays = st.sampled_from([0.0, 1.0, 5.0])
moments = st.sampled_from([0.001, 0.2, 0.5, 1.0, 2.5, 6.2])

PROMPT_S = 1.0
"""An answer that comes after this is in time for its step."""

MISHAPS = [
    "reconciler killed",
    "reconciler cut off",
    "agent killed",
    "agent killed alone",
    "agent cut off",
    "broker restarted",
    "broker restarted, agent first",
]

PROCESSES = [
    "agent started",
    "agent killed",
    "agent killed alone",
    "agent stopped",
    "machine replaced",
    "reconciler killed",
    "store lost",
]

EXTRA = {"order_levels": 3, "hanging_orders_enabled": True}
"""A field that a running bot takes, and one that it does not."""


def spec(name: str, wish: Wish = Wish.RUNNING, spread: Decimal | int = 1) -> StrategySpec:
    config = {"bid_spread": spread, "ask_spread": spread, "order_amount": 1, "order_refresh_time": 30}
    return StrategySpec(name, "pure_market_making", "binance", "BTC-USDT", config, wish)


class Commits(Stage):
    @initialize(first=st.tuples(wishes, wishes, wishes), synced=st.booleans())
    def begin_with_a_fleet(self, first: tuple[Wish, ...], synced: bool) -> None:
        for name, wish in zip(NAMES, first, strict=True):
            self.world.commit(spec(name, wish))
        if synced:
            self.do(self.quiet())

    @rule(name=names, wish=wishes, spread=spreads)
    def commit(self, name: str, wish: Wish, spread: Decimal) -> None:
        self.world.commit(spec(name, wish, spread))

    @rule(name=names, wish=wishes)
    def commit_another_wish(self, name: str, wish: Wish) -> None:
        self._amend(name, state=wish)

    @rule(name=names)
    def commit_a_removal(self, name: str) -> None:
        if not self.world.git.unsure:
            self.world.remove(key_of(name))

    @rule(name=names, field=st.sampled_from(sorted(EXTRA)))
    def commit_one_more_field(self, name: str, field: str) -> None:
        old = self.world.git.specs.get(key_of(name))
        self._amend(name, config={**(old.config if old else {}), field: EXTRA[field]})

    @rule(name=names, pair=st.sampled_from(["BTC-USDT", "ETH-USDT"]))
    def commit_another_pair(self, name: str, pair: str) -> None:
        self._amend(name, trading_pair=pair)

    def _amend(self, name: str, **fields: object) -> None:
        old = self.world.git.specs.get(key_of(name))
        if old is not None:
            self.world.commit(msgspec.structs.replace(old, **fields))

    @rule(what=st.sampled_from(["theirs", "hold", "unsure", "sure"]), name=names)
    def commit_something_unusual(self, what: str, name: str) -> None:
        """A file for what is somebody else's; one that cannot be read; one that might be anybody's."""
        if what == "hold":
            self.world.git.held.add(key_of(name))
        elif what != "theirs":
            self.world.git.unsure = what == "unsure"
        elif self.world.foreign_lives:
            self.world.commit(spec(FOREIGN))


class Deeds(Stage):
    """What people do, and what bots do by themselves."""

    @rule(name=names, spread=spreads, what=st.sampled_from(["stop", "delete", "update"]))
    def act_by_hand(self, what: str, name: str, spread: Decimal) -> None:
        if what == "stop":
            self.do(self.world.hand_stops(name))
        elif what == "delete":
            self.do(self.world.hand_deletes(name))
        else:
            self.world.ledger.pardon(name)
            self.do(self.world.hand("update", name, config={"bid_spread": spread}))

    @rule(name=names, what=st.sampled_from(["console", "kill switch", "crash"]))
    def hit_a_bot(self, name: str, what: str) -> None:
        self.now(lambda: self._hit(name, what))

    def _hit(self, name: str, what: str) -> None:
        bots = self.world.host.bots
        if bots is None:
            return
        blows: dict[str, Callable[[str], None]] = {
            "console": bots.stop_by_hand,
            "crash": bots.crash,
            "kill switch": lambda bot: bots.fail(bot, "kill switch"),
        }
        with contextlib.suppress(CommandRejected):  # it is not up just now
            blows[what](name)

    @rule(name=names)
    def retry(self, name: str) -> None:
        """`reconciler retry NAME`."""
        store = self.world.controller.store
        if self.world.controller.live is not None and store is not None and store.ask_retry(key_of(name)):
            self.world.ledger.allow(name)  # it holds for an error that comes before the next pass, too
            self.world.ledger.pardon(name)


class Faults(Stage):
    @rule(
        kinds=st.sampled_from([ANSWERS, COMMANDS, STATES, STATES | ANSWERS]),
        lose=chances,
        double=chances,
        delay_s=delays,
    )
    def turn_the_weather(
        self, kinds: frozenset[TopicKind], lose: float, double: float, delay_s: float
    ) -> None:
        self.world.weather.set(kinds, lose=lose, double=double, delay_s=delay_s)
        if self.basic:
            self._spare_a_basic_peer()

    def _spare_a_basic_peer(self) -> None:
        """It cannot tell a command that comes twice, or late, from a new one. Who listens to it cannot tell a
        status that is late, nor that one was lost, nor an answer that comes again or too late from that to the
        next command for the same strategy.
        """
        weather = self.world.weather
        for kind in COMMANDS:
            weather.double[kind] = weather.delay_s[kind] = 0.0
        for kind in STATES:
            weather.lose[kind] = weather.delay_s[kind] = 0.0
        for kind in ANSWERS:
            weather.delay_s[kind] = min(weather.delay_s.get(kind, 0.0), PROMPT_S)
            weather.double[kind] = 0.0 if weather.delay_s[kind] else weather.double.get(kind, 0.0)

    @rule(silent=st.sampled_from([0.0, 0.3]), refuse=st.sampled_from([frozenset[str](), frozenset(EXTRA)]))
    def misbehave(self, silent: float, refuse: frozenset[str]) -> None:
        self.world.host.faults.silent, self.world.host.faults.refuse = silent, refuse

    @rule(what=st.sampled_from(PROCESSES))
    def disturb_a_process(self, what: str) -> None:
        host, controller = self.world.host, self.world.controller
        acts = {
            "agent killed": host.kill,
            "agent killed alone": lambda: host.kill(bots_live_on=True),
            "agent stopped": host.stop,
            "agent started": host.start,
            "machine replaced": self.world.replace_the_machine,
            "reconciler killed": controller.kill,
            # A Basic peer echoes no owner: without a store its strategies would be somebody else's.
            "store lost": controller.kill if self.basic else controller.lose_store,
        }
        self.do(acts[what]())

    @rule(whose=st.sampled_from(["agent", "reconciler"]), cut=st.booleans())
    def disturb_a_line(self, whose: str, cut: bool) -> None:
        end = self.world.host if whose == "agent" else self.world.controller
        self.now(end.cut if cut else end.mend)

    @rule(remembers=st.booleans(), agent_first=st.booleans())
    def restart_the_broker(self, remembers: bool, agent_first: bool) -> None:
        self.do(self.world.restart_broker(remembers=remembers, agent_first=agent_first))


class Passes(Stage):
    @rule()
    def make_a_pass(self) -> None:
        self.do(self._pass())

    @rule(name=names)
    def make_a_pass_over_one(self, name: str) -> None:
        self.do(self._pass(only=frozenset({key_of(name)})))

    async def _pass(self, only: frozenset[Key] | None = None) -> None:
        await self.world.controller.make_pass(self.world.git.desired(), only=only)

    @rule(after_s=moments, what=st.sampled_from(MISHAPS))
    def make_a_pass_with_a_mishap(self, after_s: float, what: str) -> None:
        self.do(self._mishap(after_s, what))

    async def _mishap(self, after_s: float, what: str) -> None:
        world = self.world
        if what == "reconciler killed":
            await world.controller.killed_pass(world.git.desired(), after_s)
            return
        task = asyncio.ensure_future(self._pass())
        await asyncio.sleep(after_s)
        if what.startswith("broker"):
            await world.restart_broker(remembers=False, agent_first=what.endswith("agent first"))
        elif what.startswith("agent killed"):
            await world.host.kill(bots_live_on=what.endswith("alone"))
        else:
            (world.host if what == "agent cut off" else world.controller).cut()
        await task

    @rule()
    def make_two_passes_at_once(self) -> None:
        """A service, and a person's `reconciler apply` at the same time."""
        self.do(self._two_passes())

    async def _two_passes(self) -> None:
        other = self.world.new_controller(shares=True)
        try:
            await asyncio.gather(self._pass(), other.make_pass(self.world.git.desired()))
        finally:
            await other.kill()
            self.world.controller.renews = True

    @rule()
    def wait_for_quiet(self) -> None:
        """Afterwards every account is closed: nothing is due until something new happens."""
        self.do(self.quiet())


class Takeovers(Stage):
    @precondition(lambda self: not self.basic)
    @rule()
    def take_over(self) -> None:
        self.do(self.world.fail_over())

    @precondition(lambda self: self.world.ghost is not None)
    @rule(at_once=st.booleans())
    def wake_the_old_one(self, at_once: bool) -> None:
        self.do(self.world.ghost_wakes(at_once=at_once))


class History(Commits, Deeds, Faults, Passes, Takeovers):
    """Any events in any order, with an Extended agent."""


class BasicHistory(Commits, Deeds, Faults, Passes):
    """The same with an agent that is taken for a Basic peer."""

    basic = True
