"""The installed command, for the tests that run it as a user does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

#: The console script beside the interpreter that runs the tests.
COMMAND = str(Path(sys.executable).with_name("imagemill"))

#: What a command left: its exit code and what it wrote.
Done = subprocess.CompletedProcess[str]

#: The fixture ``imagemill``: ``(*words, stdin="", **environment)``.
Run = Callable[..., Done]
