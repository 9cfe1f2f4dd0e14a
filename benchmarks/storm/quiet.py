"""The quiet: what a cluster may take its time for, as long as it gets on."""

from __future__ import annotations

import time
from collections.abc import Callable

from storm.findings import Findings
from storm.reader import Reader

#: How often it is looked, in seconds.
_LOOK_S = 0.25
_JOBS = """
SELECT name, status, submitted_at IS NOT NULL, total,
       (SELECT array_agg(state || ' ' || token || CASE WHEN sent_at IS NULL THEN '' ELSE ' sent' END)
        FROM chunks WHERE job_id = jobs.id AND state <> 'done')
FROM jobs WHERE finished_at IS NULL LIMIT 3
"""
_STATE = """
SELECT (SELECT count(*) FROM outcomes), (SELECT count(*) FROM jobs WHERE finished_at IS NOT NULL),
       (SELECT count(*) FROM jobs), (SELECT count(*) FROM chunks WHERE state <> 'done')
"""


def wait_for_jobs(
    reader: Reader, due: Callable[[], set[str]], patience_s: float, findings: Findings
) -> bool:
    """Wait until every job has been stored and has ended; False: nothing moved for so long.

    ``due`` returns the names of those that no producer has stored yet.
    """
    last, since = None, time.monotonic()
    while True:
        names, state = due(), reader.find(_STATE)
        if state and not names and state[0][1] == state[0][2]:
            return True
        if (names, state) != last:
            last, since = (names, state), time.monotonic()
        elif time.monotonic() - since > patience_s:
            open_jobs = (
                f"{state[0][2] - state[0][1]} jobs, such as {reader.find(_JOBS)}" if state else ""
            )
            findings.add(
                f"nothing moved for {patience_s:g} s; open: {open_jobs}; unstored: {names}"
            )
            return False
        time.sleep(_LOOK_S)
