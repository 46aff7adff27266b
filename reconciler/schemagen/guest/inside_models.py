"""
Runs inside Hummingbot's interpreter: what its pydantic models say of their fields, as JSON.

Arguments: a folder of controllers, or nothing for the v1 strategies. Started by file path, so that it can import what
stands in this folder; only that, the standard library and what Hummingbot brings may be imported here. Types and bounds
come from the models; which spellings a field takes besides them (a list as text, an enum by name) is tried out on the
model's own validators.
"""

from __future__ import annotations

import asyncio
import enum
import importlib
import inspect
import json
import sys
import types
import typing
from collections.abc import Iterator
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inside_common import NOT_A_WORD, take_this_folder_as_root, words_in

BOUNDS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
BASES = {"ControllerConfigBase", "MarketMakingControllerConfigBase", "DirectionalTradingControllerConfigBase"}
PLAIN = {
    Decimal: "number",
    float: "number",
    int: "integer",
    bool: "boolean",
    str: "string",
    dict: "object",
    list: "array",
}


# -- types


def node(annotation: Any) -> dict[str, Any]:
    """A type as a tree: {"type": …} with "nullable", "items", "fields", "any_of", "values" as it has them."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in {typing.Union, types.UnionType}:
        return union(arguments)
    if origin is typing.Literal:
        return {"type": "enum", "values": list(arguments)}
    if origin in {list, set, tuple, dict}:
        return holder(origin, arguments)
    return of_class(annotation) if inspect.isclass(annotation) else {"type": "any"}


def holder(origin: Any, arguments: tuple[Any, ...]) -> dict[str, Any]:
    """Lists and mappings, with what they hold."""
    inner = node(arguments[-1 if origin is dict else 0]) if arguments else {"type": "any"}
    return {"type": "object", "of": inner} if origin is dict else {"type": "array", "items": inner}


def of_class(annotation: Any) -> dict[str, Any]:
    """Enums, models, and the plain types."""
    if issubclass(annotation, enum.Enum):
        return {
            "type": "enum",
            "values": [one.value for one in annotation],
            "names": [one.name for one in annotation],
        }
    if hasattr(annotation, "model_fields"):
        return {
            "type": "model",
            "title": annotation.model_config.get("title"),
            "fields": fields_of(annotation),
        }
    return {"type": PLAIN.get(annotation, annotation.__name__)}


def union(arguments: tuple[Any, ...]) -> dict[str, Any]:
    parts = [node(one) for one in arguments if one is not type(None)]
    whole = parts[0] if len(parts) == 1 else {"type": "union", "any_of": parts}
    return {**whole, "nullable": True} if len(parts) < len(arguments) else whole


def fields_of(model: Any) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            **node(field.annotation),
            **{
                keyword: number(getattr(one, attribute))
                for one in field.metadata
                for attribute, keyword in BOUNDS.items()
                if hasattr(one, attribute)
            },
            "required": field.is_required(),
            "default": plain(None if field.is_required() else field.get_default(call_default_factory=True)),
            "updatable": bool(
                isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("is_updatable")
            ),
        }
        for name, field in model.model_fields.items()
    ]


# -- values for JSON


def number(value: Any) -> dict[str, str]:
    return {"number": str(value)}


def plain(value: Any) -> Any:
    """A value for JSON; numbers keep their digits, models become mappings, enums their values."""
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, Decimal | float):
        return number(value)
    if hasattr(type(value), "model_fields"):
        return {name: plain(getattr(value, name, None)) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)


REFUSED = object()
"""Stands for the value of a field that was refused."""


class Trial:
    """Sets one field of an instance whose other fields have values, so that validators which look at them work."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._start = {
            name: field.get_default(call_default_factory=True) for name, field in model.model_fields.items()
        }
        for name, value in self._start.items():
            if isinstance(value, str):
                self._start[name] = self.result(name, value, refused=value)

    def result(self, name: str, value: Any, refused: Any = REFUSED) -> Any:
        """What the field holds after being set; `refused` if its validators raise."""
        instance = self._model.model_construct(**self._start)
        try:
            self._model.__pydantic_validator__.validate_assignment(instance, name, value)
        except Exception:  # noqa: BLE001  (somebody else's validators: whatever they raise is a no)
            return refused
        return getattr(instance, name)

    def spellings(self, field: dict[str, Any]) -> dict[str, Any]:
        """What a field takes besides its own type, and what its default becomes if it is written out."""
        name = field["name"]
        found: dict[str, Any] = {}
        if field["type"] == "enum":
            words = [*field["values"], *field.get("names", [])]
            found["words"] = [one for one in dict.fromkeys(words) if self.result(name, one) is not REFUSED]
        elif field["type"] == "union":
            titles = [one["title"] for one in field["any_of"] if one.get("title")]
            found["words"] = [one for one in titles if self.result(name, one) is not REFUSED]
        elif field["type"] == "array":
            found["text"] = isinstance(self.result(name, "0.5,0.25"), list)
            found["alone"] = isinstance(self.result(name, 0.5), list)
        elif field["type"] == "model":
            found["text"] = self.result(name, "0.5,0.25") is not REFUSED
        elif field["type"] == "string":
            found["null"] = self.result(name, None) is not REFUSED and field["default"] is None
            validators = self._model.__pydantic_decorators__.field_validators.values()
            codes = [one.func.__func__.__code__ for one in validators if hasattr(one.func, "__func__")]
            known = {word for code in codes for word in words_in(code.co_consts)}
            words = sorted(word for word in known if self.result(name, word) == word)
            if words and self.result(name, NOT_A_WORD) is REFUSED:
                found |= {"type": "enum", "values": words, "words": words}
        if field.get("nullable") and field["default"] is not None and self.result(name, None) is not None:
            found["nullable"] = False  # it is turned into something else than nothing
        written = self.result(name, self._start[name]) if not field["required"] else REFUSED
        if written is not REFUSED and plain(written) != field["default"]:
            found["default_written"] = plain(written)
        return found


