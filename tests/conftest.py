"""What holds for every test, and the brokers that tests can have. Hypothesis never fails one for being slow, since machines are busy at times."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import settings

from reconciler.settings.model import BrokerSettings
from tests.support.brokers import Mosquitto

# In CI the same examples each time: a change must not fail there by luck. Elsewhere the search goes on.
settings.register_profile("patient", deadline=None, print_blob=True, derandomize="CI" in os.environ)
settings.load_profile("patient")


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
