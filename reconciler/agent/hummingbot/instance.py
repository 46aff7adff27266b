"""
The root folder of one bot: what Hummingbot finds when the launcher starts it. Touches files.

    root/launch.json                          how the launcher starts it (within/spec.py)
    root/conf/conf_client.yml                 Hummingbot's own settings; nobody outside is told anything
    root/conf/strategies/NAME.yml             v1: the strategy
    root/conf/controllers/NAME.yml            v2: the controller, and
    root/conf/scripts/NAME.yml                what the script that runs it is told
    root/scripts/v2_with_controllers.py  →    that script (within/scripts)
    root/controllers                     →    the user's folder
    root/conf/{connectors,.password_verification}   made by the launcher, which has Hummingbot's code and the secrets

    make_root(root, Instance(name="maker-1", kind=V1, …), to_yaml(file))
    start = launch(python, root, Secrets(keystore_password=…, connectors=…))

Rule 1: made twice, it is as made once; what Hummingbot wrote meanwhile (logs, data, its keystore) stays.
Rule 2: folders 0700, files 0600; no secret is written here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import yaml

from reconciler.agent.hummingbot.home import write_whole
from reconciler.agent.hummingbot.inside import Launch
from reconciler.agent.hummingbot.within.spec import CONTROLLER, V1, Broker, Secrets, Spec

FOLDERS = {V1: "conf/strategies", CONTROLLER: "conf/controllers"}
"""Kind of a strategy → where its file stands."""

MADE = (
    "conf/strategies",
    "conf/scripts",
    "conf/controllers",
    "conf/connectors",
    "logs",
    "data",
    "certs",
    "scripts",
)

SPEC = "launch.json"

_HERE = Path(__file__).resolve().parent

LAUNCHER = _HERE / "launcher.py"
SCRIPT = _HERE / "within" / "scripts" / "v2_with_controllers.py"

PAPER = "_paper_trade"

RATE_SOURCES = frozenset({"binance", "coinbase_advanced_trade", "gate_io", "hyperliquid", "kucoin", "mexc"})
"""Exchanges that Hummingbot takes prices from without being asked for more (client_config_map.py, RATE_SOURCE_MODES)."""

PASSED_ON = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
"""Of the agent's environment: its secrets may stand there too."""


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One bot. `name`: of its strategy, its file and its database. `exchange`: the connector that it trades on.

    `controllers`: folder of the user's controllers, needed for kind CONTROLLER. The rest: within/spec.py.
    """

    name: str
    kind: str
    exchange: str
    broker: Broker
    version: str
    instance_id: str = ""
    autostart: bool = True
    allow_unknown_version: bool = False
    controllers: Path | None = None
    constants: dict[str, dict[str, str]] = {}

    @property
    def spec(self) -> Spec:
        return Spec(
            instance_id=self.instance_id or self.name,
            kind=self.kind,
            strategy_file=f"{self.name}.yml",
            broker=self.broker,
            version=self.version,
            autostart=self.autostart,
            allow_unknown_version=self.allow_unknown_version,
            constants=self.constants,
        )


def make_root(root: Path, instance: Instance, strategy: str) -> None:
    """Make or renew a bot's root folder. `strategy`: the text of its strategy's or controller's file.

    Raises:
        OSError: it cannot be written.
        ValueError: a controller, and no folder of controllers.
    """
    for folder in ("", "conf", *MADE):
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder).chmod(0o700)
    _write(root / "conf" / "conf_client.yml", yaml.safe_dump(client_settings(instance), sort_keys=False))
    if instance.kind == CONTROLLER:
        _make_controller(root, instance)
    write_strategy(root, instance.kind, instance.name, strategy)
    _write(root / SPEC, instance.spec.to_json())


def write_strategy(root: Path, kind: str, name: str, text: str) -> None:
    """Write the file of a strategy or a controller anew; a controller that runs reads it again by itself."""
    _write(root / FOLDERS[kind] / f"{name}.yml", text)


def launch(python: Path, root: Path, secrets: Secrets) -> Launch:
    """How to begin the process for a root folder that was made. `python`: Hummingbot's interpreter."""
    return Launch(
        argv=(str(python), "-I", str(LAUNCHER), str(root / SPEC), str(root)),
        env={"HOME": str(root), **{name: os.environ[name] for name in PASSED_ON if name in os.environ}},
        secret=secrets.to_json().encode(),
    )


def client_settings(instance: Instance) -> dict[str, Any]:
    """conf_client.yml, as far as it must not be Hummingbot's default; Hummingbot adds the rest.

    Nobody outside hears of a bot but its exchange: anonymized metrics and error logs are sent by default, and exchange
    rates come from a third exchange unless its own can give them. Name and password of the broker are told later.
    """
    exchange = instance.exchange.removesuffix(PAPER)
    spec = instance.spec
    settings: dict[str, Any] = {
        "instance_id": spec.instance_id,
        "send_error_logs": False,
        "anonymized_metrics_mode": "anonymized_metrics_disabled",
        "fetch_pairs_from_all_exchanges": False,
        "mqtt_bridge": {
            "mqtt_host": spec.broker.host,
            "mqtt_port": spec.broker.port,
            "mqtt_namespace": spec.broker.namespace,
            "mqtt_ssl": spec.broker.tls,
            "mqtt_autostart": True,
        },
    }
    if exchange != instance.exchange:
        settings["paper_trade"] = {"paper_trade_exchanges": [exchange]}
    if exchange in RATE_SOURCES:
        settings["rate_oracle_source"] = {"name": exchange}
    return settings


def _make_controller(root: Path, instance: Instance) -> None:
    """The script that runs controllers, what it is told, and the code of the controllers themselves."""
    if instance.controllers is None:
        raise ValueError(f"{instance.name} is a controller, and there is no folder of controllers")
    told = {"script_file_name": SCRIPT.name, "controllers_config": [f"{instance.name}.yml"]}
    _write(root / "conf" / "scripts" / f"{instance.name}.yml", yaml.safe_dump(told))
    _link(root / "scripts" / SCRIPT.name, SCRIPT)
    _link(root / "controllers", instance.controllers.resolve())


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def _write(file: Path, text: str) -> None:
    write_whole(file, text.encode())
