"""What Hummingbot 20260922 needs mending before it can be steered without a terminal. Runs inside Hummingbot.

Each mend says what it mends. They are applied before the application is made.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from control import StrategyControl


def patch_will(tls: dict[str, Any]) -> None:
    """Mends: the bridge sets no will, so that nobody hears of a bot that was killed; and it knows no CA of our own.

    `tls`: ca_file, cert_file, key_file, each a path or None.
    """
    import aiomqtt
    from hummingbot.remote_iface import mqtt

    files = aiomqtt.TLSParameters(tls["ca_file"], tls["cert_file"], tls["key_file"])

    def create_client(self: Any) -> aiomqtt.Client:
        offline = {"timestamp": int(time.time() * 1000), "type": "availability", "msg": "offline"}
        return aiomqtt.Client(
            hostname=self._host,
            port=self._port,
            username=self._username or None,
            password=self._password or None,
            identifier=self._node_name,
            tls_params=files if self._use_ssl else None,
            keepalive=15,
            will=aiomqtt.Will(f"{self._topic_prefix}/status_updates", json.dumps(offline), qos=1),
        )

    mqtt.MQTTGateway._create_client = create_client


def patch_notifier() -> None:
    """Mends: the trading core calls add_message_to_queue, which the bridge's notifier calls add_msg_to_queue."""
    from hummingbot.remote_iface import mqtt

    mqtt.MQTTNotifier.add_message_to_queue = mqtt.MQTTNotifier.add_msg_to_queue


def patch_database(name: str) -> None:
    """Mends: the database is named after the file's name up to its first dot: two strategies could share one."""
    from hummingbot.core.trading_core import TradingCore

    begin = TradingCore.initialize_markets_recorder
    TradingCore.initialize_markets_recorder = lambda self, db_name=None: begin(self, db_name or name)


def patch_commands(control: StrategyControl) -> None:
    """Mends: as shipped these commands fail on parts of the terminal that are not there, or do nothing and say success."""
    from hummingbot.remote_iface import mqtt

    commands = mqtt.MQTTCommands
    commands._on_cmd_import = _answering(control.look_for)
    commands._on_cmd_start = _answering(control.begin)
    commands._on_cmd_stop = _answering(control.halt)
    commands._on_cmd_status = _answering(control.status)
    commands._on_cmd_config = _answering(control.config)


def _answering(work: Any) -> Any:
    """A handler of the bridge, which runs in a thread of its own and waits for what the loop's thread does."""
    from hummingbot.remote_iface import messages

    answers = {
        "look_for": messages.ImportCommandMessage,
        "begin": messages.StartCommandMessage,
        "halt": messages.StopCommandMessage,
        "status": messages.StatusCommandMessage,
        "config": messages.ConfigCommandMessage,
    }
    answer = answers[work.__name__].Response

    def handle(commands: Any, request: Any) -> Any:
        doing = asyncio.run_coroutine_threadsafe(work(request), commands._ev_loop)
        try:
            return answer(**doing.result())
        except Exception as error:  # noqa: BLE001  (the asker has to hear of it, whatever it is)
            return answer(status=messages.MQTT_STATUS_CODE.ERROR, msg=f"{error}" or type(error).__name__)

    return handle
