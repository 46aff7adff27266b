"""
A process that speaks as a Hummingbot instance with our launcher does, and trades nothing: `stand_in_bot.py ROOT`.

On stdin it reads JSON: {"url", "namespace", "instance", "paused"}. Its strategy's file is ROOT/strategy.json; what it
"trades" goes to ROOT/data/NAME.sqlite. ROOT/mood.json, read at the start, makes it misbehave; a test can change its
mood later by the RPC `mood`, which no real one has.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from reconciler.errors import BrokerError
from reconciler.settings.model import BrokerSettings
from reconciler.transport.base import Message, Publish
from reconciler.transport.factory import open_transport
from tests.support.bot_database import Database

HEARTBEAT_S = 0.2
GOOD, BAD = 200, 400


class StandIn:
    def __init__(self, root: Path, order: dict[str, Any]) -> None:
        self.root = root
        self.paused = order["paused"]
        self.prefix = f"{order['namespace']}/{order['instance']}"
        self.name = order["instance"].partition("@")[0]
        self.transport = open_transport(BrokerSettings(url=order["url"]), client_id=order["instance"])
        self.config: dict[str, Any] | None = None
        self.over = asyncio.Event()
        (root / "data").mkdir(exist_ok=True)
        (root / "logs").mkdir(exist_ok=True)
        self.database = Database(root / "data" / f"{self.name}.sqlite")
        self.mood: dict[str, Any] = {}
        with contextlib.suppress(FileNotFoundError):
            self.mood = json.loads((root / "mood.json").read_text())
        self.tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        if self.mood.get("dies"):
            return 3
        self.transport.on_message(self.on_message)
        await self.transport.connect()
        await self.transport.subscribe([f"{self.prefix}/+"])
        if not self.paused:
            self.load()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.on_term)
        beating = asyncio.create_task(self.beat())
        await self.over.wait()
        beating.cancel()
        await self.transport.close()
        return 0

    def on_term(self) -> None:
        if not self.mood.get("stubborn"):
            self.unload()
            self.over.set()

    async def beat(self) -> None:
        while True:
            if not self.mood.get("mute"):
                await self.publish("hb", {"ts": int(time.time() * 1e6)})
                if self.config is not None:
                    await self.publish("performance", self.mood.get("report", {}))
            await asyncio.sleep(HEARTBEAT_S)

    async def publish(self, topic: str, body: dict[str, Any]) -> None:
        with contextlib.suppress(BrokerError):
            await self.transport.publish(Publish(f"{self.prefix}/{topic}", json.dumps(body).encode(), qos=0))

    async def log(self, level: str, text: str) -> None:
        record = {"timestamp": time.time(), "msg": text, "level_name": level, "logger_name": "stand-in"}
        await self.publish("log", record)

    # The strategy.

    def load(self) -> None:
        """Begin to trade, unless its mood forbids it."""
        self.soon(self.log("INFO", "strategy started successfully"))
        if self.mood.get("no_strategy"):
            self.soon(self.log("ERROR", self.mood["no_strategy"]))
            return
        self.config = json.loads((self.root / "strategy.json").read_text())
        if not self.mood.get("no_exchange"):
            self.database.order("o1", "BuyOrderCreated")
            self.database.order("o2", "SellOrderCreated")

    def unload(self) -> None:
        self.config = None
        if not self.mood.get("leaves_orders"):
            self.database.cancel_all()

    def brake(self) -> None:
        self.soon(self.log("INFO", "Global drawdown reached. Stopping the strategy."))
        self.unload()

    # The bridge.

    def on_message(self, message: Message) -> None:
        command = message.topic.rpartition("/")[2]
        answer = getattr(self, f"do_{command}", None)
        if answer is None or (self.mood.get("mute") and command != "mood"):
            return
        body = json.loads(message.payload)
        header = {"reply_to": "", "content_type": "json"}
        reply = json.dumps({"header": header, "data": answer(body["data"])}).encode()
        self.soon(self.reply(body["header"]["reply_to"], reply))

    async def reply(self, topic: str, payload: bytes) -> None:
        await self.transport.publish(Publish(topic, payload))

    def soon(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def do_status(self, _data: dict[str, Any]) -> dict[str, Any]:
        if self.config is None:
            return {"status": BAD, "msg": "No strategy is currently running!"}
        lost = self.mood.get("no_exchange")
        return {"status": GOOD, "msg": "Market connectors are not ready." if lost else "  Markets: fine"}

    def do_stop(self, _data: dict[str, Any]) -> dict[str, Any]:
        if self.mood.get("dies_at_stop"):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.mood.get("will_not_halt"):
            return {"status": BAD, "msg": "it will not"}
        self.unload()
        return {"status": GOOD, "msg": ""}

    def do_import(self, _data: dict[str, Any]) -> dict[str, Any]:
        return {"status": GOOD, "msg": ""}

    def do_start(self, _data: dict[str, Any]) -> dict[str, Any]:
        self.load()
        return {"status": GOOD, "msg": ""}

    def do_config(self, data: dict[str, Any]) -> dict[str, Any]:
        deaf = self.mood.get("deaf", [])
        if self.config is not None:
            self.config.update({name: value for name, value in data["params"] if name not in deaf})
        return {
            "status": GOOD,
            "msg": "",
            "changes": data["params"],
            "config": {"strategy": self.config or {}},
        }

    def do_mood(self, data: dict[str, Any]) -> dict[str, Any]:
        self.mood.update(data)
        if data.get("brake"):
            self.brake()
        if data.get("dies"):
            os.kill(os.getpid(), signal.SIGKILL)
        return {"status": GOOD, "pid": os.getpid()}


async def main() -> int:
    order = json.loads(sys.stdin.read())
    return await StandIn(Path(sys.argv[1]), order).run()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
