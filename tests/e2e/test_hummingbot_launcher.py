"""What runs inside one real Hummingbot process: started, halted, changed and ended, on our own exchange.

Needs an interpreter that has Hummingbot, named by RECONCILER_HUMMINGBOT_PYTHON; without it these tests are skipped.
"""

from __future__ import annotations

import json
import signal
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from reconciler.agent.hummingbot.bridge import Bridges
from reconciler.agent.hummingbot.inside import Unanswered
from reconciler.agent.hummingbot.instance import write_strategy
from reconciler.agent.hummingbot.within.spec import CONTROLLER, Broker, Secrets
from reconciler.agent.hummingbot.within.words import Ask, Exit
from reconciler.settings import BrokerSettings
from reconciler.transport.base import Transport
from tests.brokers import Mosquitto, free_port
from tests.exchange.process import ExchangeProcess
from tests.exchange.requests import Operation
from tests.listening import Ear as Listener
from tests.one_bot import KEYS, SECRETS, OneBot, maker_file
from tests.oracle import NO_HUMMINGBOT, python
from tests.waiting import until

pytestmark = [
    pytest.mark.skipif(python() is None, reason=NO_HUMMINGBOT),
    pytest.mark.slow,
    pytest.mark.timeout(400),  # a bot needs 7 s to come up, on a busy machine a minute
]

CONTROLLERS = Path(__file__).parents[1] / "controllers"

TWO_SIDED = """\
id: maker.1
controller_name: two_sided
controller_type: market_making
connector_name: binance
trading_pair: BTC-USDT
order_amount: 0.02
spread: {spread}
manual_kill_switch: {stopped}
"""


@pytest.fixture
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess() as running:
        yield running


@pytest.fixture
async def bridges(
    broker_settings: BrokerSettings, transport_to: Callable[..., Transport]
) -> AsyncIterator[Bridges]:
    opened = Bridges(transport_to(broker_settings, "agent"), "hbot")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def bot(
    tmp_path: Path, mosquitto: Mosquitto, exchange: ExchangeProcess, bridges: Bridges
) -> Iterator[OneBot]:
    interpreter = python()
    assert interpreter is not None
    one = OneBot(interpreter, tmp_path, mosquitto.port, exchange, bridges)
    yield one
    one.kill()


# -- begin, halt, begin again


async def test_a_bot_begun_without_its_strategy_says_so_and_begins_and_halts_it_in_one_process(
    bot: OneBot,
) -> None:
    bot.start(autostart=False)
    idle = await bot.until(bool, "it answers")
    assert (idle["strategy"], idle["runs"], bot.prices) == (None, False, {"BUY": [], "SELL": []})

    begun = await bot.ask(Ask.BEGIN)
    assert begun.ok, begun.msg
    await bot.until_runs()
    await bot.until_prices("59700", "60300")
    assert len((await bot.status())["open_orders"]) == 2

    halted = await bot.ask(Ask.HALT)
    assert (halted.ok, halted.data["open_orders"], bot.prices) == (True, [], {"BUY": [], "SELL": []})
    assert (await bot.status())["strategy"] is None
    assert (await bot.ask(Ask.HALT)).ok, "asked twice it is as asked once"

    write_strategy(bot.root, "v1", "maker.1", maker_file(bid_spread=1))
    assert (await bot.ask(Ask.BEGIN)).ok
    assert (await bot.ask(Ask.BEGIN)).ok, "asked twice it is as asked once"
    await bot.until_runs()
    await bot.until_prices("59400", "60300")
    assert bot.exchange.state()["duplicate_client_ids"] == {}
    assert bot.process is not None
    assert bot.process.alive


async def test_an_exchange_that_is_down_is_no_strategy_that_runs(bot: OneBot) -> None:
    bot.exchange.down()
    bot.start()
    said = await bot.until(lambda said: said.get("strategy"), "its strategy is loaded")
    assert not said["runs"]
    assert "binance is not ready" in said["msg"]

    bot.exchange.up()
    await bot.until_runs()
    await bot.until_prices("59700", "60300")


