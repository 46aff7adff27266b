"""The cache of checked files: what comes out is what went in, and damage costs time but never truth."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from reconciler.errors import Location, Problem
from reconciler.model.spec import StrategySpec
from reconciler.sources.base import Checked
from reconciler.sources.cache import SLACK, ResultCache


def checked(number: int) -> Checked:
    config = {"bid_spread": Decimal("0.10"), "levels": number, "note": "a\nb", "on": True, "none": None}
    place = Location(f"s/{number}.yaml", 1)
    spec = StrategySpec("", "pure_market_making", "binance", "BTC-USDT", config, location=place)
    return Checked((spec,), (Problem(place, "config.x", "what", "fix"),), ("broken",))


RESULTS = {f"{number:040x}": checked(number) for number in range(5)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "checked"


def written(file: Path, made_with: str = "1") -> Path:
    ResultCache(file, made_with).write(RESULTS, RESULTS)
    return file


def test_what_was_written_is_read(file: Path) -> None:
    results = ResultCache(written(file), "1").read()

    assert results == RESULTS
    assert str(results[f"{0:040x}"].specs[0].config["bid_spread"]) == "0.10"


def test_results_of_another_version_or_schema_do_not_count(file: Path) -> None:
    assert ResultCache(written(file), "2").read() == {}


def test_what_a_process_of_another_version_adds_does_not_count(file: Path) -> None:
    ours = ResultCache(written(file, "1"), "1")
    known = ours.read()
    file.unlink()
    written(file, "2")
    ours.write({**known, "new": checked(9)}, ["new"])

    assert ResultCache(file, "2").read() == RESULTS


def test_no_file_is_no_results(file: Path) -> None:
    assert ResultCache(file, "1").read() == {}


def test_new_results_are_added_without_writing_the_old_ones_again(file: Path) -> None:
    cache = ResultCache(written(file), "1")
    before = cache.read()
    inode, size = file.stat().st_ino, file.stat().st_size
    cache.write({**before, "new": checked(9)}, ["new"])

    assert file.stat().st_ino == inode
    assert file.stat().st_size < size * 1.5
    assert ResultCache(file, "1").read() == {**RESULTS, "new": checked(9)}


def test_a_file_that_is_mostly_waste_is_written_again(file: Path) -> None:
    cache = ResultCache(file, "1")
    few = {"a": checked(1)}
    cache.write(few, few)
    for round_ in range(3):
        many = {f"{round_}-{number}": checked(number) for number in range(SLACK)}
        cache.write({**few, **many}, many)
    cache.write(few, [])

    assert ResultCache(file, "1").read() == few


@pytest.mark.parametrize("damage", ["flip", "cut", "join", "title", "empty", "zeros"])
def test_damage_never_makes_a_wrong_result(file: Path, damage: str) -> None:
    content = bytearray(written(file).read_bytes())
    second = content.index(b"\n", content.index(b"\n") + 1) - 10
    match damage:
        case "flip":
            content[second] ^= 1
        case "cut":
            del content[-20:]
        case "join":
            content = content[:second] + content[second + 20 :]
        case "title":
            content[3] ^= 1
        case "empty":
            content.clear()
        case "zeros":
            content[second:] = bytes(len(content) - second)
    file.write_bytes(content)

    results = ResultCache(file, "1").read()

    assert results.items() <= RESULTS.items()


@pytest.mark.parametrize("damage", [b"", b"half a li"])
def test_a_damaged_file_is_whole_after_the_next_write(file: Path, damage: bytes) -> None:
    whole = written(file).read_bytes()
    file.write_bytes(whole[: len(whole) // 2] + damage)
    cache = ResultCache(file, "1")
    known = cache.read()
    cache.write(RESULTS, RESULTS.keys() - known.keys())

    assert ResultCache(file, "1").read() == RESULTS


def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "not-a-folder").write_text("")

    ResultCache(tmp_path / "not-a-folder" / "checked", "1").write(RESULTS, RESULTS)
