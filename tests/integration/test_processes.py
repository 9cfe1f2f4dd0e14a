"""Loader processes and their parent's end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from marked import find_marked

_PROGRAM = """
import sys
sys.path.insert(0, {tests!r})
from echo import echo_engine
from pipeline.records import ImageRef
engine = echo_engine()
engine.submit([ImageRef(0, "n:1")], 1).result()
engine.submit([ImageRef(n, "{kind}:1") for n in range(16)], 1)
print(__file__, flush=True)
import time; time.sleep(600)
"""


@pytest.mark.parametrize("kind", ["n", "hang", "stuck"])
def test_none_outlives_a_killed_parent_whatever_it_is_doing(tmp_path: Path, kind: str) -> None:
    mark = uuid.uuid4().hex
    script = tmp_path / "program.py"
    script.write_text(_PROGRAM.format(tests=str(Path(__file__).parents[1]), kind=kind))
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env=os.environ | {"MARK": mark},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == f"{script}\n"
        while (
            len(find_marked("MARK", mark)) < 4
        ):  # the program, its fork server and two loader processes
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + 10
        while find_marked("MARK", mark) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not find_marked("MARK", mark)
    finally:
        process.stdout and process.stdout.close()
        for pid in find_marked("MARK", mark):
            os.kill(pid, signal.SIGKILL)
