"""Findings as SARIF: what the standard requires, every problem a result, every result a rule."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from reconciler.catalog.loading import load_catalog
from reconciler.cli.findings import Findings
from reconciler.cli.render.sarif import KINDS, OTHER, findings_sarif, kind_of
from reconciler.sources.check import check
from tests.support.cases_expected import case_files
from tests.support.finding_builders import WARNING, findings, many, problem


def closed(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """An object with these properties and no others."""
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **optional},
        "additionalProperties": False,
    }


def list_of(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


TEXT = {"type": "string", "minLength": 1}
FROM_ONE = {"type": "integer", "minimum": 1}
MESSAGE = closed({"text": TEXT})
ARTIFACT = closed(
    {"uri": {**TEXT, "pattern": r"^(file://)?[A-Za-z0-9._~%/-]+$"}}, uriBaseId={"const": "%SRCROOT%"}
)
PHYSICAL = closed(
    {"artifactLocation": ARTIFACT}, region=closed({"startLine": FROM_ONE}, startColumn=FROM_ONE)
)
RULE = closed({"id": {**TEXT, "pattern": "^[a-z]+(-[a-z]+)*$"}, "shortDescription": MESSAGE})
RESULT = closed(
    {
        "ruleId": TEXT,
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": {"enum": ["error", "warning"]},
        "message": MESSAGE,
        "locations": list_of(closed({"physicalLocation": PHYSICAL}), minItems=1, maxItems=1),
    }
)
DRIVER = closed(
    {
        "name": {"const": "reconciler"},
        "semanticVersion": {"type": "string", "pattern": r"^[0-9]+\.[0-9]+\.[0-9]+"},
        "rules": list_of(RULE, uniqueItems=True),
    }
)
RUN = closed(
    {
        "tool": closed({"driver": DRIVER}),
        "invocations": list_of(
            closed({"executionSuccessful": {"const": True}, "exitCode": {"type": "integer"}})
        ),
        "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
        "newlineSequences": list_of(TEXT, minItems=1, uniqueItems=True),
        "results": list_of(RESULT),
    }
)
SARIF = closed({"version": {"const": "2.1.0"}, "$schema": TEXT, "runs": list_of(RUN, minItems=1, maxItems=1)})
"""What we use of SARIF 2.1.0, with what the standard requires of it."""


def sarif(found: Findings) -> dict[str, Any]:
    """The document as it leaves the process, found to be SARIF."""
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(findings_sarif(found)))
    Draft202012Validator(SARIF).validate(document)
    return document


def test_a_result_names_rule_place_severity_what_and_fix() -> None:
    document = sarif(findings(problem(), WARNING, below="bots"))

    (run,) = document["runs"]
    error, warning = run["results"]
    assert error["message"]["text"] == "state: 'x' is not allowed\nfix: write one of running, paused"
    assert error["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "bots/strategies/a.yaml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 3, "startColumn": 8},
    }
    assert (error["level"], warning["level"]) == ("error", "warning")
    assert (error["ruleId"], warning["ruleId"]) == ("choice", "absurd")
    assert run["invocations"][0]["exitCode"] == 5


def test_a_result_of_a_whole_file_has_no_region() -> None:
    document = sarif(findings(problem(line=0, column=0)))

    assert "region" not in document["runs"][0]["results"][0]["locations"][0]["physicalLocation"]


def test_a_file_outside_of_the_repository_has_a_whole_address() -> None:
    document = sarif(findings(problem(file="/else where/a.yaml"), root="/work", below=""))

    place = document["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "file:///else%20where/a.yaml"}


def test_without_problems_there_is_a_run_without_results() -> None:
    assert sarif(findings(files=("a.yaml",)))["runs"][0]["results"] == []


@given(many)
def test_whatever_it_says_it_is_sarif_and_every_result_has_its_rule(found: Findings) -> None:
    (run,) = sarif(found)["runs"]

    rules = run["tool"]["driver"]["rules"]
    assert len(run["results"]) == len(found.problems)
    for result, each in zip(run["results"], found.problems, strict=True):
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert unquote(urlsplit(uri).path) == found.from_root(each.location.file)


# -- kinds


def test_every_kind_is_named_once_and_the_last_one_takes_all() -> None:
    assert len({kind.id for kind in KINDS}) == len({kind.about for kind in KINDS}) == len(KINDS)
    assert KINDS[-1] is OTHER
    assert kind_of("nobody has ever said this") is OTHER


def test_every_problem_of_the_cases_is_of_a_known_kind() -> None:
    cases = [*case_files("bad"), *case_files("good")]
    told = {each.what for case in cases for each in check(case.read_bytes(), "f", load_catalog()).problems}

    assert {what for what in told if kind_of(what) is OTHER} == set()


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("1,048,577 bytes are more than the 1,048,576 that a strategy file may have", "too-large"),
        ("more than the 1,048,576 bytes that a strategy file may have", "too-large"),
        ("more than 32 levels deep", "too-large"),
        ("more than 50,000 values in one file", "too-large"),
        ("more than 100 mistakes", "too-many"),
        ("4,001 more problems from here on", "too-many"),
        ("a symbolic link that leaves the folder of the strategies", "no-file"),
        ("no strategy files: the tree is empty", "empty-tree"),
        ("there is no strategy in this file", "empty-file"),
        ("strategy default/a stands in b.yaml:1 too", "name"),
        ("two documents would be called a", "name"),
        ("'a b' is not an allowed name", "name"),
        ("there is no target 'eu'", "unknown-target"),
        ("hedge cannot trade on 'binanse'", "unknown-exchange"),
    ],
)
def test_what_is_said_elsewhere_has_its_kind_too(what: str, kind: str) -> None:
    assert kind_of(what).id == kind
