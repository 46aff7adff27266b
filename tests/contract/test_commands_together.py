"""How commands are sent: in batches to agents that announce it, alone to others, and written down before."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import pytest

from reconciler.agent.main import AgentSettings, run_agent
from reconciler.errors import BrokerError, StoreError
from reconciler.fleet.base import CommandContext, PendingCommand
from reconciler.fleet.client import FleetClient
from reconciler.fleet.commands import ControllerIdentity
from reconciler.model.change import Op, Step
from reconciler.model.spec import Key, StrategySpec
from reconciler.model.state import Lifecycle
from reconciler.protocol.batches import pack_commands
from reconciler.protocol.canonical import spec_hash
from reconciler.protocol.messages import AgentPresence, encode
from reconciler.protocol.topics import Topics
from reconciler.settings.model import BrokerSettings, TargetSettings
from reconciler.transport.base import Publish, Transport
from reconciler.transport.factory import open_transport
from tests.support.agent_builders import CONFIG
from tests.support.brokers import Mosquitto
from tests.support.conditions import until

PATIENCE_S = 30.0
TOPICS = Topics("hummingbot")
NAMES = [f"mm-{number:02}" for number in range(20)]
SMALL_PACKETS = "listener {port} 127.0.0.1\nallow_anonymous true\nmax_packet_size 4000"


@pytest.fixture(params=["memory", "mosquitto"])
def broker(request: pytest.FixtureRequest) -> BrokerSettings:
    if request.param == "memory":
        return BrokerSettings(url=f"memory:{secrets.token_hex(4)}")
    found: BrokerSettings = request.getfixturevalue("broker_settings")
    return found


class Wiretap:
    """Counts what goes over the command and response topics."""

    def __init__(self, transport: Transport) -> None:
        self.topics: list[str] = []
        self.transport = transport
        transport.on_message(lambda message: self.topics.append(message.topic))

    async def open(self) -> None:
        await self.transport.connect()
        await self.transport.subscribe(["hummingbot/strategy/+", "hummingbot/response/#"])

    def count(self, ending: str) -> int:
        return sum(topic.endswith(ending) for topic in self.topics)


@pytest.fixture
async def tap(broker: BrokerSettings) -> AsyncIterator[Wiretap]:
    tap = Wiretap(open_transport(broker, client_id="tap"))
    await tap.open()
    yield tap
    await tap.transport.close()


async def reconciler(broker: BrokerSettings, *, profile: str = "auto") -> FleetClient:
    identity = ControllerIdentity(controller="ctl", owner="us", epoch=1)
    live = FleetClient(
        open_transport(broker, client_id="ctl"), {"default": TargetSettings(profile=profile)}, identity
    )
    await live.open()
    return live


@pytest.fixture
async def live(broker: BrokerSettings) -> AsyncIterator[FleetClient]:
    live = await reconciler(broker)
    yield live
    await live.close()


@pytest.fixture
async def agent(broker: BrokerSettings, tmp_path: Path) -> AsyncIterator[None]:
    stop = asyncio.Event()
    settings = AgentSettings(broker=broker, state_dir=tmp_path / "agent", heartbeat_s=0.5, seed=1)
    task = asyncio.create_task(run_agent(settings, stop=stop))
    yield
    stop.set()
    await asyncio.wait_for(task, PATIENCE_S)


def create_of(name: str) -> Step:
    spec = StrategySpec(name, "pure_market_making", "binance", "BTC-USDT", CONFIG)
    return Step(Op.CREATE, spec=spec, spec_hash=spec_hash(spec))


async def ask(live: FleetClient, name: str, step: Step | None = None) -> PendingCommand:
    """Send one command and wait for its answer, or for the news that it was lost."""
    step = step or create_of(name)
    order = CommandContext(f"key-{name}-{step.op}", "c0ffee", PATIENCE_S)
    async with live.send(Key("default", name), step, order) as asked:
        async with asyncio.timeout(PATIENCE_S):
            while asked.reply is None and asked.lost is None:
                await asked.next_news()
    return asked


async def ask_all(live: FleetClient, names: Iterable[str] = NAMES) -> list[PendingCommand]:
    return await asyncio.gather(*(ask(live, name) for name in names))


@pytest.mark.usefixtures("agent")
async def test_commands_of_one_turn_travel_together_and_so_do_their_answers(
    live: FleetClient, tap: Wiretap
) -> None:
    await until(lambda: live.observe()["default"].extended)

    asked = await ask_all(live)

    assert all(one.reply is not None and one.reply.ok for one in asked)
    await until(lambda: tap.count("/response/ctl/batch"))
    assert tap.count("/strategy/batch") == 1
    assert tap.count("/strategy/create") == 0
    assert tap.count("/response/ctl") == 0


@pytest.mark.usefixtures("agent")
async def test_a_lone_command_travels_alone(live: FleetClient, tap: Wiretap) -> None:
    await until(lambda: live.observe()["default"].extended)

    asked = await ask(live, "mm")

    assert asked.reply is not None
    assert asked.reply.ok
    await until(lambda: tap.count("/response/ctl"))
    assert tap.topics == ["hummingbot/strategy/create", "hummingbot/response/ctl"]


@pytest.mark.usefixtures("agent")
async def test_each_command_of_a_batch_gets_its_own_response(live: FleetClient) -> None:
    await until(lambda: live.observe()["default"].extended)
    await ask(live, "mm-00")

    steps = {"mm-00": Step(Op.START), "mm-01": create_of("mm-01"), "mm-02": Step(Op.STOP)}
    asked = await asyncio.gather(*(ask(live, name, step) for name, step in steps.items()))

    codes = [one.reply.error_code for one in asked if one.reply is not None]
    assert codes == ["", "", "NOT_FOUND"]


@pytest.mark.parametrize("capabilities", [(), ("idempotency", "epoch")])
async def test_an_agent_that_announces_no_batches_gets_each_alone(
    live: FleetClient, tap: Wiretap, capabilities: tuple[str, ...]
) -> None:
    await announce(tap.transport, "other", capabilities)
    await until(lambda: live.observe()["default"].extended)

    asking = [asyncio.create_task(ask(live, name)) for name in NAMES]
    await until(lambda: tap.count("/strategy/create") == len(NAMES))

    assert tap.count("/strategy/batch") == 0
    await cancel(asking)


@pytest.mark.usefixtures("agent")
async def test_one_agent_without_batches_is_enough_to_send_none(live: FleetClient, tap: Wiretap) -> None:
    await until(lambda: live.observe()["default"].extended)
    await announce(tap.transport, "other", ())
    await until(lambda: len(live.observe()["default"].agents) == 2)

    await ask_all(live)

    assert tap.count("/strategy/batch") == 0


async def test_a_basic_peer_gets_one_at_a_time_as_given(broker: BrokerSettings, tap: Wiretap) -> None:
    seen: list[bytes] = []
    tap.transport.on_message(lambda message: seen.append(message.payload))
    live = await reconciler(broker, profile="basic")

    asking = [asyncio.create_task(ask(live, name)) for name in NAMES]
    await until(lambda: tap.topics)
    await asyncio.sleep(0.1)

    assert tap.topics == ["hummingbot/strategy/create"]
    assert "meta" not in json.loads(seen[0])
    await cancel(asking)
    await live.close()


async def test_what_is_too_long_together_for_the_broker_leaves_alone_and_is_answered_alone(
    mosquitto_factory: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    broker = BrokerSettings(url=mosquitto_factory(SMALL_PACKETS).url)
    stop = asyncio.Event()
    settings = AgentSettings(broker=broker, state_dir=tmp_path / "agent", seed=1)
    agent = asyncio.create_task(run_agent(settings, stop=stop))
    live = await reconciler(broker)
    await until(lambda: live.observe()["default"].extended)

    asked = await ask_all(live)

    assert all(one.reply is not None and one.reply.ok for one in asked)
    tap = Wiretap(open_transport(broker, client_id="tap"))
    await tap.open()
    stops = pack_commands((Op.STOP, b'{"strategy_name":"%s"}' % name.encode()) for name in NAMES + NAMES)
    await tap.transport.publish(Publish(TOPICS.batch, stops))
    await until(lambda: tap.count("hummingbot/response") == 2 * len(NAMES))
    await tap.transport.close()
    stop.set()
    await asyncio.wait_for(agent, PATIENCE_S)
    await live.close()


@pytest.mark.usefixtures("agent")
async def test_nothing_leaves_before_it_is_written_down(live: FleetClient, tap: Wiretap) -> None:
    await until(lambda: live.observe()["default"].extended)
    sent_when_written: list[int] = []
    live.record_first(lambda: sent_when_written.append(len(tap.topics)))

    await ask_all(live)

    assert sent_when_written == [0]


@pytest.mark.usefixtures("agent")
async def test_what_cannot_be_written_down_does_not_leave(live: FleetClient, tap: Wiretap) -> None:
    await until(lambda: live.observe()["default"].extended)

    def fail() -> None:
        raise StoreError("the disk is full")

    live.record_first(fail)

    asked = await ask_all(live)

    assert {type(one.lost) for one in asked} == {StoreError}
    assert not tap.topics


async def test_without_a_connection_each_command_fails_as_not_sent(live: FleetClient) -> None:
    await live.close()

    asked = await ask_all(live)

    assert {type(one.lost) for one in asked} == {BrokerError}


@pytest.mark.usefixtures("agent")
async def test_a_batch_of_answers_that_cannot_be_read_answers_nobody(live: FleetClient, tap: Wiretap) -> None:
    await until(lambda: live.observe()["default"].extended)

    for payload in (b"", b"{}", b'{"responses":[{"status":"perhaps"}]}'):
        await tap.transport.publish(Publish(TOPICS.batch_of(TOPICS.reply_to("ctl")), payload))
    asked = await ask(live, "mm")

    assert asked.reply is not None
    assert asked.reply.ok
    await until(lambda: live.strategy(Key("default", "mm")))
    seen = live.strategy(Key("default", "mm"))
    assert seen is not None
    assert seen.state is Lifecycle.STOPPED


async def announce(transport: Transport, name: str, capabilities: tuple[str, ...]) -> None:
    """Be an agent as far as presence goes."""
    presence = AgentPresence(agent=name, state="online", session="0", capabilities=capabilities)
    await transport.publish(Publish(TOPICS.presence(name), encode(presence), retain=True))


async def cancel(tasks: list[asyncio.Task[PendingCommand]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
