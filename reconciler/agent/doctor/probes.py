"""Gathers the facts that checks are made of: the machine, what the agent holds, the broker. Reads only; every wait has an end."""

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
from collections.abc import AsyncIterator, Iterable
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
from reconciler.agent.hummingbot.credentials import Credentials, load_credentials
from reconciler.agent.hummingbot.options import BotOptions
from reconciler.agent.hummingbot.reconfigure import is_controller
from reconciler.agent.install.environment import Probe, default_folder, digest, probe, read_marker
from reconciler.agent.install.installer import hummingbot_python
from reconciler.agent.journal import holder_of, read_strategies
from reconciler.agent.model import Strategy
from reconciler.agent.settings import AgentSettings
from reconciler.catalog import Catalog
from reconciler.catalog.loading import load_catalog, versions
from reconciler.errors import ReconcilerError, SchemaError, StoreError
from reconciler.model.spec import Wish
from reconciler.protocol.messages import MalformedMessage, decode_presence
from reconciler.protocol.topics import Kind, Topics
from reconciler.redact import masked_url
from reconciler.transport.address import PORTS, parse_address, split_url
from reconciler.transport.base import Message, Publish, Transport
from reconciler.transport.factory import open_transport


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """`time_from`: an address whose Date is compared with the clock; empty: none."""

    settings: AgentSettings
    time_from: str = ""

    @property
    def options(self) -> BotOptions:
        """What is set for real bots."""
        return self.settings.bots

    @property
    def state(self) -> Path:
        return self.settings.folder

    @property
    def python(self) -> Path | None:
        """The interpreter that bots would get."""
        return self.options.python or hummingbot_python(self.state, self.settings.hummingbot_version)


TIME_S = 10.0
"""For the answer of a clock elsewhere."""

_MEMINFO = Path("/proc/meminfo")
_LIMIT, _USED = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
"""Of the container that we are in; on a machine itself they are not there (cgroups(7))."""


async def environment(subject: Subject) -> Environment:
    """Ask the interpreter that bots would get."""
    settings = subject.settings
    python = subject.python
    folder = default_folder(subject.state, settings.hummingbot_version)
    marker = read_marker(folder)
    own = python is not None and subject.options.python is None
    return Environment(
        expected=folder,
        wanted=settings.hummingbot_version,
        known=tuple(sorted({*versions(), *(versions(settings.schemas) if settings.schemas else ())})),
        python=python,
        chosen=subject.options.python is not None,
        changed=own and marker is not None and digest(folder) != marker.digest,
        probe=await probe(python) if python is not None else Probe(),
    )


async def disk(subject: Subject) -> Disk:
    """See what is free where the state folder is, or will be."""
    place = nearest(subject.state)
    usage = shutil.disk_usage(place)
    return Disk(
        place=place,
        free=usage.free,
        total=usage.total,
        installed=subject.python is not None,
        least=subject.options.least_free,
    )


def nearest(folder: Path) -> Path:
    """The folder itself, or the first above it that is there."""
    place = folder.absolute()
    return next(path for path in (place, *place.parents) if path.exists())


async def memory(subject: Subject) -> Memory:
    """See what is free, here and within the container's limit."""
    found = strategies(subject.state)
    wanted = sum(strategy.wish is not Wish.STOPPED for strategy in found.strategies)
    return Memory(available=min(_free(), _left_to_container()), wanted=0 if found.holder else wanted)


def _free() -> int:
    for line in _MEMINFO.read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            return int(rest.split()[0]) * 1024
    raise AssertionError("every Linux since 3.14 tells MemAvailable (proc_meminfo(5))")


def _left_to_container() -> int:
    try:
        return int(_LIMIT.read_text()) - int(_USED.read_text())
    except (OSError, ValueError):  # no container, or `max`
        return 1 << 62


async def clock(subject: Subject) -> Clock:
    """Ask the kernel, and who was named, whether the clock is right."""
    kept, year = kept_by_ntp(), datetime.now(UTC).year
    if not subject.time_from:
        return Clock(kept=kept, year=year)
    source = urlsplit(subject.time_from).hostname or subject.time_from
    try:
        async with asyncio.timeout(2 * TIME_S):
            offset_s = await asyncio.to_thread(ahead_of, subject.time_from)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Clock(kept=kept, year=year, source=source, error=str(error) or type(error).__name__)
    return Clock(kept=kept, year=year, source=source, offset_s=offset_s)


