"""The wheel of this tree, and empty environments that hold it; nothing is fetched for either."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

_REPOSITORY = Path(__file__).parents[1]


def build_wheel(folder: Path) -> Path:
    """Return the wheel of what git tracks or would track, built in ``folder``."""
    source = folder / "source"
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=_REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(lambda n: (_REPOSITORY / n).is_file(), tracked.stdout.splitlines()):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((_REPOSITORY / name).read_bytes())
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet"]
    pip = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(folder), str(source)]
    subprocess.run(pip, check=True, capture_output=True)
    return next(folder.glob("imagemill-*.whl"))


def install_wheel(wheel: Path, home: Path) -> Path:
    """Make an environment that holds the wheel; return its command.

    Its dependencies are those at hand, and so is their command `celery`.
    """
    venv.create(home, with_pip=False)
    site = home / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    pip = [sys.executable, "-m", "pip", "--python", str(home), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True)
    # A folder named in a .pth file comes last, and its own .pth files (our sources) do not count.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    celery = home / "bin" / "celery"
    celery.write_text(f"#!{home / 'bin' / 'python'}\nfrom celery.__main__ import main\nmain()\n")
    celery.chmod(0o755)
    return home / "bin" / "imagemill"
