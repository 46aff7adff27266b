"""
Runs inside Hummingbot's interpreter: what the real Hummingbot makes of values and of files.

One JSON object a line on stdin, one answer a line on stdout. Only the standard library and hummingbot are imported.
{"do": "try", "type", "data", "field", "values"}: what a field holds after each value, in a file that is else `data`.
{"do": "load", "type", "text"}: what the loader reads from a file, and what it logged meanwhile.
"""

from __future__ import annotations

import asyncio
import enum
import importlib
import json
import logging
import sys
import tempfile
import types
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

REFUSED = {"refused": True}


def exact(value: Any) -> Any:  # noqa: PLR0911  (one for each kind of value)
    """A value for JSON, with every number's digits as a text; an enum with both of its spellings."""
    if isinstance(value, enum.Enum):
        return {"words": [exact(value.value), value.name]}
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float | Decimal):
        return {"number": str(value)}
    if hasattr(type(value), "model_fields"):
        title = type(value).model_config.get("title")
        return {
            "title": title,
            "fields": {name: exact(getattr(value, name, None)) for name in type(value).model_fields},
        }
    if isinstance(value, dict):
        return {"fields": {str(key): exact(one) for key, one in value.items()}}
    if isinstance(value, list | tuple):
        return [exact(one) for one in value]
    return str(value) if isinstance(value, date | time) else repr(value)


def read(value: Any) -> Any:
    """A value as Hummingbot's YAML loaders give it: numbers as int or float."""
    if isinstance(value, dict) and set(value) == {"number"}:
        return (
            float(value["number"]) if any(sign in value["number"] for sign in ".eE") else int(value["number"])
        )
    if isinstance(value, dict):
        return {key: read(one) for key, one in value.items()}
    return [read(one) for one in value] if isinstance(value, list) else value


class Absent(types.ModuleType):
    """Stands in for a library that a controller calculates with and that is not installed."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class Hummingbot:
    def __init__(self, controllers: Path | None) -> None:
        self._controllers = {}
        if controllers is not None:
            sys.path.insert(0, str(controllers.parent))
            self._controllers = dict(self._configs(controllers))

    def _configs(self, folder: Path) -> Any:
        from hummingbot.strategy_v2.controllers.controller_base import ControllerConfigBase

        for file in sorted(folder.rglob("*.py")):
            if file.stem.startswith("_"):
                continue
            module = imported(".".join(file.relative_to(folder.parent).with_suffix("").parts))
            values: list[Any] = list(vars(module).values())
            for value in values:
                if (
                    isinstance(value, type)
                    and issubclass(value, ControllerConfigBase)
                    and value.__module__ == module.__name__
                ):
                    config: Any = value
                    yield config.model_fields["controller_name"].default, config

    def model(self, kind: str) -> Any:
        from hummingbot.client.config.config_helpers import get_strategy_pydantic_config_cls

        return self._controllers.get(kind) or get_strategy_pydantic_config_cls(kind)

    # -- one value

    async def results(self, kind: str, data: dict[str, Any], field: str, values: list[Any]) -> list[Any]:
        if self.model(kind) is not None:
            return [self._modelled(kind, {**data, field: value}, field) for value in values]
        config_map = await self._legacy(kind, data)
        return [await self._variable(config_map[field], value) for value in values]

    def _modelled(self, kind: str, data: dict[str, Any], field: str) -> Any:
        try:
            return exact(getattr(self.model(kind)(**data), field))
        except Exception:  # noqa: BLE001  (whatever its validators raise, it is a no)
            return REFUSED

    async def _variable(self, variable: Any, value: Any) -> Any:
        """What the loader does with one value of a file (load_yml_into_cm_legacy), step by step."""
        from hummingbot.client.config.config_helpers import parse_cvar_value

        if value is None or value == "":
            return exact(None if callable(variable.default) else variable.default)
        try:
            parsed = parse_cvar_value(variable, value)
            variable.value = parsed
            error = await variable.validate(str(parsed)) if parsed is not None else None
        except Exception:  # noqa: BLE001  (the real loader gives up on the whole file then)
            return REFUSED
        return REFUSED if error is not None else exact(parsed)

    async def _legacy(self, kind: str, data: dict[str, Any]) -> dict[str, Any]:
        import yaml

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "base.yml"
            file.write_text(yaml.safe_dump(data))
            return await self._loaded(file)

    async def _loaded(self, file: Path) -> dict[str, Any]:
        from hummingbot.client.config.config_helpers import load_strategy_config_map_from_file

        loaded: dict[str, Any] = await load_strategy_config_map_from_file(file)
        return loaded

    # -- one file

    async def load(self, kind: str, text: str) -> dict[str, Any]:
        said = Said()
        logging.getLogger().addHandler(said)
        try:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "strategy.yml"
                file.write_text(text)
                values = await self._values(kind, file)
                kept = file.read_text() == text
        finally:
            logging.getLogger().removeHandler(said)
        return {"values": values, "said": said.lines, "kept": kept}

    async def _values(self, kind: str, file: Path) -> dict[str, Any]:
        from hummingbot.client.config.config_helpers import read_yml_file

        if self.model(kind) is None:
            return {name: exact(one.value) for name, one in (await self._loaded(file)).items()}
        instance = self.model(kind)(**read_yml_file(file))
        return {name: exact(getattr(instance, name)) for name in type(instance).model_fields}


class Said(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def imported(name: str) -> types.ModuleType:
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


def take_this_folder_as_root() -> None:
    import hummingbot

    root = Path.cwd()
    (root / "conf").mkdir(exist_ok=True)
    (root / "hummingbot").symlink_to(Path(hummingbot.__file__).parent)
    hummingbot.root_path = lambda: root
    hummingbot.set_prefix_path(str(root))


def trade_all_on_paper() -> None:
    from hummingbot.client.settings import AllConnectorSettings

    AllConnectorSettings.get_connector_settings()
    AllConnectorSettings.initialize_paper_trade_settings(sorted(AllConnectorSettings.get_exchange_names()))


async def main() -> None:
    take_this_folder_as_root()
    trade_all_on_paper()
    logging.getLogger().addHandler(logging.NullHandler())
    bot = Hummingbot(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["do"] == "load":
            answer: Any = await bot.load(asked["type"], asked["text"])
        else:
            answer = await bot.results(
                asked["type"], read(asked["data"]), asked["field"], read(asked["values"])
            )
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
