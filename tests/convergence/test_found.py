"""Histories that the machine found, or that it must never find, one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest

from reconciler.model.change import Action, Reason
from reconciler.model.spec import Wish
from reconciler.model.state import Lifecycle
from reconciler.protocol.topics import TopicKind
from tests.convergence.history import BasicHistory, History, spec
from tests.convergence.stage import Stage
from tests.convergence.wire import ANSWERS, COMMANDS, STATES
from tests.convergence.world import FOREIGN, key_of

Tell = Callable[..., Stage]


@pytest.fixture
def tell() -> Iterator[Tell]:
    """Begins a history of three strategies as Git wants them, `synced` or not yet made; it ends with quiet."""
    told: list[Stage] = []

    def begin(*wishes: Wish, basic: bool = False, synced: bool = True) -> Stage:
        history = BasicHistory() if basic else History()
        told.append(history)
        for name, wish in zip("abc", wishes or (Wish.RUNNING,) * 3, strict=False):
            history.world.commit(spec(name, wish))
        if synced:
            history.do(history.quiet())
        return history

    yield begin
    for history in told:
        history.teardown()


def one_pass(history: Stage) -> None:
    history.do(history.world.controller.make_pass(history.world.git.desired()))


def drop_all(history: Stage, kinds: frozenset[TopicKind]) -> None:
    history.world.weather.set(kinds, lose=1.0)


# Messages lost.


def test_a_lost_status_shows_in_the_numbers_of_those_after_it(tell: Tell) -> None:
    history = tell()
    drop_all(history, STATES)
    bots = history.world.host.bots
    assert bots is not None
    history.now(lambda: bots.stop_by_hand("a"))
    history.world.weather.calm()

    history.do(history.world.controller.idle(5.0))
    one_pass(history)

    assert history.world.host.strategies["a"].state is Lifecycle.RUNNING


def test_a_lost_word_of_a_deletion_leaves_nothing_behind(tell: Tell) -> None:
    history = tell()
    drop_all(history, STATES)
    history.do(history.world.hand_deletes("a"))
    history.world.weather.calm()

    history.do(history.world.controller.idle(5.0))
    one_pass(history)

    assert history.world.host.strategies["a"].state is Lifecycle.RUNNING


def test_what_is_published_again_moves_no_bot(tell: Tell) -> None:
    history = tell()
    before = list(history.world.ledger.effects)
    drop_all(history, STATES)
    history.do(history.world.controller.idle(3.0))
    history.world.weather.calm()

    for _ in range(3):
        history.do(history.world.controller.idle(3.0))
        one_pass(history)

    assert history.world.ledger.effects == before


# Created, perhaps.


@pytest.mark.parametrize("basic", [True, False], ids=["basic", "extended"])
def test_a_create_that_nobody_heard_makes_nothing_of_others_ours(tell: Tell, basic: bool) -> None:
    """The broker has forgotten all, and the agent is away: its strategies seem not to exist."""
    history = tell(basic=basic)
    world = history.world
    history.do(world.host.kill(bots_live_on=True))
    history.do(world.controller.kill())
    history.do(world.restart_broker(remembers=False, agent_first=True))
    world.commit(spec(FOREIGN))
    one_pass(history)
    history.do(world.host.start())
    one_pass(history)

    world.remove(key_of(FOREIGN))
    one_pass(history)

    assert FOREIGN in world.ledger.up


def test_a_create_that_nobody_heard_confirms_no_config(tell: Tell) -> None:
    """To a Basic peer's config, what it does not report is added as it was confirmed last."""
    history = tell(Wish.STOPPED, basic=True)
    world = history.world
    history.do(world.host.kill())
    history.do(world.controller.kill())
    history.do(world.restart_broker(remembers=False, agent_first=True))
    wanted = spec("a", Wish.STOPPED)
    world.commit(msgspec.structs.replace(wanted, config={**wanted.config, "order_levels": 3}))
    one_pass(history)

    history.do(world.host.start())
    one_pass(history)

    assert world.host.strategies["a"].config["order_levels"] == 3


