"""A project with two strategies and a broker, for tests of the command line."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.brokers import Mosquitto
from tests.support.cli_project import Project


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    mosquitto = Mosquitto(tmp_path_factory.mktemp("broker"))
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


@pytest.fixture
def project(broker: Mosquitto, tmp_path: Path) -> Project:
    project = Project(tmp_path, broker.url, f"test-{time.monotonic_ns()}")
    project.write("btc-maker")
    project.write("eth-maker", pair="ETH-USDT", state="stopped")
    project.commit()
    return project
