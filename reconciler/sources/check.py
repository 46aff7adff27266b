"""
Checks documents against the catalog: Documents × catalog → StrategySpecs and Problems.

Rule 1: all problems of a file at once, each with its place, what is wrong and how to repair it.
Rule 2: a document with an error gives no spec; its name is kept, so that its strategy can be left alone.
Rule 3: units are converted here and only where the schema has one; nothing else is changed.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from reconciler.catalog.catalog import Catalog
from reconciler.catalog.units import convert, has_unit, in_percent, plainly, spelled
from reconciler.catalog.violations import Schema, Violation, listed, nearest
from reconciler.errors import Location, Problem, Severity
from reconciler.model.spec import (
    DEFAULT_ACCOUNT,
    DEFAULT_TARGET,
    Config,
    StrategySpec,
    Suspend,
    Wish,
    is_name,
)
from reconciler.protocol.times import parse_time
from reconciler.sources.base import Checked
from reconciler.sources.yaml.document import MAX_PROBLEMS, Document, Path, dotted, one_line
from reconciler.sources.yaml.reader import Places, read

__all__ = ["Checked", "check"]


def check(text: bytes, file: str, catalog: Catalog) -> Checked:
    """Read and check one file. Locations carry `file` as it is given."""
    reading = read(text, file)
    findings = _Findings(text, file, reading.problems)
    specs: list[StrategySpec] = []
    broken: list[str | None] = []
    for document in reading.documents:
        spec = _Checker(document, catalog, findings).spec()
        if spec is None:
            broken.append(_claimed_name(document, catalog))
        else:
            specs.append(spec)
    if not reading.whole:
        broken.append(None)
    if not (specs or broken or findings.problems):
        # A file that was emptied is no wish to delete its strategy: a full disk or a crashed editor does that.
        what = "there is no strategy in this file"
        fix = (
            "delete the file if its strategy is to go, put _ before its name to keep it, or write a strategy"
        )
        findings.problems.append(Problem(Location(file), "", what, fix))
        broken.append("")
    problems = sorted(findings.problems)
    reported, rest = problems[: MAX_PROBLEMS - 1], problems[MAX_PROBLEMS - 1 :]
    if len(rest) > 1:
        what, fix = f"{len(rest):,} more problems from here on", "fix these first; the rest is reported then"
        is_error = any(problem.severity is Severity.ERROR for problem in rest)
        severity = Severity.ERROR if is_error else Severity.WARNING
        rest = [Problem(rest[0].location, "", what, fix, severity)]
    return Checked(tuple(specs), (*reported, *rest), tuple(broken))


def _claimed_name(document: Document, catalog: Catalog) -> str | None:
    """Whose file an invalid document is; None if a mistake may hide that."""
    data, refused = document.data, document.refused
    if "strategy_name" in data:
        name = data["strategy_name"]
        is_known = isinstance(name, str) and is_name(name) and not {(), ("strategy_name",)} & set(refused)
        return name if is_known else None
    may_be_hidden = () in refused or any(len(path) == 1 and path[0] not in data for path in refused)
    return None if may_be_hidden or not data.keys() <= catalog.file_fields else ""


class _Findings:
    """The problems of one file; its places are looked up only when the first of them is found."""

    def __init__(self, text: bytes, file: str, problems: list[Problem]) -> None:
        self._text = text
        self._file = file
        self._places: Places | None = None
        self.problems = problems

    def add(  # noqa: PLR0913, PLR0917  (a problem and its place)
        self, index: int, path: Path, what: str, fix: str, severity: Severity, key: bool
    ) -> None:
        if self._places is None:
            self._places = Places(self._text, self._file)
        place = self._places.of(index, path, key=key)
        self.problems.append(Problem(place, dotted(path), one_line(what), one_line(fix), severity))


class _Checker:
    """One document on its way to a spec."""

    def __init__(self, document: Document, catalog: Catalog, findings: _Findings) -> None:
        self._document = document
        self._data = document.data
        self._catalog = catalog
        self._findings = findings
        self._is_wrong = bool(document.refused)

    def spec(self) -> StrategySpec | None:
        """The spec, or None if there is an error."""
        data = self._data
        if not self._catalog.envelope_is_valid(data):
            self._report(self._catalog.envelope_violations(data), ())
        config = self._config()
        suspend = data.get("suspend")
        until = suspend.get("until") if isinstance(suspend, dict) else None
        if isinstance(until, str):
            try:
                parse_time(until)
            except ValueError as error:
                self._problem(("suspend", "until"), f"{until!r} is {error}", "write 2026-12-24T00:00:00Z")
        if self._is_wrong:
            return None
        return StrategySpec(
            name=data.get("strategy_name", ""),
            strategy_type=data["strategy_type"],
            exchange=data["exchange"],
            trading_pair=data["trading_pair"],
            config=config,
            state=_WISHES[data.get("state", "running")],
            target=data.get("target", DEFAULT_TARGET),
            account=data.get("account", DEFAULT_ACCOUNT),
            labels=data.get("labels", {}),
            description=data.get("description", ""),
            owner=data.get("owner", ""),
            wave=int(data.get("wave", 0)),
            protect=data.get("protect", False),
            suspend=None if suspend is None else Suspend(suspend["reason"], suspend.get("until")),
            ignore_drift=tuple(data.get("ignore_drift", ())),
            adopt=data.get("adopt", False),
            location=Location(self._document.file, self._document.line),
        )

    # -- config

    def _config(self) -> Config:
        config, kind = self._data.get("config"), self._data.get("strategy_type")
        if not isinstance(config, dict) or not isinstance(kind, str):
            return {}
        if not self._catalog.knows(kind):
            near = nearest(kind, self._catalog.types)
            known = f"known: {listed(sorted(self._catalog.types))}"
            fix = f"did you mean {near}? ({known})" if near else known
            self._problem(("strategy_type",), f"{kind!r} is not a strategy type with a schema", fix)
            return {}
        self._check_exchange(kind, self._data.get("exchange"))
        converted = self._converted(kind, config)
        if not self._catalog.is_valid(kind, converted):
            self._report(self._catalog.violations(kind, converted), ("config",))
        else:
            exchange, pair = str(self._data.get("exchange")), str(self._data.get("trading_pair"))
            related = self._catalog.relations(kind, converted, exchange=exchange, trading_pair=pair)
            self._report(related, ("config",))
            self._report(self._catalog.doubts(kind, converted), ("config",), Severity.WARNING)
        self._warn_absurd(kind, config)
        said = {name: value for name, value in config.items() if type(value) is str and has_unit(value)}
        for large in self._catalog.too_large(kind, {**converted, **said}):
            severity = Severity.ERROR if large.is_error else Severity.WARNING
            self._problem(("config", *large.path), large.what, large.fix, severity)
        if "ignore_drift" in self._data:
            self._check_ignored(kind, self._data["ignore_drift"])
        for field in self._catalog.filled(kind, converted):
            what = f"left out; {field.default} is used"
            fix = f"write {field.name}: {field.default}, so that it is visible"
            self._problem(("config", field.name), what, fix, Severity.WARNING)
            converted = {**converted, field.name: field.default}
        return converted

    def _check_exchange(self, kind: str, exchange: Any) -> None:  # noqa: ANN401  (whatever the file has there)
        if not isinstance(exchange, str):
            return
        if (fault := self._catalog.exchange_fault(kind, exchange)) is not None:
            self._problem(("exchange",), *fault)
            return
        known = self._catalog.exchanges(kind)
        if not known or exchange in known:
            return
        if not exchange.isidentifier() or not exchange.islower():
            return  # no name of a connector at all: the envelope's schema says so
        near = nearest(exchange, known)
        fix = f"did you mean {near}?" if near else f"write one of {listed(known)}"
        self._problem(("exchange",), f"{kind} cannot trade on {exchange!r}", fix)

    def _converted(self, kind: str, config: Config) -> Config:
        """`config` with % and bps turned into each field's own unit, texts read where a field holds none, no null."""
        fields, schemas = self._catalog.fields(kind), self._catalog.schema(kind)["properties"]
        converted = dict(config)
        for name, value in config.items():
            field = fields.get(name)
            if field is None:
                continue
            if value is None and not field.may_be_nothing:
                del converted[name]
                if not field.fill:  # whose default is written out, with a warning of its own
                    default = "" if field.default is None else f"; {_written(field.default)} is used"
                    what = f"null is read as left out{default}"
                    self._problem(
                        ("config", name), what, f"remove {name}, or write a value", Severity.WARNING
                    )
            elif type(value) is str and (meant := convert(value, field.unit)) is not None:
                converted[name] = meant
            elif type(value) in _MAY_HOLD_TEXT:
                converted[name] = self._read(value, schemas[name], ("config", name))
        return converted

    def _read(self, value: Any, schema: Schema, path: Path) -> Any:  # noqa: ANN401  (any value of a config)
        """A value with its texts read where the schema asks for a number or a truth value, as Hummingbot reads them."""
        if isinstance(value, list):
            first, rest = schema.get("prefixItems", ()), schema.get("items", {})
            each = [*first, *[rest] * (len(value) - len(first))] if isinstance(rest, dict) else []
            return [
                self._read(item, of_item, (*path, index))
                for index, (item, of_item) in enumerate(zip(value, each, strict=False))
            ] + value[len(each) :]
        if isinstance(value, dict):
            known, others = schema.get("properties", {}), schema.get("additionalProperties", False)
            of_others = others if isinstance(others, dict) else {}
            return {
                key: self._read(item, known.get(key, of_others), (*path, key)) for key, item in value.items()
            }
        types = schema.get("type", ())
        meant = spelled(value, (types,) if isinstance(types, str) else types) if type(value) is str else None
        if meant is None:
            return value
        written = _written(meant)
        name = f"{path[-1]}: " if isinstance(path[-1], str) else ""
        self._problem(
            path, f"{value!r} is a text, read as {written}", f"write {name}{written}", Severity.WARNING
        )
        return meant

    def _warn_absurd(self, kind: str, config: Config) -> None:
        for field in self._catalog.may_be_absurd(kind):
            value: Any = config.get(field.name)
            least = field.absurd_below
            if least is None or type(value) not in _NUMBERS:
                continue
            if 0 < value < least:
                written, meant = in_percent(value, field.unit), plainly(Decimal(value).scaleb(2))
                said, other = plainly(written), plainly(written.scaleb(2))
                what = f"{value} means {said} %, not {other} %"
                fix = f"if {other} % was meant, write {meant} or {other}%; if not, write {said}% to say so"
                self._problem(("config", field.name), what, fix, Severity.WARNING)

    def _check_ignored(self, kind: str, paths: Any) -> None:  # noqa: ANN401  (whatever the file has there)
        fields = self._catalog.fields(kind)
        for index, path in enumerate(paths if isinstance(paths, list) else ()):
            if not isinstance(path, str) or not path.startswith("config."):
                continue  # the envelope's schema says so
            name, _, below = path.removeprefix("config.").partition(".")
            field = fields.get(name)
            if field is None:
                near = nearest(name, fields)
                fix = f"did you mean config.{near}?" if near else "remove it"
                self._problem(("ignore_drift", index), f"{kind} has no field {name}", fix)
            elif below and field.types and not {"object", "array"} & set(field.types):
                fix = f"write config.{name}"
                self._problem(("ignore_drift", index), f"{name} has nothing below it", fix)

    def _report(self, violations: list[Violation], below: Path, severity: Severity = Severity.ERROR) -> None:
        for violation in violations:
            path = (*below, *violation.path)
            # the field may come with something that the reader refused in the same mapping, such as `<<`
            may_be_merged = violation.missing and any(
                refused[:-1] == path[:-1] and refused != path for refused in self._document.refused if refused
            )
            if not may_be_merged:
                self._problem(path, violation.what, violation.fix, severity, key=violation.key)

    def _problem(
        self, path: Path, what: str, fix: str, severity: Severity = Severity.ERROR, *, key: bool = False
    ) -> None:
        """Note a problem, unless the reader has refused that very place already."""
        self._is_wrong = self._is_wrong or severity is Severity.ERROR
        if not any(path[: len(refused)] == refused for refused in self._document.refused):
            self._findings.add(self._document.index, path, what, fix, severity, key)


def _written(value: Any) -> str:  # noqa: ANN401  (any value of a config)
    """A value as a file would have it."""
    if isinstance(value, bool):
        return str(value).lower()
    return plainly(Decimal(value)) if isinstance(value, int | Decimal) else str(value)


_NUMBERS = frozenset({int, Decimal})
"""What the reader makes of a number; a switch is none."""

_MAY_HOLD_TEXT = frozenset({str, list, dict})
"""What may be a text or hold one."""


_WISHES = {wish.value: wish for wish in Wish}
