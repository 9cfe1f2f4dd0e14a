"""Real workers tell of a job's end, one of them, soon after it."""

from __future__ import annotations

import json

import pytest
from cluster import Cluster
from programs import PATIENCE_S
from receiver import receiving
from waiting import wait_for

from pipeline.webhooks.asking import ask
from pipeline.webhooks.rows import find_webhook

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def test_one_of_two_workers_tells_of_the_end(cluster: Cluster) -> None:
    with receiving(500, 200) as receiver:
        allowed = {"ALLOW_PRIVATE_HOSTS": "127.0.0.1", "ALLOW_PORTS": str(receiver.port)}
        for _ in range(2):
            cluster.start(WEBHOOK_SECRET="ours", **allowed)
        job_id = cluster.submit(*(f"/{n}" for n in range(12)))
        ask(cluster.database, job_id, receiver.url)
        cluster.wait_until_done(job_id)
        wait_for(lambda: len(receiver.requests) == 2, 15 + PATIENCE_S, "a second try")

        def is_delivered() -> bool:
            with cluster.database.reading() as connection:
                webhook = find_webhook(connection, job_id)
            return webhook is not None and webhook.delivered_at is not None

        wait_for(is_delivered, PATIENCE_S, "the note of the delivery")
    said = [json.loads(request.body) for request in receiver.requests]
    assert [(one["event"], one["attempt"]) for one in said] == [
        ("job.completed", 1),
        ("job.completed", 2),
    ]
    assert all(one["counts"]["succeeded"] == 12 for one in said)
    assert all("Imagemill-Signature" in request.headers for request in receiver.requests)
