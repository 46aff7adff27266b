"""
Gathers the facts that the checks judge: the machine, what the agent holds, the broker.

Every probe only reads, every wait has a limit, and what cannot be seen is part of the fact, not an exception.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import http.client
import os
import secrets
import shutil
import stat
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

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
    Profile,
    State,
)
from reconciler.agent.doctor.verdicts import REACHABLE
from reconciler.agent.hummingbot.credentials import load_credentials
from reconciler.agent.hummingbot.options import BotOptions
from reconciler.agent.hummingbot.reconfigure import is_controller
from reconciler.agent.install.environment import (
    Probe,
    default_folder,
    digest,
    hummingbot_python,
    probe,
    read_marker,
)
from reconciler.agent.install.installer import NEEDED_BYTES
from reconciler.agent.journal import holder_of, read_strategies
from reconciler.agent.model import Strategy
from reconciler.agent.settings import AgentSettings
from reconciler.catalog import Catalog
from reconciler.catalog.loading import load_catalog, versions
from reconciler.errors import ReconcilerError, SchemaError, StoreError
from reconciler.model.spec import Wish
from reconciler.protocol.messages import MalformedMessage
from reconciler.protocol.reports import decode_presence
from reconciler.protocol.topics import TopicKind, Topics
from reconciler.redact import masked_url
from reconciler.transport.address import PORTS, parse_address, split_url
from reconciler.transport.base import Message, Publish
from reconciler.transport.factory import open_transport

CLOCK_LIMIT_S = 10.0
"""For the answer of another host's clock."""

BROKER_LIMIT_S = 30.0
"""For everything at the broker: it answers within milliseconds, over a bad line within seconds."""

QUIET_S = 0.3
"""Retained presences arrive together after the subscription."""

TRIAL = b"doctor"
"""No valid response: reconcilers ignore it (fleet/commands.py), and it is not retained."""

_MEMINFO = Path("/proc/meminfo")
_LIMIT, _USED = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
"""Of the container that this process runs in; outside of one they do not exist (cgroups(7))."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """The agent that is examined: as it would start with these settings.

    `time_from`: an address whose Date is compared with the clock; empty: none.
    """

    settings: AgentSettings
    time_from: str = ""

    @property
    def options(self) -> BotOptions:
        """What is set for real bots."""
        return self.settings.bots

    @property
    def state(self) -> Path:
        """The agent's state folder."""
        return self.settings.folder

    @property
    def python(self) -> Path | None:
        """The interpreter that bots would get."""
        return self.options.python or hummingbot_python(self.state, self.settings.hummingbot_version)


# The machine.


async def environment(subject: Subject) -> Environment:
    """Run the interpreter that bots would get, and look which Hummingbot it has."""
    settings, python, chosen = subject.settings, subject.python, subject.options.python
    folder = default_folder(subject.state, settings.hummingbot_version)
    marker = read_marker(folder) if python is not None and chosen is None else None
    found = await probe(python) if python is not None else Probe()
    return Environment(
        expected=str(folder),
        wanted=settings.hummingbot_version,
        known=tuple(sorted({*versions(), *(versions(settings.schemas) if settings.schemas else ())})),
        python=str(python) if python is not None else None,
        chosen=chosen is not None,
        changed=marker is not None and digest(folder) != marker.digest,
        python_version=found.python,
        hummingbot=found.version,
        error=found.error,
    )


async def disk(subject: Subject) -> Disk:
    """Measure the room where the state folder is, or will be."""
    place = nearest(subject.state)
    usage = shutil.disk_usage(place)
    return Disk(
        place=str(place),
        free=usage.free,
        total=usage.total,
        installed=subject.python is not None,
        installation=NEEDED_BYTES,
        least=subject.options.least_free,
    )


def nearest(folder: Path) -> Path:
    """The folder itself, or the first one above it that exists."""
    place = folder.absolute()
    return next(path for path in (place, *place.parents) if path.exists())


async def memory(subject: Subject) -> Memory:
    """Measure what is available, on the machine and within the container's limit."""
    found = read_state(subject.state)
    wanted = sum(strategy.wish is not Wish.STOPPED for strategy in found.strategies)
    return Memory(available=_available_bytes(), wanted=0 if found.holder else wanted)