def ahead_of(url: str, limit_s: float = TIME_S) -> float:
    """How many seconds our clock is ahead of the one that answers at `url`; HTTP tells whole seconds.

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
        told = connection.getresponse().getheader("Date")
        after = time.time()
    finally:
        connection.close()
    if told is None:
        raise ValueError("its answer has no Date")
    return (before + after) / 2 - (parsedate_to_datetime(told).timestamp() + 0.5)


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


class Held(msgspec.Struct, frozen=True):
    """What a state folder has. `error`: why it cannot be read."""

    strategies: tuple[Strategy, ...] = ()
    holder: str = ""
    error: str = ""


def strategies(folder: Path) -> Held:
    """Look into a state folder without taking it from the agent that works there."""
    try:
        return Held(read_strategies(folder), holder_of(folder))
    except StoreError as error:
        return Held(error=str(error))


async def state(subject: Subject) -> State:
    """Look at the state folder, or at what it would be made in."""
    folder = subject.state.absolute()
    found = strategies(folder)
    place = next(path for path in (folder, *folder.parents) if path.exists())
    return State(
        folder=folder,
        writable=place.is_dir() and os.access(place, os.W_OK | os.X_OK),
        mode=stat.S_IMODE(folder.stat().st_mode) if folder.exists() else None,
        holder=found.holder,
        error=found.error,
        strategies=len(found.strategies),
    )


async def accounts(subject: Subject) -> Accounts:
    """Count what is held, by name; values stay where they are."""
    found = strategies(subject.state).strategies
    names = {*subject.settings.accounts, *(strategy.account for strategy in found)}
    try:
        held = load_credentials(subject.options.accounts_file, subject.settings.accounts)
    except ReconcilerError as error:
        return Accounts(error=str(error), fix=error.fix)
    catalog = _catalog(subject)
    needs = [(one.account, one.name, venues(catalog, one)) for one in found]
    profiles = (_profile(name, held, needs) for name in sorted({*names, *held.accounts}))
    return Accounts(profiles=tuple(profiles), password=bool(held.keystore_password))


Needs = tuple[str, str, tuple[str, ...]]
"""An account, a strategy that names it, and the venues where that trades."""


def _profile(name: str, held: Credentials, needs: Iterable[Needs]) -> Profile:
    """One account: what it has, and what the strategies that name it lack."""
    lacking: dict[str, list[str]] = {}
    for account, strategy, connectors in needs:
        for connector in held.missing(name, connectors) if account == name else ():
            lacking.setdefault(connector, []).append(strategy)
    own = held.accounts.get(name, {})
    return Profile(
        name=name,
        connectors=tuple(sorted(connector for connector, keys in own.items() if keys)),
        lacking=tuple(sorted(lacking)),
        used_by=tuple(sorted({user for users in lacking.values() for user in users})),
    )


def venues(catalog: Catalog | None, strategy: Strategy) -> tuple[str, ...]:
    """Where a strategy trades: its exchange, and those that its config names."""
    if catalog is None or not catalog.knows(strategy.strategy_type):
        return (strategy.exchange,)
    fields = catalog.schema(strategy.strategy_type)["properties"]
    others = (strategy.config.get(name) for name, spec in fields.items() if spec.get("x-role") == "exchange")
    return (strategy.exchange, *(str(other) for other in others if other))


def _catalog(subject: Subject) -> Catalog | None:
    """What is known of this Hummingbot; that nothing is, is another check's finding."""
    try:
        return load_catalog(subject.settings.hummingbot_version, subject.settings.schemas)
    except SchemaError:
        return None


async def controllers(subject: Subject) -> ControllersFolder:
    """Look into the folder of v2 controllers, and for strategies that need one."""
    catalog = _catalog(subject)
    found = strategies(subject.state).strategies
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
        return ControllersFolder(folder=folder, error=error, needed_by=needed_by)
    files = sum(os.access(file, os.R_OK) for file in folder.rglob("*.py"))
    return ControllersFolder(folder=folder, files=files, needed_by=needed_by)


VISIT_S = 30.0
"""For everything at the broker; it answers within milliseconds, over a bad line within seconds."""

QUIET_S = 0.3
"""Retained presences come in one go after the subscription."""

TRIAL = b"doctor"
"""No answer that anybody could read: reconcilers ignore it (fleet/commands.py), and it is not retained."""


async def port(subject: Subject) -> Port:
    """Knock at the broker's address."""
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
    """Connect as the agent would, subscribe to what it hears, publish where it answers.

    Mosquitto takes a subscription to what its access list forbids and hands nothing over: whether commands come
    through shows only when there are some.
    """
    settings = subject.settings
    address = masked_url(settings.broker.url)
    if split_url(settings.broker.url).scheme not in PORTS:
        return Broker(
            address=address, error=f"{address} was not asked: bots could not reach it", fix=REACHABLE
        )
    try:
        topics = Topics(settings.root)
        async with asyncio.timeout(VISIT_S), _visit(subject) as transport:
            others = _Others(topics, transport)
            await transport.subscribe([f"{topics.root}/strategy/+", topics.presence("+")])
            began = time.perf_counter()
            await transport.publish(Publish(topics.reply_to(f"doctor-{secrets.token_hex(4)}"), TRIAL))
            round_trip_s = time.perf_counter() - began
            await asyncio.sleep(QUIET_S)
    except TimeoutError:
        return Broker(address=address, error=f"{address}: not done within {VISIT_S:g} s")
    except ReconcilerError as error:
        return Broker(address=address, error=str(error), fix=error.fix)
    except ValueError as error:
        return Broker(address=address, error=str(error), fix="mend --root")
    return Broker(
        address=address,
        username=parse_address(settings.broker).username,
        round_trip_s=round_trip_s,
        others=tuple(others.online),
    )


@contextlib.asynccontextmanager
async def _visit(subject: Subject) -> AsyncIterator[Transport]:
    settings = subject.settings
    transport = open_transport(
        settings.broker,
        client_id=f"{settings.name}-doctor-{secrets.token_hex(3)}",
        state_dir=settings.shared_dir,
    )
    try:
        await transport.connect()
        yield transport
    finally:
        await transport.close()


class _Others:
    """Who says, or is said, to be online."""

    def __init__(self, topics: Topics, transport: Transport) -> None:
        self.online: dict[str, None] = {}
        self._topics = topics
        transport.on_message(self._on_message)

    def _on_message(self, message: Message) -> None:
        address = self._topics.read(message.topic)
        if address is None or address.kind is not Kind.PRESENCE or not message.payload:
            return
        with contextlib.suppress(MalformedMessage):
            if decode_presence(message.payload).state == "online":
                self.online[address.name] = None
