"""The work behind `validate`: which files, what is wrong with them, and how that reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import msgspec

from reconciler.desired import make_desired
from reconciler.errors import ExitCode, InvalidFiles, Problem, Severity, SourceError
from reconciler.session import catalog_of, open_loader
from reconciler.settings import Settings
from reconciler.sources.check import Checked, check
from reconciler.sources.documents import is_strategy_file
from reconciler.sources.git import is_remote

FORMAT = "reconciler.validate/1"

Files = Iterable[tuple[str, Checked]]


class Findings(msgspec.Struct, frozen=True):
    """What was checked, and all that is wrong with it, in file order."""

    files: int
    strategies: int
    problems: tuple[Problem, ...]

    def count(self, severity: Severity) -> int:
        return sum(problem.severity is severity for problem in self.problems)


def find(settings: Settings, paths: tuple[Path, ...], ref: str | None) -> Findings:
    """Check `paths`; without any, the tree of the settings: at `ref`, or as its files stand.

    Raises:
        SourceError: a file, the folder or the ref cannot be read.
    """
    files = tuple(_given(paths, settings)) if paths else _tree(settings, ref)
    strategies = sum(len(checked.specs) for _, checked in files)
    return Findings(len(files), strategies, _problems(files, settings))


def _tree(settings: Settings, ref: str | None) -> tuple[tuple[str, Checked], ...]:
    source = settings.source
    changes: dict[str, object] = {"ref": ref, "worktree": False} if ref else {"worktree": True}
    if ref is None and is_remote(source.repository):
        changes["repository"] = "."
    source = msgspec.structs.replace(source, **changes)
    return open_loader(msgspec.structs.replace(settings, source=source), catalog_of(settings)).load().files


def _given(paths: tuple[Path, ...], settings: Settings) -> Iterator[tuple[str, Checked]]:
    catalog = catalog_of(settings)
    for path in paths:
        for file in _files_in(path) if path.is_dir() else [path]:
            try:
                text = file.read_bytes()
            except OSError as error:
                raise SourceError(f"cannot read {file}: {error.strerror}") from error
            yield str(file), check(text, str(file), catalog)


def _files_in(folder: Path) -> list[Path]:
    """What counts as a strategy file below `folder`."""
    files = (file for file in folder.rglob("*") if is_strategy_file(file.relative_to(folder).as_posix()))
    return sorted(file for file in files if file.is_file())


def _problems(files: Files, settings: Settings) -> tuple[Problem, ...]:
    """What is wrong with each file, and with all of them together."""
    try:
        return make_desired(files, commit="", ref="", targets=settings.targets).problems
    except InvalidFiles as error:
        return error.problems


def findings_exit_code(found: Findings) -> ExitCode:
    """5 if there is an error; warnings are none."""
    return ExitCode.INVALID if found.count(Severity.ERROR) else ExitCode.OK


def findings_text(found: Findings) -> str:
    """Each problem with its fix, then the counts; without a newline at the end."""
    return "\n".join([*map(_problem, found.problems), _summary(found)])


def _problem(problem: Problem) -> str:
    if problem.severity is Severity.ERROR:
        return str(problem)
    place, rest = str(problem.location), str(problem).removeprefix(str(problem.location))
    return f"{place}: {click.style('warning', fg='yellow')}{rest}"


def _summary(found: Findings) -> str:
    errors, warnings = found.count(Severity.ERROR), found.count(Severity.WARNING)
    wrong = [_counted(errors, "error")] if errors else []
    wrong += [_counted(warnings, "warning")] if warnings else []
    colour = "red" if errors else "yellow" if warnings else "green"
    what = f"{_counted(found.files, 'file')}, {found.strategies} valid"
    return click.style(f"{what}: {', '.join(wrong) or 'no problems'}", fg=colour, bold=True)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def findings_document(found: Findings) -> dict[str, object]:
    """The findings for programs."""
    return {
        "format": FORMAT,
        "exit_code": int(findings_exit_code(found)),
        "files": found.files,
        "strategies": found.strategies,
        "errors": found.count(Severity.ERROR),
        "warnings": found.count(Severity.WARNING),
        "problems": [
            {
                "file": problem.location.file,
                "line": problem.location.line,
                "column": problem.location.column,
                "path": problem.path,
                "what": problem.what,
                "fix": problem.fix,
                "severity": problem.severity.value,
            }
            for problem in found.problems
        ],
    }
