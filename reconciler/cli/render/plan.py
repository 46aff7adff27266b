"""How a plan is shown, saved and read again, and the exit code that goes with it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import msgspec

from reconciler.errors import ExitCode, ReconcilerError
from reconciler.model.change import Plan
from reconciler.plan import saved
from reconciler.plan.render.json import document
from reconciler.plan.render.markdown import to_markdown
from reconciler.plan.render.summary import exit_code
from reconciler.plan.render.text import DEFAULT_WIDTH, to_text
from reconciler.protocol.canonical import wire_json


class CheckedPlan(msgspec.Struct, frozen=True):
    """A plan, and what a brake says to it: empty, or both numbers and the command to go on."""

    plan: Plan
    refused: str = ""


def plan_exit_code(checked: CheckedPlan) -> ExitCode:
    """3 if a brake refuses the plan, else the plan's own: 0, 2 or 4."""
    return ExitCode.REFUSED if checked.refused else exit_code(checked.plan)


def plan_text(checked: CheckedPlan, output: str, *, tree: str, verbose: bool = False) -> str:
    """The plan in the form asked for, without a newline at its end. `tree`: the strategies' folder."""
    match output:
        case "json":
            shown = document(checked.plan, refused=checked.refused)
            return msgspec.json.format(wire_json(shown), indent=2).decode()
        case "markdown":
            return to_markdown(checked.plan, tree=tree, refused=checked.refused).removesuffix("\n")
    at_terminal = sys.stdout is not None and sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if at_terminal else DEFAULT_WIDTH
    return to_text(checked.plan, width=width, colour=True, verbose=verbose, tree=tree).removesuffix("\n")


def save(plan: Plan, path: Path) -> None:
    """Write the plan for a later `apply`.

    Raises:
        ReconcilerError: it holds a secret, or the file cannot be written.
    """
    data = saved.dump(plan)
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ReconcilerError(
            f"the plan is not saved: {error.strerror}: {path}", fix="name another file with --out"
        ) from error


def load(path: Path) -> Plan:
    """Read a saved plan.

    Raises:
        ReconcilerError: the file cannot be read, or is none.
    """
    try:
        return saved.load(path.read_bytes())
    except OSError as error:
        raise ReconcilerError(f"cannot read {path}: {error.strerror}") from error
