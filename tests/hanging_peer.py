"""A peer that starts a process of its own, writes its id into the weights file, and hangs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

task = json.load(sys.stdin)
child = subprocess.Popen(["sleep", "1000"])
Path(task["weights"]).write_text(str(child.pid))
time.sleep(1000)
