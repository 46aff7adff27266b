"""A log record as people see it, whatever somebody sent."""

from __future__ import annotations

import click
import pytest

from reconciler.cli.log_stream import log_line
from reconciler.model.spec import Key
from reconciler.protocol.messages import LogRecord

ESCAPE = "\x1b]0;owned\x07"


@pytest.mark.parametrize("field", ["strategy_name", "timestamp", "level", "message"])
def test_no_field_reaches_the_terminal_as_a_control_sequence(field: str) -> None:
    record = LogRecord(**{"strategy_name": "mm", "timestamp": "2026-11-27T00:00:00Z", field: ESCAPE})

    line = log_line(Key("default", record.strategy_name), record)

    assert line.isprintable()
    assert "owned" in line


def test_a_warning_has_its_colour_and_a_timestamp_may_be_a_number() -> None:
    line = log_line(
        Key("default", "mm"), LogRecord(strategy_name="mm", timestamp=1.5, level="WARNING", message="slow")
    )

    assert click.unstyle(line) == "1.5 WARNING mm: slow"
    assert line != click.unstyle(line)
