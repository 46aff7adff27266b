"""Gathers what the agent holds: its state folder, its strategies, credentials, controllers. Reads only."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

import msgspec

from reconciler.agent.doctor.facts import Accounts, Controllers, Profile, State
from reconciler.agent.doctor.subject import Subject
from reconciler.agent.hummingbot.credentials import Credentials, load_credentials
from reconciler.agent.hummingbot.taken import is_controller
from reconciler.agent.journal import holder_of, read_strategies
from reconciler.agent.model import Strategy
from reconciler.catalog import Catalog
from reconciler.catalog.packaged import load_catalog
from reconciler.errors import ReconcilerError, SchemaError, StoreError


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


async def controllers(subject: Subject) -> Controllers:
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
        return Controllers(needed_by=needed_by)
    if not os.access(folder, os.R_OK | os.X_OK) or not folder.is_dir():
        error = "no folder that this user can read" if folder.exists() else "there is no such folder"
        return Controllers(folder=folder, error=error, needed_by=needed_by)
    files = sum(os.access(file, os.R_OK) for file in folder.rglob("*.py"))
    return Controllers(folder=folder, files=files, needed_by=needed_by)
