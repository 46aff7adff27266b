"""
Every deliberate error, as one tree: one leaf per reaction, not per cause.

ReconcilerError
├── InvalidFiles      the tree is wrong: fix the YAML              exit 5
├── SettingsError     reconciler.yaml, a flag or the environment   exit 1
├── PlanRefused       right, but too big: a person decides         exit 3
├── PlanStale         a saved plan whose world has moved           exit 3
├── LiveUnknown       cannot see the bots: wait                    exit 4
├── SourceError       Git is out of reach: retried
├── BrokerError       MQTT is out of reach: retried
│   └── BrokerRefused the broker said no (password, TLS): ends the start
├── StoreError        the state file cannot be used
│   └── StoreBusy     another process is applying with it: waited for
├── SchemaError       schemas cannot be made or found
└── CommandRejected   the bot said no: reported, retried only if the code says so

The CLI catches ReconcilerError once; anything else is a bug and shows its traceback.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence


class ExitCode(IntEnum):
    """What every command's exit code means (plan.md, Exit codes)."""

    OK = 0
    ERROR = 1
    CHANGES = 2
    REFUSED = 3
    UNKNOWN = 4
    INVALID = 5


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


class Location(msgspec.Struct, frozen=True, order=True, gc=False):
    """A place in a file; `line` and `column` count from 1, 0 means the whole file or line."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        parts = [self.file, *(str(n) for n in (self.line, self.column) if n)]
        return ":".join(parts)


class Problem(msgspec.Struct, frozen=True, order=True, gc=False):
    """One thing wrong with one place: what it is and how to fix it.

    `path` is the dotted way to the value, such as `config.bid_spread`; empty for a whole file.
    """

    location: Location
    path: str
    what: str
    fix: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        place = f"{self.location}: {self.path}: " if self.path else f"{self.location}: "
        return f"{place}{self.what}\n    fix: {self.fix}"


class ReconcilerError(Exception):
    """Root of all errors that we raise on purpose.

    `fix` is what the reader can do about it; shown on a line of its own, empty when `str(self)` says it.
    """

    exit_code = ExitCode.ERROR

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class InvalidFiles(ReconcilerError):
    """Files of the tree are wrong; `problems` holds all of them in file order."""

    exit_code = ExitCode.INVALID

    def __init__(self, problems: Sequence[Problem]) -> None:
        errors = sum(problem.severity is Severity.ERROR for problem in problems)
        super().__init__(f"{errors} problem{'s' if errors != 1 else ''} in strategy files")
        self.problems = tuple(sorted(problems))


class SettingsError(ReconcilerError):
    """reconciler.yaml, a flag or an environment variable is wrong."""


class PlanRefused(ReconcilerError):
    """The plan is bigger than a brake allows; the message has both numbers and the command to go on."""

    exit_code = ExitCode.REFUSED


class PlanStale(ReconcilerError):
    """A saved plan was made from a commit or a live state that is no longer the one in force."""

    exit_code = ExitCode.REFUSED


class LiveUnknown(ReconcilerError):
    """The bots cannot be seen completely or freshly enough to decide."""

    exit_code = ExitCode.UNKNOWN


class SourceError(ReconcilerError):
    """Git did not give us a revision: unreachable, no such ref, an unsigned commit. Retried."""


class BrokerError(ReconcilerError):
    """The MQTT broker cannot be reached, or we are not connected. Retried."""


class BrokerRefused(BrokerError):
    """The broker refused us for a reason that seldom passes (password, TLS).

    A start fails at once; a client that was connected before goes on trying.
    """


class StoreError(ReconcilerError):
    """The state file cannot be opened, locked or read."""


class StoreBusy(StoreError):
    """Another process is applying with this store."""


class SchemaError(ReconcilerError):
    """Schemas cannot be made from Hummingbot, or there are none of the version that is asked for."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message, fix=fix)


class CommandRejected(ReconcilerError):
    """A peer answered a command with an error; `code` is the wire's error_code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.reason = message
