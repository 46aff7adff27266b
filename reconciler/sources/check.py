"""
Documents × catalog → StrategySpecs and Problems.

Rule 1: all problems of a file at once, each with its place, what is wrong and how to mend it.
Rule 2: a document with an error gives no spec; its name is kept, so that its strategy can be left alone.
Rule 3: units are converted here and only where the schema has one; nothing else is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import msgspec

from reconciler.catalog import Catalog, Violation
from reconciler.catalog.units import as_percent, convert, has_unit
from reconciler.catalog.violations import nearest, shown
from reconciler.errors import Location, Problem, Severity
from reconciler.model.spec import Config, StrategySpec, Suspend, Wish
from reconciler.protocol.times import parse_time
from reconciler.sources.documents import Document, Path, dotted, locate, read


class Checked(msgspec.Struct, frozen=True, gc=False):
    """What one file says. `specs`: its valid documents, named only if they name themselves.

    `broken`: the names that its invalid documents give themselves, "" for one that gives none.
    """

    specs: tuple[StrategySpec, ...] = ()
    problems: tuple[Problem, ...] = ()
    broken: tuple[str, ...] = ()


def check(text: bytes, file: str, catalog: Catalog) -> Checked:
    """Read and check one file. Locations carry `file` as it is given."""
    documents, problems = read(text, file)
    if problems:
        return Checked(problems=tuple(problems), broken=("",))
    specs: list[StrategySpec] = []
    broken: list[str] = []
    for document in documents:
        checker = _Checker(text, document, catalog)
        spec = checker.spec()
        problems += checker.problems
        if spec is None:
            broken.append(checker.name)
        else:
            specs.append(spec)
    return Checked(tuple(specs), tuple(sorted(problems)), tuple(broken))


class _Checker:
    """One document on its way to a spec; what is wrong with it collects in `problems`."""

    def __init__(self, text: bytes, document: Document, catalog: Catalog) -> None:
        self._text = text
        self._document = document
        self._data = document.data
        self._catalog = catalog
        self.problems: list[Problem] = []

    @property
    def name(self) -> str:
        """The name that the document gives itself, if it is one."""
        name = self._data.get("strategy_name", "")
        return name if isinstance(name, str) else ""

    def spec(self) -> StrategySpec | None:
        """The spec, or None if there is an error."""
        if not self._catalog.envelope_is_valid(self._data):
            self._report(self._catalog.envelope_violations(self._data), ())
        config = self._config()
        self._check_suspend()
        if any(problem.severity is Severity.ERROR for problem in self.problems):
            return None
        return _spec(self._data, config, Location(self._document.file, self._document.line))

    # -- config

    def _config(self) -> Config:
        config, kind = self._data.get("config"), self._data.get("strategy_type")
        if not isinstance(config, dict) or not isinstance(kind, str):
            return {}
        if kind not in self._catalog.types:
            self._unknown_type(kind)
            return {}
        converted = self._converted(kind, config)
        self._report(self._catalog.violations(kind, converted), ("config",), written=config)
        self._warn_absurd(kind, config, converted)
        self._check_ignored(kind)
        return self._filled(kind, converted)

    def _unknown_type(self, kind: str) -> None:
        near = nearest(kind, self._catalog.types)
        known = f"known: {', '.join(self._catalog.types)}"
        fix = f"did you mean {near}? ({known})" if near else known
        self._problem(("strategy_type",), f"{kind!r} is no strategy type with a schema", fix)

    def _converted(self, kind: str, config: Config) -> Config:
        """`config` with % and bps turned into each field's own unit."""
        converted = config
        for field in self._catalog.unit_fields(kind):
            value = config.get(field)
            number = convert(value, self._catalog.unit(kind, field)) if isinstance(value, str) else None
            if number is not None:
                converted = dict(config) if converted is config else converted
                converted[field] = number
        return converted

    def _warn_absurd(self, kind: str, written: Config, config: Config) -> None:
        for field in self._catalog.fields(kind).values():
            value = config.get(field.name)
            if field.absurd_below is None or isinstance(written.get(field.name), str):
                continue
            if isinstance(value, int | Decimal) and 0 < value < field.absurd_below:
                percent = as_percent(value, field.unit)
                what = f"{value} means {percent} %, a hundredth of {shown(percent * 100)} %"
                fix = f"write {value * 100} or {value * 100}% if that was meant, else {percent:f}%"
                self._problem(("config", field.name), what, fix, Severity.WARNING)

    def _check_ignored(self, kind: str) -> None:
        known = self._catalog.fields(kind)
        paths = self._data.get("ignore_drift")
        for index, path in enumerate(paths if isinstance(paths, list) else ()):
            field = str(path).removeprefix("config.").split(".")[0]
            if field not in known:
                near = nearest(field, known)
                fix = f"did you mean config.{near}?" if near else "remove it"
                self._problem(("ignore_drift", index), f"{kind} has no field {field}", fix)

    def _filled(self, kind: str, config: Config) -> Config:
        """`config` with the defaults that have to be written out, each with a warning."""
        for field in self._catalog.filled(kind, config):
            what = f"left out; {field.default} is used"
            fix = f"write {field.name}: {field.default}, so that everybody sees it"
            self._problem(("config", field.name), what, fix, Severity.WARNING)
            config = {**config, field.name: field.default}
        return config

    # -- the rest

    def _check_suspend(self) -> None:
        suspend = self._data.get("suspend")
        until = suspend.get("until") if isinstance(suspend, dict) else None
        if not isinstance(until, str):
            return
        try:
            parse_time(until)
        except ValueError as error:
            self._problem(("suspend", "until"), f"{until!r} is {error}", "write 2026-12-24T00:00:00Z")

    def _report(self, violations: Iterable[Violation], below: Path, *, written: Config | None = None) -> None:
        for violation in violations:
            what, fix = violation.what, violation.fix
            value = written.get(str(violation.path[0])) if written and violation.path else None
            if isinstance(value, str) and has_unit(value) and not violation.key:
                what, fix = _misplaced_unit(value, what, fix)
            self._problem((*below, *violation.path), what, fix, key=violation.key)

    def _problem(
        self, path: Path, what: str, fix: str, severity: Severity = Severity.ERROR, *, key: bool = False
    ) -> None:
        document = self._document
        place = locate(self._text, document.file, document.index, path, key=key)
        self.problems.append(Problem(place, dotted(path), what, fix, severity))


def _misplaced_unit(value: str, what: str, fix: str) -> tuple[str, str]:
    """% or bps on a field that is no percentage; on one that is, the number itself is wrong."""
    if "is not" not in what:
        return what, fix
    return f"{value!r} has a unit, but the field is no percentage", "write the plain number"


def _spec(data: dict[str, Any], config: Config, location: Location) -> StrategySpec:
    suspend = data.get("suspend")
    optional = {key: data[key] for key in _AS_THEY_ARE if key in data}
    return StrategySpec(
        data.get("strategy_name", ""),
        data["strategy_type"],
        data["exchange"],
        data["trading_pair"],
        config,
        Wish(data.get("state", Wish.RUNNING)),
        suspend=None if suspend is None else Suspend(suspend["reason"], suspend.get("until")),
        ignore_drift=tuple(data.get("ignore_drift", ())),
        location=location,
        **optional,
    )


_AS_THEY_ARE = ("target", "account", "labels", "description", "owner", "wave", "protect", "adopt")
"""Fields of the file that the spec has under the same name and type."""


def errors(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Those that forbid to go on."""
    return (problem for problem in problems if problem.severity is Severity.ERROR)
