"""
Runs inside Hummingbot's interpreter: what its five strategies with ConfigVars say of their fields, as JSON.

Started by file path, so that it can import what stands in this folder; only that, the standard library and hummingbot
may be imported here. Nothing is read as text: validators are run with stand-ins that record which bounds they were called
with, conditions with values that record what they were compared with, and everything else is tried out with the words that
its code holds.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import sys
import types
from collections.abc import Callable
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inside_common import NOT_A_WORD, take_this_folder_as_root, words_in

SHARED = {
    "validate_decimal",
    "validate_int",
    "validate_float",
    "validate_bool",
    "validate_exchange",
    "validate_derivative",
    "validate_connector",
    "validate_market_trading_pair",
}
"""Validators that every strategy uses: they are known by name and the bounds that they are given."""


class Recorder:
    """Stands in for a shared validator and records its call."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def stand_in(self, name: str) -> Callable[..., None]:
        real = getattr(importlib.import_module("hummingbot.client.config.config_validators"), name)

        def record(*args: Any, **kwargs: Any) -> None:
            bound = inspect.signature(real).bind(*args, **kwargs)
            bound.apply_defaults()
            facts = {key: value for key, value in bound.arguments.items() if key not in {"value", "market"}}
            self.calls.append({"name": name, **{key: plain(value) for key, value in facts.items()}})

        return record


def with_stand_ins(function: Callable[..., Any], names: dict[str, Any]) -> Callable[..., Any]:
    """The same code with other things behind some of the names that it uses."""
    return types.FunctionType(
        function.__code__,
        {**function.__globals__, **names},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )


def plain(value: Any) -> Any:
    """A value for JSON; numbers keep their digits."""
    if isinstance(value, Decimal | float) and not isinstance(value, bool):
        return {"number": str(value)}
    return value


# -- validators


def validator_of(var: Any) -> dict[str, Any] | None:
    """Which shared validator checks a field and with which bounds, or its own validator's name and words."""
    function = var._validator
    if function.__name__ in SHARED:
        recorder = Recorder()
        recorder.stand_in(function.__name__)(*(["1"] * required_parameters(function)))
        return recorder.calls[0]
    recorder = Recorder()
    names = {name: recorder.stand_in(name) for name in SHARED}
    if function.__name__ == "<lambda>":
        with_stand_ins(function, names)(*(["1"] * required_parameters(function)))
        return recorder.calls[0] if recorder.calls else None
    return {"name": "own", "own": function.__name__, "words": words_taken(function)}


def required_parameters(function: Callable[..., Any]) -> int:
    parameters = inspect.signature(function).parameters.values()
    return sum(one.default is one.empty and one.kind is not one.VAR_POSITIONAL for one in parameters)


def words_taken(function: Callable[..., Any]) -> list[str] | None:
    """The words in a validator's code that it takes, if it does not take every text; None if it does."""
    if takes(function, NOT_A_WORD):
        return None
    return sorted({word for word in words_in(function.__code__.co_consts) if takes(function, word)})


def takes(function: Callable[..., Any], text: str) -> bool:
    try:
        return function(text) is None
    except Exception:  # noqa: BLE001  (somebody else's code: whatever it raises, it does not take the text)
        return False


# -- conditions


class Asked:
    """A field's value in a condition: every comparison becomes its description."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, field: str) -> None:
        self.field = field

    @property
    def value(self) -> Asked:
        return self

    def __eq__(self, other: object) -> Any:
        return {"field": self.field, "is": other}

    def __ne__(self, other: object) -> Any:
        return {"field": self.field, "is_not": other}

    def __gt__(self, other: object) -> Any:
        return {"field": self.field, "above": other}


class AskedMap:
    """Stands in for a strategy's map of fields."""

    def get(self, field: str) -> Asked:
        return Asked(field)

    __getitem__ = get


def condition_of(var: Any, map_name: str) -> Any:
    """When a field is required: True, False, or the description of a condition on another field."""
    answer = with_stand_ins(var._required_if, {map_name: AskedMap()})()
    return {"field": answer.field, "is": True} if isinstance(answer, Asked) else answer


# -- strategies


def default_of(var: Any) -> Any:
    """A field's default; the loader does not call one that is code, so that the field then holds a function."""
    return {"code": True} if callable(var.default) else plain(var.default)


def strategy(name: str) -> dict[str, Any]:
    """All of one strategy: its template's fields are the only ones that Hummingbot's loader looks at."""
    from hummingbot.client.config.config_helpers import get_strategy_template_path, read_yml_file

    template = read_yml_file(get_strategy_template_path(name))
    map_name = f"{name}_config_map"
    config_map = getattr(importlib.import_module(f"hummingbot.strategy.{name}.{map_name}"), map_name)
    fields = [
        {
            "name": key,
            "type": config_map[key].type,
            "default": default_of(config_map[key]),
            "required": condition_of(config_map[key], map_name),
            "validator": validator_of(config_map[key]),
        }
        for key in template
        if key in config_map and key != "strategy"
    ]
    return {"name": name, "template_version": template["template_version"], "fields": fields}


def names() -> list[str]:
    files = Path("hummingbot/strategy").glob("*/*_config_map.py")
    return sorted(file.parent.name for file in files if file.stem == f"{file.parent.name}_config_map")


def connectors() -> dict[str, list[str]]:
    from hummingbot.client.settings import AllConnectorSettings

    AllConnectorSettings.get_connector_settings()
    return {
        "spot": sorted(AllConnectorSettings.get_exchange_names()),
        "perpetual": sorted(AllConnectorSettings.get_derivative_names()),
    }


async def main() -> None:
    """Within a loop: parts of Hummingbot make futures when they are imported."""
    take_this_folder_as_root()
    found = [strategy(name) for name in names()]
    json.dump({"version": version("hummingbot"), "strategies": found, "connectors": connectors()}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
