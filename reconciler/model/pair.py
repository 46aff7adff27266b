"""
Trading pairs as Hummingbot's connectors name them: BASE-QUOTE, such as BTC-USDT, kPEPE-USD, USDC.e-USDC or xyz:NVDA-USD.

Rule 1: pure; strategy files, schemas, policy and agents judge a pair by the same pattern.
Rule 2: upper and lower case count, since kPEPE and KPEPE are two markets; an asset in lower case alone is a slip.
Rule 3: no advice spells an asset otherwise than its author did: that would name another market.
"""

from __future__ import annotations

import re

_LOOK_ALIKE = r"\u02b0-\u052f\u1680\u180e\u2000-\u206f\u2212\u3000\ue000-\uf8ff\ufe00-\ufe6f\ufeff-\uffff"
"""Spaces, marks, letters and dashes that look like others or like nothing; other scripts, such as 币安人生, are names."""

_SIGN = rf"[^\u0000-\u0020\u0022\u0023%'-*,\-/;-?\[-\^`{{-\u00bf{_LOOK_ALIKE}]"
"""Any character of an asset: letters, digits and $ . : _ @ + & !"""

_CAPITAL = rf"[^\u0000-#%-/:-@\[-\u00bf{_LOOK_ALIKE}]"
"""What each asset has at least one of: no small letter and none of . : _ @ + & !"""

_ASSET = rf"[!&+.:@_a-z]{{0,31}}{_CAPITAL}{_SIGN}{{0,31}}"

PAIR = re.compile(f"{_ASSET}-{_ASSET}")

_SOME = rf"(?:{_ASSET}|{_SIGN}*(?:\*{_SIGN}*)+)"

PAIRS = re.compile(rf"\*|{_SOME}-{_SOME}")
"""A pair or a pattern of pairs: `*` stands for any characters."""

FORM = "BASE-QUOTE as the exchange's connector names the market, such as BTC-USDT or kPEPE-USD"


def pair_fault(text: str) -> tuple[str, str]:
    """Why a text is no pair, and what to do about it. `text` does not match PAIR."""
    assets = text.split("-")
    if len(assets) == 1:
        return "there is no - between base and quote", f"write {FORM}"
    if len(assets) > 2:  # noqa: PLR2004  (base and quote)
        what = "there is more than one -"
        return what, "write base and quote alone; the exchange says that it is a perpetual: binance_perpetual"
    for asset in assets:
        if asset and not re.search(_CAPITAL, asset) and re.fullmatch(f"{_SIGN}+", asset):
            return f"{asset} has no capital letter", f"write {FORM}; upper and lower case count"
    return "an asset is empty, too long or has a sign that no asset has", f"write {FORM}"
