"""schemas/asyncapi.yaml in the eyes of the AsyncAPI parser; tests/contract holds it against our code."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.node_clients import FOLDER, node_folder

DOCUMENT = Path(__file__).parents[2] / "schemas" / "asyncapi.yaml"

NEWER_VERSION = "The latest version of AsyncAPi is not used"
"""What the parser says of every 3.0 document since 3.1; it is no problem of ours."""

pytestmark = pytest.mark.timeout(360)


@pytest.fixture(scope="session")
def node() -> Path:
    return node_folder()


def parse(node: Path, document: Path) -> dict[str, object]:
    done = subprocess.run(
        ["node", "check-asyncapi.mjs", str(document)],
        cwd=node,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    result: dict[str, object] = json.loads(done.stdout)
    return result


def test_the_document_is_valid_asyncapi(node: Path) -> None:
    result = parse(node, DOCUMENT)

    assert isinstance(result["problems"], list)
    assert [p for p in result["problems"] if not p["message"].startswith(NEWER_VERSION)] == []
    assert result["parsed"] is True


def test_the_parser_would_say_if_it_were_not(node: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(DOCUMENT.read_text().replace("'#/channels/create'", "'#/channels/creates'", 1))

    assert parse(node, broken)["problems"]


def test_the_lock_file_names_packages_and_no_host() -> None:
    packages = json.loads((FOLDER / "package-lock.json").read_text())["packages"]

    assert {"node_modules/@asyncapi/parser", "node_modules/mqtt"} <= packages.keys()
    assert not [name for name, package in packages.items() if "resolved" in package]
    assert all("integrity" in package for name, package in packages.items() if name)
