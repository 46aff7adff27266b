"""reconciler.yaml → what stands at each key, and where. Strict; what a value means is decided by `parsing`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from reconciler.errors import Location, Problem, SettingsError
from reconciler.settings.parsing import Given


def read_file(
    file: Path, problems: list[Problem], describe_unknown: Callable[[str], str | None]
) -> dict[str, Given]:
    """The values of a settings file by dotted key; those that are null are left out.

    `describe_unknown`: the fix for a key that leads to no setting, None for one that does.

    Raises:
        SettingsError: the file cannot be read, or is no YAML.
    """
    import yaml

    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        what = f"{file}: {error.strerror}"
        raise SettingsError(what, fix="run `reconciler init`, or name a file with --config") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file}: not UTF-8 text", fix="save the file as UTF-8") from error
    reader = _Reader(file, yaml.parse(text, Loader=yaml.SafeLoader), problems, describe_unknown)
    try:
        return dict(reader.read())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Location(str(file), mark.line + 1, mark.column + 1) if mark else Location(str(file))
        raise SettingsError(
            f"{place}: not YAML: {error.problem}", fix="mend the syntax at this place"
        ) from None
    except yaml.YAMLError:
        raise SettingsError(f"{file}: not YAML", fix="remove what is no text") from None


class _Reader:
    """One pass over YAML's events. They have no common type, and are distinguished by their names."""

    def __init__(
        self,
        file: Path,
        events: Iterator[Any],
        problems: list[Problem],
        describe_unknown: Callable[[str], str | None],
    ) -> None:
        self._file = file
        self._events = (event for event in events if type(event).__name__ not in _FRAME)
        self._problems = problems
        self._describe_unknown = describe_unknown

    def read(self) -> Iterator[tuple[str, Given]]:
        root = next(self._events, None)
        if root is None or _is_null(root):
            return
        if type(root).__name__ != "MappingStartEvent":
            self._problem(root, "", "is not a setting", "write `section:` and below it `key: value`")
            return
        yield from self._mapping("")
        if (more := next(self._events, None)) is not None:
            self._problem(more, "", "a second document", "keep all settings in one")

    def _mapping(self, prefix: str) -> Iterator[tuple[str, Given]]:
        seen: set[str] = set()
        while type(key := next(self._events)).__name__ != "MappingEndEvent":
            if type(key).__name__ != "ScalarEvent":
                self._skip(key)
                self._refuse(key, next(self._events), prefix, "is no key", "write the key as one word")
                continue
            name = f"{prefix}.{key.value}" if prefix else key.value
            value = next(self._events)
            if (wrong := self._wrong_with(key.value, name, seen)) is not None:
                self._refuse(key, value, name, *wrong)
            else:
                yield from self._value(key, value, name)
            seen.add(name)

    def _wrong_with(self, key: str, name: str, seen: set[str]) -> tuple[str, str] | None:
        """What is wrong with a key, and its fix."""
        if name in seen:
            return "stands here a second time", "remove one of the two"
        if "." in key:
            return "there is no such setting", f"write {key.partition('.')[0]}: and the rest below it"
        fix = self._describe_unknown(name)
        return None if fix is None else ("there is no such setting", fix)

    def _refuse(self, key: Any, value: Any, name: str, what: str, fix: str) -> None:  # noqa: ANN401
        self._problem(key, name, what, fix)
        self._skip(value)

    def _value(self, key: Any, value: Any, name: str) -> Iterator[tuple[str, Given]]:  # noqa: ANN401
        if getattr(value, "anchor", None) is not None or getattr(value, "tag", None) is not None:
            self._refuse(value, value, name, "has an anchor, alias or tag", "write the plain value here")
            return
        match type(value).__name__:
            case "MappingStartEvent":
                place = self._place(value)
                yield name, Given("", str(place), place, self._place(key), is_section=True)
                yield from self._mapping(name)
            case "SequenceStartEvent" if self._describe_unknown(f"{name}.0") is None:
                place = self._place(value)
                yield name, Given("", str(place), place, self._place(key), is_section=True)
                yield from self._rows(name)
            case "SequenceStartEvent":
                yield name, self._given(key, value, ",".join(self._items(name)))
            case _ if not _is_null(value):
                yield name, self._given(key, value, value.value)

    def _rows(self, name: str) -> Iterator[tuple[str, Given]]:
        """A list of mappings: their keys are those of `name.0`, `name.1`, …"""
        index = 0
        while type(item := next(self._events)).__name__ != "SequenceEndEvent":
            if type(item).__name__ == "MappingStartEvent":
                place = self._place(item)
                yield f"{name}.{index}", Given("", str(place), place, place, is_section=True)
                yield from self._mapping(f"{name}.{index}")
            else:
                self._refuse(item, item, name, "is no row", "write `key: value` in each row")
            index += 1

    def _items(self, name: str) -> Iterator[str]:
        while type(item := next(self._events)).__name__ != "SequenceEndEvent":
            if type(item).__name__ == "ScalarEvent":
                yield item.value
            else:
                self._refuse(item, item, name, "is not a setting", "write plain words")

    def _skip(self, event: Any) -> None:  # noqa: ANN401
        """Pass by a whole node that begins with `event`."""
        depth = _DEPTH.get(type(event).__name__, 0)
        while depth > 0:
            depth += _DEPTH.get(type(next(self._events)).__name__, 0)

    def _given(self, key: Any, value: Any, text: str) -> Given:  # noqa: ANN401
        place = self._place(value)
        return Given(text, str(place), place, self._place(key))

    def _problem(self, event: Any, name: str, what: str, fix: str) -> None:  # noqa: ANN401
        self._problems.append(Problem(self._place(event), name, what, fix))

    def _place(self, event: Any) -> Location:  # noqa: ANN401
        mark = event.start_mark
        return Location(str(self._file), mark.line + 1, mark.column + 1)


_FRAME = {"StreamStartEvent", "StreamEndEvent", "DocumentStartEvent", "DocumentEndEvent"}
_DEPTH = {"MappingStartEvent": 1, "SequenceStartEvent": 1, "MappingEndEvent": -1, "SequenceEndEvent": -1}


def _is_null(event: Any) -> bool:  # noqa: ANN401
    return type(event).__name__ == "ScalarEvent" and not event.style and event.value in {"", "~", "null"}
