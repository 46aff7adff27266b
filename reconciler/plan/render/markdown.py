"""
Plan → Markdown for the comment on a pull request. Pure.

Rule 1: what a file or a bot says stays inside the code block, whatever characters it has.
Rule 2: a long plan is folded, and one that GitHub would refuse is cut and says so.
"""

from __future__ import annotations

import re

from reconciler.model.change import Plan
from reconciler.plan.render.summary import sentence
from reconciler.plan.render.text import body, header, notes
from reconciler.plan.render.values import printable

FOLD_ABOVE = 20
"""Changes; more of them are hidden behind a line that can be opened."""

LONGEST = 60_000
"""GitHub takes comments of up to 65,536 characters."""

_WIDE = 160
"""A code block scrolls sideways."""


def to_markdown(plan: Plan, *, tree: str = "strategies", refused: str = "") -> str:
    """A heading with the counts, what a brake says to it, the plan as a diff, and what it does to open orders."""
    refusal = [f"**Refused:** {_escaped(refused)}"] if refused else []
    below = (_escaped(note) for note in notes(plan))
    block = _diff_block(plan, tree)
    if len(plan.changes) > FOLD_ABOVE:
        block = f"<details><summary>{len(plan.changes)} changes</summary>\n\n{block}\n\n</details>"
    parts = [f"### Plan: {sentence(plan)}", *refusal, block, *below]
    return "\n\n".join(parts) + "\n"


def _diff_block(plan: Plan, tree: str) -> str:
    """A `diff` block: a mark at the start of a line gives it its colour."""
    rows = ["".join(text for text, _ in line) for line in header(plan, _WIDE, tree)]
    rows = [f"@@ {' '.join(rows)} @@"]
    if plan.changes:
        changes = ("".join(text for text, _ in line) for line in body(plan.changes, _WIDE, verbose=False))
        rows += (line.removeprefix("  ") for line in changes)
    text = "\n".join(printable(row) for row in rows)
    if len(text) > LONGEST:
        kept = text[:LONGEST].rpartition("\n")[0]
        left = len(rows) - kept.count("\n") - 1
        text = f"{kept}\n… and {left} more lines: reconciler plan shows them all"
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}diff\n{text}\n{fence}"


def _escaped(text: str) -> str:
    """Outside the block: names of strategies and our own words."""
    return re.sub(r"([\\`*_<>\[\]|#@])", r"\\\1", printable(text))
