"""GitOps for Hummingbot. Read `reconcile.py` first: one pass of the whole product."""

__version__ = "0.1.0"
