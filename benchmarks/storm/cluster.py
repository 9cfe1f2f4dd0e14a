"""The cluster: all that a storm runs on its servers, from its first worker to its last process."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from marked import find_marked
from storm.crew import Crew
from storm.faults import Faults
from storm.feeder import Feeder
from storm.findings import Findings
from storm.options import MARK, Options
from storm.producers import Producer
from storm.reader import Reader
from storm.recovery import Watcher
from storm.servers import Servers
from storm.shm import SharedMemory
from storm.workload import Workload
from waiting import wait_for

#: How long the last processes may take to end, in seconds.
_END_S = 10.0
#: How long they may take to tell where they are, in seconds.
_TELL_S = 2.0


class Cluster:
    """Workers, producers, and those who watch them; nothing of it outlives ``with``."""

    def __init__(
        self, options: Options, servers: Servers, workload: Workload, findings: Findings
    ) -> None:
        self.environment = options.environment(servers)
        self.servers = servers
        self.crew = Crew(options, self.environment, findings)
        self.producers = [
            Producer(number, options.folder, self.environment, findings)
            for number in range(options.producers)
        ]
        url = servers.postgres.url
        self.feeder = Feeder(Reader(url), workload, self.producers, options.seeds[0])
        self.watcher = Watcher(url, findings)
        self.faults = Faults(servers, self.crew, self.producers, self.feeder, self.watcher)
        self._findings = findings
        self._mark = options.mark
        self._shm = SharedMemory(self._processes)

    def start(self) -> None:
        """Begin to submit, to hire, and to watch."""
        for one in (self._shm, self.crew, self.feeder, self.watcher):
            one.start()

    def ask_where_they_are(self) -> None:
        """Let every process write into its log what its threads are at."""
        for worker in self.crew.list():
            worker.signal(signal.SIGUSR1)
        for producer in self.producers:
            producer.signal(signal.SIGUSR1)
        time.sleep(_TELL_S)

    def stop(self) -> None:
        """End everything as an administrator does, and find what does not end well."""
        for producer in self.producers:
            producer.close()
        self.crew.close()
        self.watcher.close()
        try:
            wait_for(lambda: not self._processes(), _END_S, "the end of all processes", 0.1)
        except AssertionError:
            self._findings.add(f"{len(self._processes())} processes are left over")
        self._shm.close(self._findings)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self._processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _processes(self) -> set[int]:
        return find_marked(MARK, self._mark)