# -- settings while it runs


async def test_settings_are_changed_in_the_strategy_that_runs_and_read_back_from_it(bot: OneBot) -> None:
    bot.start()
    await bot.until_runs()
    await bot.until_prices("59700", "60300")
    before = (await bot.ask(Ask.CONFIG)).data["fields"]
    assert before["bid_spread"] == "0.5", "told as the file has it, not as the strategy does: 0.005"

    taken = await bot.ask(Ask.CONFIGURE, {"fields": {"bid_spread": "1", "order_amount": 0.02}})
    assert taken.ok, taken.msg
    assert float(taken.data["fields"]["bid_spread"]) == 1
    await bot.until_prices("59400", "60300")
    assert {order["quantity"] for order in bot.exchange.orders(only_open=True)} == {"0.02"}

    for wrong, why in (
        (
            {"ask_spread": 2, "ping_pong_enabled": True},
            "ping_pong_enabled cannot change while the strategy runs",
        ),
        ({"ask_spread": 2, "order_amount": -1}, "order_amount"),
        ({"ask_spread": 2, "bid_sprad": 1}, "bid_sprad"),
    ):
        refused = await bot.ask(Ask.CONFIGURE, {"fields": wrong})
        assert (refused.ok, why in refused.msg) == (False, True), refused.msg
    after = (await bot.ask(Ask.CONFIG)).data["fields"]
    assert {name: value for name, value in after.items() if name not in {"bid_spread", "order_amount"}} == {
        name: value for name, value in before.items() if name not in {"bid_spread", "order_amount"}
    }, "a field that is refused takes the others with it"


async def test_every_field_that_can_change_live_is_taken_and_told(bot: OneBot) -> None:
    bot.start()
    await bot.until_runs()
    wanted = {
        "bid_spread": 0.7,
        "ask_spread": 0.8,
        "order_level_spread": 0.2,
        "order_refresh_tolerance_pct": 0.1,
        "inventory_target_base_pct": 40,
        "inventory_skew_enabled": True,
        "inventory_range_multiplier": 2,
        "order_amount": 0.03,
        "order_levels": 2,
        "order_level_amount": 0.001,
        "order_refresh_time": 4,
        "filled_order_delay": 7,
        "price_ceiling": 70000,
        "price_floor": 50000,
        "order_optimization_enabled": True,
        "add_transaction_costs": True,
        "moving_price_band_enabled": True,
        "price_ceiling_pct": 3,
        "price_floor_pct": -3,
        "price_band_refresh_time": 600,
        "inventory_price": 2,
        "split_order_levels_enabled": True,
        "bid_order_level_spreads": "1,2",
        "ask_order_level_spreads": "1,2",
        "bid_order_level_amounts": "0.01,0.02",
        "ask_order_level_amounts": "0.01,0.02",
    }
    taken = await bot.ask(Ask.CONFIGURE, {"fields": wanted})
    assert taken.ok, taken.msg

    told = taken.data["fields"]
    wrong = {name: (told[name], value) for name, value in wanted.items() if not _same(told[name], value)}
    assert wrong == {}


def _same(told: object, wanted: object) -> bool:
    if isinstance(wanted, bool | str):
        return told == wanted
    return float(str(told)) == float(str(wanted))


# -- the end


async def test_sigterm_cancels_the_orders_says_farewell_and_ends(
    bot: OneBot, broker_settings: BrokerSettings, transport_to: Callable[..., Transport]
) -> None:
    heard = await _presence(transport_to(broker_settings, "observer"))
    bot.start()
    await bot.until_runs()
    await bot.until_prices("59700", "60300")
    assert bot.process is not None
    bot.process.send(signal.SIGTERM)

    assert await bot.ended() == (Exit.LEFT, {})
    assert bot.prices == {"BUY": [], "SELL": []}
    await until(lambda: _last(heard) == "offline")


