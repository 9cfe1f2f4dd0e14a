"""What is left of a run that was stopped by hand, or killed: nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import torch
from command import COMMAND, Done
from marked import find_marked
from PIL import Image
from safetensors.torch import save_file
from torchvision.models import mobilenet_v2

#: Images of the job; a run over them takes long enough to be caught in the middle.
_IMAGES = 300
#: The name of a mark in the environment of every process that a run starts.
_MARK = "IMAGEMILL_TEST_MARK"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained weights of three classes; what they answer is of no interest here."""
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
    save_file(mobilenet_v2(num_classes=3).state_dict(), path, {"labels": '["a", "b", "c"]'})
    return path


@pytest.fixture(scope="module")
def links(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of many links to one picture."""
    folder = tmp_path_factory.mktemp("links")
    Image.linear_gradient("L").convert("RGB").save(folder / "0000.jpg")
    for n in range(1, _IMAGES):
        os.link(folder / "0000.jpg", folder / f"{n:04}.jpg")
    return folder


class Runs:
    """Starts runs of one job in a folder of their own, and looks at what they did."""

    def __init__(self, folder: Path, environment: dict[str, str], words: list[str]) -> None:
        self.mark = uuid.uuid4().hex
        self._database = folder / "imagemill.db"
        self._words = [COMMAND, "run", *words, "--name", "links", "--chunk-size", "16"]
        self._environment = environment | {
            "IMAGEMILL_DATABASE_URL": f"sqlite:///{self._database}",
            _MARK: self.mark,
        }

    def started(self) -> subprocess.Popen[str]:
        """Start a run."""
        return subprocess.Popen(
            self._words,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @contextmanager
    def begun(self, wait_for: int = 32) -> Iterator[subprocess.Popen[str]]:
        """Start a run, and wait until so many images have their outcome."""
        with self.started() as process:
            while self.count("outcomes") < wait_for and process.poll() is None:
                time.sleep(0.05)
            yield process

    def finish(self) -> Done:
        """Run the same command to its end."""
        return subprocess.run(
            [*self._words, "--json"],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def count(self, table: str) -> int:
        """Return the number of rows of a table, 0 while there is none."""
        if not self._database.exists():
            return 0
        with closing(sqlite3.connect(self._database, timeout=30)) as connection:
            try:
                (found,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            except sqlite3.OperationalError:
                return 0
        return int(found)

    def processes(self) -> list[int]:
        """Return the ids of all live processes that carry the mark of these runs."""
        return list(find_marked(_MARK, self.mark))


@pytest.fixture
def runs(tmp_path: Path, environment: dict[str, str], links: Path, weights: Path) -> Iterator[Runs]:
    started = Runs(tmp_path, environment, [str(links), "--weights", str(weights)])
    yield started
    for pid in started.processes():
        os.kill(pid, signal.SIGKILL)


def wait_for(condition: Callable[[], object], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not (met := bool(condition())) and time.monotonic() < deadline:
        time.sleep(0.1)
    return met


def assert_whole(runs: Runs, done: Done) -> None:
    """Every image has exactly one outcome, and the job's books say so."""
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)["counts"]
    wanted = {"total": _IMAGES, "succeeded": _IMAGES, "failed": 0, "pending": 0, "cancelled": 0}
    assert counts == wanted
    assert runs.count("outcomes") == _IMAGES
    assert runs.count("predictions") == 3 * _IMAGES


def test_a_run_killed_in_the_middle_goes_on_at_once_with_nothing_lost_or_twice(runs: Runs) -> None:
    with runs.begun() as process:
        process.kill()
    killed = time.monotonic()
    assert wait_for(lambda: not runs.processes(), 10), "a process of ours outlived the kill"
    kept = runs.count("outcomes")
    assert 0 < kept < _IMAGES
    done = runs.finish()
    assert_whole(runs, done)
    assert time.monotonic() - killed < 110, "it waited for the dead run's leases"
    assert "going on" in done.stderr


def test_ctrl_c_stops_within_seconds_says_how_to_go_on_and_keeps_what_is_done(runs: Runs) -> None:
    with runs.begun() as process:
        os.killpg(process.pid, signal.SIGINT)
        stopped = time.monotonic()
        _, errors = process.communicate(timeout=30)
    assert time.monotonic() - stopped < 10
    assert process.returncode == 130
    assert "--name links" in errors
    assert "Traceback" not in errors
    assert wait_for(lambda: not runs.processes(), 10)
    assert runs.count("outcomes") < _IMAGES
    assert_whole(runs, runs.finish())


@pytest.mark.parametrize("delay_s", [0.6, 1.5, 2.5, 3.5])
def test_ctrl_c_at_any_moment_of_the_start_ends_within_seconds(runs: Runs, delay_s: float) -> None:
    with runs.started() as process:
        time.sleep(delay_s)
        os.killpg(process.pid, signal.SIGINT)
        stopped = time.monotonic()
        _, errors = process.communicate(timeout=60)
    assert time.monotonic() - stopped < 5
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert wait_for(lambda: not runs.processes(), 10)
    assert runs.count("outcomes") < _IMAGES


def test_sigterm_stops_as_ctrl_c_does(runs: Runs) -> None:
    with runs.begun() as process:
        process.terminate()
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 143
    assert "Traceback" not in errors
    assert wait_for(lambda: not runs.processes(), 10)


def test_a_second_run_of_a_live_job_is_refused(runs: Runs) -> None:
    with runs.begun() as process:
        process.send_signal(signal.SIGSTOP)  # It lives, and does not end before we have asked.
        refused = runs.finish()
        process.kill()
    assert refused.returncode == 2
    assert f"process {process.pid}" in refused.stderr


def test_a_loader_process_killed_in_the_middle_costs_no_image(runs: Runs) -> None:
    with runs.begun() as process:
        loaders = [pid for pid in runs.processes() if os.getsid(pid) == pid != process.pid]
        assert loaders
        for pid in loaders:
            os.kill(pid, signal.SIGKILL)
        process.communicate(timeout=300)
    assert process.returncode == 0
    assert_whole(runs, runs.finish())


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
def test_a_run_killed_again_and_again_loses_nothing_and_does_nothing_twice(
    runs: Runs, seed: int
) -> None:
    rng = random.Random(seed)
    for _ in range(10):
        kept = runs.count("outcomes")
        with runs.begun(wait_for=kept + 1) as process:
            time.sleep(rng.uniform(0, 1))
            victims = [process.pid] if rng.random() < 0.6 else runs.processes()
            for pid in victims:
                with suppress(ProcessLookupError):
                    os.kill(pid, rng.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
            process.kill()
        assert wait_for(lambda: not runs.processes(), 10)
        if runs.count("outcomes") == _IMAGES:
            break
    assert_whole(runs, runs.finish())


def test_a_script_without_a_main_guard_runs_once(
    tmp_path: Path, environment: dict[str, str], links: Path, weights: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from pipeline.api import classify\n"
        f"for result in classify([{str(links / '0000.jpg')!r}], weights={str(weights)!r}):\n"
        "    print(result.uri)\n"
    )
    done = subprocess.run(
        [sys.executable, script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout, done.stderr) == (f"{links / '0000.jpg'}\n", "")
