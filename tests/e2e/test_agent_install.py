"""`agent install` with the real uv and a small package called hummingbot: whole or not at all, whatever fails."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.agent.environment import MARKER
from reconciler.agent.install import InstallError, Order, default_folder, hummingbot_python, install
from tests.brokers import free_port
from tests.cli_project import COMMAND, LIMIT_S, clean_environment
from tests.waiting import until
from tests.wheelhouse import VERSION, Wheelhouse, needs_uv


class Shop:
    """The command in a folder of its own; `state` is the agent's."""

    def __init__(self, folder: Path, wheels: Wheelhouse) -> None:
        self.folder = folder
        self.wheels = wheels
        self.state = folder / "state"
        self.place = default_folder(self.state)

    def command(self, *arguments: str) -> list[str]:
        return [*COMMAND, "agent", "--state-dir", str(self.state), "install", *arguments]

    def environment(self, **more: str) -> dict[str, str]:
        """`more` wins; what is empty there is not set at all."""
        merged = {**self.wheels.environment, **more}
        return clean_environment(**{name: value for name, value in merged.items() if value})

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def start(self) -> subprocess.Popen[bytes]:
        """Begin an install that hangs in its build, and wait until it does."""
        self.wheels.add_that_waits()
        child = subprocess.Popen(
            self.command(), cwd=self.folder, env=self.environment(), stderr=subprocess.DEVNULL
        )
        asyncio.run(until(self.wheels.busy.exists))
        return child

    def builder(self) -> int:
        return int(self.wheels.busy.read_text())

    def around(self) -> set[str]:
        """What stands beside the environment."""
        return {entry.name for entry in self.place.parent.iterdir()}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    needs_uv()
    return Shop(tmp_path, Wheelhouse(tmp_path / "wheels"))


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


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


def test_another_version_does_not_take_the_place_of_one_unless_told_to(shop: Shop) -> None:
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
    assert "something is there that we did not make" in done.stderr
    assert [file.name for file in theirs.iterdir()] == ["precious"]


# What fails outside.


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


def test_a_full_disk_is_told_with_both_numbers_before_anything_is_made(shop: Shop) -> None:
    order = Order(into=shop.place, python=sys.executable, limit_s=LIMIT_S, needed_bytes=10**18)

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

    assert "another install is at work" in done.stderr
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


def test_a_marker_of_something_else_is_no_environment_of_ours(tmp_path: Path) -> None:
    place = default_folder(tmp_path)
    (place / "bin").mkdir(parents=True)
    shutil.copy(sys.executable, place / "bin" / "python")

    for text in ("", "{}", '{"format":"reconciler.hummingbot/9","version":"20260922"}', "\x00"):
        (place / MARKER).write_text(text)
        assert hummingbot_python(tmp_path) is None
    (place / MARKER).unlink()
    assert hummingbot_python(tmp_path) is None
