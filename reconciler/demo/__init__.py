"""`reconciler demo`: the whole path on one machine, scenario by scenario. `run_demo` runs it."""

from reconciler.demo.scenario import run_demo

__all__ = ["run_demo"]