async def test_a_bot_that_was_killed_is_seen_gone_and_the_next_one_finds_its_keystore(
    bot: OneBot, broker_settings: BrokerSettings, transport_to: Callable[..., Transport]
) -> None:
    heard = await _presence(transport_to(broker_settings, "observer"))
    bot.start()
    await bot.until_runs()
    await bot.until_prices("59700", "60300")
    keys = (bot.root / "conf" / "connectors" / "binance.yml").read_bytes()
    bot.kill()

    await until(lambda: _last(heard) == "offline")
    with pytest.raises(Unanswered, match="no answer"):
        await bot.line.ask(Ask.STATUS, timeout_s=0.5)

    bot.start(autostart=False)
    await bot.until(bool, "it answers")
    assert (bot.root / "conf" / "connectors" / "binance.yml").read_bytes() == keys
    secret = [file for file in bot.root.rglob("*") if file.is_file() and not file.is_symlink()]
    assert not [
        file for file in secret if b"test-secret" in file.read_bytes() or b"sesame" in file.read_bytes()
    ]
    told = [file for file in secret if file.parent.name in {"connectors", "data", "logs", "strategies"}]
    assert {stat.S_IMODE(file.stat().st_mode) for file in told} == {0o600}
    assert stat.S_IMODE(bot.root.stat().st_mode) == 0o700


async def test_orders_that_a_killed_bot_left_are_cancelled_by_the_next(bot: OneBot) -> None:
    bot.start()
    await bot.until_runs()
    await bot.until_prices("59700", "60300")
    left = {order["client_id"] for order in bot.exchange.orders(only_open=True)}
    bot.kill()

    bot.start(maker_file(bid_spread=2, ask_spread=2, order_refresh_time=600))
    await bot.until_runs()
    await bot.until_prices("58800", "61200")
    assert not left & {order["client_id"] for order in bot.exchange.orders(only_open=True)}
    assert bot.exchange.state()["duplicate_client_ids"] == {}


async def test_orders_that_cannot_be_cancelled_are_named_and_can_be_halted_again(bot: OneBot) -> None:
    bot.start()
    await bot.until_runs()
    await bot.until_prices("59700", "60300")
    bot.exchange.refuse(Operation.CANCEL, times=None, code=-1000, message="not now")

    halted = await bot.ask(Ask.HALT)
    assert (halted.ok, len(halted.data["open_orders"])) == (False, 2)
    assert all(order["client_id"] in halted.msg for order in bot.exchange.orders(only_open=True))

    assert bot.process is not None
    bot.exchange.clear()
    assert (await bot.ask(Ask.HALT)).ok
    assert bot.prices == {"BUY": [], "SELL": []}


async def test_a_bot_that_must_leave_orders_behind_says_which(bot: OneBot) -> None:
    bot.start()
    await bot.until_runs()
    await bot.until_prices("59700", "60300")
    bot.exchange.refuse(Operation.CANCEL, times=None, code=-1000, message="not now")
    assert bot.process is not None
    bot.process.send(signal.SIGTERM)

    code, word = await bot.ended()
    assert (code, word["exit"]) == (Exit.ORDERS_LEFT, "ORDERS_LEFT")
    assert all(order["client_id"] in word["reason"] for order in bot.exchange.orders(only_open=True))


# -- what cannot begin


async def test_a_wrong_password_has_an_exit_code_of_its_own(bot: OneBot) -> None:
    bot.start(autostart=False)
    await bot.until(bool, "it answers")
    bot.kill()
    bot.start(secrets=Secrets(keystore_password="wrong", connectors=KEYS))

    code, word = await bot.ended()
    assert (code, word["exit"]) == (Exit.WRONG_PASSWORD, "WRONG_PASSWORD")
    assert "conf/.password_verification" in word["fix"]


