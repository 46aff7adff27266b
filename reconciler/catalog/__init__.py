"""What Hummingbot knows: strategy types, their fields, units, what applies live. `Catalog` is the door."""

from reconciler.catalog.catalog import Catalog, Field
from reconciler.catalog.violations import Violation

__all__ = ["Catalog", "Field", "Violation"]
