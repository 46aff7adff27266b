"""From a commit to orders at an exchange: real Hummingbot, real Mosquitto, real Git; the exchange is our own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.exchange.requests import Operation
from tests.oracle import NO_CONTROLLERS, python
from tests.support.brokers import Mosquitto
from tests.support.real_bots import OURS, RealBots, community_controllers, real_bots

pytestmark = [
    pytest.mark.hummingbot,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

PURE = """\
strategy_type: pure_market_making
exchange: binance
trading_pair: BTC-USDT
state: {state}
config:
  bid_spread: {spread}
  ask_spread: {spread}
  order_amount: 0.01
  order_refresh_time: 5
"""

AVELLANEDA = """\
strategy_type: avellaneda_market_making
exchange: binance
trading_pair: BTC-USDT
state: {state}
config:
  execution_timeframe_mode: infinite
  order_amount: {amount}
  order_refresh_time: 5
  risk_factor: 0.5
  volatility_buffer_size: 10
  trading_intensity_buffer_size: 10
"""

PMM_SIMPLE = """\
strategy_type: pmm_simple
exchange: binance
trading_pair: BTC-USDT
state: {state}
config:
  total_amount_quote: 1000
  leverage: 1
  buy_spreads: [{spread}]
  sell_spreads: [{spread}]
  executor_refresh_time: 10
  cooldown_time: 1
