"""The store as its users see it, whatever it is kept in."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from reconciler.model.change import Op
from reconciler.model.spec import Key
from reconciler.model.state import Desired, Inventory, InventoryEntry


class Store(Protocol):
    """Reads are of this process's own picture; `refresh` reads what others wrote.

    Writes are durable against a kill -9 once `flush` has returned; `close` flushes.
    All calls raise StoreError when the file cannot be read or written.
    """

    @property
    def controller_id(self) -> str:
        """Random, made with the store, never changed."""

    @property
    def epoch(self) -> int:
        """The epoch last taken; 0 before the first."""

    def take_epoch(self, above: int = 0) -> int:
        """Take and keep a new epoch: above the last one and `above`, not below the Unix time in milliseconds."""

    def refresh(self) -> bool:
        """Read what another process wrote; return whether there was anything."""

    def flush(self) -> None:
        """Write what waits."""

    def keep_root(self, target: str, root: str) -> str:
        """Note that `target`'s topics are below `root`. Return the root in force: an earlier one, as long as strategies
        that were created below it are ours.
        """

    def inventory(self) -> Inventory:
        """What is ours; a view that later writes change."""

    def put(self, entry: InventoryEntry) -> None:
        """Remember a strategy as ours, or what was confirmed of it last."""

    def forget(self, key: Key) -> None:
        """Forget a strategy and its steps in flight."""

    def ask_retry(self, key: Key) -> bool:
        """Note that a person wants an error retried; False if the strategy is not ours."""

    def key_for(self, key: Key, op: Op, spec_hash: str) -> str:
        """The idempotency key of a step in flight, or a new one that is in flight from now on."""

    def settle(self, key: Key, op: Op) -> None:
        """The step's end is known: its idempotency key is spent."""

    def report_once(self, mark: str) -> bool:
        """Note that something was reported; False if it was reported before."""

    def retract(self, mark: str) -> bool:
        """Note that it is over; False if it had not been reported."""

    def keep_reported(self, prefix: str, marks: set[str]) -> None:
        """Of what was reported under `prefix`, forget all but `marks`."""

    def last_good(self) -> Desired | None:
        """The last revision that was in force."""

    def keep_last_good(self, desired: Desired) -> None:
        """Put a revision in force."""

    def applying(self, timeout_s: float) -> AbstractContextManager[bool]:
        """Keep other processes from applying; True if one of them did since we last held it.

        Raises:
            StoreError: another process holds it for longer than `timeout_s`.
        """

    def close(self) -> None:
        """Flush and close."""
