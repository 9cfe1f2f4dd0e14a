"""The Dockerfile: what a build would trip over, and what should not be in an image."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from compose import DOCKERFILE, read_services

_FOLDER = DOCKERFILE.parent
_TEXT = DOCKERFILE.read_text(encoding="utf-8")


def instructions() -> list[tuple[str, str]]:
    """Return each instruction and its arguments, in their order, on one line."""
    lines = [line for line in _TEXT.splitlines() if not line.lstrip().startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(words[0], words[1].strip()) for line in whole if (words := line.split(None, 1))]


def arguments(instruction: str) -> list[str]:
    return [rest for name, rest in instructions() if name == instruction]


def project() -> dict[str, object]:
    return tomllib.loads((_FOLDER / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_instruction_is_one() -> None:
    known = {"FROM", "ARG", "WORKDIR", "COPY", "RUN", "LABEL", "ENV", "USER", "EXPOSE"}
    assert {name for name, _ in instructions()} == known | {"ENTRYPOINT", "CMD"}


def test_the_base_is_one_slim_python_of_a_fixed_version_from_the_default_registry() -> None:
    bases = {rest.split()[0] for rest in arguments("FROM")}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.1\d-slim-[a-z]+", bases.pop())
    assert not re.search(r"https?://", _TEXT)


def test_the_last_word_on_the_user_is_a_number_that_is_not_root() -> None:
    user = arguments("USER")[-1]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert [name for name, _ in instructions()].index("USER") > max(
        number for number, (name, _) in enumerate(instructions()) if name in ("RUN", "COPY")
    )


def test_what_is_installed_leaves_no_cache() -> None:
    for command in arguments("RUN"):
        assert "apt-get" not in command
        if "pip " in command:
            assert "--no-cache-dir" in command


def test_the_requirements_come_before_the_code() -> None:
    installs = [command for command in arguments("RUN") if "pip install" in command]
    assert ["--requirement" in command for command in installs] == [True, False]
    assert "--no-deps" in installs[1]


def test_the_requirements_are_those_of_the_project_of_flower_and_of_the_stores(
    tmp_path: Path,
) -> None:
    (command,) = [command for command in arguments("RUN") if "tomllib" in command]
    here = command.replace("python ", f"{sys.executable} ", 1).replace("/req", f"{tmp_path}/req")
    subprocess.run(["sh", "-euc", here], cwd=_FOLDER, check=True)
    asked = (tmp_path / "requirements.txt").read_text().splitlines()
    about = project()["project"]
    assert isinstance(about, dict)
    extras = [about["optional-dependencies"][name] for name in ("flower", "s3", "gs", "az")]
    assert asked == [*about["dependencies"], *chain.from_iterable(extras)]


def test_every_package_is_copied_and_nothing_that_the_build_does_not_see() -> None:
    words = [rest.split() for rest in arguments("COPY") if "--from" not in rest]
    copied = {word for line in words for word in line[:-1]}
    seen = (_FOLDER / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert copied == {line[1:] for line in seen if line.startswith("!")}
    assert seen[1] == "*"
    packages = re.findall(r'"(\w+)\*"', (_FOLDER / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(packages) == {name for name in copied if (_FOLDER / name).is_dir()}


@pytest.mark.parametrize("instruction", ["ENTRYPOINT", "CMD"])
def test_the_command_is_started_without_a_shell_so_that_it_hears_signals(instruction: str) -> None:
    (words,) = map(json.loads, arguments(instruction))
    assert words == {"ENTRYPOINT": ["imagemill"], "CMD": ["--help"]}[instruction]


def test_it_exposes_what_listens_and_keeps_weights_where_the_volume_is() -> None:
    services = read_services()
    worker, web = services["worker"], services["web"]
    (exposed,) = arguments("EXPOSE")
    assert exposed.split() == [*worker["expose"], web["command"][-1]]
    (environment,) = arguments("ENV")
    volumes = [v.split(":") for s in (worker, web) for v in s["volumes"] if isinstance(v, str)]
    named = {volume[0]: volume[1] for volume in volumes}
    assert f"TORCH_HOME={named['weights']} " in environment
    assert f"XDG_CACHE_HOME={named['tuning']} " in environment
    assert all(f" {folder}" in _TEXT for folder in named.values())