"""


@pytest.fixture
def team(tmp_path: Path, mosquitto: Mosquitto, request: pytest.FixtureRequest) -> Iterator[RealBots]:
    code: Path = getattr(request, "param", None) or OURS
    with real_bots(tmp_path, mosquitto.url, f"real/x{tmp_path.name[-20:]}", code) as made:
        yield made


def near(spread: str) -> Callable[[dict[str, list[Decimal]]], bool]:
    """Whether there are orders on both sides, as far from 60,000 as `spread` says."""
    away = 60_000 * Decimal(spread)

    def is_so(prices: dict[str, list[Decimal]]) -> bool:
        return all(
            prices[side] and all(abs(price - 60_000 - sign * away) < 2 for price in prices[side])
            for side, sign in (("BUY", -1), ("SELL", 1))
        )

    return is_so


def test_a_commit_becomes_orders_and_every_later_one_is_followed(team: RealBots) -> None:
    with team.agent():
        team.write("mm", PURE.format(spread="0.1%", state="running"))
        team.sync()
        team.until_prices(near("0.001"), "orders at the spread that was committed")
        process = team.process("mm")
        assert process is not None

        team.write("mm", PURE.format(spread="0.4%", state="running"))
        assert team.sync()["exit_code"] == 0
        team.until_prices(near("0.004"), "orders at the new spread")
        assert team.process("mm") == process, "a hot field needs no new process"

        team.write("mm", PURE.format(spread="0.4%", state="paused"))
        team.sync()
        assert team.prices() == {"BUY": [], "SELL": []}
        assert team.process("mm") == process

        team.write("mm", PURE.format(spread="0.2%", state="running"))
        team.sync()
        team.until_prices(near("0.002"), "orders after going on, at a spread that was changed meanwhile")
        assert team.process("mm") == process

        team.write("mm", PURE.format(spread="0.2%", state="stopped"))
        team.sync()
        assert team.prices() == {"BUY": [], "SELL": []}
        assert team.process("mm") is None

        (team.project.folder / "strategies" / "mm.yaml").unlink()
        team.write("other", PURE.format(spread="0.1%", state="stopped"))
        team.sync()
        assert len(team.archives("mm")) == 1
        assert not (team.state / "bots" / "mm").exists()
    assert team.exchange.state()["duplicate_client_ids"] == {}


def test_avellaneda_follows_as_well(team: RealBots) -> None:
    team.exchange.path("BTC-USDT", ["60000", "60060", "59950", "60030"], every_s=0.5, repeat=True)
    with team.agent():
        team.write("av", AVELLANEDA.format(amount="0.01", state="running"))
        team.sync()
        team.until_prices(lambda prices: bool(prices["BUY"] or prices["SELL"]), "orders")
        first = team.process("av")

        team.write("av", AVELLANEDA.format(amount="0.02", state="running"))
        team.sync()
        team.until_prices(lambda prices: bool(prices["BUY"] or prices["SELL"]), "orders after a restart")
        assert team.process("av") not in {first, None}, "its fields need a restart"

        team.write("av", AVELLANEDA.format(amount="0.02", state="paused"))
        team.sync()
        assert team.prices() == {"BUY": [], "SELL": []}
        assert team.process("av") is not None

        team.write("av", AVELLANEDA.format(amount="0.02", state="stopped"))
        team.sync()
        assert team.process("av") is None


@pytest.mark.skipif(community_controllers() is None, reason=NO_CONTROLLERS)
@pytest.mark.parametrize("team", [community_controllers()], indirect=True)
def test_a_controller_of_hummingbots_own_changes_while_it_runs(team: RealBots) -> None:
    with team.agent():
        team.write("simple", PMM_SIMPLE.format(spread="0.002", state="running"))
        team.sync()
        team.until_prices(near("0.002"), "orders of the controller")
        process = team.process("simple")

        team.write("simple", PMM_SIMPLE.format(spread="0.004", state="running"))
        team.sync()
        team.until_prices(near("0.004"), "orders at the new spread")
        assert team.process("simple") == process

        team.write("simple", PMM_SIMPLE.format(spread="0.004", state="paused"))
        team.sync()
        assert team.prices() == {"BUY": [], "SELL": []}
        assert team.process("simple") == process


def test_a_bot_outlives_its_agent_and_is_found_again(team: RealBots) -> None:
    with team.agent() as agent:
        team.write("mm", PURE.format(spread="0.1%", state="running"))
        team.sync()
        team.until_prices(near("0.001"), "orders")
        process = team.process("mm")
        agent.kill()
        agent.wait(30)
    placed = len(team.exchange.orders())
    assert team.process("mm") == process

    with team.agent():
        team.sync()
        assert team.process("mm") == process, "neither lost nor doubled"
        assert len(team.exchange.orders(only_open=True)) == 2
        assert len(team.exchange.orders()) <= placed + 4

        team.write("mm", PURE.format(spread="0.1%", state="stopped"))
        team.sync()
        assert team.prices() == {"BUY": [], "SELL": []}
        assert team.process("mm") is None


def test_a_bot_that_was_killed_comes_back_and_its_orders_are_accounted_for(team: RealBots) -> None:
    with team.agent():
        team.write("mm", PURE.format(spread="0.1%", state="running"))
        team.sync()
        team.until_prices(near("0.001"), "orders")
        process = team.process("mm")
        assert process is not None

        os.kill(process, 9)
        team.exchange.until(lambda: team.process("mm") not in {None, process}, "another process", 150)
        team.sync()

        team.write("mm", PURE.format(spread="0.1%", state="stopped"))
        team.sync()
        assert team.prices() == {"BUY": [], "SELL": []}, "also the orders of the one that was killed"


def test_a_strategy_without_keys_is_refused_before_anything_runs(team: RealBots) -> None:
    with team.agent():
        team.write(
            "mm", PURE.format(spread="0.1%", state="running").replace("exchange: binance", "exchange: kraken")
        )
        document = team.project.json("apply", "--yes")

        assert document["exit_code"] == 1
        assert "has no keys for kraken" in str(document)
        assert team.process("mm") is None


def test_orders_that_cannot_be_cancelled_are_no_pause_however_often_it_is_asked(team: RealBots) -> None:
    with team.agent():
        team.write("mm", PURE.format(spread="0.1%", state="running"))
        team.sync()
        team.until_prices(near("0.001"), "orders")
        team.exchange.refuse(Operation.CANCEL, times=None)

        team.write("mm", PURE.format(spread="0.1%", state="paused"))
        for _ in range(2):
            assert team.project.json("apply", "--yes")["exit_code"] in {1, 4}
            assert len(team.exchange.orders(only_open=True)) == 2

        team.exchange.clear()
        team.sync()
        team.until_prices(lambda prices: prices == {"BUY": [], "SELL": []}, "no orders")


TWO_SIDED = """\
strategy_type: two_sided
exchange: binance
trading_pair: BTC-USDT
state: {state}
config:
  spread: {spread}
  order_amount: 0.01
