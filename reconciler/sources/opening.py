"""Settings → what reads a revision: the catalog that they name, and a loader with its cache. Touches nothing yet."""

from __future__ import annotations

from pathlib import Path

from reconciler.catalog import Catalog
from reconciler.catalog.loading import load_catalog
from reconciler.settings.model import PolicySettings, Settings
from reconciler.sources.load import Loader, open_source
from reconciler.sources.policy import Rules


def state_dir(settings: Settings) -> Path:
    """The folder of everything that we keep: the store, the cache, the private clone."""
    return Path(settings.store.url).parent


def open_loader(settings: Settings, catalog: Catalog) -> Loader:
    """The way from Git to checked files; touches nothing until asked to load.

    Raises:
        SettingsError: the policy names what there is not.
    """
    cache = state_dir(settings) / "cache"
    rules = None if settings.policy == PolicySettings() else Rules(settings.policy, catalog)
    return Loader(open_source(settings.source, cache), catalog, cache, rules)


def catalog_of(settings: Settings) -> Catalog:
    """What is known of the Hummingbot that the settings name, with the team's own schemas.

    Raises:
        SchemaError: there are no schemas of that version.
    """
    return load_catalog(settings.hummingbot_version, Path(settings.schemas) if settings.schemas else None)
