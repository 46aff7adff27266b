"""`reconciler demo`: the whole path on one machine, told as a story. `run_demo` is the door."""

from reconciler.demo.story import run_demo

__all__ = ["run_demo"]
