"""Editors know our files: the line that `init` writes at the top of one leads the real language server to the schemas."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reconciler.catalog.loading import load_catalog, schema_text, schemas_dir
from tests.support.cli_project import Project
from tests.support.fuzz_inputs import examples
from tests.support.language_server import LanguageServer, language_server
from tests.support.node_clients import node_folder

pytestmark = pytest.mark.timeout(360)

KIND = "pure_market_making"


@pytest.fixture(scope="session")
def node() -> Path:
    return node_folder()


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """The strategy that `reconciler init` writes."""
    done = Project(tmp_path, "memory:", "bots").run("init", "bots")
    assert done.returncode == 0, done.stderr
    return tmp_path / "bots" / "strategies" / "btc-maker.yaml"


@pytest.fixture
def text(sample: Path) -> str:
    """What stands in it."""
    return sample.read_text()


@pytest.fixture
async def server(node: Path, sample: Path) -> AsyncIterator[LanguageServer]:
    async with language_server(node, sample.parents[1]) as server:
        server.open(sample)
        yield server


def schema_of(kind: str) -> dict[str, Any]:
    """The schema of a type's config, found as the server finds it: by the reference in the schema of the file."""
    rules = msgspec.json.decode(schema_text("strategy.schema.json"))["allOf"]
    place = next(
        rule["then"]["properties"]["config"]["$ref"]
        for rule in rules
        if "if" in rule and rule["if"]["properties"]["strategy_type"]["const"] == kind
    )
    schema: dict[str, Any] = msgspec.json.decode(schema_text(place))
    return schema


def plain(markdown: str) -> str:
    """The text of a hover, whose marks are escaped."""
    return markdown.replace("\\", "")


def place_of(text: str, word: str) -> tuple[int, int]:
    """Line and column within the first `word`, from 0."""
    before = text.partition(word)[0]
    return before.count("\n"), len(before) - before.rfind("\n")


async def test_the_file_that_init_writes_has_no_finding(server: LanguageServer, sample: Path) -> None:
    assert await server.diagnostics(sample) == []


async def test_a_wrong_value_a_wrong_name_and_a_missing_field_are_found_and_gone_once_repaired(
    server: LanguageServer, sample: Path, text: str
) -> None:
    bad = (
        text.replace("state: stopped", "state: stoped")
        .replace("bid_spread: 0.1%", "bid_spread: wide")
        .replace("ask_spread", "ask_spred")
    )
    await server.diagnostics(sample)

    server.change(sample, bad)
    found = await server.diagnostics(sample)
    server.change(sample, text)

    assert {"running", "paused"} <= {
        value for finding in found for value in finding["data"].get("values", ())
    }
    places = {(finding["range"]["start"]["line"], finding["severity"]) for finding in found}
    assert places >= {(place_of(bad, word)[0], 1) for word in ("stoped", "wide", "ask_spred")}
    assert any("ask_spread" in finding["message"] for finding in found)
    assert await server.diagnostics(sample) == []


@pytest.mark.parametrize("field", ["bid_spread", "order_amount"])
async def test_hovering_a_field_of_config_shows_our_description(
    server: LanguageServer, sample: Path, text: str, field: str
) -> None:
    description = schema_of(KIND)["properties"][field]["description"]

    shown = await server.hover(sample, *place_of(text, field))

    assert description
    assert description in plain(shown)


async def test_hovering_a_field_of_the_file_itself_shows_what_it_is_for(
    server: LanguageServer, sample: Path, text: str
) -> None:
    shown = await server.hover(sample, *place_of(text, "trading_pair"))

    assert "Base and quote asset" in plain(shown)


async def test_below_config_the_fields_of_the_strategy_type_are_offered(
    server: LanguageServer, sample: Path, text: str
) -> None:
    server.change(sample, text + "  \n")

    offered = await server.complete(sample, text.count("\n"), 2)

    there = {"bid_spread", "ask_spread", "order_amount", "order_refresh_time"}
    assert offered.keys() == load_catalog().fields(KIND).keys() - there
    assert offered["order_levels"]["documentation"]


async def test_whatever_the_strategy_type_its_own_fields_are_offered(
    server: LanguageServer, sample: Path, text: str
) -> None:
    catalog = load_catalog()
    modeline = text.partition("\n")[0]
    offered = {}

    for kind in catalog.types:
        server.change(sample, f"{modeline}\nstrategy_type: {kind}\nconfig:\n  \n")
        offered[kind] = (await server.complete(sample, 3, 2)).keys()

    lacking = {kind: set(catalog.fields(kind)) - offered[kind] for kind in catalog.types}
    assert {kind: fields for kind, fields in lacking.items() if fields} == {}
    assert "order_refresh_time" not in offered["hedge"]


async def test_at_the_top_the_fields_of_a_strategy_file_are_offered(
    server: LanguageServer, sample: Path, text: str
) -> None:
    server.change(sample, text + "\n")

    offered = await server.complete(sample, text.count("\n"), 0)

    assert {"labels", "owner", "protect", "suspend", "wave"} <= offered.keys()
    assert "bid_spread" not in offered


async def test_where_one_of_a_few_words_stands_they_are_offered(
    server: LanguageServer, sample: Path, text: str
) -> None:
    changed = text.replace("state: stopped", "state: \n")
    server.change(sample, changed)
    line, column = place_of(changed, "state: ")

    offered = await server.complete(sample, line, column + len("state: "))

    assert {"running", "paused", "stopped"} <= offered.keys()


async def test_no_example_has_a_finding(node: Path, tmp_path: Path) -> None:
    modeline = f"# yaml-language-server: $schema={(schemas_dir() / 'strategy.schema.json').as_uri()}\n"
    found: dict[str, list[dict[str, Any]]] = {}

    async with language_server(node, tmp_path) as server:
        for example in examples():
            copy = tmp_path / f"{len(found)}-{example.name}"
            copy.write_text(modeline + example.read_text())
            server.open(copy)
            found[str(example)] = await server.diagnostics(copy)

    assert found
    assert {name: findings for name, findings in found.items() if findings} == {}
