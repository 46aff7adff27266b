"""What was seen, as values: no opinion, no secret. Sizes in bytes, lengths in seconds."""

from __future__ import annotations

from pathlib import Path

import msgspec

from reconciler.agent.install.environment import Probe


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """An interpreter for bots. `python` None: there is none. `chosen`: it was named, not made by `agent install`.

    `changed`: other packages are in it than were installed. `wanted`: the version of Hummingbot that the settings
    name; `known`: those that there are schemas of.
    """

    expected: Path
    wanted: str
    known: tuple[str, ...]
    python: Path | None = None
    chosen: bool = False
    changed: bool = False
    probe: Probe = Probe()


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """Room where the state folder is, or will be. `installed`: Hummingbot is there already. `least`: bots need it."""

    place: Path
    free: int
    total: int
    installed: bool
    least: int


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """`available` without pushing others out; a container's own limit counts. `wanted`: bots that should run."""

    available: int
    wanted: int = 0


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """The broker's address. `error` empty: something listens there. `embedded`: it has none for others."""

    address: str
    error: str = ""
    embedded: bool = False


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """One visit to the broker. `error` empty: it went well. `others`: agents that say that they are online.

    `round_trip_s`: from a publish to its acknowledgement.
    """

    address: str
    username: str | None = None
    error: str = ""
    fix: str = ""
    round_trip_s: float = 0.0
    others: tuple[str, ...] = ()


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """An account by its name. `connectors`: that it has keys for; `lacking`: that strategies need and it has not.

    `used_by`: strategies that name it.
    """

    name: str
    connectors: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    used_by: tuple[str, ...] = ()


class Accounts(msgspec.Struct, frozen=True, kw_only=True):
    """`error`: why the agent's secrets cannot be read. `password`: one for the keystores is held."""

    profiles: tuple[Profile, ...] = ()
    password: bool = False
    error: str = ""
    fix: str = ""


class ControllersFolder(msgspec.Struct, frozen=True, kw_only=True):
    """`folder` None: none is named. `files`: Python files that can be read. `needed_by`: strategies of v2."""

    folder: Path | None = None
    error: str = ""
    files: int = 0
    needed_by: tuple[str, ...] = ()


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """`kept`: whether the kernel says that something keeps it right; None: it does not say.

    `year`: what it shows. `source`: who was asked for the time, empty: nobody. `offset_s`: how far ours is ahead of
    that one, good to a second; None: it did not answer, because of `error`.
    """

    kept: bool | None
    year: int
    source: str = ""
    offset_s: float | None = None
    error: str = ""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The agent's state folder. `holder`: the process of the agent that works in it, empty: none does.

    `mode`: its permission bits, None: it is not there yet. `error`: why what is in it cannot be read.
    """

    folder: Path
    writable: bool
    mode: int | None = None
    holder: str = ""
    error: str = ""
    strategies: int = 0
