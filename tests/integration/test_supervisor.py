"""The supervisor of ``imagemill worker --device all``, with real processes for its children."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from marked import find_marked
from waiting import wait_for

from workers.child import Patience
from workers.supervisor import command_for, supervise

#: A child: notes that it started, and when; drains for a moment when told; then leaves.
_CHILD = """
import signal, sys, time
folder, name, lives_s, code, drain_s = sys.argv[1], sys.argv[2], *map(float, sys.argv[3:])
def note(what):
    with open(f"{folder}/{name}", "a") as file:
        file.write(f"{what} {time.monotonic()}\\n")
def drain(number, _):
    note("stopped")
    time.sleep(drain_s)
    sys.exit(0)
signal.signal(signal.SIGTERM, drain)
signal.signal(signal.SIGINT, lambda *_: note("interrupted"))
note("started")
time.sleep(lives_s)
sys.exit(int(code))
"""
_QUICK = Patience(first_s=0.05, longest_s=0.2, steady_s=10, margin_s=0)


class Children:
    """Commands of children, and what these noted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def command(
        self, name: str, lives_s: float = 30, code: int = 0, drain_s: float = 0
    ) -> list[str]:
        """Return the command of a child that leaves with ``code`` unless it is stopped before."""
        words = (self.folder, name, lives_s, code, drain_s)
        return [sys.executable, "-c", _CHILD, *map(str, words)]

    def noted(self, name: str, what: str) -> list[float]:
        """Return the times at which a child noted something."""
        path = self.folder / name
        lines = path.read_text().splitlines() if path.exists() else []
        return [float(line.split()[1]) for line in lines if line.split()[0] == what]

    def wait(self, name: str, what: str, times: int = 1) -> None:
        """Wait until it noted that."""
        wait_for(lambda: len(self.noted(name, what)) >= times, 10, f"{name} {what} x {times}")

    def wait_all(self, *names: str) -> None:
        """Wait until each of them has started."""
        for name in names:
            self.wait(name, "started")


@pytest.fixture
def children(tmp_path: Path) -> Children:
    """Commands of children that note in a folder what happens."""
    return Children(tmp_path)