def test_what_was_created_in_the_dark_is_ours_once_it_is_seen(tell: Tell) -> None:
    """Nothing is heard of the agent, so it is taken for a Basic peer, whose commands carry no owner."""
    history = tell(synced=False)
    drop_all(history, STATES | ANSWERS)
    one_pass(history)
    history.world.weather.calm()

    history.do(history.world.controller.idle(5.0))
    one_pass(history)

    plan = history.world.controller.plan(history.world.git.desired())
    assert [(change.name, change.action) for change in plan.changes] == [(FOREIGN, Action.UNMANAGED)]


# Nothing is started twice.


def test_bots_that_outlive_their_agent_are_not_started_again(tell: Tell) -> None:
    history = tell()
    history.do(history.world.host.kill(bots_live_on=True))
    history.do(history.world.host.start())
    one_pass(history)

    assert set(history.world.ledger.starts.values()) == {1}


def test_a_start_that_is_lost_late_and_doubled_is_one_start(tell: Tell) -> None:
    history = tell(synced=False)
    history.world.weather.set(COMMANDS | ANSWERS, lose=0.3, double=1.0, delay_s=5.0)
    for _ in range(4):
        one_pass(history)
    history.world.weather.calm()
    history.do(history.quiet())

    assert set(history.world.ledger.starts.values()) == {1}


def test_two_reconcilers_at_once_start_nothing_twice(tell: Tell) -> None:
    history = tell(synced=False)
    history.do(history.world.fail_over())
    history.do(history.world.ghost_wakes(at_once=True))
    history.do(history.quiet())

    assert set(history.world.ledger.starts.values()) == {1}


def test_a_reconciler_of_the_past_is_fenced_out(tell: Tell) -> None:
    history = tell()
    history.do(history.world.fail_over())
    history.world.commit(spec("a", Wish.STOPPED))
    one_pass(history)
    before = list(history.world.ledger.effects)

    history.do(history.world.ghost_wakes(at_once=False))

    assert history.world.ledger.effects == before
    assert history.world.host.strategies["a"].state is Lifecycle.STOPPED


# A bot that stopped itself.


def test_a_kill_switch_outlasts_every_process(tell: Tell) -> None:
    history = tell()
    bots = history.world.host.bots
    assert bots is not None
    history.now(lambda: bots.fail("a", "kill switch"))
    history.do(history.world.host.kill())
    history.do(history.world.controller.lose_store())
    history.do(history.world.restart_broker(remembers=False, agent_first=False))
    history.do(history.world.host.start())
    one_pass(history)

    plan = history.world.controller.plan(history.world.git.desired())
    assert [change.reason for change in plan.changes if change.name == "a"] == [Reason.BOT_ERROR]
    assert history.world.host.strategies["a"].state is Lifecycle.ERROR


def test_a_person_may_retry_it(tell: Tell) -> None:
    history = tell()
    bots, store = history.world.host.bots, history.world.controller.store
    assert bots is not None
    assert store is not None
    history.now(lambda: bots.fail("a", "kill switch"))
    one_pass(history)
    store.ask_retry(key_of("a"))
    history.world.ledger.pardon("a")
    one_pass(history)

    assert history.world.host.strategies["a"].state is Lifecycle.RUNNING


# What stands in no file.


def test_a_replaced_machine_gets_everything_back(tell: Tell) -> None:
    history = tell()
    history.do(history.world.replace_the_machine())
    history.do(history.world.host.start())
    one_pass(history)

    assert history.world.ledger.up == {"a", "b", "c"}


def test_a_broken_file_deletes_nothing(tell: Tell) -> None:
    history = tell()
    before = list(history.world.ledger.effects)
    history.world.git.held.add(key_of("a"))
    history.world.git.unsure = True
    history.world.git.specs.pop(key_of("b"))
    one_pass(history)

    assert history.world.ledger.effects == before
    history.world.commit(spec("b"))


def test_a_machine_whose_clock_is_behind_can_take_over(tell: Tell) -> None:
    history = tell()
    store = history.world.controller.store
    assert store is not None
    ahead = store.take_epoch(above=store.epoch + 3_600_000)
    history.do(history.world.controller.kill())
    history.do(history.world.controller.start())
    one_pass(history)
    history.world.commit(spec("a", Wish.STOPPED))
    one_pass(history)

    history.do(history.world.fail_over())
    history.world.commit(spec("b", Wish.STOPPED))
    one_pass(history)

    assert history.world.controller.epoch > ahead
    assert history.world.host.strategies["b"].state is Lifecycle.STOPPED
