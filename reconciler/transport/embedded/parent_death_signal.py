"""
Run a program that dies with us: `python parent_death_signal.py PARENT_PID PROGRAM ARGUMENTS...`

Asks the kernel for SIGTERM at the parent's death, then becomes the program; so nothing has to run between fork
and exec in a process that may have threads. Where the kernel cannot (it is Linux's), the program just runs.
Run by its path, it imports nothing of ours.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""prctl(2)"""


def main(parent: int, command: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("the parent is gone already")
    os.execv(command[0], command)  # noqa: S606  no shell wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
