"""reconciler.yaml → what stands at each key, and where. Strict; what a value may be is `parsing`'s business."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from reconciler.errors import Location, Problem, SettingsError
from reconciler.settings.keys import Given


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
            f"{place}: not YAML: {error.problem}", fix="fix the syntax at this place"
        ) from None
    except yaml.YAMLError:
        raise SettingsError(f"{file}: not YAML", fix="remove what is not text") from None


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
            place, key_place = self._place(value), self._place(key)
            if name in seen:
                self._refuse(key, value, name, "appears here a second time", "remove one of the two")
            elif "." in key.value:
                fix = f"write {key.value.partition('.')[0]}: and the rest below it"
                self._refuse(key, value, name, "there is no such setting", fix)
            elif (fix_of_key := self._describe_unknown(name)) is not None:
                self._refuse(key, value, name, "there is no such setting", fix_of_key)
            elif getattr(value, "anchor", None) is not None or getattr(value, "tag", None) is not None:
                what = "has an anchor, alias or tag"
                self._refuse(value, value, name, what, "write the plain value here")
            elif type(value).__name__ == "MappingStartEvent":
                yield name, Given("", str(place), place, key_place, is_section=True)
                yield from self._mapping(name)
            elif type(value).__name__ == "SequenceStartEvent":
                yield from self._sequence(name, place, key_place)
            elif not _is_null(value):
                yield name, Given(value.value, str(place), place, key_place)
            seen.add(name)

    def _sequence(self, name: str, place: Location, key_place: Location) -> Iterator[tuple[str, Given]]:
        """A table's rows, whose keys are those of `name.0`, `name.1`, …, or one setting's words."""
        is_table = self._describe_unknown(f"{name}.0") is None
        if is_table:
            yield name, Given("", str(place), place, key_place, is_section=True)
        words = []
        index = 0
        while type(item := next(self._events)).__name__ != "SequenceEndEvent":
            if is_table and type(item).__name__ == "MappingStartEvent":
                row, at = f"{name}.{index}", self._place(item)
                yield row, Given("", str(at), at, at, is_section=True)
                yield from self._mapping(row)
            elif is_table:
                self._refuse(item, item, name, "is no row", "write `key: value` in each row")
            elif type(item).__name__ == "ScalarEvent":
                words.append(item.value)
            else:
                self._refuse(item, item, name, "is not a setting", "write plain words")
            index += 1
        if not is_table:
            yield name, Given(",".join(words), str(place), place, key_place)

    def _refuse(self, key: Any, value: Any, name: str, what: str, fix: str) -> None:  # noqa: ANN401
        self._problem(key, name, what, fix)
        self._skip(value)

    def _skip(self, event: Any) -> None:  # noqa: ANN401
        """Pass by a whole node that begins with `event`."""
        depth = _DEPTH.get(type(event).__name__, 0)
        while depth > 0:
            depth += _DEPTH.get(type(next(self._events)).__name__, 0)

    def _problem(self, event: Any, name: str, what: str, fix: str) -> None:  # noqa: ANN401
        self._problems.append(Problem(self._place(event), name, what, fix))

    def _place(self, event: Any) -> Location:  # noqa: ANN401
        mark = event.start_mark
        return Location(str(self._file), mark.line + 1, mark.column + 1)


_FRAME = {"StreamStartEvent", "StreamEndEvent", "DocumentStartEvent", "DocumentEndEvent"}
_DEPTH = {"MappingStartEvent": 1, "SequenceStartEvent": 1, "MappingEndEvent": -1, "SequenceEndEvent": -1}


def _is_null(event: Any) -> bool:  # noqa: ANN401
    return type(event).__name__ == "ScalarEvent" and not event.style and event.value in {"", "~", "null"}
