"""`agent install` when the outside fails: it says why, takes its children along, and leaves nothing half made."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.agent.install.environment import hummingbot_python
from reconciler.agent.install.installer import InstallRequest, install
from reconciler.agent.install.uv import InstallError
from tests.support.brokers import free_port
from tests.support.cli_project import COMMAND, LIMIT_S
from tests.support.conditions import until
from tests.support.install_project import Shop, is_alive
from tests.support.wheelhouse import VERSION, Wheelhouse, needs_uv


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    needs_uv()
    return Shop(tmp_path, Wheelhouse(tmp_path / "wheels"))


def test_an_index_that_cannot_be_reached_is_named_with_a_fix(shop: Shop) -> None:
    url = f"http://127.0.0.1:{free_port()}/simple"

    done = shop.run(
        UV_NO_INDEX="", UV_OFFLINE="", UV_DEFAULT_INDEX=url, UV_HTTP_RETRIES="0", NO_PROXY="127.0.0.1"
    )

    assert done.returncode == 1
    assert url in done.stderr
    assert "UV_DEFAULT_INDEX" in done.stderr
    assert not shop.place.exists()
    assert "Failed to fetch" in shop.place.with_name(f"{VERSION}.log").read_text()


def test_a_version_that_there_is_not_is_named_with_a_fix(shop: Shop) -> None:
    shop.wheels.add()

    done = shop.run("--version", "20990101")

    assert "hummingbot==20990101" in done.stderr
    assert "--version" in done.stderr


def test_one_that_cannot_be_imported_is_not_installed(shop: Shop) -> None:
    shop.wheels.add(module="raise OSError('libta.so: cannot open shared object file')")

    done = shop.run()

    assert done.returncode == 1
    assert "cannot be used: OSError: libta.so" in done.stderr
    assert shop.around() == {f"{VERSION}.lock", f"{VERSION}.log"}


def test_a_failure_leaves_what_was_there_before(shop: Shop) -> None:
    shop.wheels.add()
    shop.run()
    shop.wheels.add(module="raise OSError('broken')")

    done = shop.run("--force", UV_CACHE_DIR=str(shop.folder / "other-cache"))

    assert done.returncode == 1
    assert hummingbot_python(shop.state) == shop.place / "bin/python"
    assert shop.run().returncode == 0


def test_a_full_disk_is_reported_with_both_numbers_before_anything_is_made(shop: Shop) -> None:
    order = InstallRequest(into=shop.place, python=sys.executable, limit_s=LIMIT_S, needed_bytes=10**18)

    with pytest.raises(InstallError, match=r"GB are free, and 1000000000\.0 GB are needed") as caught:
        asyncio.run(install(order, lambda _: None))

    assert "--into" in caught.value.fix
    assert not shop.place.exists()


def test_a_disk_that_fills_up_meanwhile_leaves_nothing_half_made(shop: Shop) -> None:
    shop.wheels.add(module="x = 1\n" * 300_000)
    limited = f"ulimit -f 1000; trap '' XFSZ; exec {' '.join(shop.command())}"

    done = subprocess.run(
        ["bash", "-c", limited],
        cwd=shop.folder,
        env=shop.environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert not shop.place.exists()
    assert f"{VERSION}.partial" not in shop.around()


def test_a_folder_that_cannot_be_written_is_named(shop: Shop) -> None:
    (shop.folder / "file").touch()

    done = shop.run("--into", str(shop.folder / "file" / "below"))

    assert done.returncode == 1
    assert "cannot write there" in done.stderr


def test_killed_half_way_it_starts_again_and_finishes(shop: Shop) -> None:
    child = shop.start()
    child.kill()
    child.wait(LIMIT_S)
    left = shop.around()
    shop.wheels.go()

    done = shop.run()

    assert f"{VERSION}.partial" in left
    assert VERSION not in left
    assert done.returncode == 0, done.stderr
    assert shop.around() == {VERSION, f"{VERSION}.lock", f"{VERSION}.log"}


def test_killed_between_its_two_renames_it_puts_back_what_was_there(shop: Shop) -> None:
    shop.wheels.add()
    shop.run()
    shop.place.rename(shop.place.with_name(f"{VERSION}.before"))
    shop.place.with_name(f"{VERSION}.partial").mkdir()

    done = shop.run()

    assert "was installed already" in done.stderr
    assert shop.around() == {VERSION, f"{VERSION}.lock", f"{VERSION}.log"}


def test_interrupted_it_takes_its_children_along_and_leaves_nothing(shop: Shop) -> None:
    child = shop.start()
    builder = shop.builder()

    child.send_signal(signal.SIGINT)

    assert child.wait(LIMIT_S) == 130
    asyncio.run(until(lambda: not is_alive(builder)))
    assert shop.around() == {f"{VERSION}.lock", f"{VERSION}.log"}


def test_what_takes_too_long_is_ended_with_its_children(shop: Shop) -> None:
    shop.wheels.add_that_waits()

    done = shop.run("--timeout", "3")

    assert done.returncode == 1
    assert "within 3 s" in done.stderr
    assert "--timeout" in done.stderr
    asyncio.run(until(lambda: not shop.wheels.busy.exists() or not is_alive(shop.builder())))
    assert f"{VERSION}.partial" not in shop.around()


def test_two_installs_do_not_work_in_one_place(shop: Shop) -> None:
    child = shop.start()
    try:
        done = shop.run()
    finally:
        shop.wheels.go()
        child.wait(LIMIT_S)

    assert "another install is running" in done.stderr
    assert child.returncode == 0
    assert hummingbot_python(shop.state) is not None


def test_without_uv_it_says_how_to_get_it(shop: Shop) -> None:
    program = (
        "import sys; sys.modules['uv'] = None\n"
        "from reconciler.cli.main import run; sys.exit(run(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *shop.command()[len(COMMAND) :]],
        cwd=shop.folder,
        env={**shop.environment(), "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )

    assert done.returncode == 1
    assert "uv is not installed" in done.stderr
    assert "fix: pip install" in done.stderr
