"""
The agent's own secrets: the exchange keys of each account, and the password of the bots' keystores.

Rule 1: a secret is in no message, repr or argument: it reaches its bot over a pipe.
Rule 2: a file that others can read is refused, not read. systemd protects its own folder.

Sources; a later one replaces an earlier one, key by key:

    the accounts file                               accounts: {desk-1: {binance: {api_key: …, api_secret: …}}}
                                                    keystore_password: …
    $CREDENTIALS_DIRECTORY/accounts (systemd)       the same
    AGENT_ACCOUNT__DESK_1__BINANCE__API_KEY         one key; _ for what is no letter or digit of a name
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
    """`accounts`: account → connector → keys. `keystore_password`: of the bots' keystores; empty: a random one."""

    accounts: dict[str, dict[str, Keys]] = {}
    keystore_password: str = ""

    def __repr__(self) -> str:
        """Names only, since it may get into a traceback."""
        return f"{type(self).__name__}({', '.join(sorted(self.accounts))})"

    def keys(self, account: str, connector: str) -> Keys:
        """Return the keys of an account for a connector; an empty dict if it has none."""
        return self.accounts.get(account, {}).get(connector, {})

    def missing(self, account: str, connectors: Iterable[str]) -> list[str]:
        """Return those of `connectors` that need keys which `account` does not have; paper trade needs none."""
        return sorted(
            {name for name in connectors if not name.endswith(PAPER) and not self.keys(account, name)}
        )


def load_credentials(
    file: Path | None, names: Iterable[str], environ: Mapping[str, str] | None = None
) -> Credentials:
    """Merge all sources. `names`: accounts that may exist besides those of the files.

    Raises:
        SettingsError: a file is open to others or cannot be read, or a variable names no account.
    """
    environ = os.environ if environ is None else environ
    found = Credentials()
    folder = environ.get(FOLDER_VARIABLE)
    read = [_read(file, guarded=False)] if file is not None else []
    if folder and (Path(folder) / FILE).exists():
        read.append(_read(Path(folder) / FILE, guarded=True))
    for each in read:
        for account, connectors in each.accounts.items():
            for connector, keys in connectors.items():
                found.accounts.setdefault(account, {}).setdefault(connector, {}).update(keys)
        found.keystore_password = each.keystore_password or found.keystore_password
    for name in names:
        found.accounts.setdefault(name, {})
    _add_variables(found, environ)
    found.keystore_password = environ.get(PASSWORD_VARIABLE) or found.keystore_password
    return found


def _add_variables(found: Credentials, environ: Mapping[str, str]) -> None:
    """Add the keys that variables hold: AGENT_ACCOUNT__NAME__CONNECTOR__KEY, names as in the module's docstring."""
    known = {re.sub(r"[^A-Z0-9]", "_", name.upper()): name for name in found.accounts}
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


def _read(file: Path, *, guarded: bool) -> Credentials:
    """Read an accounts file; its errors never quote it. `guarded`: its folder keeps others out."""
    try:
        with file.open("rb") as opened:
            if not guarded:
                status = os.fstat(opened.fileno())
                if status.st_mode & _OTHERS:
                    mode = stat.S_IMODE(status.st_mode)
                    raise SettingsError(
                        f"{file}: others may read it (mode {mode:04o})", fix=f"run: chmod 600 {file}"
                    )
                if status.st_uid not in {0, os.geteuid()}:
                    raise SettingsError(
                        f"{file}: belongs to another user", fix=f"run: chown {os.geteuid()} {file}"
                    )
            data = opened.read()
    except OSError as error:
        raise SettingsError(
            f"{file}: {error.strerror}", fix="correct the path or the file's permissions"
        ) from error
    try:
        return msgspec.convert(yaml.safe_load(data), Credentials)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SettingsError(f"{file}:{line}: not YAML", fix="fix the syntax there") from None
    except (msgspec.ValidationError, yaml.YAMLError, UnicodeDecodeError):
        raise SettingsError(
            f"{file}: not an accounts file",
            fix="write accounts: {NAME: {CONNECTOR: {api_key: TEXT, api_secret: TEXT}}}, numbers in quotes",
        ) from None
