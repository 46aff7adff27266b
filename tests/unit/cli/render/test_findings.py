"""Each form of `validate`'s output says all that is wrong, in the form's own rules, whatever a file brings into it."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given

from reconciler.cli.findings import Findings
from reconciler.cli.render.findings import findings_document, findings_github, findings_junit, findings_text
from reconciler.errors import ExitCode, Problem, Severity
from tests.support.finding_builders import WARNING, findings, many, problem, problems

# -- all of them


def test_warnings_alone_are_no_failure_until_they_are_taken_as_errors() -> None:
    found = findings(WARNING)

    assert found.exit_code is ExitCode.OK
    assert found.strict().exit_code is ExitCode.INVALID
    assert "warning" not in findings_text(found.strict())
    assert findings_document(found.strict())["errors"] == 1


@pytest.mark.parametrize(
    ("file", "path"),
    [
        ("strategies/a.yaml", "bots/strategies/a.yaml"),
        ("../a.yaml", "a.yaml"),
        ("../../a.yaml", "../a.yaml"),
        ("/work/tree/bots/a.yaml", "bots/a.yaml"),
        ("/elsewhere/a.yaml", "/elsewhere/a.yaml"),
        (".", "bots"),
    ],
)
def test_names_become_paths_from_the_repositorys_root(file: str, path: str) -> None:
    assert findings(root="/work/tree", below="bots").from_root(file) == path


def test_a_name_in_the_text_cannot_pass_for_another_line() -> None:
    text = findings_text(findings(problem(file="s/a\n::error::b\x1b[31m.yaml"), WARNING))

    assert r"s/a\n::error::b\x1b[31m.yaml:3:8: state:" in text
    assert len(text.splitlines()) == 5


# -- github

COMMAND = re.compile(r"::(error|warning) ([^:\r\n]*)::([^\r\n]*)")


def decoded(text: str) -> str:
    for escape, letter in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(escape, letter)
    return text


def test_an_annotation_names_place_severity_what_and_fix() -> None:
    found = findings(problem(), WARNING, below="bots")

    first, second, summary = findings_github(found).splitlines()

    assert first == (
        "::error file=bots/strategies/a.yaml,line=3,col=8,title=state"
        "::'x' is not allowed%0Afix: write one of running, paused"
    )
    assert second.startswith(
        "::warning file=bots/strategies/a.yaml,line=9,col=8,title=config.bid_spread::0.001"
    )
    assert "0.001 %25, not 0.1 %25" in second
    assert "1 error, 1 warning" in summary


def test_an_annotation_of_a_whole_file_names_no_line() -> None:
    text = findings_github(findings(problem(line=0, column=0, path="")))

    assert text.startswith("::error file=strategies/a.yaml::")


def test_commas_and_colons_are_escaped_in_properties_and_only_there() -> None:
    text = findings_github(findings(problem(file="s/a,b:c%.yaml", path="a,b", fix="write a: b, c")))

    assert text.startswith("::error file=s/a%2Cb%3Ac%25.yaml,line=3,col=8,title=a%2Cb::")
    assert "fix: write a: b, c" in text


@given(many)
def test_whatever_it_says_a_problem_is_one_command_and_can_be_read_back(found: Findings) -> None:
    lines = findings_github(found).split("\n")[:-1]

    assert len(lines) == len(found.problems)
    for line, each in zip(lines, found.problems, strict=True):
        command = COMMAND.fullmatch(line)
        assert command is not None
        properties = dict(part.split("=", 1) for part in command[2].split(","))
        assert command[1] == each.severity.value
        assert decoded(properties["file"]) == found.from_root(each.location.file)
        assert decoded(properties.get("title", "")) == each.path
        assert decoded(command[3]) == f"{each.what}\nfix: {each.fix}"


# -- junit


def junit(found: Findings) -> ET.Element:
    """The one suite of the document as it leaves the process."""
    root = ET.fromstring(findings_junit(found).encode())
    (suite,) = root
    assert (root.tag, suite.tag) == ("testsuites", "testsuite")
    assert suite.get("tests") == root.get("tests") == str(len(suite))
    assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
    return suite


def test_every_file_is_a_test_case_and_a_wrong_one_fails_with_all_its_problems() -> None:
    second = problem(path="config.a", what="no such field", line=6)
    found = findings(problem(), second, WARNING, files=("strategies/a.yaml", "strategies/b.yaml"))

    wrong, right = junit(found)

    (failure,) = wrong
    assert failure.get("message") == "state: 'x' is not allowed (and 1 more)"
    assert failure.text is not None
    assert failure.text.splitlines() == [
        line
        for mark, each in (("", found.problems[0]), ("", second), ("warning: ", WARNING))
        for line in f"{mark}{each}".splitlines()
    ]
    assert (right.get("name"), list(right)) == ("strategies/b.yaml", [])


def test_a_file_with_warnings_alone_passes_and_says_them() -> None:
    (case,) = junit(findings(WARNING))

    assert [part.tag for part in case] == ["system-out"]
    assert "warning: strategies/a.yaml:9:8: config.bid_spread: 0.001 means" in (case[0].text or "")


def test_what_is_wrong_with_the_tree_as_a_whole_is_a_test_case_too() -> None:
    suite = junit(findings(problem(file=".", what="no strategy files"), files=("a.yaml",)))

    assert [case.get("name") for case in suite] == ["a.yaml", "."]


@given(many)
def test_whatever_it_says_it_is_xml_without_forbidden_characters(found: Findings) -> None:
    text = findings_junit(found)

    assert not re.search("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
    assert len(junit(found)) == len({each.location.file for each in found.problems})


@given(problems.filter(lambda each: each.severity is Severity.ERROR))
def test_a_failure_says_what_and_fix_of_its_problem(each: Problem) -> None:
    (case,) = junit(findings(each))

    def visible(text: str) -> str:
        return re.sub(
            r"\s+", " ", re.sub("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
        )

    assert visible(each.what) in visible(case[0].text or "")
    assert visible(each.fix) in visible(case[0].text or "")