def model_facts(name: str, model: Any) -> dict[str, Any]:
    trial = Trial(model)
    fields = fields_of(model)
    return {"name": name, "fields": [{**field, **trial.spellings(field)} for field in fields]}


# -- where models are


def strategies() -> list[dict[str, Any]]:
    from hummingbot.client.config.config_helpers import get_strategy_pydantic_config_cls

    files = Path("hummingbot/strategy").glob("*/*_config_map_pydantic.py")
    names = sorted(file.parent.name for file in files)
    return [model_facts(name, get_strategy_pydantic_config_cls(name)) for name in names]


def controllers(folder: Path) -> list[dict[str, Any]]:
    """Every controller below `folder`, which is imported under its own name as Hummingbot does."""
    sys.path.insert(0, str(folder.parent))
    found = []
    for file in sorted(folder.rglob("*.py")):
        if file.stem.startswith("_"):
            continue
        module = imported(".".join(file.relative_to(folder.parent).with_suffix("").parts))
        found += [
            {
                **model_facts(model.model_fields["controller_name"].default, model),
                "controller_type": model.model_fields["controller_type"].default,
            }
            for model in configs_in(module)
        ]
    return found


def configs_in(module: types.ModuleType) -> Iterator[Any]:
    from hummingbot.strategy_v2.controllers.controller_base import ControllerConfigBase

    for value in vars(module).values():
        is_config = inspect.isclass(value) and issubclass(value, ControllerConfigBase)
        if is_config and value.__module__ == module.__name__ and value.__name__ not in BASES:
            yield value


class Absent(types.ModuleType):
    """Stands in for a library that a controller calculates with and that is not installed."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def imported(name: str) -> types.ModuleType:
    """Import a controller's module; libraries that it lacks are stood in for, since only its fields matter."""
    while True:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if (
                error.name is None
                or error.name in sys.modules
                or error.name.startswith(("hummingbot", "controllers"))
            ):
                raise
            stand_in = Absent(error.name)
            stand_in.__path__ = []
            sys.modules[error.name] = stand_in


def found() -> list[dict[str, Any]]:
    return controllers(Path(sys.argv[1])) if len(sys.argv) > 1 else strategies()


async def main() -> None:
    """Within a loop: parts of Hummingbot make futures when they are imported."""
    take_this_folder_as_root()
    json.dump({"version": version("hummingbot"), "strategies": found()}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
