"""Workers that are killed, frozen or at the end of their memory."""

from __future__ import annotations

import pytest
from cluster import Cluster


pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def test_a_killed_workers_chunks_are_done_by_another(cluster: Cluster) -> None:
    doomed = cluster.start().wait_until_ready()
    job = cluster.submit(*(f"/sleep-0.2/{n}" for n in range(24)))
    cluster.wait_until_running(job, 4)
    doomed.program.kill()
    heir = cluster.start()
    cluster.wait_until_done(job)
    assert cluster.check(job).succeeded == 24
    assert heir.metric("chunks_lost_total") == 4
    cluster.wait_until_broker_is_empty()