async def test_without_a_password_each_start_has_a_keystore_of_its_own(bot: OneBot) -> None:
    for _ in range(2):
        bot.start(secrets=Secrets(keystore_password="", connectors=KEYS), autostart=False)
        await bot.until(bool, "it answers")
        bot.kill()


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"nowhere": {"api_key": "k3y"}}, "nowhere"),
        ({"binance": {"api_key": "k3y"}}, "lack binance_api_secret"),
        ({"binance": {"api_key": "k3y", "api_secret": "k3y", "pin": "k3y"}}, "pin"),
    ],
)
async def test_keys_that_fit_no_connector_end_it_and_are_not_shown(
    bot: OneBot, keys: dict[str, dict[str, str]], reason: str
) -> None:
    bot.start(secrets=Secrets(keystore_password="sesame", connectors=keys))

    code, word = await bot.ended()
    assert (code, word["exit"]) == (Exit.BAD_KEYS, "BAD_KEYS")
    assert reason in word["reason"]
    assert "k3y" not in bot.output


async def test_a_package_that_the_mends_do_not_know_is_refused(bot: OneBot) -> None:
    bot.start(version="20200101")

    code, word = await bot.ended()
    assert (code, word["exit"]) == (Exit.UNKNOWN_VERSION, "UNKNOWN_VERSION")
    assert "20200101" in word["reason"]


async def test_what_is_no_launch_json_is_refused(bot: OneBot) -> None:
    bot.start(constants={"hummingbot.connector.exchange.binance.binance_constants": {"NO_URL": "x"}})

    code, word = await bot.ended()
    assert (code, word["exit"]) == (Exit.BAD_SPEC, "BAD_SPEC")
    assert "NO_URL" in word["reason"]


async def test_a_broker_out_of_reach_ends_it_before_it_trades(bot: OneBot) -> None:
    port = free_port()
    bot.start(broker=Broker(host="127.0.0.1", port=port, patience_s=2))

    code, word = await bot.ended()
    assert (code, word["exit"]) == (Exit.NO_BROKER, "NO_BROKER")
    assert str(port) in word["reason"]
    assert bot.exchange.orders() == []


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (maker_file("no_such_exchange"), "no_such_exchange"),
        (maker_file().replace("order_amount: 0.01", "order_amount: -1"), "order_amount"),
        (
            maker_file().replace("strategy: pure_market_making", "strategy: no_such_strategy"),
            "no_such_strategy",
        ),
    ],
    ids=["exchange", "value", "strategy"],
)
async def test_a_strategy_that_does_not_load_ends_it_with_the_reason(
    bot: OneBot, file: str, reason: str
) -> None:
    bot.start(file)

    code, word = await bot.ended()
    assert (code, word["exit"]) == (Exit.NO_STRATEGY, "NO_STRATEGY")
    assert reason in word["reason"]


async def test_a_strategy_that_does_not_load_later_is_said_and_the_process_stays(bot: OneBot) -> None:
    bot.start(maker_file("no_such_exchange"), autostart=False)
    await bot.until(bool, "it answers")

    refused = await bot.ask(Ask.BEGIN)
    assert (refused.ok, "no_such_exchange" in refused.msg) == (False, True)
    assert (await bot.status())["strategy"] is None
    with pytest.raises(Unanswered, match="no_such_exchange"):
        await bot.line.begin()

    write_strategy(bot.root, "v1", "maker.1", maker_file())
    assert (await bot.ask(Ask.BEGIN)).ok
    await bot.until_runs()


# -- Hummingbot's own commands, and who else is asked


async def test_hummingbots_own_commands_work_again_and_again_in_one_process(bot: OneBot) -> None:
    bot.start()
    await bot.until_runs()
    await bot.until_prices("59700", "60300")
    told = await bot.line.call("status", {"async_backend": False}, timeout_s=60)
    assert (told.ok, "BTC-USDT" in told.msg) == (True, True)
    assert (await bot.line.call("history", {"async_backend": False}, timeout_s=60)).data["trades"] == []

    changed = await bot.line.call("config", {"params": [["bid_spread", "1"]]}, timeout_s=60)
    assert changed.ok, changed.msg
    await bot.until_prices("59400", "60300")
    for _ in range(2):
        stopped = await bot.line.call("stop", {"async_backend": False}, timeout_s=60)
        assert (stopped.ok, bot.prices) == (True, {"BUY": [], "SELL": []})
        none = await bot.line.call("status", {"async_backend": False}, timeout_s=60)
        assert (none.ok, none.msg) == (False, "No strategy is currently running!")
        started = await bot.line.call("start", {"async_backend": False}, timeout_s=60)
        assert started.ok, started.msg
        await bot.until_runs()
        await bot.until_prices("59700", "60300")


