"""
What holds for every test: how much is tried, what is left out, and the brokers that tests can have.

Hypothesis never fails a test for being slow, since machines are busy at times.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import settings

from reconciler.settings.model import BrokerSettings
from tests.oracle import NO_HUMMINGBOT, python
from tests.support import effort
from tests.support.brokers import Mosquitto
from tests.support.long_results import TRIED, LongResults

LONG_TIMEOUT_S = 4 * 3600


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long", action="store_true", help="run the long tests and no others; see docs/long-tests.md"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Before any test is imported. In CI the same examples each time: a change must not fail there by luck."""
    long = config.getoption("--long")
    effort.choose(long=long)
    settings.register_profile(
        "patient",
        deadline=None,
        print_blob=True,
        derandomize="CI" in os.environ,
        max_examples=effort.amount(50, 2_000),
    )
    settings.load_profile("patient")
    if long and not hasattr(config, "workerinput"):
        config.pluginmanager.register(LongResults())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this run is not for; tests with a real Hummingbot take turns, as each needs much memory."""
    for item in items:
        if item.get_closest_marker("hummingbot"):
            item.add_marker(pytest.mark.skipif(python() is None, reason=NO_HUMMINGBOT))
            item.add_marker(pytest.mark.xdist_group("hummingbot"))
    long = config.getoption("--long")
    left_out = [item for item in items if not _is_for(item, long=long)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
    for item in items if long else ():
        item.add_marker(pytest.mark.timeout(LONG_TIMEOUT_S), append=False)
        made = getattr(getattr(item, "obj", None), "_hypothesis_internal_use_settings", None)
        if made is not None:
            item.user_properties.append((TRIED, f"{made.max_examples:,} examples of each"))


def _is_for(item: pytest.Item, *, long: bool) -> bool:
    """Whether a test is part of long runs, or else of usual ones."""
    if item.get_closest_marker("long"):
        return long
    scaled = item.get_closest_marker("scaled") is not None
    return not long or scaled or getattr(getattr(item, "obj", None), "is_hypothesis_test", False)


@pytest.fixture
def mosquitto_factory(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Starts brokers: `mosquitto_factory(config=None, args=())`; see tests/support/brokers.py."""
    started: list[Mosquitto] = []

    def start(config: str | None = None, args: Sequence[str] = ()) -> Mosquitto:
        broker = Mosquitto(tmp_path, config, args)
        started.append(broker)
        broker.start()
        return broker

    yield start
    for broker in started:
        broker.stop()


@pytest.fixture
def mosquitto(mosquitto_factory: Callable[..., Mosquitto]) -> Mosquitto:
    """An unmodified Mosquitto, running."""
    return mosquitto_factory()


@pytest.fixture
def broker_settings(mosquitto: Mosquitto) -> BrokerSettings:
    """Settings that lead to `mosquitto`."""
    return BrokerSettings(url=mosquitto.url)