def _available_bytes() -> int:
    lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
    available = int(lines["MemAvailable"].split()[0]) * 1024  # since Linux 3.14 (proc_meminfo(5))
    try:
        return min(available, int(_LIMIT.read_text()) - int(_USED.read_text()))
    except (OSError, ValueError):  # no container, or `max`
        return available


async def clock(subject: Subject) -> Clock:
    """Ask the kernel, and the host that was named, whether the clock is right."""
    kept, year = kept_by_ntp(), datetime.now(UTC).year
    if not subject.time_from:
        return Clock(kept=kept, year=year)
    source = urlsplit(subject.time_from).hostname or subject.time_from
    try:
        async with asyncio.timeout(2 * CLOCK_LIMIT_S):
            offset_s = await asyncio.to_thread(ahead_of, subject.time_from)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Clock(kept=kept, year=year, source=source, error=str(error) or type(error).__name__)
    return Clock(kept=kept, year=year, source=source, offset_s=offset_s)


def ahead_of(url: str, limit_s: float = CLOCK_LIMIT_S) -> float:
    """How many seconds our clock is ahead of the one that answers at `url`; HTTP gives whole seconds.

    Raises:
        OSError, HTTPException, ValueError: it did not answer, or not with a date.
    """
    parts = urlsplit(url)
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    if parts.scheme not in kinds or not parts.hostname:
        raise ValueError("not an http: or https: address")
    connection = kinds[parts.scheme](parts.hostname, parts.port, timeout=limit_s)
    try:
        before = time.time()
        connection.request("HEAD", parts.path or "/")
        date = connection.getresponse().getheader("Date")
        after = time.time()
    finally:
        connection.close()
    if date is None:
        raise ValueError("its answer has no Date")
    return (before + after) / 2 - (parsedate_to_datetime(date).timestamp() + 0.5)


class _Timex(ctypes.Structure):
    """The beginning of `struct timex` (adjtimex(2)); the kernel's own is shorter than this one."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    )


_UNSYNCHRONISED = 0x40
"""STA_UNSYNC (adjtimex(2))."""


def kept_by_ntp() -> bool | None:
    """Whether the kernel says that something keeps its clock right; None if it does not say."""
    asked = _Timex()  # modes 0: only asks
    try:
        answer: int = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(asked))
    except (AttributeError, OSError):
        return None
    return None if answer < 0 else not asked.status & _UNSYNCHRONISED


# What the agent holds.


class HeldState(msgspec.Struct, frozen=True):
    """What a state folder has. `holder`: the process id of the agent that works in it. `error`: why it cannot be read."""

    strategies: tuple[Strategy, ...] = ()
    holder: str = ""
    error: str = ""


def read_state(folder: Path) -> HeldState:
    """Read a state folder without taking it from the agent that works there."""
    try:
        return HeldState(read_strategies(folder), holder_of(folder))
    except StoreError as error:
        return HeldState(error=str(error))


async def state(subject: Subject) -> State:
    """Look at the state folder, or at what it would be made in."""
    folder = subject.state.absolute()
    found = read_state(folder)
    place = nearest(folder)
    return State(
        folder=str(folder),
        writable=place.is_dir() and os.access(place, os.W_OK | os.X_OK),
        mode=stat.S_IMODE(folder.stat().st_mode) if folder.exists() else None,
        holder=found.holder,
        error=found.error,
        strategies=len(found.strategies),
    )


async def accounts(subject: Subject) -> Accounts:
    """List what is held, by name; values stay where they are."""
    found = read_state(subject.state).strategies
    try:
        held = load_credentials(subject.options.accounts_file, subject.settings.accounts)
    except ReconcilerError as error:
        return Accounts(error=str(error), fix=error.fix)
    catalog = _catalog(subject)
    names = {*subject.settings.accounts, *(strategy.account for strategy in found), *held.accounts}
    profiles = []
    for name in sorted(names):
        lacking: dict[str, list[str]] = {}
        for strategy in found:
            if strategy.account == name:
                for connector in held.missing(name, venues(catalog, strategy)):
                    lacking.setdefault(connector, []).append(strategy.name)
        own = held.accounts.get(name, {})
        profile = Profile(
            name=name,
            connectors=tuple(sorted(connector for connector, keys in own.items() if keys)),
            lacking=tuple(sorted(lacking)),
            used_by=tuple(sorted({user for users in lacking.values() for user in users})),
        )
        profiles.append(profile)
    return Accounts(profiles=tuple(profiles), password=bool(held.keystore_password))


def venues(catalog: Catalog | None, strategy: Strategy) -> tuple[str, ...]:
    """Where a strategy trades: its exchange, and those that its config names."""
    if catalog is None or not catalog.knows(strategy.strategy_type):
        return (strategy.exchange,)
    fields = catalog.schema(strategy.strategy_type)["properties"]
    others = (strategy.config.get(name) for name, spec in fields.items() if spec.get("x-role") == "exchange")
    return (strategy.exchange, *(str(other) for other in others if other))


def _catalog(subject: Subject) -> Catalog | None:
    """The catalog of this Hummingbot version; None if there is none, which another check reports."""
    try:
        return load_catalog(subject.settings.hummingbot_version, subject.settings.schemas)
    except SchemaError:
        return None


async def controllers(subject: Subject) -> ControllersFolder:
    """Look into the folder of v2 controllers, and for strategies that need one."""
    catalog = _catalog(subject)
    found = read_state(subject.state).strategies
    needed_by = tuple(
        one.name
        for one in found
        if catalog and catalog.knows(one.strategy_type) and is_controller(catalog, one)
    )
    folder = subject.options.controllers
    if folder is None:
        return ControllersFolder(needed_by=needed_by)
    if not os.access(folder, os.R_OK | os.X_OK) or not folder.is_dir():
        error = "no folder that this user can read" if folder.exists() else "there is no such folder"
        return ControllersFolder(folder=str(folder), error=error, needed_by=needed_by)
    files = sum(os.access(file, os.R_OK) for file in folder.rglob("*.py"))
    return ControllersFolder(folder=str(folder), files=files, needed_by=needed_by)


# The broker.


async def port(subject: Subject) -> Port:
    """Open a TCP connection to the broker's address."""
    broker = subject.settings.broker
    try:
        if split_url(broker.url).scheme not in PORTS:
            return Port(address=masked_url(broker.url), embedded=True)
        address = parse_address(broker)
        async with asyncio.timeout(broker.connect_timeout_s):
            _, writer = await asyncio.open_connection(address.host, address.port)
    except ReconcilerError as error:
        return Port(address=masked_url(broker.url), error=str(error))
    except TimeoutError:
        return Port(address=str(address), error=f"no answer within {broker.connect_timeout_s:g} s")
    except OSError as error:
        return Port(address=str(address), error=error.strerror or str(error))
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return Port(address=str(address))