"""


def test_a_teams_own_controller_runs_from_schema_to_orders(team: RealBots) -> None:
    made = team.project.run(
        *("schema", "generate", "--python", str(python()), "--controllers", str(OURS), "--into", "schemas")
    )
    assert made.returncode == 0, made.stderr
    team.use_schemas("schemas")
    with team.agent():
        team.write("own", TWO_SIDED.format(spread="0.2%", state="running"))
        team.sync()
        team.until_prices(near("0.002"), "orders of our own controller")
        process = team.process("own")

        team.write("own", TWO_SIDED.format(spread="0.4%", state="running"))
        team.sync()
        team.until_prices(near("0.004"), "orders at the new spread")
        assert team.process("own") == process

        team.write("own", TWO_SIDED.format(spread="0.4%", state="stopped"))
        team.sync()
        assert team.prices() == {"BUY": [], "SELL": []}
        assert team.process("own") is None


LEVERAGED = """\
strategy_type: two_sided
exchange: binance_perpetual
trading_pair: BTC-USDT
state: running
config:
  spread: 0.2%
  order_amount: 0.01
  leverage: 2
  position_mode: HEDGE
  manual_kill_switch: {switch}
"""


def test_a_controller_trades_as_its_file_says_and_its_kill_switch_closes_all(team: RealBots) -> None:
    """Leverage and mode are those of the file before the first order, no tick fails, and the switch ends every order."""
    generate = (
        "schema",
        "generate",
        "--python",
        str(python()),
        "--controllers",
        str(OURS),
        "--into",
        "schemas",
    )
    made = team.project.run(*generate)
    assert made.returncode == 0, made.stderr
    team.use_schemas("schemas")
    with team.agent():
        team.write("own", LEVERAGED.format(switch="false"))
        team.sync()
        team.until_prices(near("0.002"), "orders on the perpetual")
        placed = team.exchange.orders()
        assert {(order["leverage"], order["position_side"] in {"LONG", "SHORT"}) for order in placed} == {
            (2, True)
        }

        buy = next(order for order in team.exchange.orders(only_open=True) if order["side"] == "BUY")
        team.exchange.fill(buy["client_id"])
        team.until_prices(near("0.002"), "orders again after a fill")
        team.write("own", LEVERAGED.format(switch="true"))
        team.sync()
        team.until_prices(lambda prices: prices == {"BUY": [], "SELL": []}, "no order after the kill switch")

    assert team.errors("own") == []


@pytest.mark.parametrize("moment", ["create", "update", "stop"])
@pytest.mark.parametrize("victim", ["agent", "bot", "broker"])
def test_whatever_is_killed_in_the_middle_of_whatever_it_converges(
    team: RealBots, mosquitto: Mosquitto, victim: str, moment: str
) -> None:
    """Open orders are accounted for: two while it runs, at the spread of the last commit, and none when it is over."""
    with contextlib.ExitStack() as agents:
        agent = agents.enter_context(team.agent())
        if moment != "create":
            team.write("mm", PURE.format(spread="0.1%", state="running"))
            team.sync()
            team.until_prices(near("0.001"), "orders")
        state = "stopped" if moment == "stop" else "running"
        team.write("mm", PURE.format(spread="0.3%", state=state))
        with team.applying():
            team.until_under_way(moment)
            _kill(team, mosquitto, agent, victim)
        if victim == "agent":
            agents.enter_context(team.agent())
        team.sync()

        if moment == "stop":
            assert team.process("mm") is None
        else:
            team.until_prices(near("0.003"), "orders as the last commit has them")
            assert team.process("mm") is not None
            team.write("mm", PURE.format(spread="0.3%", state="stopped"))
            team.sync()
        assert team.prices() == {"BUY": [], "SELL": []}
        assert team.exchange.state()["duplicate_client_ids"] == {}


def _kill(team: RealBots, mosquitto: Mosquitto, agent: subprocess.Popen[str], victim: str) -> None:
    if victim == "agent":
        agent.kill()
        agent.wait(30)
    elif victim == "broker":
        mosquitto.kill()
        mosquitto.start()
    else:
        process = team.process("mm")
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
