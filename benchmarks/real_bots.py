"""Real bots on this machine: how long from a commit to an order, what a bot weighs, how many there can be.

Usage: RECONCILER_HUMMINGBOT_PYTHON=… python -m benchmarks.real_bots [N]      (default 20 bots, on the exchange for tests)
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from tests.support.brokers import Mosquitto
from tests.support.real_bots import RealBots, real_bots

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
WATCHED_S = 60.0

FILE = """\
strategy_type: pure_market_making
exchange: binance
trading_pair: BTC-USDT
config: {{bid_spread: {spread}%, ask_spread: {spread}%, order_amount: 0.001, order_refresh_time: 15}}
"""


def main(bots: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "project").mkdir()
        broker = Mosquitto(place)
        broker.start()
        try:
            with real_bots(place / "project", broker.url, "bench") as team:
                settings = place / "project" / "reconciler.yaml"
                settings.write_text(
                    "sync: {max_restarts: 100, max_change_fraction: 1.0}\n" + settings.read_text()
                )
                measure(team, bots)
        finally:
            broker.stop()


def measure(team: RealBots, bots: int) -> None:
    with team.agent(), team.project.beside("--set", "source.interval=1s", "run"):
        first_s = first_order(team)
        print(f"from a commit to its first order: {first_s:.1f} s")
        for number in range(1, bots):
            spread = f"{0.1 + number / 100:.2f}"
            (team.project.folder / "strategies" / f"mm-{number}.yaml").write_text(FILE.format(spread=spread))
        started = time.monotonic()
        team.project.commit("more")
        team.exchange.until(lambda: len(processes(team)) == bots, f"{bots} processes", 900)
        team.exchange.until(lambda: open_orders(team) >= 2 * bots, "two orders each", 900)
        print(f"{bots - 1} more, all with orders: {time.monotonic() - started:.0f} s")
        weigh(team)


def first_order(team: RealBots) -> float:
    (team.project.folder / "strategies" / "mm-0.yaml").write_text(FILE.format(spread="0.1"))
    started = time.monotonic()
    team.project.commit("first")
    team.exchange.until(lambda: open_orders(team) > 0, "an order", 300)
    return time.monotonic() - started


def open_orders(team: RealBots) -> int:
    return len(team.exchange.orders(only_open=True))


def processes(team: RealBots) -> list[int]:
    names = [file.stem for file in (team.project.folder / "strategies").glob("*.yaml")]
    found = [team.process(name) for name in names]
    return [pid for pid in found if pid is not None]


def weigh(team: RealBots) -> None:
    pids = processes(team)
    before = [cpu_s(pid) for pid in pids]
    time.sleep(WATCHED_S)
    used = [(cpu_s(pid) - then) / WATCHED_S * 100 for pid, then in zip(pids, before, strict=True)]
    memory = sorted(resident_mib(pid) for pid in pids)
    total = sum(memory)
    print(f"memory of a bot: {memory[0]:.0f} to {memory[-1]:.0f} MiB, together {total / 1024:.1f} GiB")
    print(f"processor of a bot: {sum(used) / len(used):.1f} % of a core, together {sum(used):.0f} %")


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 2**20


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
