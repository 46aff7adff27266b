"""One bot's root folder (reconciler/agent/hummingbot/instance.py)."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from reconciler.agent.hummingbot.instance import (
    LAUNCHER,
    SCRIPT,
    Instance,
    client_settings,
    launch,
    make_root,
    write_strategy,
)
from reconciler.agent.hummingbot.within.spec import CONTROLLER, V1, Broker, Secrets, read_secrets, read_spec

MAKER = Instance(
    name="maker.1",
    kind=V1,
    exchange="binance",
    broker=Broker(host="broker", port=8883, namespace="desk", username="agent", tls=True),
    version="20260922",
)
SECRETS = Secrets(
    keystore_password="sesame", broker_password="broom", connectors={"binance": {"api_key": "k3y"}}
)


def instance(**changes: Any) -> Instance:
    return msgspec.structs.replace(MAKER, **changes)


def contents(root: Path) -> dict[str, str]:
    """Every file below, links by where they lead."""
    return {
        str(path.relative_to(root)): f"→ {path.readlink()}" if path.is_symlink() else path.read_text()
        for path in sorted(root.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def test_a_v1_strategy_has_its_file_its_settings_and_how_it_starts(tmp_path: Path) -> None:
    make_root(tmp_path, MAKER, "strategy: x\n")

    assert sorted(contents(tmp_path)) == [
        "conf/conf_client.yml",
        "conf/strategies/maker.1.yml",
        "launch.json",
    ]
    assert (tmp_path / "conf/strategies/maker.1.yml").read_text() == "strategy: x\n"
    spec = read_spec((tmp_path / "launch.json").read_text())
    assert spec == MAKER.spec
    assert (spec.instance_id, spec.strategy_file, spec.autostart) == ("maker.1", "maker.1.yml", True)


def test_a_controller_has_a_script_that_runs_it_and_the_users_folder(tmp_path: Path) -> None:
    controllers = tmp_path / "code"
    controllers.mkdir()
    make_root(tmp_path / "root", instance(kind=CONTROLLER, controllers=controllers), "id: maker.1\n")

    root = tmp_path / "root"
    told = yaml.safe_load((root / "conf/scripts/maker.1.yml").read_text())
    assert told == {"script_file_name": "v2_with_controllers.py", "controllers_config": ["maker.1.yml"]}
    assert (root / "conf/controllers/maker.1.yml").read_text() == "id: maker.1\n"
    assert (root / "scripts" / "v2_with_controllers.py").resolve() == SCRIPT
    assert (root / "controllers").resolve() == controllers


def test_made_twice_it_is_as_made_once_and_what_hummingbot_wrote_stays(tmp_path: Path) -> None:
    controllers = [tmp_path / "old", tmp_path / "new"]
    for folder in controllers:
        folder.mkdir()
    root = tmp_path / "root"
    for folder in (*controllers, controllers[1]):
        make_root(root, instance(kind=CONTROLLER, controllers=folder), "id: maker.1\n")
        (root / "data" / "maker.1.sqlite").write_text("trades")
        (root / "conf" / ".password_verification").write_text("check")
    make_root(tmp_path / "other", instance(kind=CONTROLLER, controllers=controllers[1]), "id: maker.1\n")

    left = contents(root)
    assert left.pop("data/maker.1.sqlite") == "trades"
    assert left.pop("conf/.password_verification") == "check"
    assert left == contents(tmp_path / "other")


def test_a_controller_without_a_folder_of_controllers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"maker\.1 is a controller"):
        make_root(tmp_path, instance(kind=CONTROLLER), "id: maker.1\n")


def test_nobody_else_may_look(tmp_path: Path) -> None:
    before = os.umask(0o000)
    try:
        make_root(tmp_path / "root", MAKER, "strategy: x\n")
    finally:
        os.umask(before)

    root = tmp_path / "root"
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (root, *root.rglob("*")) if path.is_dir()}
    assert modes == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*") if path.is_file()} == {0o600}


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("a file")

    with pytest.raises(OSError, match="root"):
        make_root(tmp_path / "root", MAKER, "strategy: x\n")


def test_a_file_is_written_anew_whole(tmp_path: Path) -> None:
    make_root(tmp_path, MAKER, "strategy: x\n" * 100)
    write_strategy(tmp_path, V1, "maker.1", "strategy: y\n")

    assert [path.read_text() for path in (tmp_path / "conf/strategies").iterdir()] == ["strategy: y\n"]


def test_nobody_is_told_of_the_bot_but_its_exchange() -> None:
    settings = client_settings(MAKER)

    assert settings["anonymized_metrics_mode"] == "anonymized_metrics_disabled"
    assert settings["send_error_logs"] is False
    assert settings["rate_oracle_source"] == {"name": "binance"}
    assert settings["paper_trade"] == {"paper_trade_exchanges": []}


def test_paper_trade_asks_the_exchange_that_it_imitates_and_no_other() -> None:
    settings = client_settings(instance(exchange="kucoin_paper_trade"))

    assert settings["paper_trade"] == {"paper_trade_exchanges": ["kucoin"]}
    assert settings["rate_oracle_source"] == {"name": "kucoin"}


def test_an_exchange_that_gives_no_rates_leaves_hummingbots_source() -> None:
    assert "rate_oracle_source" not in client_settings(instance(exchange="bitmart"))


def test_the_bridge_leads_to_the_broker_and_its_password_is_not_written(tmp_path: Path) -> None:
    make_root(tmp_path, MAKER, "strategy: x\n")
    bridge = yaml.safe_load((tmp_path / "conf/conf_client.yml").read_text())["mqtt_bridge"]

    assert (bridge["mqtt_host"], bridge["mqtt_port"], bridge["mqtt_ssl"]) == ("broker", 8883, True)
    assert (bridge["mqtt_namespace"], bridge["mqtt_autostart"]) == ("desk", True)
    assert not {"mqtt_username", "mqtt_password"} & bridge.keys()


def test_secrets_go_over_the_pipe_and_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_KEYSTORE_PASSWORD", "sesame")
    make_root(tmp_path, MAKER, "strategy: x\n")
    how = launch(Path(sys.executable), tmp_path, SECRETS)

    assert read_secrets(how.secret.decode()) == SECRETS
    seen = [*how.argv, *how.env, *how.env.values(), *contents(tmp_path).values(), repr(how)]
    assert not [text for text in seen if any(secret in text for secret in ("sesame", "broom", "k3y"))]


def test_a_list_of_processes_shows_whose_bot_it_is(tmp_path: Path) -> None:
    how = launch(Path("/opt/hummingbot/bin/python"), tmp_path, SECRETS)

    assert how.argv == (
        "/opt/hummingbot/bin/python",
        "-I",
        str(LAUNCHER),
        str(tmp_path / "launch.json"),
        str(tmp_path),
    )
    assert LAUNCHER.is_file()