async def test_only_its_exchange_is_asked(bot: OneBot) -> None:
    bot.start(secrets=SECRETS)
    await bot.until_runs()
    await bot.until_prices("59700", "60300")

    strangers = ("kucoin", "kraken", "gate_io", "coingecko", "coin_cap", "api.coinalpha.com")
    text = "\n".join(path.read_text() for path in (bot.root / "logs").iterdir()).casefold()
    assert [name for name in strangers if name in text] == []
    metrics = (bot.root / "conf" / "conf_client.yml").read_text()
    assert "anonymized_metrics_interval_min" not in metrics, "Hummingbot writes it if metrics are on"


async def test_paper_trade_runs_and_halts(bot: OneBot) -> None:
    bot.start(
        maker_file("binance_paper_trade"),
        exchange="binance_paper_trade",
        secrets=Secrets(keystore_password=""),
    )
    await bot.until_runs()
    await bot.until(lambda said: len(said["open_orders"]) == 2, "it has paper orders")

    assert (await bot.ask(Ask.HALT)).ok
    assert bot.exchange.orders() == []


# -- controllers


async def test_a_controller_runs_reports_takes_its_file_and_halts(bot: OneBot) -> None:
    bot.start(TWO_SIDED.format(spread="0.005", stopped="false"), kind=CONTROLLER, controllers=CONTROLLERS)
    await bot.until_runs()
    await bot.until_prices("59700", "60300")
    await until(lambda: any("performance" in report.get("maker.1", {}) for report in bot.ear.reports))

    write_strategy(bot.root, CONTROLLER, "maker.1", TWO_SIDED.format(spread="0.01", stopped="false"))
    await bot.until_prices("59400", "60600")
    fields = (await bot.ask(Ask.CONFIG)).data["fields"]
    assert (float(fields["spread"]), float(fields["order_amount"])) == (0.01, 0.02)

    write_strategy(bot.root, CONTROLLER, "maker.1", TWO_SIDED.format(spread="0.01", stopped="true"))
    await until(lambda: bot.prices == {"BUY": [], "SELL": []})
    assert (await bot.status())["runs"], "a controller that was switched off is as it should be"

    write_strategy(bot.root, CONTROLLER, "maker.1", TWO_SIDED.format(spread="0.01", stopped="false"))
    await bot.until_prices("59400", "60600")
    assert (await bot.ask(Ask.HALT)).ok
    assert bot.prices == {"BUY": [], "SELL": []}
    refused = await bot.ask(Ask.CONFIGURE, {"fields": {"spread": 1}})
    assert (refused.ok, "no strategy" in refused.msg) == (False, True)

    assert (await bot.ask(Ask.BEGIN)).ok
    await bot.until_prices("59400", "60600")
    assert bot.process is not None
    bot.process.send(signal.SIGTERM)
    assert await bot.ended() == (Exit.LEFT, {})
    assert bot.prices == {"BUY": [], "SELL": []}


async def test_a_controller_that_is_not_there_ends_it_with_the_reason(bot: OneBot) -> None:
    text = TWO_SIDED.replace("two_sided", "no_such_controller").format(spread="0.005", stopped="false")
    bot.start(text, kind=CONTROLLER, controllers=CONTROLLERS)

    code, word = await bot.ended()
    assert (code, word["exit"]) == (Exit.NO_STRATEGY, "NO_STRATEGY")
    assert "no_such_controller" in word["reason"]


async def _presence(transport: Transport) -> Listener:
    await transport.connect()
    heard = Listener(transport)
    await transport.subscribe(["hbot/+/status_updates"])
    return heard


def _last(heard: Listener) -> str:
    told = [json.loads(message.payload) for message in heard.messages]
    return next((str(one["msg"]) for one in reversed(told) if one["type"] == "availability"), "")
