"""How `agent doctor` shows its findings."""

from __future__ import annotations

import click
import pytest

from reconciler.agent.doctor.verdicts import CheckResult, CheckVerdict
from reconciler.cli.render.doctor import diagnosis_document, diagnosis_exit_code, diagnosis_text
from reconciler.errors import ExitCode

GOOD = CheckResult("disk", CheckVerdict.OK, "80 GB free")
POOR = CheckResult("clock", CheckVerdict.WARNING, "not synchronised", "timedatectl set-ntp true")
GONE = CheckResult("interpreter", CheckVerdict.MISSING, "no environment at /venv", "reconciler agent install")


@pytest.mark.parametrize(
    ("findings", "code", "summary"),
    [
        ((GOOD,), ExitCode.OK, "nothing is missing"),
        ((GOOD, POOR), ExitCode.OK, "0 missing, 1 warning"),
        ((POOR, POOR), ExitCode.OK, "0 missing, 2 warnings"),
        ((GOOD, POOR, GONE), ExitCode.ERROR, "1 missing, 1 warning"),
    ],
)
def test_only_what_is_missing_fails(findings: tuple[CheckResult, ...], code: ExitCode, summary: str) -> None:
    assert diagnosis_exit_code(findings) == code
    assert click.unstyle(diagnosis_text(findings)).splitlines()[-1] == summary


def test_the_table_lines_up_and_a_fix_stands_below_its_check() -> None:
    lines = click.unstyle(diagnosis_text((GOOD, GONE))).splitlines()

    assert lines == [
        "CHECK                 SEEN",
        "disk         ok       80 GB free",
        "interpreter  missing  no environment at /venv",
        "                      fix: reconciler agent install",
        "1 missing, 0 warnings",
    ]


def test_what_was_seen_is_wrapped_but_no_fix_and_no_path_is_torn() -> None:
    fix = "reconciler agent install " + "--into /a/very/long/folder " * 6
    path = "/" + "x" * 150
    finding = CheckResult("disk", CheckVerdict.MISSING, f"{'word ' * 40}{path}", fix)

    lines = click.unstyle(diagnosis_text((finding,))).splitlines()

    assert all(len(line) <= 110 or path in line or fix in line for line in lines)
    assert sum(fix in line for line in lines) == 1
    assert sum(path in line for line in lines) == 1


def test_the_document_says_the_same_with_the_exit_code_in_it() -> None:
    assert diagnosis_document((GONE,)) == {
        "format": "reconciler.doctor/1",
        "exit_code": 1,
        "checks": [
            {
                "check": "interpreter",
                "verdict": "missing",
                "seen": "no environment at /venv",
                "fix": "reconciler agent install",
            }
        ],
    }
