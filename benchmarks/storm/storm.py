"""The storm: the undisturbed run, the faults, the quiet after them, and the checks."""

from __future__ import annotations

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


class Storm:
    """One storm over fresh servers; ``say`` hears what happens."""

    def __init__(self, options: Options, servers: Servers, say: Callable[[str], None]) -> None:
        self._options = options
        self._servers = servers
        self._say = say
        self._findings = Findings()
        self._report = Report()
        self._workload = Workload(options.folder, options.seed, null=options.null)
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
        worker = cluster.crew.hire()
        answers = ask_reference(self._servers, self._reference, cluster.environment)
        self._report.base_files = count_files(worker.pid)
        failures = sum(one.code is not None for one in answers.values())
        self._say(f"undisturbed: {len(answers)} pictures, {failures} of them failures")
        return answers

    def _rage(self, cluster: Cluster) -> None:
        options = self._options
        steps = draw_schedule(options.seed, options.seconds, options.lease_s, options.faults)
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
        """Let the cluster end its jobs, then one more of which every worker takes a part."""
        started, reader = time.monotonic(), Reader(self._servers.postgres.url)
        cluster.feeder.close()
        patience_s = self._options.patience_s
        self._say(f"the faults are over; no {patience_s:g} s may pass without progress")
        calm = wait_for_jobs(reader, cluster.feeder.due, patience_s, self._findings)
        self._report.quiet_s = time.monotonic() - started
        if calm:
            self._say(f"all jobs have ended after {self._report.quiet_s:.1f} s")
            cluster.crew.wait_ready(self._options.workers)
            cluster.feeder.release(self._workload.plan_probe())
            calm = wait_for_jobs(reader, cluster.feeder.due, patience_s, self._findings)
        if not calm:
            cluster.ask_where_they_are()
        reader.close()
        return calm

    def _look_around(self, cluster: Cluster) -> None:
        self._find_idlers(cluster)
        check_broker(self._servers, self._options, self._findings)
        files = self._report.base_files
        self._report.idle = check_workers(cluster.crew, files, self._findings)

    def _find_idlers(self, cluster: Cluster) -> None:
        reader = Reader(self._servers.postgres.url)
        query = "SELECT DISTINCT worker FROM chunks JOIN jobs ON jobs.id = job_id WHERE name = %s"
        busy = {name for (name,) in reader.find(query, "probe") or ()}
        for worker in cluster.crew.list():
            if worker.name not in busy:
                self._findings.add(f"worker {worker.number} takes no messages any more")
        reader.close()

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
        report.took_s, report.looks = cluster.watcher.took_s, cluster.watcher.looks
        report.stops_s = cluster.crew.stops_s
        report.findings = self._findings.list()
