"""
Patches of Hummingbot 20260922, without which it cannot be controlled without a terminal. Runs inside Hummingbot.

Each patch says what it repairs. All are applied before the application is created.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from control import StrategyControl


def patch_root(root: Path) -> None:
    """Repairs: the package takes the folder that it is installed in as its root, which several bots would share."""
    import hummingbot

    hummingbot.root_path = lambda: root
    hummingbot.set_prefix_path(str(root))
    link = root / "hummingbot"
    if not link.exists():
        link.symlink_to(Path(hummingbot.__file__).parent)
    sys.path.insert(0, str(root))
    os.chdir(root)


def patch_will(tls: dict[str, Any]) -> None:
    """Repairs: the bridge sets no will, so that a killed bot goes unnoticed; and it accepts no CA of our own.

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
    """Repairs: the trading core calls add_message_to_queue, which the bridge's notifier names add_msg_to_queue."""
    from hummingbot.remote_iface import mqtt

    mqtt.MQTTNotifier.add_message_to_queue = mqtt.MQTTNotifier.add_msg_to_queue


def patch_database(name: str) -> None:
    """Repairs: the database has the file's name up to its first dot, so that two strategies could share one."""
    from hummingbot.core.trading_core import TradingCore

    original = TradingCore.initialize_markets_recorder
    TradingCore.initialize_markets_recorder = lambda self, db_name=None: original(self, db_name or name)


def patch_commands(control: StrategyControl) -> None:
    """Repairs: as shipped, these commands use parts of the terminal that do not exist, or report success and do nothing."""
    from hummingbot.remote_iface import messages, mqtt

    def handler(response: Any, work: Any) -> Any:
        """The bridge calls handlers in a thread of its own; the work is done in the loop's thread."""

        def handle(commands: Any, request: Any) -> Any:
            doing = asyncio.run_coroutine_threadsafe(work(request), commands._ev_loop)
            try:
                return response(**doing.result())
            except Exception as error:  # noqa: BLE001  (whatever it is, the sender gets it as the reply)
                return response(
                    status=messages.MQTT_STATUS_CODE.ERROR, msg=f"{error}" or type(error).__name__
                )

        return handle

    commands = mqtt.MQTTCommands
    commands._on_cmd_import = handler(messages.ImportCommandMessage.Response, control.find)
    commands._on_cmd_start = handler(messages.StartCommandMessage.Response, control.start)
    commands._on_cmd_stop = handler(messages.StopCommandMessage.Response, control.halt)
    commands._on_cmd_status = handler(messages.StatusCommandMessage.Response, control.status)
    commands._on_cmd_config = handler(messages.ConfigCommandMessage.Response, control.config)
