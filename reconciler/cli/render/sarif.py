"""
Findings as SARIF 2.1.0 (OASIS), which code scanning takes: a rule for each kind, a result for each problem.

Rule 1: places are as the standard counts them: lines and columns from 1, columns in characters, and no region
where only the file is known.
Rule 2: addresses are relative to the repository's root, escaped as URIs.
Rule 3: a Problem has words and no code; its kind is recognised by how the words begin, end, or what they hold. What
fits nothing is of the last kind. Ids never change: people mute and count findings by them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import quote

from reconciler import __version__
from reconciler.cli.findings import Findings

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "%SRCROOT%"
"""What code scanning calls the root of the checkout."""

LINE_BREAKS = ("\r\n", "\n", "\r", "\x85", "\u2028", "\u2029")
"""What ends a line in YAML, and so in our line numbers."""


class ProblemKind(NamedTuple):
    """`said`: matches a part of what problems of this kind say. `about`: the rule, in a sentence."""

    id: str
    about: str
    said: re.Pattern[str]


def _kind(id_: str, about: str, said: str) -> ProblemKind:
    return ProblemKind(id_, about, re.compile(said))


OTHER = _kind("invalid", "A strategy file says something that cannot be applied.", "")

KINDS: Sequence[ProblemKind] = (
    _kind("policy", "A strategy keeps to the rules of the settings.", r"\bpolicy\.[a-z_]+"),
    _kind("syntax", "A strategy file is YAML in UTF-8.", r"^not YAML|^not UTF-8|^UTF-16"),
    _kind("too-large", "A strategy file stays within the limits of size and depth.",
          r"bytes .*that a strategy file may have|levels deep$|values in one file$"),
    _kind("too-many", "Of very many problems only the first are shown.", r"more problems from here on$|^more than .* mistakes$"),
    _kind("no-file", "A strategy stands in a plain file of its repository.", r"^a symbolic link that |^a submodule: "),
    _kind("empty-tree", "There is at least one strategy.", r"^no strategy files"),
    _kind("empty-file", "A file that is there holds a strategy.", r"^there is no strategy in this file"),
    _kind("reference", "YAML without anchors, aliases, merge keys, tags and directives.", r"^(anchor &|alias \*|merge key|tag |a directive )"),
    _kind("duplicate-key", "A field appears once in its mapping.", r"appears here a second time$"),
    _kind("key", "A key is text.", r"^key .* is not text$|^a key that is not text$|^a value without a name$"),
    _kind("shape", "A strategy is a mapping of fields.", r"^a strategy is a mapping"),
    _kind("not-finite", "A number is finite, plainly written, and of a size to trade with.",
          r"is out of any range$|has _ between its digits$|is not a number to trade with$"),
    _kind("unknown-field", "Only fields that Hummingbot knows; it passes over all others in silence.",
          r"has no such field$|has no field |has nothing below it$"),
    _kind("missing-field", "Every field that the strategy needs is written.", r"needs this field$"),
    _kind("unknown-type", "The strategy type is one that has a schema.", r"is not a strategy type"),
    _kind("unknown-exchange", "The exchange is one that the strategy can trade on.", r" cannot trade on "),
    _kind("venue", "The exchange has what the strategy asks of it: candles, position mode, an order book.",
          r" has no candles of | candles are none$|is no length of candles| knows position mode | do not run on paper_trade "
          r"| is a venue of Hummingbot's Gateway, | is not a connector of Hummingbot$"),
    _kind("grid", "A grid has prices and a side that its executor takes.",
          r"^a grid has no side | is no price$| is not (below|above) (start|end)_price | refused by Hummingbot's grid executor$|^must be written: "),
    _kind("unknown-target", "The target is one of reconciler.yaml.", r"^there is no target "),
    _kind("name", "Every strategy has an allowed name of its own.",
          r"^strategy .* stands in .* too$|^two documents would be called|is not an allowed name$"),
    _kind("unit", "A value has a unit only where its field takes one.", r"has a unit, which this field does not take$"),
    _kind("absurd", "A number means what its author meant: percent or fraction.", r" means .*, not "),
    _kind("unread", "A field that is set is one that the strategy reads.", r", which does not read it$"),
    _kind("left-out", "A field whose default matters is written.", r"^left out; |^null is read as left out"),
    _kind("text-for-value", "A number, true or false is written without quotes.", r" is a text, read as "),
    _kind("out-of-range", "A number is within the bounds of its field.", r"is out of range$| means [0-9,.]+ %$| times the volatility$"),
    _kind("form", "A text has the form that its field needs.",
          r"does not have the right form$|is no trading pair: |is not an RFC 3339 time|is empty$"),
    _kind("choice", "A value is one of those that its field allows.", r"is not allowed( here)?$"),
    _kind("items", "A list has as many items as its field needs, each once.", r" items are not |^the same item appears twice$"),
    _kind("type", "A value is of the type that its field needs.",
          r"is not (a number|a whole number|text|true or false|a mapping of fields|a list|nothing)( or |$)"),
    OTHER,
)  # fmt: skip
"""In order: the first that fits counts."""


@lru_cache(1024)
def kind_of(what: str) -> ProblemKind:
    """The kind of a problem that says `what`; OTHER if none fits."""
    return next(kind for kind in KINDS if kind.said.search(what))


def findings_sarif(found: Findings) -> dict[str, Any]:
    """The findings as one run of one tool."""
    kinds = [kind_of(problem.what) for problem in found.problems]
    used = [kind for kind in KINDS if kind in kinds or kind is OTHER]
    rules = {kind.id: number for number, kind in enumerate(used)}
    driver = {
        "name": "reconciler",
        "semanticVersion": __version__,
        "rules": [{"id": kind.id, "shortDescription": {"text": kind.about}} for kind in used],
    }
    results = []
    for problem, kind in zip(found.problems, kinds, strict=True):
        location = problem.location
        file = found.from_root(location.file)
        artifact = {"uri": quote(file), "uriBaseId": ROOT}
        if PurePosixPath(file).is_absolute():
            artifact = {"uri": f"file://{quote(file)}"}
        place: dict[str, Any] = {"artifactLocation": artifact}
        if location.line:
            column = {"startColumn": location.column} if location.column else {}
            place["region"] = {"startLine": location.line, **column}
        where = f"{problem.path}: " if problem.path else ""
        results.append(
            {
                "ruleId": kind.id,
                "ruleIndex": rules[kind.id],
                "level": problem.severity.value,
                "message": {"text": f"{where}{problem.what}\nfix: {problem.fix}"},
                "locations": [{"physicalLocation": place}],
            }
        )
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": True, "exitCode": int(found.exit_code)}],
        "columnKind": "unicodeCodePoints",
        "newlineSequences": LINE_BREAKS,
        "results": results,
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
