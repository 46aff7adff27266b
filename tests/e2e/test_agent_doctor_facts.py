"""What `agent doctor` finds of the agent's own folder, accounts and controllers, and of the machine and its clock."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.agent.doctor.probes import ahead_of, kept_by_ntp
from reconciler.agent.doctor.verdicts import CheckVerdict
from reconciler.agent.hummingbot.options import BotOptions
from reconciler.agent.journal import Journal
from reconciler.agent.model import Entry, Strategy
from tests.support.brokers import free_port, scripted_broker
from tests.support.doctor_subjects import SECRET, found, subject


def remember(folder: Path, *strategies: Strategy) -> None:
    """Write strategies into a state folder, as an agent does."""
    with contextlib.closing(Journal(folder / "state")) as journal:
        journal.write(Entry(strategies={strategy.name: strategy for strategy in strategies}))


def strategy(name: str, kind: str = "pure_market_making", **more: Any) -> Strategy:
    fields = {
        "strategy_id": "1",
        "exchange": "binance",
        "trading_pair": "BTC-USDT",
        "config": {},
        "spec_hash": "",
    }
    return Strategy(**{**fields, "name": name, "strategy_type": kind, **more})


# What the agent holds.


async def test_keys_that_a_strategy_needs_are_missed_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENT_ACCOUNT__DEFAULT__BINANCE__API_KEY", SECRET)
    remember(
        tmp_path,
        strategy("plain"),
        strategy("paper", exchange="kucoin_paper_trade"),
        strategy("two-venues", "cross_exchange_market_making", config={"taker_market": "kraken"}),
    )

    finding = await found("credentials", subject(tmp_path))

    assert finding.verdict is CheckVerdict.MISSING
    assert "none for kraken, needed by two-venues;" in finding.seen
    assert "kucoin" not in finding.seen
    assert SECRET not in str(finding)


async def test_an_accounts_file_that_others_can_read_is_not_taken(tmp_path: Path) -> None:
    file = tmp_path / "accounts.yaml"
    file.write_text(f"accounts: {{default: {{binance: {{api_key: {SECRET}}}}}}}\n")

    file.chmod(0o644)
    open_to_all = await found("credentials", subject(tmp_path, options=BotOptions(accounts_file=file)))
    file.chmod(0o600)
    closed = await found("credentials", subject(tmp_path, options=BotOptions(accounts_file=file)))

    assert open_to_all.verdict is CheckVerdict.MISSING
    assert "chmod 600" in open_to_all.fix
    assert closed.verdict is CheckVerdict.OK
    assert SECRET not in f"{open_to_all}{closed}"


async def test_the_controllers_folder_is_missed_when_a_strategy_needs_it(tmp_path: Path) -> None:
    remember(tmp_path, strategy("plain"), strategy("simple", "pmm_simple"))
    folder = tmp_path / "controllers"

    nowhere = await found("controllers", subject(tmp_path))
    gone = await found("controllers", subject(tmp_path, options=BotOptions(controllers=folder)))
    folder.mkdir()
    empty = await found("controllers", subject(tmp_path, options=BotOptions(controllers=folder)))
    (folder / "pmm_simple.py").touch()
    there = await found("controllers", subject(tmp_path, options=BotOptions(controllers=folder)))

    assert [one.verdict for one in (nowhere, gone, empty, there)] == [CheckVerdict.MISSING] * 3 + [
        CheckVerdict.OK
    ]
    assert "simple need" in nowhere.seen
    assert "plain" not in nowhere.seen


async def test_a_state_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "agent.db").write_text("no database")

    finding = await found("state", subject(tmp_path))

    assert finding.verdict is CheckVerdict.MISSING
    assert "agent.db" in finding.seen


async def test_a_folder_that_is_a_file_is_no_state_folder(tmp_path: Path) -> None:
    (tmp_path / "state").touch()

    assert (await found("state", subject(tmp_path))).verdict is CheckVerdict.MISSING


# The machine.


@contextlib.contextmanager
def clock_elsewhere(ahead: timedelta | None) -> Iterator[str]:
    """A server whose Date is ahead by so much; None: its answers have none."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response_only(200)
            if ahead is not None:
                self.send_header("Date", format_datetime(datetime.now(UTC) + ahead, usegmt=True))
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the library's name)
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/time"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("hours", "verdict"), [(0, CheckVerdict.OK), (1, CheckVerdict.MISSING), (-1, CheckVerdict.MISSING)]
)
async def test_the_clock_is_compared_with_the_one_that_was_named(
    tmp_path: Path, hours: int, verdict: CheckVerdict
) -> None:
    with clock_elsewhere(timedelta(hours=hours)) as url:
        finding = await found("clock", subject(tmp_path, time_from=url))

    assert finding.verdict is verdict, finding.seen
    assert "127.0.0.1" in finding.seen


async def test_a_clock_elsewhere_that_does_not_answer_is_reported(tmp_path: Path) -> None:
    with clock_elsewhere(None) as url:
        silent = await found("clock", subject(tmp_path, time_from=url))
    gone = await found("clock", subject(tmp_path, time_from=f"http://127.0.0.1:{free_port()}/"))
    wrong = await found("clock", subject(tmp_path, time_from="ftp://127.0.0.1/"))

    assert "its answer has no Date" in silent.seen
    assert "did not answer" in gone.seen
    assert "not an http: or https: address" in wrong.seen
    assert {one.verdict for one in (silent, gone, wrong)} == {CheckVerdict.WARNING}


async def test_a_clock_elsewhere_that_hangs_has_an_end() -> None:
    async def say_nothing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with scripted_broker(say_nothing) as port:
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(ahead_of, f"http://127.0.0.1:{port}/", 0.5)


def test_the_kernel_says_whether_it_keeps_the_clock_or_nothing_at_all() -> None:
    assert kept_by_ntp() in {True, False, None}


async def test_without_a_clock_elsewhere_nobody_is_asked(tmp_path: Path) -> None:
    assert "compared with no other clock" in (await found("clock", subject(tmp_path))).seen


@pytest.mark.parametrize("check", ["disk", "memory"])
async def test_what_the_machine_has_is_reported_in_numbers(tmp_path: Path, check: str) -> None:
    assert " GB" in (await found(check, subject(tmp_path))).seen
