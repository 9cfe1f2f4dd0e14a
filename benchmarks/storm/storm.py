"""The storm: the undisturbed run, the faults, the quiet after them, and the checks."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from storm.aftermath import check_broker, check_workers
from storm.checker import Answer, check
from storm.cluster import Cluster
from storm.findings import Findings
from storm.logbook import Logbook
from storm.options import Options
from storm.processes import count_files
from storm.quiet import wait_for_jobs
from storm.reader import Reader
from storm.redone import count_redone
from storm.reference import ask_reference
from storm.report import Report
from storm.schedule import Step, draw_schedule
from storm.servers import Servers
from storm.workload import Workload

#: Faults at the same time, at most.
_AT_ONCE = 2
#: How long after its last fault a worker may take to read messages again: it notices a connection
#: in a hole after some 20 s.
_BACK_S = 60.0
_AT_WORK = """
SELECT DISTINCT worker FROM chunks JOIN jobs ON jobs.id = job_id WHERE name LIKE 'probe-%'
"""


class Storm:
    """One storm over fresh servers; ``say`` hears what happens."""

    def __init__(self, options: Options, servers: Servers, say: Callable[[str], None]) -> None:
        self._options = options
        self._servers = servers
        self._say = say
        self._findings = Findings()
        self._report = Report()
        self._workload = Workload(options.folder, options.seeds[0], null=options.null)
        self._reference = self._workload.plan_reference()

    def run(self) -> Report:
        """Let it happen, and return what came of it."""
        with Cluster(self._options, self._servers, self._workload, self._findings) as cluster:
            answers = self._ask_reference(cluster)
            cluster.start()
            cluster.crew.wait_ready(self._options.workers)
            self._rage(cluster)
            if self._calm(cluster):
                self._look_around(cluster)
            cluster.stop()
            self._settle(cluster, answers)
        return self._report

    def _ask_reference(self, cluster: Cluster) -> dict[str, Answer]:
        worker = cluster.crew.hire(sound=True)
        answers = ask_reference(self._servers, self._reference, cluster.environment)
        self._report.base_files = count_files(worker.pid)
        if self._options.broken:
            cluster.crew.stop(worker)
        failures = sum(one.code is not None for one in answers.values())
        self._say(f"undisturbed: {len(answers)} pictures, {failures} of them failures")
        return answers

    def _rage(self, cluster: Cluster) -> None:
        options = self._options
        steps = draw_schedule(options.seeds, options.seconds, options.lease_s, options.faults)
        started, running = time.monotonic(), set[Future[None]]()
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="fault") as pool:
            for step in steps:
                time.sleep(max(0.0, started + step.at_s - time.monotonic()))
                running.add(pool.submit(self._inject, cluster, step))
            time.sleep(max(0.0, started + options.seconds - time.monotonic()))
        for one in running:
            one.result()
        self._report.storm_s = time.monotonic() - started

    def _inject(self, cluster: Cluster, step: Step) -> None:
        lasts = f" for {step.lasts_s:g} s" if step.lasts_s else ""
        self._say(f"{step.fault}{lasts}")
        done = cluster.faults.inject(step)
        (self._report.steps if done else self._report.skipped)[step.fault] += 1
        if not done:
            self._say(f"{step.fault}: nobody to do it to")

    def _calm(self, cluster: Cluster) -> bool:
        """Let the cluster end its jobs, and see that every worker is at work again."""
        started, reader = time.monotonic(), Reader(self._servers.postgres.url)
        cluster.feeder.close()
        patience = f"{self._options.patience_s:g} s"
        self._say(f"the faults are over; no {patience} may pass without progress")
        calm = self._wait(cluster, reader)
        self._report.quiet_s = time.monotonic() - started
        if calm:
            self._say(f"all jobs have ended after {self._report.quiet_s:.1f} s")
            calm = self._probe(cluster, reader)
        if not calm:
            cluster.ask_where_they_are()
        reader.close()
        return calm

    def _probe(self, cluster: Cluster, reader: Reader) -> bool:
        """Submit small jobs until every worker has taken a part of one."""
        cluster.crew.wait_ready(self._options.workers)
        deadline = time.monotonic() + _BACK_S
        for number in itertools.count():
            cluster.feeder.release(self._workload.plan_probe(number))
            if not self._wait(cluster, reader):
                return False
            busy = {name for (name,) in reader.find(_AT_WORK) or ()}
            idle = [worker for worker in cluster.crew.list() if worker.name not in busy]
            if not idle or time.monotonic() > deadline:
                break
            time.sleep(1)
        for worker in idle:
            self._findings.add(f"worker {worker.number} takes no messages any more")
        return not idle

    def _wait(self, cluster: Cluster, reader: Reader) -> bool:
        hits = sum(n for fault, n in self._report.steps.items() if fault.startswith("worker"))
        patience_s = self._options.patience_s
        return wait_for_jobs(reader, cluster.feeder.due, patience_s, hits, self._findings)

    def _look_around(self, cluster: Cluster) -> None:
        check_broker(self._servers, self._options, self._findings)
        files = self._report.base_files
        self._report.idle = check_workers(cluster.crew, files, self._findings)

    def _settle(self, cluster: Cluster, answers: dict[str, Answer]) -> None:
        report, url = self._report, self._servers.postgres.url
        jobs = [self._reference, *cluster.feeder.jobs]
        for finding in check(url, jobs, answers):
            self._findings.add(finding)
        logbook = Logbook()
        logbook.read(sorted(self._options.folder.glob("*.log")))
        for finding in logbook.findings():
            self._findings.add(finding)
        reader = Reader(url)
        report.redone = count_redone(reader)
        reader.close()
        report.jobs, report.lines = len(jobs), logbook.lines
        report.recoveries, report.looks = cluster.watcher.recoveries, cluster.watcher.looks
        report.stops_s, report.refusals = cluster.crew.stops_s, cluster.crew.refusals
        report.findings = self._findings.list()
