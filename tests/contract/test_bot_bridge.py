"""The lines to bots, over a broker in memory and a real one, with a bot's side played by the test (bridge.py)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.agent.hummingbot.bridge import Bridges, Line
from reconciler.agent.hummingbot.health import Answer
from reconciler.agent.hummingbot.inside import Unanswered
from reconciler.agent.hummingbot.within.words import Ask
from reconciler.settings import BrokerSettings
from reconciler.transport.base import Message, Transport
from reconciler.transport.memory import MemoryTransport
from reconciler.transport.opening import open_transport
from tests.brokers import Mosquitto
from tests.one_bot import Ear
from tests.waiting import until

Reply = dict[str, Any] | bytes | None


class Bot:
    """A bot's side of the bridge: answers each request with what `answers` has for its topic's last levels."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.answers: dict[str, Reply] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.reply_topics: list[str] = []
        self._works: set[asyncio.Task[object]] = set()
        transport.on_message(self._on_message)

    async def open(self) -> None:
        await self.transport.connect()
        await self.transport.subscribe(["hbot/mm/status", *(f"hbot/mm/reconciler/{ask}" for ask in Ask)])

    async def tell(self, name: str, payload: bytes) -> None:
        await self.transport.publish(f"hbot/mm/{name}", payload, qos=0)

    def _on_message(self, message: Message) -> None:
        request = json.loads(message.payload)
        command = message.topic.removeprefix("hbot/mm/")
        self.asked.append((command, request["data"]))
        self.reply_topics.append(request["header"]["reply_to"])
        answer = self.answers.get(command)
        if answer is not None:
            payload = (
                answer if isinstance(answer, bytes) else json.dumps({"header": {}, "data": answer}).encode()
            )
            work = asyncio.ensure_future(self.transport.publish(self.reply_topics[-1], payload))
            self._works.add(work)
            work.add_done_callback(self._works.discard)