@pytest.fixture(autouse=True)
def surviving_stops() -> Iterator[None]:
    """Signals of ours that come when the supervisor has gone by itself end no test."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: None) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def run(
    commands: list[list[str]],
    script: Callable[[], object],
    drain_s: float = 5,
    patience: Patience = _QUICK,
) -> int:
    """Supervise here while ``script`` looks and acts in a thread; at its end it says stop."""
    files = list(Path("/proc/self/fd").iterdir())

    def conduct() -> None:
        try:
            script()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    with ThreadPoolExecutor(1) as pool:
        conducting = pool.submit(conduct)
        code = supervise(commands, drain_s, patience)
        conducting.result()
    assert len(files) == len(list(Path("/proc/self/fd").iterdir()))
    return code


def test_a_stop_reaches_every_child_and_waits_for_their_drains(children: Children) -> None:
    names = ("one", "two")
    commands = [children.command(name, drain_s=0.3) for name in names]
    assert run(commands, lambda: children.wait_all(*names)) == 0
    for name in names:
        (stopped,) = children.noted(name, "stopped")
        assert time.monotonic() - stopped >= 0.3


def test_a_stop_before_a_child_can_hear_it_is_a_clean_end_too(tmp_path: Path) -> None:
    here = tmp_path / "here"
    program = f"import pathlib, time; pathlib.Path({str(here)!r}).touch(); time.sleep(30)"
    assert run([[sys.executable, "-c", program]], lambda: wait_for(here.exists, 10, "it")) == 0


def test_a_second_signal_is_passed_on_too_and_a_ctrl_c_means_the_same(children: Children) -> None:
    def script() -> None:
        children.wait("one", "started")
        os.kill(os.getpid(), signal.SIGINT)
        children.wait("one", "stopped")
        os.kill(os.getpid(), signal.SIGINT)
        children.wait("one", "stopped", 2)

    assert run([children.command("one", drain_s=0.5)], script) == 0
    assert not children.noted("one", "interrupted")


def test_a_child_that_does_not_drain_in_time_is_killed(children: Children) -> None:
    commands = [children.command("one", drain_s=30), children.command("two")]
    assert run(commands, lambda: children.wait_all("one", "two"), 0.3) == 1
    assert time.monotonic() - children.noted("one", "stopped")[0] < 5


def test_a_child_that_dies_comes_again_and_the_others_do_not_notice(
    children: Children, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "workers")
    commands = [children.command("steady"), children.command("mortal", lives_s=0.1, code=70)]
    assert run(commands, lambda: children.wait("mortal", "started", 3)) == 0
    assert len(children.noted("steady", "started")) == 1
    lines = [record for record in caplog.records if vars(record).get("child") == 1]
    assert lines[0].getMessage() == "child 1 started"
    assert lines[1].getMessage().startswith("child 1 left with 70; it starts again in ")
    assert vars(lines[1])["pid"] == vars(lines[0])["pid"]


def test_a_killed_child_comes_again(children: Children) -> None:
    tag = uuid.uuid4().hex

    def script() -> None:
        children.wait("one", "started")
        for pid in find_marked("CHILD_OF", tag) - {os.getpid()}:
            os.kill(pid, signal.SIGKILL)
        children.wait("one", "started", 2)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHILD_OF", tag)
        assert run([children.command("one")], script) == 0


def test_the_pauses_grow_up_to_a_limit_so_that_nothing_spins(children: Children) -> None:
    patience = Patience(first_s=0.1, longest_s=0.4, steady_s=30, margin_s=0)
    command = children.command("one", lives_s=0, code=1)
    assert run([command], lambda: children.wait("one", "started", 7), 5, patience) == 0
    pauses = [later - earlier for earlier, later in pairwise(children.noted("one", "started"))]
    # A process takes a while to start, but none starts before its time.
    assert all(p >= due for p, due in zip(pauses, (0.1, 0.2, 0.4, 0.4, 0.4, 0.4), strict=True))
    assert pauses[-1] < 3  # Without the limit it would be 3.2.


def test_the_pauses_start_anew_after_a_child_that_lived_long(children: Children) -> None:
    patience = Patience(first_s=0.1, longest_s=60, steady_s=0.1, margin_s=0)
    command = children.command("one", lives_s=0.15, code=1)
    assert run([command], lambda: children.wait("one", "started", 7), 5, patience) == 0
    starts = children.noted("one", "started")
    assert starts[-1] - starts[-2] < 3  # Else it would be 3.2.


def test_a_child_that_can_never_work_stops_the_others(children: Children) -> None:
    commands = [children.command("steady"), children.command("wrong", lives_s=0.1, code=2)]
    assert run(commands, lambda: children.wait("steady", "stopped")) == 2
    assert len(children.noted("wrong", "started")) == 1


def test_wrong_use_after_a_life_is_a_death_like_any_other(children: Children) -> None:
    patience = Patience(first_s=0.05, longest_s=0.1, steady_s=0.3, margin_s=0)
    ran = children.command("ran", lives_s=0.4, code=2)
    assert run([ran], lambda: children.wait("ran", "started", 2), 5, patience) == 0


def test_a_stop_does_not_wait_for_a_child_that_is_not_there(children: Children) -> None:
    dead = children.command("dead", lives_s=0, code=1)
    assert run([dead], lambda: children.wait("dead", "started"), 60, Patience(first_s=60)) == 0


_SUPERVISOR = """
import sys
from workers.supervisor import supervise
half = len(sys.argv[1:]) // 2
sys.exit(supervise([sys.argv[1:1 + half], sys.argv[1 + half:]], 10))
"""


@pytest.fixture
def supervisor(children: Children) -> Iterator[subprocess.Popen[bytes]]:
    """A supervisor of two children, ``one`` and ``two``, in a process group of its own."""
    words = [*children.command("one", drain_s=0.3), *children.command("two", drain_s=0.3)]
    command = [sys.executable, "-c", _SUPERVISOR, *words]
    tag = uuid.uuid4().hex
    with subprocess.Popen(
        command, env=os.environ | {"TAG": tag}, stderr=subprocess.DEVNULL, process_group=0
    ) as process:
        children.wait_all("one", "two")
        yield process
        wait_for(lambda: not find_marked("TAG", tag), 10, "the end of every process")


def test_children_of_a_killed_supervisor_drain_and_leave(
    supervisor: subprocess.Popen[bytes], children: Children
) -> None:
    supervisor.kill()
    for name in ("one", "two"):
        children.wait(name, "stopped")


def test_a_ctrl_c_reaches_the_children_once_and_through_their_parent_alone(
    supervisor: subprocess.Popen[bytes], children: Children
) -> None:
    os.killpg(supervisor.pid, signal.SIGINT)
    assert supervisor.wait(10) == 0
    for name in ("one", "two"):
        assert len(children.noted(name, "stopped")) == 1
        assert not children.noted(name, "interrupted")


def test_the_command_of_a_worker_names_its_device_and_keeps_the_other_options() -> None:
    program, *_, module, worker, option, device, size = command_for("cuda:1", ["--max-batch=8"])
    assert (program, module, worker) == (sys.executable, "pipeline.cli.main", "worker")
    assert (option, device, size) == ("--device", "cuda:1", "--max-batch=8")
