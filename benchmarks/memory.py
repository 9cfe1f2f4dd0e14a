"""The memory of `run` over many references: it must not grow with their number.

    .venv/bin/python benchmarks/memory.py FOLDER [--images 100000] [--weights FILE]

Runs a job of links to the pictures of FOLDER and watches the resident memory of the process and
its loader processes. Prints a line for each tenth of the job, and the growth between the first
tenth and the last.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = Path(sys.executable).with_name("imagemill")


def main() -> None:
    options = read_options()
    pictures = sorted(path for path in options.folder.iterdir() if path.is_file())
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "pictures.txt"
        lines = (f"{pictures[n % len(pictures)].absolute()}\n" for n in range(options.images))
        manifest.write_text("".join(lines))
        marks = watch(start(manifest, options), options.images)
    print(f"growth between the first tenth and the last: {marks[-1] - marks[0]:.0f} MB")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", default="demo")
    parser.add_argument("--images", type=int, default=100_000)
    return parser.parse_args()


def start(manifest: Path, options: argparse.Namespace) -> subprocess.Popen[str]:
    database = f"sqlite:///{manifest.parent}/imagemill.db"
    return subprocess.Popen(
        [COMMAND, "run", manifest, "--weights", options.weights, "--name", "memory"],
        env=os.environ | {"IMAGEMILL_DATABASE_URL": database},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def watch(process: subprocess.Popen[str], total: int) -> list[float]:
    """Return the memory, in MB, at each tenth of the job."""
    marks: list[float] = []
    assert process.stderr
    for line in process.stderr:
        done = line.partition("/")[0].replace(",", "")
        if done.isdigit() and int(done) >= (len(marks) + 1) * total / 10:
            marks.append(resident_mb(process.pid))
            print(f"{time.strftime('%H:%M:%S')} {line.strip()}: {marks[-1]:.0f} MB", flush=True)
    if process.wait() or len(marks) < 10:
        raise SystemExit("the run did not end well")
    return marks


def resident_mb(pid: int) -> float:
    """Return the memory that a process and all below it have made their own, shared pages once.

    Without mapped files: what of the libraries counts as ours depends on who else has them open.
    """
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    family, kilobytes = [pid], 0
    for member in family:
        family += children.get(member, [])
        for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
            if line.startswith(("Pss_Anon:", "Pss_Shmem:")):
                kilobytes += int(line.split()[1])
    return kilobytes / 1024


if __name__ == "__main__":
    main()
