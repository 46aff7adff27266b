"""`${env:NAME}` and `${file:PATH}` → what they stand for, looked up as late as can be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from reconciler.settings.bad_value import BadValue

_REFERENCE = re.compile(r"\$\$\{|\$\{(?:(env|file):([^}]+)\})?")
"""Also what looks like one and is none; `$${` is the text `${`."""


def has_reference(text: str) -> bool:
    """Whether `text` stands for something that must not be shown."""
    return any(found[1] for found in _REFERENCE.finditer(text))


def resolved(text: str, environ: Mapping[str, str], folder: Path) -> str:
    """`text` with its references filled in; paths are relative to `folder`.

    Raises:
        BadValue: one stands for nothing. It says which, and nothing of what others stand for.
    """

    def value(found: re.Match[str]) -> str:
        if found[0] == "$${":
            return "${"
        if found[1] is None:
            raise BadValue(
                "${ begins no reference", "write ${env:NAME} or ${file:/path}, or $${ for the text ${"
            )
        return _variable(found[2], environ) if found[1] == "env" else _content(folder / found[2], found[2])

    return _REFERENCE.sub(value, text)


def _variable(name: str, environ: Mapping[str, str]) -> str:
    if name not in environ:
        raise BadValue(f"there is no environment variable {name}", f"set {name}")
    return environ[name]


def _content(file: Path, name: str) -> str:
    """What a file says, without the line end that editors put behind it."""
    try:
        return file.expanduser().read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise BadValue(
            f"cannot read {name}: {error.strerror}", "mend the path or the file's rights"
        ) from None
    except UnicodeDecodeError:
        raise BadValue(f"{name} is not UTF-8 text", "save it as UTF-8 text") from None
