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


def assert_refused(done: Done, sentence: str) -> None:
    """Fail unless the command left with 2 and said one sentence, with ``sentence`` in it."""
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("imagemill: ")
    assert done.stderr.count("\n") == 1
    assert sentence in done.stderr
