"""Run as a script: becomes a command that gets a signal when the process that started it dies.

``python -IS leash.py PARENT SIGNAL UID GID COMMAND...``; SIGXFSZ and SIGPIPE stay ignored, as
Python leaves them, so that a file that may not grow is an error, and not the command's death.
"""

from __future__ import annotations

import ctypes
import os
import sys

#: <sys/prctl.h>
_PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    parent, signal, uid, gid = map(int, sys.argv[1:5])
    if os.geteuid() != uid:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # Behind the change of user, which clears it.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal)
    if os.getppid() == parent:
        os.execv(sys.argv[5], sys.argv[5:])
