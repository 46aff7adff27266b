"""Who trades and with what: API keys and balances. What is free and what is locked adds up to what is owned."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from tests.exchange.refusals import NO_KEY, POOR, UNKNOWN_KEY, Refused

RICH = {"BTC": Decimal(100), "ETH": Decimal(1_000), "SOL": Decimal(10_000), "USDT": Decimal(10_000_000)}
"""Balances of an account that nobody said anything about: enough for dozens of bots."""


class Balance(msgspec.Struct):
    free: Decimal = Decimal(0)
    locked: Decimal = Decimal(0)


class Account(msgspec.Struct):
    """One customer of the exchange."""

    name: str
    api_key: str
    api_secret: str
    balances: dict[str, Balance]

    def balance(self, asset: str) -> Balance:
        return self.balances.setdefault(asset, Balance())

    def lock(self, asset: str, amount: Decimal) -> None:
        """Reserve an amount.

        Raises:
            Refused: there is less than that free.
        """
        balance = self.balance(asset)
        if balance.free < amount:
            raise Refused(POOR)
        balance.free -= amount
        balance.locked += amount

    def unlock(self, asset: str, amount: Decimal) -> None:
        balance = self.balance(asset)
        balance.free += amount
        balance.locked -= amount


def account(
    name: str = "default",
    api_key: str = "test-key",
    api_secret: str = "test-secret",
    balances: dict[str, Decimal] | None = None,
) -> Account:
    """Open an account; `balances` are what is free of each asset."""
    owned = RICH if balances is None else balances
    return Account(name, api_key, api_secret, {asset: Balance(free) for asset, free in owned.items()})


class Accounts:
    """All accounts, by key and by name."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self.by_name: dict[str, Account] = {}
        for each in accounts:
            self.add(each)

    def add(self, added: Account) -> None:
        self.by_name[added.name] = added

    def of_key(self, api_key: str) -> Account:
        """The account that a key belongs to.

        Raises:
            Refused: no key, or one that nobody has.
        """
        if not api_key:
            raise Refused(NO_KEY)
        for each in self.by_name.values():
            if each.api_key == api_key:
                return each
        raise Refused(UNKNOWN_KEY)
