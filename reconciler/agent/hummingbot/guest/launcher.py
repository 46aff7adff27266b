"""
Runs one headless Hummingbot that is controlled over its MQTT bridge: `launcher.py ROOT`, by path, in Hummingbot's
interpreter.

Rule 1: it imports nothing but the standard library and what Hummingbot installs.
Rule 2: what it does comes on stdin, as JSON (LaunchOrder): no argument, file or environment holds a secret.
Rule 3: a Hummingbot version that its patches do not know is refused, unless the order allows it.

The bridge then answers as Hummingbot's documentation has it, to `import`, `start`, `stop`, `status` and `config`; all of
them work repeatedly within one process.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import signal
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from control import StrategyControl
from patches import patch_commands, patch_database, patch_notifier, patch_root, patch_will

KNOWN_VERSIONS = {"20260922"}

BAD_ORDER, BAD_VERSION, BAD_PASSWORD, NO_BROKER, ORDERS_LEFT = 64, 65, 66, 67, 68
"""Exit codes, one for each cause; Hummingbot's own is 0 even after a wrong password."""

BROKER_S = 30.0
"""To reach the broker before anything is traded: a bot that cannot be controlled does not start."""


class LaunchOrder:
    """What came on stdin: `name` of the strategy's file, `kind` v1 or controller, `paused`, `broker` (username, password, tls),
    `password` of the keystore, `keys` by connector, `endpoints` (module → constants, for tests), `any_version`.
    """

    def __init__(self, fields: dict[str, Any]) -> None:
        self.name: str = fields["name"]
        self.is_controller: bool = fields["kind"] == "controller"
        self.paused: bool = fields["paused"]
        self.broker: dict[str, Any] = fields["broker"]
        self.password: str = fields["password"]
        self.keys: dict[str, dict[str, str]] = fields["keys"]
        self.endpoints: dict[str, dict[str, str]] = fields["endpoints"]
        self.any_version: bool = fields["any_version"]


class LaunchFailed(Exception):
    """The process ends; `code` is its exit code."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


def check_version(order: LaunchOrder) -> None:
    found = version("hummingbot")
    if found not in KNOWN_VERSIONS and not order.any_version:
        known = ", ".join(sorted(KNOWN_VERSIONS))
        raise LaunchFailed(
            BAD_VERSION, f"hummingbot {found} was never tested with these patches; known: {known}"
        )


async def create_application(order: LaunchOrder) -> Any:
    """Create the application and start its bridge.

    The agent gives password and keys at each start, so that nothing of an earlier start is kept.
    """
    from hummingbot.client.config.config_crypt import ETHKeyFileSecretManger, store_password_verification
    from hummingbot.client.config.config_helpers import load_client_config_map_from_file
    from hummingbot.client.runner import bootstrap_application

    secrets = ETHKeyFileSecretManger(order.password)
    store_password_verification(secrets)
    for old in Path("conf/connectors").glob("*.yml"):
        old.unlink()
    settings = load_client_config_map_from_file()
    bridge = settings.mqtt_bridge
    bridge.mqtt_username, bridge.mqtt_password = order.broker["username"], order.broker["password"]
    app = await bootstrap_application(
        settings, secrets, strategy_file_name=order.name, headless=True, mqtt_autostart=True
    )
    if app is None:
        raise LaunchFailed(BAD_PASSWORD, "the keystore does not open with this password")
    return app


def hold_keys(order: LaunchOrder) -> None:
    """Give each connector its keys, in memory only: as after `connect`, but nothing is written."""
    from hummingbot.client.config.config_helpers import ClientConfigAdapter
    from hummingbot.client.config.security import Security
    from hummingbot.client.settings import AllConnectorSettings

    for connector, keys in order.keys.items():
        held = ClientConfigAdapter(AllConnectorSettings.get_connector_config_keys(connector))
        for name, value in keys.items():
            field = name if name in held.keys() else f"{connector}_{name}"  # noqa: SIM118  (not a mapping)
            setattr(held, field, value)
        Security._secure_configs[connector] = held
        AllConnectorSettings.update_connector_config_keys(held.hb_config)


async def until_connected(app: Any) -> None:
    """Wait for the bridge: a strategy that is loaded before it is up has no performance reports."""
    deadline = time.monotonic() + BROKER_S
    while app._mqtt is None or not app._mqtt.health:
        if time.monotonic() > deadline:
            raise LaunchFailed(NO_BROKER, f"the broker is out of reach for {BROKER_S:.0f} s")
        await asyncio.sleep(0.05)


async def run(order: LaunchOrder, root: Path) -> int:
    """Run the bot until SIGTERM; returns the exit code."""
    check_version(order)
    patch_root(root)
    for module, constants in order.endpoints.items():
        for name, value in constants.items():
            setattr(importlib.import_module(module), name, value)
    control = StrategyControl(order.name, is_controller=order.is_controller)
    patch_will(order.broker["tls"])
    patch_notifier()
    patch_database(order.name)
    patch_commands(control)
    over = asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, over.set)
    app = await create_application(order)
    hold_keys(order)
    control.attach(app)
    await until_connected(app)
    if not order.paused:
        with contextlib.suppress(RuntimeError):  # it stays up without a strategy, and `status` reports that
            await control.start()
    await over.wait()
    return await shut_down(app, control)


async def shut_down(app: Any, control: StrategyControl) -> int:
    """Cancel the orders and report the bot offline: as shipped, SIGTERM ends the process at once and leaves its orders."""
    try:
        await control.halt()
        code = 0
    except Exception as error:  # noqa: BLE001  (it ends in any case, and says how)
        print(json.dumps({"reason": str(error)}), file=sys.stderr, flush=True)
        code = ORDERS_LEFT
    app._mqtt.broadcast_status_update("offline", msg_type="availability")
    await asyncio.sleep(0.2)  # the bridge sends from a queue of its own, and does not say when it is empty
    return code


def main() -> int:
    try:
        try:
            order = LaunchOrder(json.load(sys.stdin))
        except (ValueError, KeyError, TypeError) as error:
            raise LaunchFailed(
                BAD_ORDER, f"what came on stdin is no launch order: {type(error).__name__}"
            ) from None
        return asyncio.run(run(order, Path(sys.argv[1]).resolve()))
    except LaunchFailed as end:
        print(json.dumps({"reason": str(end)}), file=sys.stderr, flush=True)
        return end.code


if __name__ == "__main__":
    # Connectors leave threads and tasks behind that would keep the process; everything that matters is done by now.
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
