"""What `imagemill doctor` looks at, one function a check; none changes what a job answers."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ImagemillError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.config import Settings

_GIB = 2**30
#: Loader processes hand pictures over in shared memory: this much is plenty.
_SHM_BYTES = 128 * 2**20
_MEMORY_BYTES = 1 * _GIB
#: The pictures drawn for the engine's check, and how many of them a sound engine gets right.
_SEED, _RIGHT_SHARE = 7, 0.85


class Verdict(StrEnum):
    """How a check came out; only what is wrong keeps imagemill from working."""

    FINE = "fine"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Check:
    """A check's name, verdict, what was found, and what to do about it."""

    name: str
    verdict: Verdict
    found: str
    advice: str = ""


def iterate_checks(settings: Settings, *, tune: bool = False) -> Iterator[Check]:
    """Make every check in turn; what a check raises is its finding.

    With ``tune`` this machine is measured anew.
    """
    for name, check in (_CHECKS | ({"layout": _measure_layout} if tune else {})).items():
        try:
            verdict, found, advice = check(settings)
        except ImagemillError as error:
            verdict, found, advice = Verdict.WRONG, str(error), ""
        except Exception as error:
            verdict, found, advice = Verdict.WRONG, f"{type(error).__name__}: {error}", ""
        yield Check(name, verdict, found, advice)


Finding = tuple[Verdict, str, str]


def _judge(fine: bool, found: str, advice: str) -> Finding:
    return (Verdict.FINE, found, "") if fine else (Verdict.WRONG, found, advice)


def _check_python(_: Settings) -> Finding:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return _judge(sys.version_info >= (3, 11), found, "install Python 3.11 or newer")


def _check_torch(_: Settings) -> Finding:
    from workers.health import describe_torch

    return Verdict.FINE, describe_torch(), ""


def _check_device(settings: Settings) -> Finding:
    from workers.health import describe_device

    return Verdict.FINE, describe_device(settings.device), ""


def _check_machine(_: Settings) -> Finding:
    from workers.cores import count_cores

    available = _available_bytes() or os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    found = f"{count_cores()} cores, {available / _GIB:.1f} GiB of memory available"
    return _judge(available >= _MEMORY_BYTES, found, "free some memory: 1 GiB is needed")


def _available_bytes() -> int | None:
    """Linux's own estimate: what is free, and what the page cache would give back."""
    path = Path("/proc/meminfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((int(ln.split()[1]) * 1024 for ln in lines if ln.startswith("MemAvailable")), None)


def _check_shared_memory(_: Settings) -> Finding:
    folder = Path("/dev/shm")  # noqa: S108 (looked at, not written to)
    if not folder.exists():
        return Verdict.FINE, "not used on this system", ""
    free = shutil.disk_usage(folder).free
    advice = "give the container more shared memory, say `docker run --shm-size=1g`"
    return _judge(free >= _SHM_BYTES, f"{free / 2**20:,.0f} MiB free in /dev/shm", advice)


def _check_pillow(_: Settings) -> Finding:
    from PIL import __version__, features

    jpeg = features.version("libjpeg_turbo") or features.version("jpg")
    return Verdict.FINE, f"Pillow {__version__}, libjpeg {jpeg}", ""


def _check_database(settings: Settings) -> Finding:
    from pipeline.database.database import check_schema

    state = check_schema(settings.database_url)
    if state.dialect == "sqlite" and state.current is None:
        return Verdict.FINE, f"{state.address}, made at first use", ""
    found = f"{state.address}, revision {state.current or 'none'}"
    return _judge(state.fits, found, "run `imagemill db upgrade`")


def _check_weights(settings: Settings) -> Finding:
    from workers.weights import NAMES, find_weights, is_downloaded

    name = settings.weights
    if name != "demo" and name in NAMES and not is_downloaded(name):
        advice = f"run `imagemill weights download {name}`, or use --weights demo"
        return Verdict.NOTE, f"{name} is not downloaded yet", advice
    found = find_weights(name, settings.labels)
    return Verdict.FINE, f"{found.name}, {len(found.labels):,} labels, {found.path}", ""


def _check_layout(settings: Settings) -> Finding:
    from pipeline.cli.doctor.tuning import find_layout

    return Verdict.FINE, *find_layout(settings, anew=False)


def _measure_layout(settings: Settings) -> Finding:
    from pipeline.cli.doctor.tuning import find_layout

    return Verdict.FINE, *find_layout(settings, anew=True)


def _check_engine(settings: Settings) -> Finding:
    """Classify a few drawn pictures by the whole engine, loader processes included."""
    from pipeline import api
    from workers.demo.drawing import LABELS, true_label, write_pictures

    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        paths = write_pictures(Path(folder), count=len(LABELS), seed=_SEED)
        results = list(api.classify([folder], weights="demo", device=settings.device))
    seen = [r.predictions[0].label if r.predictions else None for r in results]
    right = sum(label == true_label(path) for label, path in zip(seen, paths, strict=True))
    found = f"{right} of {len(paths)} drawn pictures are classified right"
    seconds = f", in {time.monotonic() - started:.1f} s"
    fine = right >= _RIGHT_SHARE * len(paths)
    return _judge(fine, found + seconds, "run it again; if it stays so, please report it")


_CHECKS: dict[str, Callable[[Settings], Finding]] = {
    "python": _check_python,
    "torch": _check_torch,
    "device": _check_device,
    "machine": _check_machine,
    "shared memory": _check_shared_memory,
    "pictures": _check_pillow,
    "database": _check_database,
    "weights": _check_weights,
    "layout": _check_layout,
    "engine": _check_engine,
}
