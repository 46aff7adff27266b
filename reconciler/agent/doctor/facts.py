"""
What the probes saw, as values that the verdicts judge.

Rule 1: pure, no opinion and no secret: paths are texts, accounts and their keys are names.
Rule 2: sizes are in bytes, durations in seconds.
"""

from __future__ import annotations

import msgspec


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """An interpreter for bots. `python`: its path, None: there is none. `expected`: where `agent install` makes one.

    `chosen`: it was named in the settings, not made by `agent install`. `changed`: its packages differ from what was
    installed. `wanted`: the version of Hummingbot that the settings name; `known`: those that there are schemas of.
    What the interpreter said: its `python_version`, empty: it is none; the version of its `hummingbot`, None: it has
    none; `error`: why Hummingbot cannot be imported, or why the interpreter did not answer.
    """

    expected: str
    wanted: str
    known: tuple[str, ...]
    python: str | None = None
    chosen: bool = False
    changed: bool = False
    python_version: str = ""
    hummingbot: str | None = None
    error: str = ""


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """Room where the state folder is, or will be. `least`: what bots need.

    `installed`: Hummingbot is there already; otherwise it takes `installation` more.
    """

    place: str
    free: int
    total: int
    installed: bool
    installation: int
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
    """One connection to the broker. `error` empty: it succeeded. `others`: agents whose presence is online.

    `round_trip_s`: from a publish to its acknowledgement.
    """

    address: str
    username: str | None = None
    error: str = ""
    fix: str = ""
    round_trip_s: float = 0.0
    others: tuple[str, ...] = ()


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """An account by its name. `connectors`: those it has keys for; `lacking`: those that strategies need keys for.

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
    """The folder of v2 controllers. `folder` None: none is named. `files`: Python files that can be read.

    `needed_by`: names of v2 strategies.
    """

    folder: str | None = None
    error: str = ""
    files: int = 0
    needed_by: tuple[str, ...] = ()


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """`kept`: whether the kernel says that it is synchronised; None: the kernel does not say.

    `year`: what it shows. `source`: the host it was compared with, empty: none. `offset_s`: how far ours is ahead of
    that one, good to a second; None: there was no answer, because of `error`.
    """

    kept: bool | None
    year: int
    source: str = ""
    offset_s: float | None = None
    error: str = ""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The agent's state folder. `holder`: the process id of the agent that works in it, empty: none does.

    `mode`: its permission bits, None: it does not exist yet. `error`: why its content cannot be read.
    """

    folder: str
    writable: bool
    mode: int | None = None
    holder: str = ""
    error: str = ""
    strategies: int = 0
