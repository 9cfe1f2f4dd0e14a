"""The faults: how each of them is done to the cluster, and undone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from redis.exceptions import RedisError
from storm.crew import Crew
from storm.feeder import Feeder
from storm.producers import Producer
from storm.reader import Reader
from storm.recovery import Watcher
from storm.schedule import Step
from storm.servers import Servers
from storm.worker import WorkerProcess

#: How often a storm breaks the connections, in seconds.
_BREAK_S = 0.5
#: How long a restart of the database waits for somebody in the middle of a write, and a flush for
#: a message that waits, in seconds.
_AIM_S = 1.0
_QUEUES = ("imagemill.high", "imagemill.bulk")
#: What ends a worker, and how often although no other one is at work: on a slow machine they would
#: never get to work otherwise.
_DEADLY, _ALL_DEAD = ("worker-kill", "worker-stop"), 0.25
_WRITING = """
SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'imagemill%'
AND (state = 'idle in transaction' OR (state = 'active' AND query ~ '^(COPY|COMMIT|UPDATE)'))
"""


class Faults:
    """Does to a cluster what the steps of a schedule say."""

    def __init__(
        self,
        servers: Servers,
        crew: Crew,
        producers: Sequence[Producer],
        feeder: Feeder,
        watcher: Watcher,
    ) -> None:
        self._servers = servers
        self._crew = crew
        self._producers = producers
        self._feeder = feeder
        self._watcher = watcher
        self._to_workers: dict[str, Callable[[WorkerProcess, Step], None]] = {
            "worker-kill": lambda worker, _: crew.kill(worker),
            "worker-stop": lambda worker, _: crew.stop(worker),
            "worker-freeze": self._freeze_worker,
            "loader-kill": self._kill_loader,
        }
        self._to_servers: dict[str, Callable[[Step], None]] = {
            "producer-kill": self._kill_producer,
            "broker-kill": self._kill_broker,
            "broker-flush": lambda _: self._flush_broker(),
            "broker-storm": self._storm_broker,
            "broker-hole": self._partition_broker,
            "broker-freeze": self._freeze_broker,
            "database-restart": self._restart_database,
        }

    def inject(self, step: Step) -> bool:
        """Do a step; it is undone when this returns. False: there was nobody to do it to."""
        if step.fault in self._to_workers:
            return self._inject_into_worker(step)
        with self._servers.lock_of(step.fault):
            self._watcher.follow(step.fault)
            self._to_servers[step.fault](step)
        return True

    def _inject_into_worker(self, step: Step) -> bool:
        if step.fault in _DEADLY and step.pick > _ALL_DEAD and self._crew.count_ready() < 2:
            return False
        # A worker may be killed as it starts; the rest of it is for those at work.
        with self._crew.borrowed(step.pick, ready=step.fault != "worker-kill") as worker:
            if worker is None:
                return False
            self._watcher.follow(step.fault, worker.name)
            self._to_workers[step.fault](worker, step)
        return True

    def _freeze_worker(self, worker: WorkerProcess, step: Step) -> None:
        worker.signal(signal.SIGSTOP)
        time.sleep(step.lasts_s)
        worker.signal(signal.SIGCONT)

    def _kill_loader(self, worker: WorkerProcess, step: Step) -> None:
        loaders = worker.loaders()
        if loaders:
            with suppress(ProcessLookupError):
                os.kill(loaders[int(step.pick * len(loaders))], signal.SIGKILL)

    def _kill_producer(self, step: Step) -> None:
        """Kill a producer soon after it was told of a job."""
        self._feeder.release()
        time.sleep(step.lasts_s)
        self._producers[int(step.pick * len(self._producers))].kill()

    def _kill_broker(self, step: Step) -> None:
        self._servers.redis.kill()
        time.sleep(step.lasts_s)
        self._servers.redis.start()

    def _flush_broker(self) -> None:
        """Flush it, as soon as there is a message to lose."""
        until = time.monotonic() + _AIM_S
        with self._servers.redis.client() as client:
            while not any(map(client.llen, _QUEUES)) and time.monotonic() < until:
                time.sleep(0.001)
            client.flushall()

    def _storm_broker(self, step: Step) -> None:
        """Break every connection again and again, on Redis's side and on the way in turn."""
        for number in range(int(step.lasts_s / _BREAK_S)):
            if number % 2:
                self._servers.proxy.reset()
            else:
                with self._servers.redis.client() as client, suppress(RedisError):
                    client.client_kill_filter(_type="normal")
            time.sleep(_BREAK_S)

    def _partition_broker(self, step: Step) -> None:
        """Swallow what goes over the connections there are; new ones pass, or do not."""
        self._servers.proxy.hole(new_pass=step.pick < 0.5)
        time.sleep(step.lasts_s)
        self._servers.proxy.heal()

    def _freeze_broker(self, step: Step) -> None:
        self._servers.redis.freeze()
        time.sleep(step.lasts_s)
        self._servers.redis.thaw()

    def _restart_database(self, step: Step) -> None:
        """Restart it as `pg_ctl restart -m immediate` does, as somebody writes."""
        reader, until = Reader(self._servers.postgres.url), time.monotonic() + _AIM_S
        while not reader.find(_WRITING) and time.monotonic() < until:
            time.sleep(0.001)
        self._servers.postgres.end(signal.SIGQUIT)
        reader.close()
        time.sleep(step.lasts_s)
        self._servers.postgres.start()
