"""The engines of a worker: one for each model, found by what its file holds."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

import pytest
from null_engine import NullEngine

from pipeline.config import Settings, load_settings
from pipeline.errors import EngineError
from pipeline.fetch.roots import NOWHERE
from pipeline.records import JobRules, Precision, StoredModel
from workers.absence import Absent, check_folders
from workers.engines import Engines
from workers.identity import PREPROCESSING
from workers.weights import DEMO, file_sha256


class Starts:
    """Counts which weights were started."""

    def __init__(self) -> None:
        self.made: list[tuple[Path, Settings]] = []
        self.closed: list[Path] = []

    def __call__(self, path: Path, settings: Settings) -> NullEngine:
        self.made.append((path, settings))
        closed = self.closed

        class Noted(NullEngine):
            def close(self) -> None:
                closed.append(path)

        return Noted()


def rules(
    sha256: str = file_sha256(DEMO), weights: str = "demo", precision: Precision = Precision.AUTO
) -> JobRules:
    return JobRules(StoredModel(1, ()), 5, 3, "holiday", weights, sha256, precision, PREPROCESSING)


def test_jobs_of_one_model_share_an_engine_and_another_precision_has_its_own() -> None:
    starts = Starts()
    engines = Engines(load_settings(), starts)
    with engines.using(rules()) as first, engines.using(rules()) as second:
        assert first is second
    with engines.using(rules(precision=Precision.FAST)) as third:
        assert third is not first
    assert [settings.precision for _, settings in starts.made] == ["auto", "fast"]


def test_a_job_reads_no_path_outside_of_its_own_roots_and_of_the_workers(tmp_path: Path) -> None:
    inner, other = tmp_path / "inner", tmp_path.parent / "other"
    starts = Starts()
    engines = Engines(load_settings(roots=(tmp_path,)), starts)
    for roots in (None, (tmp_path.parent,), (inner,), (inner, other), (other,)):
        with engines.using(replace(rules(), roots=roots)):
            pass
    # Jobs that may read the same share an engine.
    found = [settings.roots for _, settings in starts.made]
    assert found == [(tmp_path,), (inner,), (NOWHERE,)]


def test_a_model_is_found_by_its_sha_wherever_its_file_is(tmp_path: Path) -> None:
    shutil.copy(DEMO, tmp_path / "mine.safetensors")
    with (tmp_path / "mine.safetensors").open("ab") as file:
        file.write(b"\n")
    tuned = tmp_path / "mine.safetensors"
    starts = Starts()
    engines = Engines(load_settings(weights=str(tuned)), starts)
    with engines.using(rules(file_sha256(tuned), "/elsewhere/tuned.safetensors")):
        pass
    assert starts.made[0][0] == tuned


def test_a_file_that_is_no_longer_the_jobs_is_refused(tmp_path: Path) -> None:
    changed = tmp_path / "tuned.safetensors"
    changed.write_bytes(b"other")
    engines = Engines(load_settings(), Starts())
    with (
        pytest.raises(Absent, match=r"the model of job holiday .* is not here; put its file"),
        engines.using(rules("ab" * 32, str(changed))),
    ):
        pass


def test_a_job_of_another_version_is_left_to_workers_of_that_version() -> None:
    engines = Engines(load_settings(), Starts())
    newer = JobRules(
        StoredModel(1, ()), 5, 3, "holiday", "demo", file_sha256(DEMO), Precision.AUTO, "99"
    )
    with pytest.raises(Absent, match="wants preprocessing 99"), engines.using(newer):
        pass


def test_a_job_may_ask_for_lower_limits_but_not_for_higher_ones() -> None:
    starts = Starts()
    engines = Engines(load_settings(max_pixels=1000, max_bytes=2000), starts)
    model = StoredModel(1, ())
    asked = JobRules(
        *(model, 5, 3, "a", "demo", file_sha256(DEMO), Precision.AUTO, PREPROCESSING, ()),
        max_pixels=500,
        max_bytes=10**12,
    )
    with engines.using(asked):
        pass
    (_, settings), *_ = starts.made
    assert (settings.max_pixels, settings.max_bytes) == (500, 2000)


def test_the_model_that_was_idle_longest_goes_when_there_are_too_many(tmp_path: Path) -> None:
    files = []
    for number in range(6):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(bytes([number]))
        files.append(path)
    starts = Starts()
    engines = Engines(load_settings(), starts)
    first = rules(file_sha256(files[0]), str(files[0]))
    with engines.using(first):
        for path in files[1:]:
            with engines.using(rules(file_sha256(path), str(path))):
                pass
    assert starts.closed == [files[1], files[2]], "the first is in use, the last three are young"


def test_closed_engines_start_none_any_more() -> None:
    starts = Starts()
    engines = Engines(load_settings(), starts)
    with engines.using(rules()):
        engines.close()
    assert len(starts.closed) == 1
    with pytest.raises(EngineError, match="closed"), engines.using(rules()):
        pass


def test_a_folder_that_is_not_mounted_is_absent(tmp_path: Path) -> None:
    here = JobRules(StoredModel(1, ()), 5, 3, "holiday", folders=(str(tmp_path),))
    check_folders(here)
    gone = JobRules(StoredModel(1, ()), 5, 3, "holiday", folders=(str(tmp_path / "mount"),))
    with pytest.raises(Absent, match="mount it at the same path"):
        check_folders(gone)


def test_whoever_closes_second_waits_until_the_first_has_closed_all() -> None:
    closing, may_close = threading.Event(), threading.Event()

    class Slow(NullEngine):
        def close(self) -> None:
            closing.set()
            may_close.wait(10)

    engines = Engines(load_settings(), lambda _path, _settings: Slow())
    with engines.using(rules()):
        pass
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(engines.close)
        assert closing.wait(10)
        second = pool.submit(engines.close)
        assert not wait([first, second], timeout=0.2).done
        may_close.set()
    assert first.done()
    assert second.done()