async def broker(subject: Subject) -> Broker:
    """Connect as the agent would, subscribe to commands and presences, publish where the agent replies.

    Mosquitto takes a subscription to what its access list forbids and delivers nothing: whether commands come through
    shows only when there are some.
    """
    settings = subject.settings
    address = masked_url(settings.broker.url)
    if split_url(settings.broker.url).scheme not in PORTS:
        return Broker(
            address=address, error=f"{address} was not asked: bots could not reach it", fix=REACHABLE
        )
    online: dict[str, None] = {}

    def on_message(message: Message) -> None:
        at = topics.read(message.topic)
        if at is not None and at.kind is TopicKind.PRESENCE and message.payload:
            with contextlib.suppress(MalformedMessage):
                if decode_presence(message.payload).state == "online":
                    online[at.name] = None

    try:
        topics = Topics(settings.root)
        client_id = f"{settings.name}-doctor-{secrets.token_hex(3)}"
        transport = open_transport(settings.broker, client_id=client_id, state_dir=settings.shared_dir)
        async with asyncio.timeout(BROKER_LIMIT_S), contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(transport.close)
            transport.on_message(on_message)
            await transport.connect()
            await transport.subscribe([f"{topics.root}/strategy/+", topics.presence("+")])
            began = time.perf_counter()
            await transport.publish(Publish(topics.reply_to(f"doctor-{secrets.token_hex(4)}"), TRIAL))
            round_trip_s = time.perf_counter() - began
            await asyncio.sleep(QUIET_S)
    except TimeoutError:
        return Broker(address=address, error=f"{address}: not done within {BROKER_LIMIT_S:g} s")
    except ReconcilerError as error:
        return Broker(address=address, error=str(error), fix=error.fix)
    except ValueError as error:
        return Broker(address=address, error=str(error), fix="correct --root")
    username = parse_address(settings.broker).username
    return Broker(address=address, username=username, round_trip_s=round_trip_s, others=tuple(online))
