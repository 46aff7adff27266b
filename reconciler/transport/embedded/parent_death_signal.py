"""
Runs a program that ends with the process that started it: `python parent_death_signal.py PARENT_PID PROGRAM ARGUMENTS...`

It asks the kernel for SIGTERM at the parent's death (prctl(2), PR_SET_PDEATHSIG) and then becomes the program, so that
nothing runs between fork and exec in a process that may have threads. Other kernels than Linux cannot; there the program
just runs. Run by its path, it imports nothing of the package.
"""

from __future__ import annotations

import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""prctl(2)"""


def with_parent_death_signal(*command: str) -> tuple[str, ...]:
    """The command line that runs `command`, a program and its arguments, until this process ends at the latest."""
    return (sys.executable, "-I", "-S", __file__, str(os.getpid()), *command)


def main(parent: int, command: list[str]) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("the parent is gone already")
    os.execv(command[0], command)  # noqa: S606  no shell wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
