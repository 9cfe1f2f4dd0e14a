"""How soon a cluster goes on after a fault, with the default times or given ones.

    .venv/bin/python benchmarks/recovery.py [--faults F1,F4] [--lease-s 120] [--sweep-s 30]
        [--resend-s 300] [--drain-s 60]

Each fault has a Redis, a database and workers of its own, all side by side, as they mostly wait;
the engine computes nothing. Prints a row for each fault, with the bound that it has to keep; exits
with 1 if one does not. With the default times it takes seven minutes.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import faults
from cluster import NOBODY, Cluster
from faults import Fault, Scene
from postgres_server import PostgresServer, copy_folder, make_folder
from programs import Nursery
from proxy import Proxy
from redis_server import RedisServer

from pipeline.broker import make_celery
from pipeline.database.database import open_database

#: What a busy machine may add, and what the work itself takes, in seconds.
_MARGIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Times:
    """The settings that bounds are made of, in seconds."""

    lease_s: float
    sweep_s: float
    resend_s: float
    drain_s: float


@dataclass(frozen=True, slots=True)
class Case:
    """A fault, and its bound: so many seconds, leases, sweeps, resends and drains."""

    number: str
    what: str
    fault: Fault
    seconds: float = 0.0
    leases: float = 0.0
    resends: float = 0.0
    drains: float = 0.0
    database: str = "postgresql"

    def bound_s(self, times: Times) -> float:
        """Return the bound, without the margin."""
        waits = self.leases * times.lease_s + self.resends * times.resend_s
        sweeps = times.sweep_s * (self.leases + self.resends)
        return self.seconds + waits + sweeps + self.drains * times.drain_s


CASES = (
    Case("F1", "worker killed", faults.kill_worker, leases=1),
    Case("F2", "message lost", faults.lose_message, resends=1),
    Case("F3", "Redis killed, back after 5 s", faults.restart_broker, 30),
    Case("F4", "FLUSHALL", faults.flush_broker, resends=1),
    Case("F5", "half-open connection to Redis", faults.half_open, 20, resends=1),
    Case("F6", "connections reset every 2 s", faults.storm, 20, resends=1),
    Case("F7", "Redis frozen for 20 s", faults.freeze_broker, 20),
    Case("F8", "Redis out of memory for 20 s", faults.fill_broker, 30),
    Case("F9", "PostgreSQL restarted", faults.restart_database, 60),
    Case("F10", "SQLite locked for 90 s", faults.lock_database, 10, database="sqlite"),
    Case("F11", "disk full for 20 s", faults.fill_database, 10, database="sqlite"),
    Case("F12", "Redis's disk full for 20 s", faults.fill_brokers_disk, 30),
    Case("F14", "device lost", faults.lose_device, leases=1),
    Case("F22", "stop, beyond the drain", faults.drain, 10, drains=1),
    Case("F22", "stop, cut off from Redis", faults.drain_cut_off, 10, drains=1),
    Case("F22", "stopped twice", faults.stop_twice, 10),
    Case("F24", "worker frozen", faults.freeze_worker, leases=1),
    Case("F24", "worker frozen in its transaction", faults.freeze_transaction, leases=1),
    Case("F25", "MemoryError in every slot", faults.run_out_of_memory, leases=1),
)


@dataclass(frozen=True, slots=True)
class Ground:
    """What every case starts from: where workers are born, and empty databases to copy."""

    nursery: Nursery
    postgres: Path
    sqlite: Path


def main() -> int:
    options = read_options()
    times = Times(options.lease_s, options.sweep_s, options.resend_s, options.drain_s)
    cases = [case for case in CASES if not options.faults or case.number in options.faults]
    with laid_out() as ground, ThreadPoolExecutor(len(cases)) as pool:
        return report(cases, times, pool.map(lambda case: measure(case, times, ground), cases))


@contextmanager
def laid_out() -> Iterator[Ground]:
    make_celery(NOBODY)  # Its import at first use is not safe in several threads.
    nursery, postgres = Nursery(), make_folder()
    with tempfile.TemporaryDirectory() as folder:
        sqlite = Path(folder) / "imagemill.db"
        open_database(f"sqlite:///{sqlite}").close()
        try:
            yield Ground(nursery, postgres, sqlite)
        finally:
            nursery.close()
            PostgresServer(postgres).delete()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--faults", type=lambda text: text.split(","), default=())
    for name, default in (("lease", 120), ("sweep", 30), ("resend", 300), ("drain", 60)):
        parser.add_argument(f"--{name}-s", type=float, default=default)
    return parser.parse_args()


def measure(case: Case, times: Times, ground: Ground) -> float:
    """Let one fault happen in a cluster of its own; return how long it was felt, in seconds."""
    settings = {name.upper(): str(getattr(times, name)) for name in times.__dataclass_fields__}
    with (
        tempfile.TemporaryDirectory() as folder,
        RedisServer("aof") as redis,
        Proxy("127.0.0.1", redis.port) as proxy,
        database_of(case, ground, Path(folder)) as (url, postgres),
    ):
        cluster = Cluster(ground.nursery, Path(folder), url, redis.url_at(proxy.port))
        try:
            return case.fault(Scene(cluster, redis, proxy, postgres, Path(folder), settings))
        finally:
            cluster.close()


@contextmanager
def database_of(
    case: Case, ground: Ground, folder: Path
) -> Iterator[tuple[str, PostgresServer | None]]:
    if case.database == "sqlite":
        yield f"sqlite:///{shutil.copy(ground.sqlite, folder)}", None
        return
    with PostgresServer(copy_folder(ground.postgres)) as server:
        yield server.url, server


def report(cases: list[Case], times: Times, measured: Iterator[float]) -> int:
    """Print the table; return 1 if a bound was not kept."""
    given = ", ".join(f"{name} {getattr(times, name):g}" for name in times.__dataclass_fields__)
    print(f"{given}\n\n| fault | | bound | went on after |\n| --- | --- | --- | --- |")
    late = 0
    for case, seconds in zip(cases, measured, strict=True):
        bound = case.bound_s(times)
        late += seconds > bound + _MARGIN_S
        print(f"| {case.number} | {case.what} | {bound:g} s | {seconds:.1f} s |", flush=True)
    return int(late > 0)


if __name__ == "__main__":
    raise SystemExit(main())
