"""What Hummingbot knows: strategy types, their fields, units, and what applies while a bot runs. Start at `Catalog`."""

from reconciler.catalog.catalog import Catalog, Field
from reconciler.catalog.violations import Violation

__all__ = ["Catalog", "Field", "Violation"]