@pytest.fixture(params=["memory", "mosquitto"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "memory":
        yield f"memory:{tmp_path}"
        return
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker.url
    broker.stop()


@pytest.fixture
async def opened(url: str) -> AsyncIterator[Callable[[str], Transport]]:
    made: list[Transport] = []

    def make(name: str) -> Transport:
        made.append(open_transport(BrokerSettings(url=url), client_id=name))
        return made[-1]

    yield make
    for transport in made:
        await transport.close()


@pytest.fixture
async def bot(opened: Callable[[str], Transport]) -> Bot:
    playing = Bot(opened("bot"))
    await playing.open()
    return playing


@pytest.fixture
async def bridges(opened: Callable[[str], Transport]) -> Bridges:
    made = Bridges(opened("agent"), "hbot")
    await made.open()
    return made


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def line(bridges: Bridges, ear: Ear) -> Line:
    return bridges.line("mm", ear)


async def test_each_call_has_a_reply_topic_of_its_own_and_gets_its_own_answer(bot: Bot, line: Line) -> None:
    bot.answers = {
        "status": {"status": 400, "msg": "No strategy is currently running!"},
        "reconciler/config": {"status": 200, "msg": "", "fields": {"bid_spread": "0.1"}},
    }
    answers = await asyncio.gather(
        line.call("status", {"async_backend": False}), *(line.config() for _ in range(5))
    )

    assert (answers[0].status, answers[0].msg, answers[0].ok) == (
        400,
        "No strategy is currently running!",
        False,
    )
    assert answers[1:] == [{"bid_spread": "0.1"}] * 5
    assert len(set(bot.reply_topics)) == 6
    assert ("status", {"async_backend": False}) in bot.asked


async def test_no_answer_in_time_is_unanswered_and_a_late_one_disturbs_nobody(bot: Bot, line: Line) -> None:
    with pytest.raises(Unanswered, match=r"mm gave no answer on hbot/mm/reconciler/halt within 0\.2 s"):
        await line.ask(Ask.HALT, timeout_s=0.2)
    bot.answers = {"reconciler/status": {"status": 200, "msg": "", "strategy": "X", "runs": True}}
    await bot.transport.publish(bot.reply_topics[0], b'{"data": {"status": 200}}')

    assert await line.status() is Answer.RUNS


@pytest.mark.parametrize(
    "payload", [b"nothing", b"[]", b"{}", b'{"data": {"msg": "no status"}}', b'{"data": 3}']
)
async def test_an_answer_that_cannot_be_read_is_unanswered(bot: Bot, line: Line, payload: bytes) -> None:
    bot.answers = {"reconciler/status": payload}

    with pytest.raises(Unanswered, match="cannot be read"):
        await line.ask(Ask.STATUS)


@pytest.mark.parametrize(
    ("told", "answer"),
    [
        ({"strategy": None, "runs": False}, Answer.NO_STRATEGY),
        ({"strategy": "Maker", "runs": False}, Answer.NOT_READY),
        ({"strategy": "Maker", "runs": True}, Answer.RUNS),
    ],
)
async def test_the_status_is_what_the_bot_says(
    bot: Bot, line: Line, told: dict[str, Any], answer: Answer
) -> None:
    bot.answers = {"reconciler/status": {"status": 200, "msg": "", **told}}

    assert await line.status() is answer


async def test_what_a_bot_refuses_is_told_in_its_own_words(bot: Bot, line: Line) -> None:
    refused = {"status": 400, "msg": "ping_pong_enabled cannot change while the strategy runs"}
    bot.answers = {f"reconciler/{ask}": refused for ask in Ask}

    for work in (
        line.status,
        line.begin,
        line.halt,
        line.config,
        lambda: line.configure({"ping_pong_enabled": 1}),
    ):
        with pytest.raises(Unanswered, match="ping_pong_enabled cannot change"):
            await work()


async def test_fields_go_to_the_bot_as_they_are(bot: Bot, line: Line) -> None:
    from decimal import Decimal

    bot.answers = {"reconciler/configure": {"status": 200, "msg": ""}}
    await line.configure({"order_amount": Decimal("0.10"), "order_levels": 2})

    assert bot.asked == [("reconciler/configure", {"fields": {"order_amount": "0.10", "order_levels": 2}})]


async def test_what_a_bot_tells_by_itself_is_heard(bot: Bot, line: Line, ear: Ear) -> None:
    log = {"timestamp": 12.5, "msg": "trouble", "level_no": 40, "level_name": "ERROR", "logger_name": "x.y"}
    await bot.tell("log", json.dumps(log).encode())
    await bot.tell("performance", b'{"mm": {"performance": {"global_pnl_quote": NaN, "volume_traded": 3}}}')
    await bot.tell("hb", b'{"ts": 1}')
    await bot.tell("events", b'{"type": "OrderFilled", "data": {}}')

    await until(lambda: ear.alive == 2)
    assert ear.logs == [("ERROR", "x.y", "trouble")]
    assert ear.reports == [{"mm": {"performance": {"global_pnl_quote": None, "volume_traded": 3}}}]


async def test_a_will_and_rubbish_are_no_signs_of_life(bot: Bot, line: Line, ear: Ear) -> None:
    for payload in (b"", b"nan", b"[1]", b"\xff"):
        await bot.tell("hb", payload)
    await bot.tell("status_updates", b'{"type": "availability", "msg": "offline"}')
    await bot.tell("log", b'{"msg": "the last"}')

    await until(lambda: ear.logs)
    assert (ear.alive, ear.reports, ear.logs) == (0, [], [("INFO", "", "the last")])


async def test_who_closed_its_line_hears_no_more_and_a_new_line_does(
    bot: Bot, bridges: Bridges, line: Line, ear: Ear
) -> None:
    later = Ear()
    again = bridges.line("mm", later)
    line.close()
    await bot.tell("hb", b'{"ts": 1}')
    await until(lambda: later.alive)
    again.close()
    await bot.tell("hb", b'{"ts": 2}')
    bot.answers = {"reconciler/status": {"status": 200, "msg": ""}}
    await again.ask(Ask.STATUS)

    assert (ear.alive, later.alive) == (0, 2), "its heartbeat, and its own answer"


async def test_without_a_connection_nothing_is_asked(bridges: Bridges, line: Line) -> None:
    if isinstance(bridges.transport, MemoryTransport):
        bridges.transport.drop()
    else:
        await bridges.transport.close()

    with pytest.raises(Unanswered, match="mm could not be asked"):
        await line.halt()


async def test_who_waits_when_all_is_closed_is_told(bot: Bot, bridges: Bridges, line: Line) -> None:
    waiting = asyncio.create_task(line.halt())
    await until(lambda: bot.asked)
    await bridges.close()

    with pytest.raises(Unanswered, match="the line was closed"):
        await waiting


async def test_who_is_cancelled_while_waiting_stays_cancelled(bot: Bot, line: Line) -> None:
    waiting = asyncio.create_task(line.halt())
    await until(lambda: bot.asked)
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
