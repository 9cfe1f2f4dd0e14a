"""The reference: the same pictures, by one worker whom nothing disturbs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from storm.checker import Answer, read_answers
from storm.servers import Servers
from storm.workload import PlannedJob

_COMMAND = Path(sys.executable).with_name("imagemill")
#: How long it may take, in seconds.
_TIMEOUT_S = 600


def ask_reference(
    servers: Servers, job: PlannedJob, environment: Mapping[str, str]
) -> dict[str, Answer]:
    """Submit the job by the command, wait for its end, and return the answers by uri.

    Raises RuntimeError when the command fails.
    """
    words = ["--name", job.name, "--chunk-size", str(job.chunk_size)]
    columns = ["--uri-column", "uri", "--id-column", "id"]
    done = subprocess.run(
        [_COMMAND, "submit", job.manifest, *words, *columns],
        env=dict(environment),
        timeout=_TIMEOUT_S,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"the undisturbed run ended with {done.returncode}: {done.stderr}")
    return read_answers(servers.postgres.url, job.name)
