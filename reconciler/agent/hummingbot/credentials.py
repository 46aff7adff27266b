"""
The agent's own secrets: which account may trade where, with which keys.

Rule 1: a secret is in no message, no repr and no argument: it goes to its bot over a pipe.
Rule 2: a file that others can read is refused, not read. systemd guards its own folder.

Where they come from, later ones before earlier ones, key by key:

    the accounts file                               accounts: {desk-1: {binance: {api_key: …, api_secret: …}}}
                                                    keystore_password: …
    $CREDENTIALS_DIRECTORY/accounts (systemd)       the same
    AGENT_ACCOUNT__DESK_1__BINANCE__API_KEY         one key; what is no letter or digit of a name is _
    AGENT_KEYSTORE_PASSWORD
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
import yaml

from reconciler.errors import SettingsError

PREFIX = "AGENT_ACCOUNT__"
PASSWORD_VARIABLE = "AGENT_KEYSTORE_PASSWORD"  # noqa: S105  (a variable's name)
FOLDER_VARIABLE = "CREDENTIALS_DIRECTORY"
"""systemd.exec(5), Credentials."""

FILE = "accounts"
PAPER = "_paper_trade"

_OTHERS = stat.S_IRWXG | stat.S_IRWXO

Keys = dict[str, str]
"""A connector's own field names to their values: `api_key`, `api_secret`, for some also others."""


class Credentials(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`accounts`: profile → connector → keys. `keystore_password`: of the bots' keystores; empty: none is given."""

    accounts: dict[str, dict[str, Keys]] = {}
    keystore_password: str = ""

    def __repr__(self) -> str:
        """Names only, since it may come into a traceback."""
        return f"{type(self).__name__}({', '.join(sorted(self.accounts))})"

    def keys(self, account: str, connector: str) -> Keys:
        """The keys of an account for a connector; none if it has none."""
        return self.accounts.get(account, {}).get(connector, {})

    def missing(self, account: str, connectors: Iterable[str]) -> list[str]:
        """Of `connectors`, those that need keys which `account` does not have; paper trade needs none."""
        return sorted(
            {name for name in connectors if not name.endswith(PAPER) and not self.keys(account, name)}
        )


def load_credentials(
    file: Path | None, names: Iterable[str], environ: Mapping[str, str] | None = None
) -> Credentials:
    """Put together what the agent holds. `names`: accounts that there may be beside the file's.

    Raises:
        SettingsError: a file is open to others or cannot be read, or a variable names no account.
    """
    environ = os.environ if environ is None else environ
    found = Credentials()
    if file is not None:
        _add(found, _read(file, guarded=False))
    folder = environ.get(FOLDER_VARIABLE)
    if folder and (Path(folder) / FILE).exists():
        _add(found, _read(Path(folder) / FILE, guarded=True))
    for name in names:
        found.accounts.setdefault(name, {})
    _add_variables(found, environ)
    return found


def _add(found: Credentials, more: Credentials) -> None:
    for account, connectors in more.accounts.items():
        for connector, keys in connectors.items():
            found.accounts.setdefault(account, {}).setdefault(connector, {}).update(keys)
    found.keystore_password = more.keystore_password or found.keystore_password


def _add_variables(found: Credentials, environ: Mapping[str, str]) -> None:
    known = {_as_variable(name): name for name in found.accounts}
    for variable, value in environ.items():
        if not variable.startswith(PREFIX):
            continue
        account, _, rest = variable.removeprefix(PREFIX).partition("__")
        connector, _, field = rest.lower().partition("__")
        if account not in known or not field:
            raise SettingsError(
                f"{variable}: no account is held under such a name",
                fix=f"write {PREFIX}ACCOUNT__CONNECTOR__KEY, and name the account with --account",
            )
        found.accounts[known[account]].setdefault(connector, {})[field] = value
    found.keystore_password = environ.get(PASSWORD_VARIABLE) or found.keystore_password


def _as_variable(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


def _read(file: Path, *, guarded: bool) -> Credentials:
    """Read an accounts file; what is wrong with it is said without what it says."""
    try:
        with file.open("rb") as opened:
            if not guarded:
                _refuse_open_to_others(file, os.fstat(opened.fileno()))
            data = opened.read()
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}", fix="mend the path or the file's rights") from error
    try:
        return msgspec.convert(yaml.safe_load(data), Credentials)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SettingsError(f"{file}:{line}: not YAML", fix="mend the syntax there") from None
    except (msgspec.ValidationError, yaml.YAMLError, UnicodeDecodeError):
        raise SettingsError(
            f"{file}: not an accounts file",
            fix="write accounts: {NAME: {CONNECTOR: {api_key: TEXT, api_secret: TEXT}}}, numbers in quotes",
        ) from None


def _refuse_open_to_others(file: Path, found: os.stat_result) -> None:
    if found.st_mode & _OTHERS:
        mode = stat.S_IMODE(found.st_mode)
        raise SettingsError(f"{file}: others may read it (mode {mode:04o})", fix=f"run: chmod 600 {file}")
    if found.st_uid not in {0, os.geteuid()}:
        raise SettingsError(f"{file}: belongs to another user", fix=f"run: chown {os.geteuid()} {file}")
