"""Real Git repositories for tests: made in a line, with a fixed identity and none of the user's configuration."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

STRATEGY = """\
strategy_type: pure_market_making
exchange: binance
trading_pair: {pair}
config:
  bid_spread: 0.1%
  ask_spread: 0.1%
  order_amount: {amount}
  order_refresh_time: 30
"""


def strategy(pair: str = "BTC-USDT", amount: str = "0.01") -> str:
    """The text of a valid strategy file."""
    return STRATEGY.format(pair=pair, amount=amount)


SSH = """\
#!/bin/sh
# What ssh would do on another machine, done on this one: the last argument is the command to run there.
for command; do :; done
exec sh -c "$command"
"""


def another_machine(folder: Path) -> dict[str, str]:
    """The environment in which `elsewhere` addresses lead back to this machine, through a program in `folder`."""
    program = folder / "ssh-to-here"
    program.write_text(SSH)
    program.chmod(0o755)
    return {"GIT_SSH_COMMAND": str(program), "GIT_SSH_VARIANT": "simple"}


def elsewhere(repository: Path) -> str:
    """The address of a repository as if it were on another machine."""
    return f"ssh://there{repository}"


class Repository:
    """A repository with a working tree at `folder`, on branch main."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str, **config: str) -> str:
        """Run git in the working tree; `config` as `key__part=value` for this call alone."""
        options = ["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
        for key, value in config.items():
            options += ["-c", f"{key.replace('__', '.')}={value}"]
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        done = subprocess.run(
            ["git", *options, "-C", str(self.folder), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=environment,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, files: dict[str, str | bytes | None]) -> None:
        """Put files into the working tree; None removes one."""
        for path, text in files.items():
            file = self.folder / path
            if text is None:
                file.unlink()
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text if isinstance(text, bytes) else text.encode())

    def commit(self, files: dict[str, str | bytes | None] | None = None, message: str = "change") -> str:
        """Write `files`, commit everything, and return the commit."""
        self.write(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.head()

    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def bare(self, folder: Path) -> Path:
        """A bare clone of it, which it then knows as `origin`."""
        self.git("clone", "-q", "--bare", str(self.folder), str(folder))
        self.git("remote", "add", "origin", str(folder))
        return folder

    def push(self, *arguments: str) -> None:
        self.git("push", "-q", "origin", *(arguments or ("main",)))
