"""
Settings → what reads a revision: the catalog that they name, and a loader with its cache. Touches nothing yet.

Code that only reading needs is imported where it is opened: a command leaves reading to a copy of itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.catalog import Catalog
from reconciler.catalog.loading import load_catalog
from reconciler.settings.model import PolicySettings, Settings

if TYPE_CHECKING:
    from reconciler.sources.load import Loader
    from reconciler.sources.policy import Rules


def state_dir(settings: Settings) -> Path:
    """The folder of everything that we keep: the store, the cache, the private clone."""
    return Path(settings.store.url).parent


def open_loader(settings: Settings, catalog: Catalog) -> Loader:
    """The way from Git to checked files; touches nothing until asked to load.

    Raises:
        SettingsError: the policy names what there is not.
    """
    from reconciler.sources.load import Loader, open_source

    cache = state_dir(settings) / "cache"
    return Loader(open_source(settings.source, cache), catalog, cache, _rules(settings.policy, catalog))


def _rules(policy: PolicySettings, catalog: Catalog) -> Rules | None:
    """Most settings have none, and then their code is not even imported."""
    if policy == PolicySettings():
        return None
    from reconciler.sources.policy import Rules

    return Rules(policy, catalog)


def catalog_of(settings: Settings) -> Catalog:
    """What is known of the Hummingbot that the settings name, with the team's own schemas.

    Raises:
        SchemaError: there are no schemas of that version.
    """
    return load_catalog(settings.hummingbot_version, Path(settings.schemas) if settings.schemas else None)
