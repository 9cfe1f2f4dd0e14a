"""The wheel, built and installed into an empty environment, from any folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import zipfile
from pathlib import Path

import httpx


def run(command: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("IMAGEMILL_", "PYTHON"))}
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "data")}
    return subprocess.run(
        [command, *words],
        cwd=folder,
        env=clean | home,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_the_wheel_holds_the_packages_the_weights_and_the_migrations(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if "dist-info" not in name} == {
        "pipeline",
        "workers",
        "migrations",
    }
    assert "workers/demo/demo.safetensors" in names
    assert "migrations/versions/0001_initial.py" in names
    assert "migrations/script.py.mako" in names
    assert {"pipeline/py.typed", "workers/py.typed"} <= set(names)


def test_the_wheel_holds_all_that_the_page_is_made_of(wheel: Path) -> None:
    web = Path(__file__).parents[2] / "pipeline" / "web"
    made_of = {f"pipeline/web/{one.parent.name}/{one.name}" for one in web.glob("[ts]*/*.*")}
    assert {"pipeline/web/templates/job.html", "pipeline/web/static/style.css"} <= made_of
    assert made_of <= set(zipfile.ZipFile(wheel).namelist())


def test_the_installed_command_serves_the_page(installed: Path, tmp_path: Path) -> None:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("IMAGEMILL_", "PYTHON"))}
    words = [str(installed), "serve", "--port", "0", "--database-url", "sqlite:///page.db"]
    home = {"HOME": str(tmp_path)}
    with subprocess.Popen(
        words, cwd=tmp_path, env=clean | home, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[0]
        try:
            with httpx.Client(base_url=address, trust_env=False, timeout=30) as client:
                page = client.get("/")
                style = re.search(r'href="(/static/[^"]+\.css)"', page.text)
                assert page.status_code == 200
                assert style, page.text
                assert client.get(style[1]).headers["content-type"].startswith("text/css")
        finally:
            process.terminate()
    assert process.returncode == 0


def test_the_installed_command_runs_a_job_from_any_folder(installed: Path, tmp_path: Path) -> None:
    from workers.demo.drawing import write_pictures

    write_pictures(tmp_path / "pictures", count=12, seed=3)
    done = run(installed, tmp_path, "run", "pictures", "--weights", "demo", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["counts"]["succeeded"] == 12
    where = run(
        installed.with_name("python"), tmp_path, "-c", "import workers; print(workers.__file__)"
    )
    assert where.stdout.startswith(str(installed.parents[1]))


def test_the_installed_command_upgrades_a_database(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "db", "upgrade", "--database-url", "sqlite:///new.db")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "new.db").exists()
