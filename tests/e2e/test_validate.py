"""`validate` as people, hooks and CI run it: files that are named or the whole tree, each form, each exit code."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.support.cli_project import COMMAND, FILE, LIMIT_S, Project, clean_environment

GOOD = FILE.format(spread="0.1%", state="running", pair="BTC-USDT")
WARNED = GOOD.replace("bid_spread: 0.1%", "bid_spread: 0.001")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path, "memory:", "bots")
    project.write("good")
    project.write("bad", state="paussed")
    return project


def files_of(document: dict[str, list[dict[str, str]]]) -> set[str]:
    return {problem["file"] for problem in document["problems"]}


# -- which files


def test_without_paths_the_whole_tree_is_checked(project: Project) -> None:
    found = project.json("validate")

    assert (found["files"], found["exit_code"]) == (2, 5)
    assert files_of(found) == {"strategies/bad.yaml"}


def test_only_what_is_wrong_with_the_named_files_is_reported(project: Project) -> None:
    good = project.json("validate", "strategies/good.yaml")
    both = project.json("validate", "strategies/good.yaml", "strategies/bad.yaml")

    assert (good["files"], good["strategies"], good["problems"], good["exit_code"]) == (1, 1, [], 0)
    assert (both["files"], both["strategies"], both["exit_code"]) == (2, 1, 5)
    assert files_of(both) == {"strategies/bad.yaml"}


def test_a_named_file_is_judged_among_all_files_of_its_tree(project: Project) -> None:
    (project.folder / "strategies" / "eu").mkdir()
    (project.folder / "strategies" / "eu" / "good.yaml").write_text(GOOD)

    found = project.json("validate", "strategies/eu/good.yaml")

    assert found["exit_code"] == 5
    assert files_of(found) == {"strategies/eu/good.yaml"}
    assert "stands in strategies/good.yaml:1 too" in found["problems"][0]["what"]


def test_files_elsewhere_are_judged_among_themselves(project: Project) -> None:
    (project.folder / "drafts").mkdir()
    (project.folder / "drafts" / "good.yaml").write_text(GOOD)

    assert project.json("validate", "drafts/good.yaml", "strategies/good.yaml")["problems"] == []
    assert project.json("validate", "drafts")["files"] == 1


@pytest.mark.parametrize(
    "spelled", ["strategies/good.yaml", "./strategies/../strategies/good.yaml", "{folder}"]
)
def test_however_a_file_is_spelled_it_is_the_same_file(project: Project, spelled: str) -> None:
    (project.folder / "strategies" / "eu").mkdir()
    (project.folder / "strategies" / "eu" / "good.yaml").write_text(GOOD)
    name = spelled.format(folder=project.folder / "strategies" / "good.yaml")

    found = project.json("validate", name)

    assert found["files"] == 1
    assert "stands in strategies/eu/good.yaml:1 too" in found["problems"][0]["what"]
    assert project.json("validate", name, "strategies/good.yaml")["files"] == 1


def test_a_file_or_a_folder_without_a_strategy_is_an_error(project: Project) -> None:
    (project.folder / "strategies" / "empty.yaml").write_text("# nothing yet\n")
    (project.folder / "nothing").mkdir()

    emptied = project.run("validate", "strategies/empty.yaml")

    assert emptied.returncode == 5
    assert (
        "strategies/empty.yaml: there is no strategy in this file\n    fix: delete the file" in emptied.stdout
    )
    assert "no strategy files" in project.run("validate", "nothing").stdout
    assert project.run("validate", "nothing").returncode == 5


def test_a_link_that_leaves_the_tree_is_refused_by_its_name_too(project: Project) -> None:
    (project.folder / "outside.yaml").write_text(GOOD)
    (project.folder / "strategies" / "link.yaml").symlink_to("../outside.yaml")

    done = project.run("validate", "strategies/link.yaml")

    assert done.returncode == 5
    assert "strategies/link.yaml: a symbolic link that leaves the folder" in done.stdout


@pytest.mark.parametrize("arguments", [("missing.yaml",), ("--ref", "main", "strategies"), ("-o", "yaml")])
def test_a_wrong_command_line_is_an_error_and_no_invalid_file(
    project: Project, arguments: tuple[str, ...]
) -> None:
    assert project.run("validate", *arguments).returncode == 1


def test_a_file_that_cannot_be_read_is_an_error_and_no_invalid_file(project: Project) -> None:
    done = project.run("validate", "/proc/self/mem")

    assert done.returncode == 1
    assert "cannot read /proc/self/mem: Input/output error" in done.stderr


def test_a_name_that_is_no_text_is_a_name_all_the_same(project: Project) -> None:
    name = os.fsencode(project.folder) + b"/strategies/\xff\n.yaml"
    Path(os.fsdecode(name)).write_text(GOOD)

    whole, named = project.json("validate"), project.json("validate", os.fsdecode(name))

    assert "strategies/\ufffd\n.yaml" in files_of(whole)
    assert [each["what"] for each in named["problems"]] == ["'\ufffd\\n' is not an allowed name"]


def test_files_are_checked_where_the_secrets_of_the_broker_are_not(project: Project) -> None:
    settings = (
        "broker: {username: me, password: '${env:NOWHERE}', api_key: a, api_secret: '${file:/nowhere}'}\n"
    )
    (project.folder / "reconciler.yaml").write_text(settings)

    assert project.run("validate", "strategies/good.yaml").returncode == 0
    assert "there is no environment variable NOWHERE" in project.run("plan").stderr


def test_what_else_is_wrong_with_the_settings_is_still_an_error(project: Project) -> None:
    (project.folder / "reconciler.yaml").write_text(
        "broker: {passwort: '${env:NOWHERE}', connect_timeout: x}\n"
    )

    done = project.run("validate", "strategies/good.yaml")

    assert done.returncode == 1
    assert "broker.connect_timeout" in done.stderr


# -- warnings


def test_strict_takes_warnings_as_errors(project: Project) -> None:
    project.write("good").write_text(WARNED)

    lenient = project.json("validate", "strategies/good.yaml")
    strict = project.json("validate", "--strict", "strategies/good.yaml")

    assert (lenient["exit_code"], lenient["errors"], lenient["warnings"]) == (0, 0, 1)
    assert (strict["exit_code"], strict["errors"], strict["warnings"]) == (5, 1, 0)


# -- forms


def sarif_places(text: str) -> list[str]:
    (run,) = json.loads(text)["runs"]
    return [each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in run["results"]]


def junit_places(text: str) -> list[str]:
    return [
        case.get("file", "")
        for case in ET.fromstring(text).iter("testcase")
        if case.find("failure") is not None
    ]


def github_places(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if line.startswith("::error ")]
    return [line.partition("file=")[2].partition(",")[0] for line in lines]


FORMS = {"sarif": sarif_places, "junit": junit_places, "github": github_places}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_names_the_file_and_ends_with_the_code_of_its_findings(project: Project, form: str) -> None:
    bad = project.run("validate", "-o", form)
    good = project.run("validate", "-o", form, "strategies/good.yaml")

    assert (bad.returncode, good.returncode) == (5, 0)
    assert FORMS[form](bad.stdout) == ["strategies/bad.yaml"]
    assert FORMS[form](good.stdout) == []


def validate_in(folder: Path, *arguments: str) -> str:
    """What `validate` prints when it is run in `folder`."""
    done = subprocess.run(
        [*COMMAND, "validate", *arguments],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 5, done.stderr
    return done.stdout


@pytest.mark.parametrize("form", FORMS)
def test_paths_are_from_the_repositorys_root_wherever_the_settings_are(tmp_path: Path, form: str) -> None:
    outer = Project(tmp_path, "memory:", "bots")
    (tmp_path / "fleet" / "strategies").mkdir(parents=True)
    (tmp_path / "fleet" / "strategies" / "a b.yaml").write_text(GOOD.replace("running", "runing"))
    outer.commit()
    fleet, places = tmp_path / "fleet", FORMS[form]
    expected = ["fleet/strategies/a%20b.yaml" if form == "sarif" else "fleet/strategies/a b.yaml"]

    assert places(validate_in(fleet, "-o", form)) == expected
    assert places(validate_in(fleet, "-o", form, "--ref", "main")) == expected
    assert places(validate_in(fleet, "-o", form, "strategies/a b.yaml")) == expected
    assert places(validate_in(fleet, "-o", form, str(fleet / "strategies"))) == expected
    assert places(validate_in(fleet / "strategies", "-o", form, "a b.yaml")) == expected


def test_every_form_has_every_finding_of_thousands_of_files(project: Project) -> None:
    bad = GOOD.replace("bid_spread: 0.1%", "bid_spred: 1")
    for number in range(3000):
        (project.folder / "strategies" / f"s{number}.yaml").write_text(bad if number % 3 == 0 else GOOD)

    found = project.json("validate")
    places = {form: set(read(project.run("validate", "-o", form).stdout)) for form, read in FORMS.items()}

    assert found["files"] == 3002
    assert len(files_of(found)) == 1001
    assert places == dict.fromkeys(FORMS, files_of(found))
