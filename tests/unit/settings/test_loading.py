"""Settings: precedence and origins, every mistake with place and fix, and no secret in anything shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import SettingsError
from reconciler.redact import masked_url
from reconciler.settings.loading import load_settings
from reconciler.settings.model import Settings


def load(text: str = "", tmp_path: Path | None = None, environ=None, flags=None):
    file = None
    if tmp_path is not None:
        file = tmp_path / "reconciler.yaml"
        file.write_text(text)
    return load_settings(file, environ=environ or {}, flags=flags or {})


def refused(text: str, tmp_path: Path, **more) -> str:
    with pytest.raises(SettingsError) as error:
        load(text, tmp_path, **more)
    return str(error.value)


def test_without_a_file_the_defaults_apply() -> None:
    settings = load().settings

    assert settings.sync == Settings().sync
    assert list(settings.targets) == ["default"]


def test_flags_come_before_environment_before_file_before_defaults(tmp_path: Path) -> None:
    loaded = load(
        "sync: {max_deletes: 1, max_restarts: 1, retries: 1}",
        tmp_path,
        environ={"RECONCILER_SYNC__MAX_DELETES": "2", "RECONCILER_SYNC__MAX_RESTARTS": "2"},
        flags={"sync.max_deletes": "4"},
    )

    sync = loaded.settings.sync
    assert (sync.max_deletes, sync.max_restarts, sync.retries, sync.min_fleet) == (4, 2, 1, 10)
    origins = {key: origin for key, _, origin in loaded.describe()}
    assert origins["sync.max_deletes"] == "flag"
    assert origins["sync.max_restarts"] == "environment RECONCILER_SYNC__MAX_RESTARTS"
    assert origins["sync.retries"].endswith("reconciler.yaml:1:50")
    assert origins["sync.min_fleet"] == "default"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60.0), ("500ms", 0.5), ("5m", 300.0), ("1h", 3600.0), ("7", 7.0), ("1.5 s", 1.5)],
)
def test_time_spans_have_units(tmp_path: Path, text: str, seconds: float) -> None:
    assert load(f"sync: {{interval: {text}}}", tmp_path).settings.sync.interval_s == seconds


@pytest.mark.parametrize(
    ("text", "place", "what", "fix"),
    [
        ("sync:\n  max_delets: 1\n", "2:3", "no such setting", "did you mean sync.max_deletes?"),
        ("sync:\n  interval: soon\n", "2:13", "not a time span", "30s"),
        ("sync: {max_deletes: -1}\n", "1:21", "below 0", "0 or more"),
        ("sync: {max_change_fraction: 30}\n", "1:29", "not a fraction", "0 to 1"),
        ("sync: {on_invalid: ignore}\n", "1:20", "not allowed", "reject, skip"),
        ("sync: {auto: maybe}\n", "1:14", "neither true nor false", "true or false"),
        ("sync: {concurrency: 0}\n", "1:21", "not above 0", "above 0"),
        ("broker: {url: http://x}\n", "1:15", "no supported scheme", "mqtt:"),
        ("targets: {a: {root: 'x/#'}}\n", "1:21", "not a root", "hummingbot"),
        ("targets: {a: {profile: fancy}}\n", "1:24", "not allowed", "auto, basic, extended"),
        ("notifications: {channels: [pager]}\n", "1:27", "no channel 'pager'", "telegram, discord"),
        ("notifications: {level: LOUD}\n", "1:24", "not allowed", "DEBUG"),
        ("sync: {retries: 1}\nsync: {retries: 2}\n", "2:1", "a second time", "remove"),
        ("sync: [[1]]\n", "1:7", "is not a setting", "key: value"),
    ],
)
def test_a_mistake_is_reported_with_place_and_fix(
    tmp_path: Path, text: str, place: str, what: str, fix: str
) -> None:
    message = refused(text, tmp_path)

    assert f"reconciler.yaml:{place}:" in message
    assert what in message
    assert fix in message


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    message = refused("sync: {auto: x, retries: y}", tmp_path, environ={"RECONCILER_SYNC__MIN_FLEET": "z"})

    assert message.count("fix:") == 3


def test_secrets_come_from_environment_or_file_and_are_never_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-file\n")
    loaded = load(
        "broker: {url: 'mqtt://me:pw-in-url@h:1', password: '${env:PW}', api_key: k, api_secret: '${file:secret}'}",
        tmp_path,
        environ={"PW": "from-env"},
    )

    assert loaded.settings.broker.password == "from-env"
    assert loaded.settings.broker.api_secret == "from-file"
    shown = str(loaded.describe())
    assert not [secret for secret in ("from-env", "from-file", "pw-in-url") if secret in shown]
    assert "***" in shown


def test_a_missing_secret_names_the_setting_and_the_source(tmp_path: Path) -> None:
    message = refused("broker: {password: '${env:NOT_SET_ANYWHERE}', api_secret: '${file:gone}'}", tmp_path)

    assert "broker.password" in message
    assert "there is no environment variable NOT_SET_ANYWHERE" in message
    assert "set NOT_SET_ANYWHERE" in message
    assert "broker.api_secret: cannot read gone" in message


def test_a_secret_in_clear_is_warned_about(tmp_path: Path) -> None:
    (warning,) = load("broker: {password: hunter2}", tmp_path).warnings

    assert warning.path == "broker.password"
    assert "hunter2" not in str(warning)


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load("source: {repository: repo}\nstore: {url: s/state.db}", tmp_path).settings

    assert settings.source.repository == str(tmp_path / "repo")
    assert settings.store.url == str(tmp_path / "s/state.db")


@pytest.mark.parametrize("address", ["https://host/x.git", "git@host:x.git", "ssh://host/x", "file:///x"])
def test_addresses_stay_as_they_are(tmp_path: Path, address: str) -> None:
    assert load(f"source: {{repository: '{address}'}}", tmp_path).settings.source.repository == address


def test_several_targets_and_one_without_settings(tmp_path: Path) -> None:
    settings = load("targets: {eu: {root: hb/eu, basic_window: 5s}, us: {}}", tmp_path).settings

    assert list(settings.targets) == ["eu", "us"]
    assert (settings.targets["eu"].root, settings.targets["eu"].basic_window_s) == ("hb/eu", 5.0)
    assert settings.targets["us"].root == "hummingbot"


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings(tmp_path / "gone.yaml", environ={})

    assert "reconciler init" in error.value.fix


def test_an_address_is_shown_without_its_credentials() -> None:
    assert masked_url("mqtt://me:secret@host:1883") == "mqtt://***@host:1883"
