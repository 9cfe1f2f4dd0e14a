"""The README keeps its promises: its commands run, its programs run, its files are there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_command import running_worker
from command import COMMAND
from PIL import Image
from redis_server import RedisServer

from pipeline.records import FailureCode

_REPOSITORY = Path(__file__).parents[2]
_README = (_REPOSITORY / "README.md").read_text(encoding="utf-8")

#: What this test cannot run, and why.
_NOT_RUN = {
    "make test": "it runs this test",
    "export IMAGEMILL_DATABASE_URL=postgresql://mill@db.local/mill"
    " IMAGEMILL_BROKER_URL=redis://queue.local/0": "the addresses are this test's own",
    "imagemill worker --device all --metrics-port 9100": "it runs beside this test",
    "cp .env.example .env": "tests/unit/test_compose.py",
    "docker compose up --detach --build": "no engine here; tests/e2e/test_compose_commands.py",
    "docker compose up --detach --scale worker-cpu=3 worker-cpu": "the same",
    "docker compose run --rm imagemill submit holiday/ --name holiday": "the same",
    "imagemill classify dog.jpg": "the internet: torchvision's weights",
    "imagemill run photos/ --name holiday": "the internet: torchvision's weights; run as below",
    "imagemill run photos/ --name quick --precision fast": "the same",
    "imagemill serve": "it ends when it is stopped; tests/e2e/test_cli_serve.py",
}
#: Makes of the runs above what needs no internet, so that what follows has its jobs.
_INSTEAD = " --weights demo"


def blocks(language: str) -> Iterator[str]:
    yield from re.findall(rf"^```{language}\n(.*?)^```", _README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    lines = (
        line.partition("  #")[0].strip() for block in blocks("sh") for line in block.split("\n")
    )
    return [line for line in lines if line]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the README's examples name."""
    from workers.demo.drawing import write_pictures

    folder = tmp_path_factory.mktemp("readme")
    paths = write_pictures(folder / "photos", count=24, seed=11)
    (folder / "photos" / "broken.jpg").write_bytes(b"no picture")
    rows = [f"{path.relative_to(folder)},{n}" for n, path in enumerate(paths[:5])]
    (folder / "shop.csv").write_text("\n".join(["path,sku", *rows]))
    (folder / "scans" / "old").mkdir(parents=True)
    for name in ("a.png", "old/b.png", "old/b_thumb.png"):
        Image.open(paths[0]).save(folder / "scans" / name)
    return folder


@pytest.fixture(scope="module")
def environment(folder: Path, redis_server: RedisServer) -> Iterator[dict[str, str]]:
    """The README's own set-up: an embedded database, and a worker beside it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("IMAGEMILL_")}
    names = ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "TORCH_HOME")
    home = {name: str(folder / "home") for name in names}
    path = {"PATH": f"{Path(COMMAND).parent}:{kept['PATH']}"}
    broker = {"IMAGEMILL_BROKER_URL": redis_server.url_at(redis_server.port, 62)}
    made = kept | home | path | broker
    with running_worker([COMMAND, "worker", "--device", "cpu"], made, folder):
        yield made


def run(words: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def test_every_command_runs(folder: Path, environment: dict[str, str]) -> None:
    assert set(_NOT_RUN) <= set(commands()), "a command that is said not to be run is gone"
    for command in commands():
        if command == "make demo":
            # The set-up is done already; its demo writes where the repository's own would.
            run(["make", "-C", str(_REPOSITORY), "demo"], folder, environment)
        elif command not in _NOT_RUN:
            run(["bash", "-c", command], folder, environment)
        elif command.startswith("imagemill run"):
            run(["bash", "-c", command + _INSTEAD], folder, environment)
    assert (folder / "holiday.jsonl").read_text(encoding="utf-8").count("\n") == 25
    assert (folder / "holiday.parquet").stat().st_size > 1000


def test_every_program_runs(folder: Path, environment: dict[str, str]) -> None:
    programs = list(blocks("python"))
    assert len(programs) == 4
    for number, program in enumerate(programs):
        script = folder / f"program{number}.py"
        script.write_text(program)
        assert run([sys.executable, str(script)], folder, environment)


def test_every_failure_code_is_explained() -> None:
    table = _README.partition("## Failure codes")[2]
    missing = [str(code) for code in FailureCode if f"`{code}`" not in table]
    assert not missing


def test_every_module_has_its_line_and_every_line_its_module() -> None:
    named = set(re.findall(r"^\| `((?:pipeline|workers|migrations)/\S*)`", _README, re.MULTILINE))
    there = (
        {"migrations/"}
        | {
            str(path.relative_to(_REPOSITORY))
            for package in ("pipeline", "workers")
            for path in (_REPOSITORY / package).glob("*.py")
            if path.name != "__init__.py"
        }
        | {
            f"{path.parent.relative_to(_REPOSITORY)}/"
            for package in ("pipeline", "workers")
            for path in (_REPOSITORY / package).glob("*/__init__.py")
        }
    )
    assert named == there


def test_every_picture_and_file_it_names_is_there() -> None:
    for name in re.findall(r"\]\((?!http)([^)#]+)\)", _README):
        assert (_REPOSITORY / name).exists(), name
