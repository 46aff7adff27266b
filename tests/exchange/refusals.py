"""What the exchange answers instead of doing as asked: HTTP status, code and words as Binance documents them.

Only errors that a client can tell apart belong here. Source: the error codes of Binance's spot documentation.
"""

from __future__ import annotations

import msgspec


class Refusal(msgspec.Struct, frozen=True):
    """An answer with an error; `status` is the HTTP status."""

    code: int
    message: str
    status: int = 400


class Refused(Exception):
    """Raised where a request cannot be carried out; the server answers with `refusal`."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code}: {refusal.message}")
        self.refusal = refusal


NO_KEY = Refusal(-2014, "API-key format invalid.", 401)
UNKNOWN_KEY = Refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)
BAD_SIGNATURE = Refusal(-1022, "Signature for this request is not valid.")
STALE = Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")
UNKNOWN_SYMBOL = Refusal(-1121, "Invalid symbol.")
UNSUPPORTED_TIME_IN_FORCE = Refusal(-1115, "Invalid timeInForce.")
POOR = Refusal(-2010, "Account has insufficient balance for requested action.")
DUPLICATE = Refusal(-2010, "Duplicate order sent.")
WOULD_TAKE = Refusal(-2010, "Order would immediately match and take.")
CANNOT_CANCEL = Refusal(-2011, "Unknown order sent.")
UNKNOWN_ORDER = Refusal(-2013, "Order does not exist.")
NO_MARGIN = Refusal(-2019, "Margin is insufficient.")
NOTHING_TO_REDUCE = Refusal(-2022, "ReduceOnly Order is rejected.")
NOT_A_MAKER = Refusal(-5022, "Post Only order will be rejected.")
WRONG_POSITION_SIDE = Refusal(-4061, "Order's position side does not match user's setting.")
SAME_POSITION_MODE = Refusal(-4059, "No need to change position side.")
HAS_POSITIONS = Refusal(-4068, "Position side cannot be changed if there exists position.")
UNKNOWN_METHOD = Refusal(-1000, "Unknown method.")


def missing(field: str) -> Refusal:
    """Say that a parameter is not there or cannot be read."""
    return Refusal(-1102, f"Mandatory parameter '{field}' was not sent, was empty/null, or malformed.")


def filtered(name: str) -> Refusal:
    """Say that an order does not pass a filter of its pair."""
    return Refusal(-1013, f"Filter failure: {name}")
