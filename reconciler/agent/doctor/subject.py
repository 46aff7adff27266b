"""What the doctor looks at: an agent as it would start with these settings."""

from __future__ import annotations

from pathlib import Path

import msgspec

from reconciler.agent.hummingbot.options import Options
from reconciler.agent.install import hummingbot_python
from reconciler.agent.settings import AgentSettings


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """`time_from`: an address whose Date is compared with the clock; empty: none."""

    settings: AgentSettings
    time_from: str = ""

    @property
    def options(self) -> Options:
        """What is set for real bots."""
        return self.settings.bots

    @property
    def state(self) -> Path:
        return self.settings.folder

    @property
    def python(self) -> Path | None:
        """The interpreter that bots would get."""
        return self.options.python or hummingbot_python(self.state, self.settings.hummingbot_version)
