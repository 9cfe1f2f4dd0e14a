"""The quiet: what a cluster may take its time for, as long as it gets on."""

from __future__ import annotations

import time
from collections.abc import Callable

from storm.findings import Findings
from storm.reader import Reader

#: How often it is looked, in seconds.
_LOOK_S = 0.25
#: For each image that chance may condemn there must be so many hits at workers.
_HITS = 20
_JOBS = """
SELECT name, status, submitted_at IS NOT NULL, total,
       (SELECT array_agg(concat_ws(' ', number, state, token, sent_at::time))
        FROM chunks WHERE job_id = jobs.id AND state <> 'done')
FROM jobs WHERE finished_at IS NULL LIMIT 3
"""
_SESSIONS = """
SELECT application_name, state, wait_event_type, wait_event, left(query, 60)
FROM pg_stat_activity WHERE state <> 'idle' AND pid <> pg_backend_pid()
"""
_STATE = """
SELECT (SELECT count(*) FROM outcomes), (SELECT count(*) FROM jobs WHERE finished_at IS NOT NULL),
       (SELECT count(*) FROM jobs), (SELECT count(*) FROM chunks WHERE state <> 'done')
"""
_CONDEMNED = "SELECT count(*) FROM outcomes WHERE code = 'worker_crashed'"


def wait_for_jobs(
    reader: Reader,
    due: Callable[[], set[str]],
    patience_s: float,
    hits: int,
    findings: Findings,
) -> bool:
    """Wait until every job has been stored and has ended; False: nothing moved for so long.

    ``due`` returns the names of those that no producer has stored yet. Of so many ``hits`` at
    workers a few may have met the same image twice as it was alone; more is not waited for.
    """
    last, since = None, time.monotonic()
    while not _condemns(reader, hits, findings):
        names, state = due(), reader.find(_STATE)
        if state and not names and state[0][1] == state[0][2]:
            return True
        if (names, state) != last:
            last, since = (names, state), time.monotonic()
        elif time.monotonic() - since > patience_s:
            jobs, sessions = reader.find(_JOBS), reader.find(_SESSIONS)
            findings.add(
                f"nothing moved for {patience_s:g} s; unstored: {names or 'none'}; "
                f"busy sessions: {sessions}; open: {jobs}"
            )
            return False
        time.sleep(_LOOK_S)
    return False


def _condemns(reader: Reader, hits: int, findings: Findings) -> bool:
    found = reader.find(_CONDEMNED)
    if not found or found[0][0] * _HITS <= hits:
        return False
    findings.add(f"{found[0][0]} images were condemned, and workers were hit only {hits} times")
    return True
