"""Somebody else's host that knows only the given API is driven to what Git says, in exactly the given words."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.app import App, open_app
from reconciler.desired import desired_of
from reconciler.model.change import Action, Reason
from reconciler.model.report import Outcome, SyncReport
from reconciler.settings.model import (
    BrokerSettings,
    Settings,
    SourceSettings,
    StoreSettings,
    SyncSettings,
    TargetSettings,
)
from tests.support.basic_host import BasicHost
from tests.support.brokers import Mosquitto

CONFIG = {"bid_spread": "0.1", "ask_spread": "0.1", "order_amount": "1", "order_refresh_time": "30"}
WINDOW_S = 0.5
STEP_S = 15.0  # far more than a host needs, also on a machine that is busy with other things
SILENT_STEP_S = 2.0  # where no answer comes, a delete is waited for in vain

GIVEN_KEYS = {
    "create": ["strategy_name", "strategy_type", "exchange", "trading_pair", "config"],
    "update": ["strategy_name", "config"],
    **{op: ["strategy_name"] for op in ("start", "stop", "pause", "resume", "delete")},
}


class Team:
    """A repository, and a reconciler that follows it."""

    def __init__(self, folder: Path, port: int, *, step_s: float = STEP_S) -> None:
        self.host: BasicHost | None = None
        self.repository = folder / "repository"
        self.repository.mkdir()
        self._git("init", "-q", "-b", "main")
        self.settings = Settings(
            source=SourceSettings(repository=str(self.repository)),
            broker=BrokerSettings(url=f"mqtt://127.0.0.1:{port}"),
            targets={"default": TargetSettings(profile="basic", basic_window_s=WINDOW_S)},
            sync=SyncSettings(step_timeout_s=step_s),
            store=StoreSettings(url=str(folder / "state.db")),
        )

    def _git(self, *arguments: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        command = ["git", *identity, "-C", str(self.repository), *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=30)

    def commit(self, name: str = "mm", *, config: dict[str, str] | None = None, **fields: str) -> None:
        """Write one strategy file and commit it; other files stay as they are."""
        head = {
            "strategy_type": "pure_market_making",
            "exchange": "binance",
            "trading_pair": "BTC-USDT",
        } | fields
        lines = [f"{key}: {value}" for key, value in head.items()]
        lines += ["config:", *(f"  {key}: {value}" for key, value in (config or CONFIG).items())]
        file = self.repository / "strategies" / f"{name}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text("\n".join(lines) + "\n")
        self._git("add", "-A")
        self._git("commit", "-q", "--allow-empty", "-m", name)

    def remove(self, name: str = "mm") -> None:
        (self.repository / "strategies" / f"{name}.yaml").unlink()
        self._git("commit", "-qam", "remove")

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[App]:
        async with open_app(self.settings, stop=asyncio.Event()) as app:
            yield app

    async def _hear_all(self, app: App) -> None:
        """On a busy machine a host that reports may take longer; one that is never heard is not waited for."""
        deadline = asyncio.get_running_loop().time() + 10.0
        while (
            self.host is not None and self.host.reports_all() and asyncio.get_running_loop().time() < deadline
        ):
            if self.host.strategies.keys() <= app.fleet.observe()["default"].strategies.keys():
                return
            await asyncio.sleep(0.05)

    async def sync(self, *, adopt: bool = False, passes: int = 1) -> SyncReport:
        """As `reconciler apply` does: connect, look, make a pass."""
        async with self.session() as app:
            desired = desired_of(app.loader.load(), app.settings)
            for _ in range(passes):
                await app.fleet.settle(WINDOW_S + 0.5)
                await asyncio.sleep(0.25)
                await self._hear_all(app)
                report = await app.reconciler.run(desired, app.reconciler.options(adopt=adopt))
            return report


@pytest.fixture
def make(mosquitto: Mosquitto, tmp_path: Path):
    hosts: list[BasicHost] = []

    def make_both(**ways: Any) -> tuple[Team, BasicHost]:
        host = BasicHost(mosquitto.port, **ways)
        hosts.append(host)
        answers = ways.get("answers", True)
        team = Team(tmp_path, mosquitto.port, step_s=STEP_S if answers else SILENT_STEP_S)
        team.host = host
        team.commit("other")
        return team, host

    yield make_both
    for host in hosts:
        for op, payload in host.received:
            assert list(payload) == GIVEN_KEYS[op], payload
        host.close()


WAYS = [
    pytest.param({"reports": "each"}, id="answers-and-reports"),
    pytest.param({"reports": "snapshot"}, id="answers-and-snapshots"),
    pytest.param({"reports": "each", "answers": False}, id="never-answers"),
    pytest.param({"reports": "snapshot", "answers": False}, id="snapshots-only"),
    pytest.param({"reports": "each", "names_itself": False}, id="nameless-answers"),
]


@pytest.mark.parametrize("ways", WAYS)
async def test_new_strategies_come_up_in_each_state(make, ways) -> None:
    team, host = make(**ways)
    for state in ("running", "paused", "stopped"):
        team.commit(state, state=state)

    report = await team.sync()

    assert {result.outcome for result in report.results} == {Outcome.CONFIRMED}
    assert host.ops("running") == ["create", "start"]
    assert host.ops("paused") == ["create", "start", "pause"]
    assert host.ops("stopped") == ["create"]
    assert not (await team.sync()).plan.acting


@pytest.mark.parametrize("ways", WAYS)
async def test_a_hot_field_is_updated_and_only_it_is_sent(make, ways) -> None:
    team, host = make(**ways)
    team.commit()
    await team.sync()
    team.commit(config=CONFIG | {"bid_spread": "0.2"})

    await team.sync()

    assert host.received[-1] == ("update", {"strategy_name": "mm", "config": {"bid_spread": 0.2}})
    assert host.strategies["mm"]["state"] == "running"
    assert not (await team.sync()).plan.acting


async def test_a_restart_field_is_updated_while_stopped(make) -> None:
    team, host = make()
    team.commit()
    await team.sync()
    team.commit(config=CONFIG | {"hanging_orders_enabled": "true"})

    await team.sync()

    assert host.ops("mm")[2:] == ["stop", "update", "start"]


async def test_a_removed_key_means_that_the_strategy_is_made_again(make) -> None:
    team, host = make()
    team.commit(config=CONFIG | {"order_levels": "2"})
    await team.sync()
    team.commit()

    report = await team.sync()

    assert report.plan.acting[0].reason is Reason.BASIC_REPLACE
    assert host.ops("mm")[2:] == ["stop", "delete", "create", "start"]
    assert "order_levels" not in host.strategies["mm"]["config"]


@pytest.mark.parametrize("change", [{"exchange": "kraken"}, {"trading_pair": "ETH-USDT"}])
async def test_another_exchange_or_pair_replaces_it(make, change) -> None:
    team, host = make()
    team.commit()
    await team.sync()
    team.commit(**change)

    report = await team.sync()

    assert host.ops("mm")[2:] == ["stop", "delete", "create", "start"], report.results
    assert host.strategies["mm"].items() >= change.items()


MOVES = [
    ("running", "paused", ["pause"]),
    ("running", "stopped", ["stop"]),
    ("paused", "running", ["resume"]),
    ("paused", "stopped", ["stop"]),
    ("stopped", "running", ["start"]),
    ("stopped", "paused", ["start", "pause"]),
]


@pytest.mark.parametrize(("before", "after", "ops"), MOVES)
async def test_every_state_leads_to_every_other(make, before: str, after: str, ops: list[str]) -> None:
    team, host = make()
    team.commit(state=before)
    await team.sync()
    come = len(host.ops("mm"))
    team.commit(state=after)

    await team.sync()

    assert host.ops("mm")[come:] == ops
    assert host.strategies["mm"]["state"] == after


@pytest.mark.parametrize("ways", WAYS)
async def test_a_deleted_file_stops_and_deletes(make, ways) -> None:
    team, host = make(**ways)
    team.commit()
    await team.sync()
    team.remove()

    await team.sync()

    assert host.ops("mm")[2:] == ["stop", "delete"]
    assert "mm" not in host.strategies


async def test_what_is_not_ours_is_reported_and_left_alone(make) -> None:
    team, host = make()
    host.add("theirs")

    report = await team.sync()

    assert [change.action for change in report.plan.changes if change.name == "theirs"] == [Action.UNMANAGED]
    assert host.ops("theirs") == []


async def test_what_is_in_git_but_not_ours_waits_for_adopt(make) -> None:
    team, host = make()
    host.add("mm", config={"bid_spread": 0.5})
    team.commit()

    blocked = await team.sync()
    assert [change.reason for change in blocked.plan.changes if change.name == "mm"] == [Reason.NOT_OURS]
    assert host.ops("mm") == []

    await team.sync(adopt=True)
    assert host.ops("mm") == ["update"]
    assert host.strategies["mm"]["config"]["bid_spread"] == 0.1
    assert not (await team.sync()).plan.acting


async def test_drift_by_hand_is_healed(make) -> None:
    team, host = make()
    team.commit()
    await team.sync()
    host.strategies["mm"]["config"]["order_amount"] = 7
    host.strategies["mm"]["state"] = "stopped"

    await team.sync()

    assert host.strategies["mm"]["config"]["order_amount"] == 1
    assert host.strategies["mm"]["state"] == "running"


async def test_a_silent_host_is_believed_by_its_answers(make) -> None:
    team, host = make(reports="never")
    team.commit()

    report = await team.sync()

    assert {result.outcome for result in report.results} == {Outcome.CONFIRMED}
    assert sorted(host.starts) == ["mm", "other"]


async def test_a_host_that_neither_answers_nor_reports_leaves_things_unknown(make) -> None:
    team, host = make(reports="never", answers=False)
    team.commit()

    report = await team.sync()

    assert {result.outcome for result in report.results} == {Outcome.UNKNOWN}
    assert host.starts == []


async def test_a_create_into_silence_that_exists_already_takes_nothing_over(make) -> None:
    team, host = make(reports="never")
    host.add("mm", config={"bid_spread": 0.5})
    team.commit()

    report = await team.sync()

    outcomes = {result.change.name: result.steps[-1].code for result in report.results}
    assert outcomes["mm"] == "ALREADY_EXISTS"
    assert host.strategies["mm"]["config"] == {"bid_spread": 0.5}
    async with team.session() as app:
        assert not [key for key in app.store.inventory() if key.name == "mm"]


async def test_only_one_command_is_in_flight_at_a_time(make) -> None:
    team, host = make(slow_s=0.05, reports="never")
    for name in ("a", "b", "c"):
        team.commit(name)

    report = await team.sync()

    assert {result.outcome for result in report.results} == {Outcome.CONFIRMED}
    assert host.most_unanswered == 1


async def test_no_strategy_is_started_twice_when_everything_runs_again(make) -> None:
    team, host = make()
    team.commit()
    for _ in range(3):
        await team.sync(passes=2)

    assert sorted(host.starts) == ["mm", "other"]
