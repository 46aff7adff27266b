"""
One bot: started in Hummingbot's interpreter, by file path. `python -I launcher.py SPEC ROOT < SECRETS`

SPEC is the bot's launch.json, SECRETS is JSON on stdin (within/spec.py has both); ROOT is the bot's root folder, an
argument so that a list of processes shows whose it is. Exit codes and the endpoints that it answers: within/words.py.

Order: check the version, take the folder for our own, open the keystore, mend, connect the bridge, and only then load
the strategy (what is loaded before sends no events). SIGTERM and SIGINT halt the strategy, cancel its orders and end
the process. Only the standard library, hummingbot, and the folder within/ are imported.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve()


def make_importable() -> None:
    """Let `reconciler` be found from here, but nothing that lies beside it: those packages are for another interpreter."""
    package = ModuleType("reconciler")
    package.__path__ = [str(HERE.parents[2])]
    sys.modules["reconciler"] = package


def main() -> int:
    from reconciler.agent.hummingbot.within.running import launch

    return launch(Path(sys.argv[1]), Path(sys.argv[2]), sys.stdin.read())


if __name__ == "__main__":
    make_importable()
    code = main()
    # Connectors leave threads behind that would keep the process; what matters is on the disk by now.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
