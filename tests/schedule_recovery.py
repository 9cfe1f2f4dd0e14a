"""The end of a schedule: the faults stop, and the cluster gets the job done by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from schedule_judge import Judge, Snapshot
from toy_cluster import RESEND_S, SWEEP_S, ToyCluster

from pipeline import ledger

#: From the last fault to the end of the job: poison and its five lost leases included.
SLOWEST_S = 1300.0
_ENDED = ("completed", "cancelled", "failed")


def recover(cluster: ToyCluster, judge: Judge) -> None:
    """Stop the faults, and let the job end; a job that was stopped goes on, and ends then."""
    cluster.database.at_next_commit = None
    cluster.broker.befall(None)
    for thread in cluster.threads:
        thread.frozen = False
    while not cluster.job.submitted:
        cluster.job.submit_piece(cluster.database)
    _work_off(cluster, judge)
    # Cancelled by a user, then stopped by its failures: it can be stopped twice.
    for _ in range(2):
        if judge.look().job.status != "completed":
            ledger.resume(cluster.database, cluster.job.id)
            judge.check("resume")
            _work_off(cluster, judge)
    assert judge.look().job.status == "completed"
    judge.check_books()


def _work_off(cluster: ToyCluster, judge: Judge) -> None:
    passed_s = 0.0
    while passed_s <= SLOWEST_S:
        while ready := cluster.list_ready():
            cluster.step(ready[-1])
        cluster.sweep(0)
        judge.check()
        if cluster.broker.waiting:
            continue
        now = judge.look()
        if now.job.status in _ENDED and all(one.at == "idle" for one in cluster.threads):
            return
        pause_s = seconds_to_next(now)
        cluster.pass_time(pause_s)
        passed_s += pause_s
    raise AssertionError(f"not ended {passed_s:.0f} s after the last fault")


def seconds_to_next(now: Snapshot) -> float:
    """Return when something is due: at the latest the sweep after next."""
    dates = [
        chunk.sent_at + timedelta(seconds=RESEND_S)
        if chunk.sent_at and chunk.state == "queued"
        else chunk.lease_until or chunk.not_before
        for chunk in now.chunks.values()
    ]
    moment = datetime.now(UTC)
    waits = [(date - moment).total_seconds() + 1 for date in dates if date]
    return max(SWEEP_S, min(waits, default=0.0))
