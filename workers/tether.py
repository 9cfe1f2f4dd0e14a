"""The tether: ``python -m workers.tether PARENT COMMAND...`` is that command, and ends with PARENT.

It is a program because what a new process does for itself after a fork is not safe while its
parent has threads.
"""

import ctypes
import os
import signal
import sys

#: <sys/prctl.h>
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask for SIGTERM at the parent's death, and become the command, which inherits that."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == parent:  # Else it died before it could be heard of.
        os.execv(command[0], command)  # noqa: S606 (our own command)


if __name__ == "__main__":
    main()
