"""What goes wrong on a test's wish: answers that are errors, late, or do not come. Decides, does not do."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from tests.exchange.refusals import Refusal
from tests.exchange.requests import Operation


class Refusing(msgspec.Struct):
    """Answer requests with an error. `times`: how many, None until cleared.

    `carried_out`: do as asked and only lie about it, as when an answer is lost on its way.
    """

    operation: Operation
    refusal: Refusal
    times: int | None = 1
    carried_out: bool = False


class Delaying(msgspec.Struct):
    """Carry requests out at once and answer `seconds` later; `times` as above."""

    operation: Operation
    seconds: float
    times: int | None = None


FaultT = TypeVar("FaultT", Refusing, Delaying)


class Faults:
    """What is to go wrong with the requests to come."""

    def __init__(self) -> None:
        self.is_down = False
        self._refusing: list[Refusing] = []
        self._delaying: list[Delaying] = []

    def add(self, fault: Refusing | Delaying) -> None:
        if isinstance(fault, Refusing):
            self._refusing.append(fault)
        else:
            self._delaying.append(fault)

    def clear(self) -> None:
        """Let everything go well again; does not end a time of being down."""
        self._refusing.clear()
        self._delaying.clear()

    def refusal(self, operation: Operation) -> Refusing | None:
        """Say how to refuse this request, and count it."""
        return _next(self._refusing, operation)

    def delay_s(self, operation: Operation) -> float:
        """Say how late to answer this request, and count it."""
        fault = _next(self._delaying, operation)
        return fault.seconds if fault else 0.0


def _next(faults: list[FaultT], operation: Operation) -> FaultT | None:
    for fault in faults:
        if fault.operation in {Operation.ANY, operation}:
            if fault.times is not None:
                fault.times -= 1
            if fault.times == 0:
                faults.remove(fault)
            return fault
    return None
