"""`agent install` with the real uv and a small package called hummingbot: what it makes, and what it leaves alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.agent.install.environment import MARKER, default_folder, hummingbot_python
from tests.support.cli_project import LIMIT_S, Project
from tests.support.install_project import Shop
from tests.support.wheelhouse import VERSION, Wheelhouse, needs_uv


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    needs_uv()
    return Shop(tmp_path, Wheelhouse(tmp_path / "wheels"))


def test_an_agent_finds_what_was_installed(shop: Shop) -> None:
    shop.wheels.add()
    assert hummingbot_python(shop.state) is None

    done = shop.run()

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(hummingbot_python(shop.state)) == str(shop.place / "bin/python")
    assert "20260922 installed" in done.stderr
    assert shop.around() == {VERSION, f"{VERSION}.lock", f"{VERSION}.log"}


def test_the_environment_is_one_of_its_own_and_knows_its_place(shop: Shop) -> None:
    shop.wheels.add()
    shop.run()
    program = "import sys, hummingbot; print(sys.prefix); print(*sys.path)"

    said = subprocess.run(
        [shop.place / "bin/python", "-I", "-c", program],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )

    prefix, path = said.stdout.splitlines()
    assert prefix == str(shop.place)
    assert "partial" not in path
    assert not any(entry.startswith(sys.prefix) for entry in path.split())


def test_what_no_python_of_ours_can_have_is_not_asked_for(shop: Shop) -> None:
    shop.wheels.add(requires='pandas-ta>=0.4.71b0 ; python_version < "99"')

    done = shop.run()

    if sys.version_info < (3, 12):
        assert done.returncode == 0, done.stderr
    else:
        assert "pandas-ta" in done.stderr


def test_a_second_install_does_nothing_and_needs_no_uv(shop: Shop) -> None:
    shop.wheels.add()
    shop.run()
    before = (shop.place / MARKER).stat().st_mtime_ns

    done = shop.run(PATH="/nowhere")

    assert done.returncode == 0, done.stderr
    assert "was installed already" in done.stderr
    assert (shop.place / MARKER).stat().st_mtime_ns == before


def test_another_folder_and_another_cache_can_be_named(shop: Shop) -> None:
    shop.wheels.add()
    into, cache = shop.folder / "into", shop.folder / "cache"

    done = shop.run("--into", str(into), "--wheel-cache", str(cache))

    assert done.stdout.strip() == str(into / "bin/python"), done.stderr
    assert any(cache.iterdir())
    assert not shop.place.exists()


def test_without_a_terminal_it_says_only_how_it_ended(shop: Shop) -> None:
    shop.wheels.add()

    assert len(shop.run().stderr.splitlines()) == 1


def test_at_a_terminal_it_shows_what_it_does(shop: Shop) -> None:
    shop.wheels.add(module="import time; time.sleep(2)")
    project = Project(shop.folder, "mqtt://127.0.0.1:1", "hummingbot")

    code, screen = project.at_terminal("agent", "install", **shop.wheels.environment)

    assert code == 0, screen
    assert "installing Hummingbot 20260922: trying to import it" in screen
    assert "20260922 installed" in screen


def test_another_version_does_not_take_the_place_of_one_unless_asked_to(shop: Shop) -> None:
    shop.wheels.add()
    shop.wheels.add("20270101")
    into = ("--into", str(shop.folder / "into"))
    shop.run(*into)

    refused = shop.run(*into, "--version", "20270101")
    replaced = shop.run(*into, "--version", "20270101", "--force")

    assert refused.returncode == 1
    assert "has Hummingbot 20260922, not 20270101" in refused.stderr
    assert "--force" in refused.stderr
    assert replaced.returncode == 0, replaced.stderr
    assert "20270101" in (shop.folder / "into" / MARKER).read_text()


def test_versions_stand_side_by_side(shop: Shop) -> None:
    shop.wheels.add()
    shop.wheels.add("20270101")

    shop.run()
    shop.run("--version", "20270101")

    assert hummingbot_python(shop.state, VERSION) != hummingbot_python(shop.state, "20270101") is not None


def test_an_environment_that_was_changed_is_not_called_good(shop: Shop) -> None:
    shop.wheels.add()
    shop.run()
    (record,) = shop.place.glob("lib/python*/site-packages/hummingbot-*/RECORD")
    record.unlink()

    refused = shop.run()
    mended = shop.run("--force")

    assert "packages were changed" in refused.stderr
    assert mended.returncode == 0, mended.stderr
    assert list(shop.place.glob("lib/python*/site-packages/hummingbot-*/RECORD")) == [record]


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_a_folder_that_is_not_ours_is_left_alone(shop: Shop, force: tuple[str, ...]) -> None:
    shop.wheels.add()
    theirs = shop.folder / "theirs"
    theirs.mkdir()
    (theirs / "precious").touch()

    done = shop.run("--into", str(theirs), *force)

    assert done.returncode == 1
    assert "there is something that the installer did not make" in done.stderr
    assert [file.name for file in theirs.iterdir()] == ["precious"]


def test_a_marker_of_something_else_is_no_environment_of_ours(tmp_path: Path) -> None:
    place = default_folder(tmp_path)
    (place / "bin").mkdir(parents=True)
    shutil.copy(sys.executable, place / "bin" / "python")

    for text in ("", "{}", '{"format":"reconciler.hummingbot/9","version":"20260922"}', "\x00"):
        (place / MARKER).write_text(text)
        assert hummingbot_python(tmp_path) is None
    (place / MARKER).unlink()
    assert hummingbot_python(tmp_path) is None
