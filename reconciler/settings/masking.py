"""Addresses as they may be shown. Pure."""

from __future__ import annotations

import re

MASK = "***"
"""Stands for what is never shown."""

_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")


def masked_url(url: str) -> str:
    """An address without the user name and password in it."""
    return _CREDENTIALS.sub(f"{MASK}@", url)
