"""The agent's own secrets (reconciler/agent/hummingbot/credentials.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.agent.hummingbot.credentials import Credentials, load_credentials
from reconciler.errors import SettingsError

TEXT = """
accounts:
  desk-1:
    binance: {api_key: k1, api_secret: s1}
keystore_password: open sesame
"""


def accounts_file(folder: Path, text: str = TEXT, mode: int = 0o600) -> Path:
    file = folder / "accounts"
    file.write_text(text)
    file.chmod(mode)
    return file


def problem(file: Path | None, environ: dict[str, str] | None = None, *names: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load_credentials(file, names, environ or {})
    return caught.value


def test_a_file_holds_accounts_and_the_password(tmp_path: Path) -> None:
    found = load_credentials(accounts_file(tmp_path), (), {})

    assert found.keys("desk-1", "binance") == {"api_key": "k1", "api_secret": "s1"}
    assert found.keystore_password == "open sesame"


def test_without_any_source_there_are_names_without_keys() -> None:
    found = load_credentials(None, ("default",), {})

    assert list(found.accounts) == ["default"]
    assert found.keys("default", "binance") == {}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o777], ids=oct)
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = accounts_file(tmp_path, mode=mode)

    error = problem(file)

    assert str(error) == f"{file}: others may read it (mode {mode:04o})"
    assert error.fix == f"run: chmod 600 {file}"


def test_systemd_guards_its_own_folder(tmp_path: Path) -> None:
    accounts_file(tmp_path, mode=0o440)  # the group's bits are the mask of an access list there

    found = load_credentials(None, (), {"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert found.keys("desk-1", "binance")["api_secret"] == "s1"


def test_a_systemd_folder_without_accounts_is_fine(tmp_path: Path) -> None:
    assert load_credentials(None, (), {"CREDENTIALS_DIRECTORY": str(tmp_path)}).accounts == {}


def test_variables_name_one_key_each() -> None:
    environ = {
        "AGENT_ACCOUNT__DESK_1__BINANCE_PERPETUAL__API_KEY": "k",
        "AGENT_ACCOUNT__DESK_1__BINANCE_PERPETUAL__API_SECRET": "s",
        "AGENT_KEYSTORE_PASSWORD": "p",
        "PATH": "/bin",
    }
    found = load_credentials(None, ("desk-1",), environ)

    assert found.keys("desk-1", "binance_perpetual") == {"api_key": "k", "api_secret": "s"}
    assert found.keystore_password == "p"


def test_a_variable_comes_before_the_file_and_leaves_the_other_keys(tmp_path: Path) -> None:
    environ = {"AGENT_ACCOUNT__DESK_1__BINANCE__API_SECRET": "s2"}

    found = load_credentials(accounts_file(tmp_path), (), environ)

    assert found.keys("desk-1", "binance") == {"api_key": "k1", "api_secret": "s2"}


@pytest.mark.parametrize(
    "variable", ["AGENT_ACCOUNT__DESK_2__BINANCE__API_KEY", "AGENT_ACCOUNT__DESK_1__KEY"]
)
def test_a_variable_that_means_no_account_is_an_error_that_keeps_its_value(variable: str) -> None:
    error = problem(None, {variable: "top-secret"}, "desk-1")

    assert variable in str(error)
    assert "--account" in error.fix
    assert "top-secret" not in f"{error}{error.fix}"


BROKEN = {
    "yaml": "accounts: {desk: [top-secret",
    "number": "accounts: {desk: {binance: {api_key: 12345678}}}",
    "shape": "accounts: [top-secret]",
    "unknown": "acounts: {}\n",
    "bytes": "a\u0001: top-secret",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_refused_without_a_word_of_what_it_says(tmp_path: Path, kind: str) -> None:
    error = problem(accounts_file(tmp_path, BROKEN[kind]))

    shown = f"{error} {error.fix} {error.__cause__} {error!r}"
    assert str(tmp_path / "accounts") in shown
    assert "top-secret" not in shown
    assert "12345678" not in shown


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    error = problem(tmp_path / "nowhere")

    assert str(error) == f"{tmp_path}/nowhere: No such file or directory"


def test_secrets_are_in_no_repr(tmp_path: Path) -> None:
    found = load_credentials(accounts_file(tmp_path), (), {})

    assert repr(found) == str(found) == "Credentials(desk-1)"


def test_what_is_missing_is_named_and_paper_trade_needs_nothing(tmp_path: Path) -> None:
    found = load_credentials(accounts_file(tmp_path), ("default",), {})

    assert found.missing("desk-1", ["kucoin", "binance", "binance_paper_trade"]) == ["kucoin"]
    assert found.missing("default", ["binance", "binance"]) == ["binance"]
    assert found.missing("nobody", ["binance"]) == ["binance"]


def test_one_connector_s_empty_keys_are_none() -> None:
    assert Credentials(accounts={"a": {"binance": {}}}).missing("a", ["binance"]) == ["binance"]
