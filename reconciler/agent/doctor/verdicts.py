"""
Facts → verdicts: one function for each check, which reports all that was seen.

Rule 1: pure: a verdict depends on its fact alone.
Rule 2: `missing` is what keeps bots from running or trading; `warning` is what will, or may, one day.
Rule 3: every verdict that is not `ok` says how to repair it.
Rule 4: what was not looked at is not called good.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from reconciler.agent.doctor.facts import (
    Accounts,
    Broker,
    Clock,
    ControllersFolder,
    Disk,
    Environment,
    Memory,
    Port,
    State,
)

INSTALL = "reconciler agent install"

BOT_BYTES = 250_000_000
"""Resident memory of one bot (hummingbot.md, Start one instance)."""

OLDEST_PYTHON = (3, 10, 12)
"""hummingbot 20260922's Requires-Python."""

LOW_DISK_BYTES = 2_000_000_000
"""Logs and databases of a few bots fill this within weeks."""

OFF_S, FAR_OFF_S = 1.0, 5.0
"""Exchanges refuse signed requests that are so old: Binance's recvWindow is 5 s."""

MADE_IN = 2026
"""No clock that is right shows an earlier year."""

REACHABLE = "set broker.url to mqtt://HOST:PORT"

_OTHERS_WRITE = 0o022


class CheckVerdict(StrEnum):
    """How a check ended; the value is what people see."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "missing"


class CheckResult(msgspec.Struct, frozen=True):
    """One line: what was checked, how it is, what was seen, and how to repair it."""

    check: str
    verdict: CheckVerdict
    seen: str
    fix: str = ""


Judged = tuple[CheckVerdict, str, str]
"""The verdict, what was seen, the fix."""


def _ok(seen: str) -> Judged:
    return CheckVerdict.OK, seen, ""


def _warning(seen: str, fix: str) -> Judged:
    return CheckVerdict.WARNING, seen, fix


def _missing(seen: str, fix: str) -> Judged:
    return CheckVerdict.MISSING, seen, fix


# Hummingbot's interpreter.


def interpreter(found: Environment) -> Judged:
    """Whether there is one, of a version that Hummingbot takes, in which Hummingbot can be imported."""
    if found.python is None:
        return _missing(f"no environment at {found.expected}", INSTALL)
    if not found.python_version:
        return _missing(f"{found.python} does not answer: {found.error}", _remake(found))
    seen = f"{found.python}, Python {found.python_version}"
    if tuple(int(part) for part in found.python_version.split(".") if part.isdecimal()) < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        return _missing(
            f"{seen}, older than {oldest}", f"{INSTALL} --force --python python3.11  (or a newer one)"
        )
    if found.error:
        return _missing(f"{seen}, cannot import hummingbot: {found.error}", _remake(found))
    if found.changed:
        return _warning(f"{seen}; packages were changed since it was made", _remake(found))
    return _ok(seen)


def package(found: Environment) -> Judged:
    """Whether it is the Hummingbot that the settings name, and one that we know."""
    if found.python is None or not found.python_version:
        return _missing("no interpreter to look into", INSTALL)
    if found.hummingbot is None:
        return _missing(f"{found.python} has no hummingbot", _remake(found))
    if found.hummingbot != found.wanted:
        return _missing(
            f"hummingbot {found.hummingbot}, but hummingbot_version is {found.wanted}",
            f"{INSTALL} --version {found.wanted}, or set hummingbot_version",
        )
    if found.wanted not in found.known:
        return _missing(
            f"hummingbot {found.wanted}, which has no schemas (known: {', '.join(found.known)})",
            "reconciler schema generate",
        )
    return _ok(f"hummingbot {found.hummingbot}")


def _remake(found: Environment) -> str:
    return f"name another with --hummingbot-python, or {INSTALL}" if found.chosen else f"{INSTALL} --force"


# The machine.


def disk(found: Disk) -> Judged:
    """Whether there is room for what bots write, and for Hummingbot where that is still to come."""
    needed = found.least if found.installed else found.least + found.installation
    seen = f"{_gb(found.free)} of {_gb(found.total)} free at {found.place}"
    if found.free < needed:
        return _missing(f"{seen}, {_gb(needed)} needed", "free some, or name another --state-dir")
    if found.free < max(needed, LOW_DISK_BYTES):
        return _warning(f"{seen}, less than {_gb(LOW_DISK_BYTES)}", "free some before logs fill it")
    return _ok(seen)


def memory(found: Memory) -> Judged:
    """Whether bots fit; those that run already have theirs."""
    room = found.available // BOT_BYTES
    seen = f"{_gb(found.available)} available, room for about {room} more bots of {BOT_BYTES // 1_000_000} MB"
    if room < 1:
        return _missing(seen, "free some, or raise the limit of the container or unit")
    if room < found.wanted:
        return _warning(f"{seen}; {found.wanted} strategies are to run", "run fewer here, or add memory")
    return _ok(seen)


def clock(found: Clock) -> Judged:
    """Whether the clock is right, as far as it could be compared."""
    keep = "synchronise it: timedatectl set-ntp true"
    if found.year < MADE_IN:
        return _missing(f"the clock says {found.year}", keep)
    if found.offset_s is not None and abs(found.offset_s) > OFF_S:
        ahead = "ahead of" if found.offset_s > 0 else "behind"
        judge = _missing if abs(found.offset_s) > FAR_OFF_S else _warning
        return judge(f"{abs(found.offset_s):.0f} s {ahead} {found.source}", keep)
    kept = {
        True: "synchronised by NTP, according to the kernel",
        False: "not synchronised",
        None: "the kernel does not report whether it is synchronised",
    }
    compared = f"; as {found.source} has it, within {OFF_S:.0f} s" if found.offset_s is not None else ""
    if found.source and found.offset_s is None:
        return _warning(
            f"{kept[found.kept]}; {found.source} did not answer: {found.error}", "correct --time-from"
        )
    if compared:
        return _ok(f"{kept[found.kept]}{compared}")
    seen = f"{kept[found.kept]}; compared with no other clock"
    return _ok(seen) if found.kept else _warning(seen, f"{keep}, or compare it: --time-from URL")


# The wire.


def port(found: Port) -> Judged:
    """Whether anything listens where the broker should be."""
    if found.embedded:
        return _missing(f"{found.address} has no address that bots could connect to", REACHABLE)
    if found.error:
        return _missing(
            f"{found.address}: {found.error}", "start the broker, open the firewall, or correct broker.url"
        )
    return _ok(f"{found.address} is open; the agent itself listens nowhere")


def broker(found: Broker) -> Judged:
    """Whether the agent may connect, subscribe and publish, and whether another agent is there."""
    who = f"as {found.username}" if found.username else "without a name"
    if found.error:
        return _missing(found.error, found.fix or "check that broker.url, username and password are right")
    seen = f"{found.address} {who}, answers in {found.round_trip_s * 1000:.0f} ms"
    if found.others:
        names = ", ".join(found.others)
        return _warning(
            f"{seen}; said to be online under this root: {names}",
            "fine if that is this one; else stop it, or give this agent another --root",
        )
    return _ok(seen)


# What the agent holds.


def accounts(found: Accounts) -> Judged:
    """Whether every account that a strategy names has the keys that the strategy needs."""
    if found.error:
        return _missing(found.error, found.fix)
    lines = []
    for profile in found.profiles:
        parts = [f"keys for {', '.join(profile.connectors)}" if profile.connectors else "no keys"]
        if profile.lacking:
            parts.append(f"none for {', '.join(profile.lacking)}, needed by {', '.join(profile.used_by)}")
        lines.append(f"{profile.name}: {', '.join(parts)}")
    seen = "; ".join(lines) or "no account is held"
    seen = f"{seen}; keystore password {'held' if found.password else 'none'}"
    if one := next((profile for profile in found.profiles if profile.lacking), None):
        return _missing(
            seen,
            f"give {one.name} keys for {one.lacking[0]}: in --accounts-file,"
            f" or AGENT_ACCOUNT__{_variable(one.name)}__{_variable(one.lacking[0])}__API_KEY",
        )
    if not any(profile.connectors for profile in found.profiles):
        return _warning(seen, "fine for paper trade; else name a file with --accounts-file")
    return _ok(seen)


def _variable(name: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name.upper())


def controllers(found: ControllersFolder) -> Judged:
    """Whether v2 strategies find their code."""
    name = "name the controllers folder of a Hummingbot checkout with --controllers"
    if found.folder is None:
        if found.needed_by:
            return _missing(f"no folder is named, and {', '.join(found.needed_by)} need one", name)
        return _ok("no folder is named; only v2 strategies need one")
    if found.error:
        return _missing(f"{found.folder}: {found.error}", name)
    if not found.files:
        return _missing(f"{found.folder}: no Python file in it", name)
    return _ok(f"{found.folder}, {found.files} Python files")


def state(found: State) -> Judged:
    """Whether an agent can work in its folder, and none does."""
    if not found.writable:
        return _missing(
            f"{found.folder}: cannot be written by this user",
            "fix its permissions, or name another --state-dir",
        )
    if found.error:
        return _missing(found.error, "move it away, or use the version of the agent that wrote it")
    if found.mode is None:
        return _ok(f"{found.folder}: not there yet, will be made")
    seen = f"{found.folder}, {found.strategies} strategies"
    if found.holder:
        return _warning(
            f"{seen}; an agent works in it (process {found.holder})",
            "fine if that is the one you mean; a second one would refuse to start",
        )
    if found.mode & _OTHERS_WRITE:
        return _warning(
            f"{seen}; others may write into it (mode {found.mode:04o})", f"chmod 700 {found.folder}"
        )
    return _ok(seen)


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
